// Sends a dataset in parts, so that a cut costs no more than the part under way: shows how far it is, can be cancelled,
// and goes on from where it stopped. Without this file the same form is a plain POST.
(() => {
  const PART = 8 * 1024 * 1024;
  const PAUSES = [1000, 3000];
  const units = ["B", "kB", "MB", "GB"];

  const size = bytes => {
    const power = Math.min(3, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
    return `${(bytes / 1000 ** power).toFixed(power ? 1 : 0)} ${units[power]}`;
  };
  const fill = (words, facts) => words.replace(/\{(\w+)\}/g, (whole, name) => facts[name] ?? whole);
  const wait = milliseconds => new Promise(done => setTimeout(done, milliseconds));

  class Stopped extends Error {} // by the person
  class Cut extends Error {} // by the network
  class Refused extends Error {} // by the server, in words

  // One upload: from the form's file to the page that the server answers with.
  class Upload {
    constructor(form) {
      this.form = form;
      this.words = form.dataset;
      this.file = form.elements.file.files[0];
      this.box = form.querySelector("[data-progress]");
      this.arrived = 0;
      this.paces = [];
      this.stopped = false;
    }

    async run() {
      this.show();
      try {
        await this.send();
        this.say(this.words.checking);
        this.seen("[data-stop]").hidden = true; // the server goes on with it, whoever waits
        const answer = await this.finish();
        if (answer.status >= 500) throw new Cut();
        showAnswer(answer);
      } catch (trouble) {
        await this.end(trouble);
      }
    }

    // Every part, and after a cut the rest: what the server has is never sent twice.
    async send() {
      const begun = await this.begin();
      this.token = begun.token;
      this.arrived = begun.received;
      for (let tries = 0; this.arrived < this.file.size; ) {
        try {
          const { received } = await this.part();
          if (received <= this.arrived) throw new Cut();
          this.arrived = received;
          tries = 0;
        } catch (trouble) {
          if (!(trouble instanceof Cut) || tries === PAUSES.length) throw trouble;
          this.say(this.words.retrying);
          await wait(PAUSES[tries++]);
          this.arrived = (await this.begin()).received;
        }
      }
      this.tell(this.arrived);
    }

    begin() {
      const said = this.fields();
      said.append("name", this.file.name);
      said.append("size", this.file.size);
      said.append("modified", this.file.lastModified);
      return this.answer("POST", this.words.upload, said);
    }

    async part() {
      const end = Math.min(this.arrived + PART, this.file.size);
      const bytes = await readable(this.file.slice(this.arrived, end), this.words.changed);
      const range = `bytes ${this.arrived}-${end - 1}/${this.file.size}`;
      return this.answer("PUT", this.words.upload, bytes, { "Content-Range": range, "Upload-Token": this.token });
    }

    finish() {
      const said = this.fields();
      said.append("token", this.token);
      return this.ask("POST", this.form.action, said);
    }

    fields() {
      const said = new FormData();
      for (const name of ["csrfmiddlewaretoken", "purpose", "upload_to"]) said.append(name, this.form.elements[name].value);
      return said;
    }

    // What the server says as JSON. A part out of order is no failure: it says where to go on.
    async answer(method, address, body, headers = {}) {
      const request = await this.ask(method, address, body, headers);
      const said = parsed(request);
      if (!said && request.status >= 500) throw new Cut();
      if (!said) return leave();
      if (request.status >= 400 && request.status !== 409) throw new Refused(said.message);
      return said;
    }

    ask(method, address, body, headers = {}) {
      return new Promise((done, fail) => {
        if (this.stopped) return fail(new Stopped());
        const request = (this.request = new XMLHttpRequest());
        const before = this.arrived;
        request.upload.onprogress = event => method === "PUT" && this.tell(before + event.loaded);
        request.onload = () => done(request);
        request.onerror = () => fail(new Cut());
        request.onabort = () => fail(new Stopped());
        request.open(method, address);
        request.setRequestHeader("X-CSRFToken", this.form.elements.csrfmiddlewaretoken.value);
        for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
        request.send(body);
      });
    }

    stop() {
      this.stopped = true;
      this.request?.abort();
    }

    async end(trouble) {
      if (trouble instanceof Stopped) await this.forget(); // before it can be sent again, or that would find it
      this.hold(false);
      if (trouble instanceof Stopped) {
        this.say(this.words.stopped);
      } else if (trouble instanceof Cut) {
        const words = this.token && this.arrived >= this.file.size ? this.words.lost : this.words.cut;
        this.say(fill(words, { done: size(this.done), size: size(this.file.size) }));
      } else if (trouble instanceof Refused) {
        this.say(trouble.message);
      } else {
        throw trouble;
      }
      this.seen("[data-again]").focus();
    }

    async forget() {
      this.stopped = false;
      this.seen("[data-stop]").hidden = true;
      if (this.token) await this.ask("DELETE", this.words.upload, null, { "Upload-Token": this.token }).catch(() => {});
    }

    // ---- what is seen ----

    seen(selector) {
      return this.box.querySelector(selector);
    }

    show() {
      this.seen("[data-name]").textContent = this.file.name;
      this.seen("[data-stop]").onclick = () => this.stop();
      this.seen("[data-again]").onclick = () => start(this.form);
      this.box.hidden = false;
      this.hold(true);
      this.tell(0);
    }

    // Whatever would leave the page would cut the upload off.
    hold(busy) {
      this.seen("[data-stop]").hidden = !busy;
      this.seen("[data-again]").hidden = busy;
      const leaving = document.querySelectorAll("#start, [data-continue], [data-submit-on-change]");
      for (const one of [...leaving, this.form.querySelector("[data-drop] button")]) {
        if (busy && !one.disabled) one.dataset.held = "";
        if ("held" in one.dataset) one.disabled = busy;
        if (!busy) delete one.dataset.held;
      }
      document.querySelectorAll("[data-while-uploading]").forEach(note => (note.hidden = !busy));
    }

    say(words) {
      this.seen("[data-told]").textContent = words;
      this.seen("[data-said]").textContent = words;
    }

    tell(done) {
      this.done = done;
      const whole = Math.max(this.file.size, 1);
      const share = Math.floor((100 * done) / whole);
      this.seen("progress").value = share;
      const facts = { share: `${share} %`, done: size(done), size: size(this.file.size) };
      const pace = this.pace(done);
      this.seen("[data-told]").textContent = [fill(this.words.uploading, facts), pace].filter(Boolean).join(", ");
    }

    // Over the last ten seconds; blank while that is too short to say.
    pace(done) {
      const now = performance.now();
      this.paces = [...this.paces.filter(([then, bytes]) => now - then < 10_000 && bytes <= done), [now, done]];
      const [then, before] = this.paces[0];
      const perSecond = (1000 * (done - before)) / (now - then);
      if (now - then < 1000 || !(perSecond > 0)) return "";
      const seconds = Math.ceil((this.file.size - done) / perSecond);
      const left = seconds < 60 ? fill(this.words.seconds, { n: seconds }) : fill(this.words.minutes, { n: Math.round(seconds / 60) });
      return fill(this.words.pace, { pace: size(perSecond), left });
    }
  }

  // A file that was changed or moved since it was chosen fails to be read, which a request would call a cut.
  async function readable(slice, words) {
    try {
      await slice.slice(0, 1).arrayBuffer();
      return slice;
    } catch {
      throw new Refused(words);
    }
  }

  // The session has ended: the page leads to the sign-in, and the same file goes on afterwards.
  function leave() {
    location.reload();
    return new Promise(() => {});
  }

  function parsed(request) {
    try {
      return JSON.parse(request.responseText);
    } catch {
      return null;
    }
  }

  function showAnswer(request) {
    if (request.status < 400) {
      // The redirect was followed: the page to show is where it led.
      const target = new URL(request.responseURL);
      if (target.pathname === location.pathname && target.search === location.search) {
        location.hash = target.hash;
        location.reload();
      } else {
        location.assign(request.responseURL);
      }
      return;
    }
    const page = new DOMParser().parseFromString(request.responseText, "text/html");
    const main = page.getElementById("main");
    if (!main) return location.reload();
    document.getElementById("main").replaceWith(main);
    window.htmx?.process(main);
    prepare();
    main.querySelector("[role=alert]")?.scrollIntoView({ block: "center" });
  }

  const start = form => new Upload(form).run();

  document.addEventListener("submit", event => {
    const form = event.target;
    if (form.matches("[data-upload]") && form.elements.file.files.length) {
      event.preventDefault();
      start(form);
    }
    // A folder chosen in the dialog goes into the field; the file that was picked there stays picked.
    const fills = form.matches("dialog [data-fills]") && form.dataset.fills;
    if (fills) {
      event.preventDefault();
      form.closest("dialog").close();
      for (const field of document.querySelectorAll(`main input[name=${fills}]:not([type=hidden])`)) {
        field.value = form.elements[fills].value;
      }
      document.getElementById(`upload-to-${form.elements.purpose.value}`).dispatchEvent(new Event("change", { bubbles: true }));
    }
  });

  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, event => {
      const zone = event.target.closest?.("[data-drop]");
      if (!zone) return;
      event.preventDefault();
      zone.classList.toggle("over", kind === "dragover");
      const dropped = kind === "drop" && event.dataTransfer.files;
      if (!dropped?.length || zone.querySelector("button").disabled) return;
      const form = zone.closest("form");
      form.elements.file.files = dropped;
      form.requestSubmit();
    });
  }

  const prepare = () => document.querySelectorAll("[data-drop-hint]").forEach(hint => (hint.hidden = false));
  prepare();
})();

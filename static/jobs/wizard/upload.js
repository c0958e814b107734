// Uploads a dataset in parts, so that a lost connection costs one part at most. It shows progress, can be cancelled, and
// resumes where it stopped. Without this script the same form is a plain POST.
(() => {
  const PART = 8 * 1024 * 1024; // bytes; a multiple of 256 KiB, as Cloud Storage requires of a resumable upload
  const PAUSES = [1000, 3000]; // milliseconds before the second and the third attempt
  const FULL_DISK = 507; // the page says so
  const units = ["B", "kB", "MB", "GB"];

  const formatSize = bytes => {
    const power = Math.min(3, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
    return `${(bytes / 1000 ** power).toFixed(power ? 1 : 0)} ${units[power]}`;
  };
  const fillTemplate = (words, facts) => words.replace(/\{(\w+)\}/g, (whole, name) => facts[name] ?? whole);
  const wait = milliseconds => new Promise(done => setTimeout(done, milliseconds));

  class UploadStopped extends Error {} // by the person
  class ConnectionLost extends Error {} // by the network
  class UploadRefused extends Error {} // by the server, in words

  // One upload, from the form's file to the page that the server responds with.
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
        this.showMessage(this.words.checking);
        this.find("[data-stop]").hidden = true; // the server continues even if nobody waits for it
        const answer = await this.finish();
        if (answer.status >= 500 && answer.status !== FULL_DISK) throw new ConnectionLost();
        showAnswer(answer);
      } catch (trouble) {
        await this.showFailure(trouble);
      }
    }

    // Send every part. After a lost connection, continue with the first byte that the server does not have.
    async send() {
      const begun = await this.openSession();
      this.token = begun.token;
      this.arrived = begun.received;
      for (let tries = 0; this.arrived < this.file.size; ) {
        try {
          const { received } = await this.sendPart();
          if (received <= this.arrived) throw new ConnectionLost();
          this.arrived = received;
          tries = 0;
        } catch (trouble) {
          if (!(trouble instanceof ConnectionLost) || tries === PAUSES.length) throw trouble;
          this.showMessage(this.words.retrying);
          await wait(PAUSES[tries++]);
          this.arrived = (await this.openSession()).received;
        }
      }
      this.showProgress(this.arrived);
    }

    openSession() {
      const said = this.buildFormData();
      said.append("name", this.file.name);
      said.append("size", this.file.size);
      said.append("modified", this.file.lastModified);
      return this.requestJson("POST", this.words.upload, said);
    }

    async sendPart() {
      const end = Math.min(this.arrived + PART, this.file.size);
      const bytes = await assertReadable(this.file.slice(this.arrived, end), this.words.changed);
      const range = `bytes ${this.arrived}-${end - 1}/${this.file.size}`;
      return this.requestJson("PUT", this.words.upload, bytes, { "Content-Range": range, "Upload-Token": this.token });
    }

    finish() {
      const said = this.buildFormData();
      said.append("token", this.token);
      return this.sendRequest("POST", this.form.action, said);
    }

    buildFormData() {
      const said = new FormData();
      for (const name of ["csrfmiddlewaretoken", "purpose", "upload_to"]) said.append(name, this.form.elements[name].value);
      return said;
    }

    // Return the server's JSON. 409 is not an error: it says at which byte to continue.
    async requestJson(method, address, body, headers = {}) {
      const request = await this.sendRequest(method, address, body, headers);
      const said = parseJson(request);
      if (!said && request.status >= 500) throw new ConnectionLost();
      if (!said) return reloadForSignIn();
      if (request.status >= 400 && request.status !== 409) throw new UploadRefused(said.message);
      return said;
    }

    sendRequest(method, address, body, headers = {}) {
      return new Promise((done, fail) => {
        if (this.stopped) return fail(new UploadStopped());
        const request = (this.request = new XMLHttpRequest());
        const before = this.arrived;
        request.upload.onprogress = event => method === "PUT" && this.showProgress(before + event.loaded);
        request.onload = () => done(request);
        request.onerror = () => fail(new ConnectionLost());
        request.onabort = () => fail(new UploadStopped());
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

    async showFailure(trouble) {
      if (trouble instanceof UploadStopped) await this.deleteUpload(); // now, so that the same file starts from its first byte when it is sent again
      this.setBusy(false);
      if (trouble instanceof UploadStopped) {
        this.showMessage(this.words.stopped);
      } else if (trouble instanceof ConnectionLost) {
        const words = this.token && this.arrived >= this.file.size ? this.words.lost : this.words.cut;
        this.showMessage(fillTemplate(words, { done: formatSize(this.done), size: formatSize(this.file.size) }));
      } else if (trouble instanceof UploadRefused) {
        this.showMessage(trouble.message);
      } else {
        throw trouble;
      }
      this.find("[data-again]").focus();
    }

    async deleteUpload() {
      this.stopped = false;
      this.find("[data-stop]").hidden = true;
      if (this.token) await this.sendRequest("DELETE", this.words.upload, null, { "Upload-Token": this.token }).catch(() => {});
    }

    // ---- display ----

    find(selector) {
      return this.box.querySelector(selector);
    }

    show() {
      this.find("[data-name]").textContent = this.file.name;
      this.find("[data-stop]").onclick = () => this.stop();
      this.find("[data-again]").onclick = () => start(this.form);
      this.box.hidden = false;
      this.setBusy(true);
      this.showProgress(0);
    }

    // Disable what would leave the page and so end the upload.
    setBusy(busy) {
      this.find("[data-stop]").hidden = !busy;
      this.find("[data-again]").hidden = busy;
      const leaving = document.querySelectorAll("#start, [data-continue], [data-submit-on-change]");
      for (const one of [...leaving, this.form.querySelector("[data-drop] button")]) {
        if (busy && !one.disabled) one.dataset.held = "";
        if ("held" in one.dataset) one.disabled = busy;
        if (!busy) delete one.dataset.held;
      }
      document.querySelectorAll("[data-while-uploading]").forEach(note => (note.hidden = !busy));
    }

    showMessage(words) {
      this.find("[data-told]").textContent = words;
      this.find("[data-said]").textContent = words;
    }

    showProgress(done) {
      this.done = done;
      const whole = Math.max(this.file.size, 1);
      const share = Math.floor((100 * done) / whole);
      this.find("progress").value = share;
      const facts = { share: `${share}%`, done: formatSize(done), size: formatSize(this.file.size) };
      const pace = this.formatPace(done);
      this.find("[data-told]").textContent = [fillTemplate(this.words.uploading, facts), pace].filter(Boolean).join(", ");
    }

    // Speed over the last ten seconds and time left; empty during the first second.
    formatPace(done) {
      const now = performance.now();
      this.paces = [...this.paces.filter(([then, bytes]) => now - then < 10_000 && bytes <= done), [now, done]];
      const [then, before] = this.paces[0];
      const perSecond = (1000 * (done - before)) / (now - then);
      if (now - then < 1000 || !(perSecond > 0)) return "";
      const seconds = Math.ceil((this.file.size - done) / perSecond);
      const left = seconds < 60 ? fillTemplate(this.words.seconds, { n: seconds }) : fillTemplate(this.words.minutes, { n: Math.round(seconds / 60) });
      return fillTemplate(this.words.pace, { pace: formatSize(perSecond), left });
    }
  }

  // A file that was changed or moved after it was chosen cannot be read; a request would report a lost connection.
  async function assertReadable(slice, words) {
    try {
      await slice.slice(0, 1).arrayBuffer();
      return slice;
    } catch {
      throw new UploadRefused(words);
    }
  }

  // The session has ended: the page leads to the sign-in, and the upload can be resumed afterwards.
  function reloadForSignIn() {
    location.reload();
    return new Promise(() => {});
  }

  function parseJson(request) {
    try {
      return JSON.parse(request.responseText);
    } catch {
      return null;
    }
  }

  function showAnswer(request) {
    if (request.status < 400) {
      // The request followed the redirect: show the page where it led.
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
    showDropHints();
    main.querySelector("[role=alert]")?.scrollIntoView({ block: "center" });
  }

  const start = form => new Upload(form).run();

  document.addEventListener("submit", event => {
    const form = event.target;
    if (form.matches("[data-upload]") && form.elements.file.files.length) {
      event.preventDefault();
      start(form);
    }
    // Copy a folder chosen in the dialog to the field; a file that was chosen stays chosen.
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

  const showDropHints = () => document.querySelectorAll("[data-drop-hint]").forEach(hint => (hint.hidden = false));
  showDropHints();
})();

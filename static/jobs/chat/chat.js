// The chat page: answers as they come, number boxes with a range beside them, the thread kept at its end.
(() => {
  const BUSY_AGAIN_MS = 3000;
  const followed = new WeakSet();

  function follow(turn) {
    if (followed.has(turn)) return;
    followed.add(turn);
    const source = new EventSource(turn.dataset.stream);
    const reply = turn.querySelector("[data-reply]");
    const status = turn.querySelector("[data-status]");
    const written = document.createTextNode("");

    // Each connection tells the answer from its beginning.
    source.addEventListener("open", () => {
      written.data = "";
      reply.replaceChildren(written);
    });
    source.addEventListener("message", event => {
      const atEnd = isAtEnd();
      written.appendData(JSON.parse(event.data).text);
      reply.hidden = false;
      status.hidden = true;
      if (atEnd) goToEnd();
    });
    source.addEventListener("end", () => {
      source.close();
      show(turn);
    });
    source.addEventListener("error", () => {
      if (!turn.isConnected) source.close();
      if (source.readyState !== EventSource.CLOSED || !turn.isConnected) return;
      status.hidden = false;
      status.querySelector("[data-words]").textContent = turn.dataset.busy;
      setTimeout(() => show(turn), BUSY_AGAIN_MS);
    });
  }

  // The server's own picture of the turn takes the place of the streamed one; a turn that still waits is followed again.
  function show(turn) {
    if (turn.isConnected) htmx.ajax("GET", turn.dataset.turn, {target: turn, swap: "outerHTML"});
  }

  // On a narrow screen the page scrolls instead of the thread.
  function isAtEnd() {
    const thread = document.getElementById("thread");
    const left = thread.scrollHeight - thread.scrollTop - thread.clientHeight;
    return left < 40 && thread.getBoundingClientRect().bottom < innerHeight + 160;
  }

  function goToEnd() {
    const thread = document.getElementById("thread");
    thread.scrollTop = thread.scrollHeight;
    document.getElementById("composer")?.scrollIntoView({block: "nearest"});
  }

  // What the server could not take or the network lost: htmx would leave the page as if nothing had been pressed.
  function tellTrouble(event) {
    const composer = document.getElementById("composer");
    const words = composer?.querySelector("[data-trouble]");
    if (!words || !document.getElementById("chat").contains(event.target)) return;
    const status = event.detail.xhr?.status;
    words.textContent = status === 400 || status === 413 ? composer.dataset.tooLong : composer.dataset.failed;
    words.hidden = false;
  }

  function pair(range) {
    const box = document.getElementById(range.dataset.twin);
    range.hidden = false;
    const mark = () => range.toggleAttribute("data-unset", box.value === "");
    range.addEventListener("input", () => {
      box.value = range.value;
      mark();
    });
    box.addEventListener("input", () => {
      if (box.value !== "") range.value = box.value;
      mark();
    });
    mark();
  }

  function setUp(root) {
    root.querySelectorAll("[data-twin]").forEach(pair);
    const turns = [...root.querySelectorAll("[data-stream]")];
    if (root.matches?.("[data-stream]")) turns.push(root);
    turns.forEach(follow);
  }

  for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(name, tellTrouble);
  }
  document.addEventListener("DOMContentLoaded", () => {
    setUp(document);
    goToEnd();
  });
  document.addEventListener("htmx:load", event => {
    if (event.detail.elt === document.body) return;
    setUp(event.detail.elt);
    if (event.detail.elt.id === "chat" || event.detail.elt.matches(".turn")) goToEnd();
  });
})();

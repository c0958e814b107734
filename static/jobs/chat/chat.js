// The chat page: streams answers, links number fields to their sliders, and scrolls the thread to its end.
(() => {
  const BUSY_AGAIN_MS = 3000;
  const streaming = new WeakSet();

  function streamTurn(turn) {
    if (streaming.has(turn)) return;
    streaming.add(turn);
    const source = new EventSource(turn.dataset.stream);
    const reply = turn.querySelector("[data-reply]");
    const status = turn.querySelector("[data-status]");
    const replyText = document.createTextNode("");

    // Each connection sends the answer from the beginning.
    source.addEventListener("open", () => {
      replyText.data = "";
      reply.replaceChildren(replyText);
    });
    source.addEventListener("message", event => {
      const atEnd = isAtEnd();
      replyText.appendData(JSON.parse(event.data).text);
      reply.hidden = false;
      status.hidden = true;
      if (atEnd) goToEnd();
    });
    source.addEventListener("end", () => {
      source.close();
      reloadTurn(turn);
    });
    source.addEventListener("error", () => {
      if (!turn.isConnected) source.close();
      if (source.readyState !== EventSource.CLOSED || !turn.isConnected) return;
      status.hidden = false;
      status.querySelector("[data-words]").textContent = turn.dataset.busy;
      setTimeout(() => reloadTurn(turn), BUSY_AGAIN_MS);
    });
  }

  // Replace the streamed turn with the one that the server renders. If it is still waiting, it streams again.
  function reloadTurn(turn) {
    if (turn.isConnected) htmx.ajax("GET", turn.dataset.turn, {target: turn, swap: "outerHTML"});
  }

  // On a narrow screen the page scrolls, not the thread.
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

  // The server refused the message or the network failed: htmx alone would show nothing.
  function showSendError(event) {
    const composer = document.getElementById("composer");
    const words = composer?.querySelector("[data-trouble]");
    if (!words || !document.getElementById("chat").contains(event.target)) return;
    const status = event.detail.xhr?.status;
    words.textContent = status === 400 || status === 413 ? composer.dataset.tooLong : composer.dataset.failed;
    words.hidden = false;
  }

  function linkRangeToBox(range) {
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
    root.querySelectorAll("[data-twin]").forEach(linkRangeToBox);
    const turns = [...root.querySelectorAll("[data-stream]")];
    if (root.matches?.("[data-stream]")) turns.push(root);
    turns.forEach(streamTurn);
  }

  for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(name, showSendError);
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

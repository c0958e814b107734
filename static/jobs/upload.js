// Shows how far an upload is and lets it be cancelled. Without this file the same form is a plain POST.
(() => {
  const units = ["B", "kB", "MB", "GB"];

  function size(bytes) {
    const power = Math.min(3, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
    return `${(bytes / 1000 ** power).toFixed(power ? 1 : 0)} ${units[power]}`;
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
    if (main) document.getElementById("main").replaceWith(main);
    else location.reload();
  }

  function send(form) {
    const box = form.querySelector("[data-progress]");
    const meter = box.querySelector("progress");
    const told = box.querySelector("[data-told]");
    const button = form.querySelector("button:not([type])");
    // Whatever would leave the page would cut the upload off.
    const leaving = [...document.querySelectorAll("[data-continue], [data-submit-on-change]")].filter(one => !one.disabled);
    const request = new XMLHttpRequest();

    function finish(words) {
      told.textContent = words;
      for (const one of [button, ...leaving]) one.disabled = false;
    }

    box.querySelector("[data-name]").textContent = form.elements.file.files[0].name;
    box.querySelector("[data-stop]").onclick = () => request.abort();
    box.hidden = false;
    for (const one of [button, ...leaving]) one.disabled = true;

    request.upload.addEventListener("progress", event => {
      if (!event.lengthComputable) return;
      const share = Math.round((100 * event.loaded) / event.total);
      meter.value = share;
      told.textContent =
        event.loaded < event.total
          ? `${form.dataset.uploading} ${share} %, ${size(event.loaded)} / ${size(event.total)}`
          : form.dataset.checking;
    });
    request.addEventListener("load", () => showAnswer(request));
    request.addEventListener("error", () => finish(form.dataset.failed));
    request.addEventListener("abort", () => {
      box.hidden = true;
      finish("");
    });
    request.open("POST", form.action);
    request.send(new FormData(form));
  }

  document.addEventListener("submit", event => {
    if (!event.target.matches("[data-upload]") || !event.target.elements.file.files.length) return;
    event.preventDefault();
    send(event.target);
  });
})();

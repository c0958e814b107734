// A form with data-once is sent once: its button rests while the answer is on the way. The server holds the same by
// itself; this only spares the second request.
(() => {
  const rest = (form, resting) => form.querySelectorAll("button:not([type=button])").forEach(button => {
    if (resting && !button.disabled) button.dataset.resting = "";
    if (!("resting" in button.dataset)) return;
    button.disabled = resting;
    if (!resting) delete button.dataset.resting;
  });
  document.addEventListener("submit", event => {
    if (event.target.matches("[data-once]")) setTimeout(() => rest(event.target, true));
  });
  // The page may come back from the browser's memory.
  addEventListener("pageshow", () => document.querySelectorAll("[data-once]").forEach(form => rest(form, false)));
})();

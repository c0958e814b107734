// A form with data-once is submitted once: its buttons are disabled until the response arrives. The server ignores a
// second request anyway; this only avoids sending it.
(() => {
  const setResting = (form, resting) => form.querySelectorAll("button:not([type=button])").forEach(button => {
    if (resting && !button.disabled) button.dataset.resting = "";
    if (!("resting" in button.dataset)) return;
    button.disabled = resting;
    if (!resting) delete button.dataset.resting;
  });
  document.addEventListener("submit", event => {
    if (event.target.matches("[data-once]")) setTimeout(() => setResting(event.target, true));
  });
  // The browser may restore the page from its back-forward cache.
  addEventListener("pageshow", () => document.querySelectorAll("[data-once]").forEach(form => setResting(form, false)));
})();

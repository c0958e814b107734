// The response to a change may replace lists of choices. A list in which something was changed while the request was
// under way is not replaced: that change sends a request of its own, whose response replaces it.
(() => {
  const LISTS = "#from, #name-words, #choices, #adapter";
  let changed = [];
  document.addEventListener("input", event => changed.push(event.target));
  document.addEventListener("htmx:beforeRequest", () => (changed = []));
  document.addEventListener("htmx:oobBeforeSwap", event => {
    if (event.detail.target.matches(LISTS) && changed.some(field => field.closest(LISTS))) event.detail.shouldSwap = false;
  });
})();

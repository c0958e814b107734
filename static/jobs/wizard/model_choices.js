// The answer to a change may bring new lists to choose from. What was changed while it was on the way would be lost in
// them: those lists wait for the next answer, which that change asks for.
(() => {
  const LISTS = "#from, #name-words, #choices, #adapter";
  let changed = [];
  document.addEventListener("input", event => changed.push(event.target));
  document.addEventListener("htmx:beforeRequest", () => (changed = []));
  document.addEventListener("htmx:oobBeforeSwap", event => {
    if (event.detail.target.matches(LISTS) && changed.some(field => field.closest(LISTS))) event.detail.shouldSwap = false;
  });
})();

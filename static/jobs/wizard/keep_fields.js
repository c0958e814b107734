// What was typed or chosen in a field with data-keep, and not sent yet, outlives a reload and whatever else renders the
// page anew. It lies in this tab's own memory.
(() => {
  const place = `kept:${location.pathname}${location.search}`;
  const fields = () => [...document.querySelectorAll("[data-keep]")];
  const sent = field => field.closest(".pick").querySelector("form[data-sent]");
  const state = field => (field.type === "radio" ? field.checked : field.value);

  function restore() {
    const kept = JSON.parse(sessionStorage.getItem(place) ?? "{}");
    for (const field of fields()) {
      if (field.id in kept) field[field.type === "radio" ? "checked" : "value"] = kept[field.id];
    }
  }

  addEventListener("pagehide", () => {
    const unsent = fields().filter(field => !sent(field));
    sessionStorage.setItem(place, JSON.stringify(Object.fromEntries(unsent.map(field => [field.id, state(field)]))));
  });
  document.addEventListener("submit", event => {
    if (event.target.matches(".pick form")) event.target.dataset.sent = "";
  });
  restore();
})();

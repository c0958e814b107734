// Input in fields with data-keep that was not submitted yet survives a reload of the page. It is stored in this tab's
// session storage.
(() => {
  const place = `kept:${location.pathname}${location.search}`;
  const fields = () => [...document.querySelectorAll("[data-keep]")];
  const submittedForm = field => field.closest(".pick").querySelector("form[data-sent]");
  const readValue = field => (field.type === "radio" ? field.checked : field.value);

  function restore() {
    const kept = JSON.parse(sessionStorage.getItem(place) ?? "{}");
    for (const field of fields()) {
      if (field.id in kept) field[field.type === "radio" ? "checked" : "value"] = kept[field.id];
    }
  }

  addEventListener("pagehide", () => {
    const unsent = fields().filter(field => !submittedForm(field));
    sessionStorage.setItem(place, JSON.stringify(Object.fromEntries(unsent.map(field => [field.id, readValue(field)]))));
  });
  document.addEventListener("submit", event => {
    if (event.target.matches(".pick form")) event.target.dataset.sent = "";
  });
  restore();
})();

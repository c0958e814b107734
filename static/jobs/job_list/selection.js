// The selection of the jobs list. The list renews itself every few seconds and has pages, so what is selected is
// kept beside it, for this tab and project: rows that are not in view go along in the form as hidden fields.
(() => {
  const bar = () => document.getElementById("selection");
  const boxes = () => [...document.querySelectorAll("[data-pick]")];
  const key = () => `picked:${bar().dataset.project}`;
  let picked = null; // number of a job -> whether it can be cancelled
  let anchor = null; // where a range begins

  function remembered() {
    try {
      return new Map(JSON.parse(sessionStorage.getItem(key())) ?? []);
    } catch {
      return new Map();
    }
  }

  function remember() {
    try {
      sessionStorage.setItem(key(), JSON.stringify([...picked]));
    } catch {
      // A browser that keeps nothing still selects on this page.
    }
  }

  function pick(box, on) {
    if (on) picked.set(box.value, "cancels" in box.dataset);
    else picked.delete(box.value);
  }

  // A row whose box is gone has become a draft again.
  function forgetDrafts() {
    document.querySelectorAll("[data-job]").forEach(row => {
      if (!row.querySelector("[data-pick]")) picked.delete(row.dataset.job);
    });
  }

  function hidden(number) {
    const field = document.createElement("input");
    Object.assign(field, { type: "hidden", name: "run", value: number });
    return field;
  }

  const filled = (words, n) => words.replace("{n}", n);

  function showBoxes() {
    const rows = boxes();
    rows.forEach(box => {
      box.checked = picked.has(box.value);
      if (box.checked) pick(box, true);
    });
    const on = rows.filter(box => box.checked).length;
    document.querySelectorAll("[data-pick-all]").forEach(all => {
      all.checked = on > 0 && on === rows.length;
      all.indeterminate = on > 0 && on < rows.length;
      all.disabled = rows.length === 0;
    });
    const here = new Set(rows.map(box => box.value));
    const elsewhere = [...picked.keys()].filter(number => !here.has(number));
    document.getElementById("pick").replaceChildren(...elsewhere.map(hidden));
    return elsewhere.length;
  }

  function showBar(elsewhere) {
    const { dataset } = bar();
    const part = selector => bar().querySelector(selector);
    const n = picked.size;
    const said = filled(dataset.selected, n);
    dataset.count = n;
    part("[data-words]").textContent = said;
    part("[data-words-elsewhere]").textContent = filled(dataset.elsewhere, elsewhere);
    part("[data-words-elsewhere]").hidden = !elsewhere;
    const compare = part("[data-compare]");
    compare.disabled = n < dataset.least || n > dataset.most;
    compare.querySelector("span").textContent = filled(compare.dataset.compare, n);
    part("[data-why]").hidden = !compare.disabled;
    const cancel = part("[data-cancel]");
    const going = [...picked.values()].filter(Boolean).length;
    if (cancel) cancel.hidden = !going;
    if (going && cancel) cancel.querySelector("span").textContent = filled(cancel.dataset.cancel, going);
    const status = document.getElementById("picked");
    if (status.textContent !== said && (n || status.textContent)) status.textContent = said;
  }

  function show() {
    if (!bar()) return;
    picked ??= remembered();
    forgetDrafts();
    showBar(showBoxes());
    remember();
  }

  function toggle(box, ranged) {
    const rows = boxes();
    const [from, to] = [rows.findIndex(row => row.value === anchor), rows.indexOf(box)];
    const range = ranged && from >= 0 ? rows.slice(Math.min(from, to), Math.max(from, to) + 1) : [box];
    const on = box.checked;
    range.forEach(row => pick(row, on));
    anchor = box.value;
    show();
  }

  document.addEventListener("click", event => {
    if (event.target.matches("[data-pick]")) toggle(event.target, event.shiftKey);
    if (event.target.matches("[data-pick-all]")) {
      boxes().forEach(box => pick(box, event.target.checked));
      show();
    }
  });

  // A range of rows is meant, not of words.
  document.addEventListener("mousedown", event => {
    if (event.shiftKey && event.target.closest(".m-check")) event.preventDefault();
  });

  document.addEventListener("reset", event => {
    if (event.target.id !== "pick") return;
    picked.clear();
    show();
    document.getElementById("pick-all").focus();
  });

  document.addEventListener("keydown", event => {
    const typing = event.target.matches("input:not([type=checkbox]), textarea, select");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !bar()) return;
    const box = event.target.closest("[data-job]")?.querySelector("[data-pick]");
    const compare = bar().querySelector("[data-compare]");
    if (event.key.toLowerCase() === "x" && box) {
      box.checked = !box.checked;
      toggle(box, event.shiftKey);
    }
    if (event.key === "c" && !compare.disabled) compare.click();
  });

  document.addEventListener("htmx:afterSwap", show);
  addEventListener("pageshow", event => {
    if (event.persisted) picked = null;
    show();
  });
  show();
})();

// The selection in the list of jobs. The list refreshes every few seconds and has pages, so the selection is stored
// apart from it, for this tab and project. Selected rows of other pages are submitted as hidden fields.
(() => {
  const bar = () => document.getElementById("selection");
  const boxes = () => [...document.querySelectorAll("[data-pick]")];
  const storageKey = () => `picked:${bar().dataset.project}`;
  let picked = null; // number of a job -> whether it can be cancelled
  let anchor = null; // where a range begins

  function readPicked() {
    try {
      return new Map(JSON.parse(sessionStorage.getItem(storageKey())) ?? []);
    } catch {
      return new Map();
    }
  }

  function savePicked() {
    try {
      sessionStorage.setItem(storageKey(), JSON.stringify([...picked]));
    } catch {
      // Without storage, the selection works on this page only.
    }
  }

  function setPicked(box, on) {
    if (on) picked.set(box.value, "cancels" in box.dataset);
    else picked.delete(box.value);
  }

  // A row without a checkbox has become a draft again.
  function forgetDrafts() {
    document.querySelectorAll("[data-job]").forEach(row => {
      if (!row.querySelector("[data-pick]")) picked.delete(row.dataset.job);
    });
  }

  function buildHiddenField(number) {
    const field = document.createElement("input");
    Object.assign(field, { type: "hidden", name: "run", value: number });
    return field;
  }

  const fillTemplate = (words, n) => words.replace("{n}", n);

  function showBoxes() {
    const rows = boxes();
    rows.forEach(box => {
      box.checked = picked.has(box.value);
      if (box.checked) setPicked(box, true);
    });
    const on = rows.filter(box => box.checked).length;
    document.querySelectorAll("[data-pick-all]").forEach(all => {
      all.checked = on > 0 && on === rows.length;
      all.indeterminate = on > 0 && on < rows.length;
      all.disabled = rows.length === 0;
    });
    const here = new Set(rows.map(box => box.value));
    const elsewhere = [...picked.keys()].filter(number => !here.has(number));
    document.getElementById("pick").replaceChildren(...elsewhere.map(buildHiddenField));
    return elsewhere.length;
  }

  function showBar(elsewhere) {
    const { dataset } = bar();
    const part = selector => bar().querySelector(selector);
    const n = picked.size;
    const said = fillTemplate(dataset.selected, n);
    dataset.count = n;
    part("[data-words]").textContent = said;
    part("[data-words-elsewhere]").textContent = fillTemplate(dataset.elsewhere, elsewhere);
    part("[data-words-elsewhere]").hidden = !elsewhere;
    const compare = part("[data-compare]");
    compare.disabled = n < dataset.least || n > dataset.most;
    compare.querySelector("span").textContent = fillTemplate(compare.dataset.compare, n);
    part("[data-why]").hidden = !compare.disabled;
    const cancel = part("[data-cancel]");
    const going = [...picked.values()].filter(Boolean).length;
    if (cancel) cancel.hidden = !going;
    if (going && cancel) {
      const { cancel: many, cancelOne } = cancel.dataset;
      cancel.querySelector("span").textContent = going === 1 ? cancelOne : fillTemplate(many, going);
    }
    const status = document.getElementById("picked");
    if (status.textContent !== said && (n || status.textContent)) status.textContent = said;
  }

  function render() {
    if (!bar()) return;
    picked ??= readPicked();
    forgetDrafts();
    showBar(showBoxes());
    savePicked();
  }

  function toggle(box, ranged) {
    const rows = boxes();
    const [from, to] = [rows.findIndex(row => row.value === anchor), rows.indexOf(box)];
    const range = ranged && from >= 0 ? rows.slice(Math.min(from, to), Math.max(from, to) + 1) : [box];
    const on = box.checked;
    range.forEach(row => setPicked(row, on));
    anchor = box.value;
    render();
  }

  document.addEventListener("click", event => {
    if (event.target.matches("[data-pick]")) toggle(event.target, event.shiftKey);
    if (event.target.matches("[data-pick-all]")) {
      boxes().forEach(box => setPicked(box, event.target.checked));
      render();
    }
  });

  // A Shift-click selects rows, not text.
  document.addEventListener("mousedown", event => {
    if (event.shiftKey && event.target.closest(".m-check")) event.preventDefault();
  });

  document.addEventListener("reset", event => {
    if (event.target.id !== "pick") return;
    picked.clear();
    render();
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

  document.addEventListener("htmx:afterSwap", render);
  addEventListener("pageshow", event => {
    if (event.persisted) picked = null;
    render();
  });
  render();
})();

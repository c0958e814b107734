// What every page needs: theme switch, menus, dialogs, copy buttons, live counters, keys. Everything is delegated, so
// fragments that htmx brings in need no set-up of their own.
(() => {
  const root = document.documentElement;

  function chooseTheme() {
    const next = root.dataset.bsTheme === "dark" ? "light" : "dark";
    root.dataset.theme = root.dataset.bsTheme = next;
    document.cookie = `theme=${next};path=/;max-age=31536000;samesite=lax`;
  }

  function copy(button) {
    const source = button.dataset.copy || document.querySelector(button.dataset.copyFrom)?.textContent || "";
    navigator.clipboard.writeText(source.trim()).then(() => {
      button.dataset.copied = "";
      setTimeout(() => delete button.dataset.copied, 1500);
    });
  }

  function closeMenus(except) {
    document.querySelectorAll("details.menu[open]").forEach(menu => {
      if (menu !== except) menu.open = false;
    });
  }

  /** What an earlier opening has fetched is not shown again, where nobody could tell that it is about to change. */
  function open(dialog) {
    const waiting = dialog.querySelector("[data-until-fetched]");
    if (waiting) document.getElementById(waiting.dataset.untilFetched).replaceChildren(waiting.content.cloneNode(true));
    dialog.showModal();
  }

  document.addEventListener("click", event => {
    const at = selector => event.target.closest(selector);
    closeMenus(at("details.menu"));
    if (at("[data-theme-switch]")) chooseTheme();
    if (at("[data-copy], [data-copy-from]")) copy(at("[data-copy], [data-copy-from]"));
    const opener = at("[data-dialog]");
    if (opener) {
      event.preventDefault();
      open(document.getElementById(opener.dataset.dialog));
    }
    if (at("[data-close]")) at("dialog").close();
    if (at("[data-nav-switch]")) document.body.classList.toggle("nav-open");
  });

  document.addEventListener("change", event => {
    if (event.target.matches("[data-submit-on-change]")) event.target.form.requestSubmit();
  });

  document.addEventListener("input", event => {
    const counter = event.target.dataset.counter && document.getElementById(event.target.dataset.counter);
    if (counter) counter.textContent = `${[...event.target.value].length} / ${event.target.maxLength}`;
  });

  document.addEventListener("keydown", event => {
    if (event.key === "Escape") closeMenus();
    const typing = event.target.matches("input, textarea, select");
    if (event.key === "/" && !typing) {
      const search = document.querySelector("[data-search]");
      if (search) {
        event.preventDefault();
        search.focus();
      }
    }
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.matches("[data-send-on-enter]")) {
      event.target.form.requestSubmit();
    }
  });

  // A link to a field puts the cursor there, and opens what it is folded into.
  function goToField() {
    const field = document.getElementById(location.hash.slice(1));
    if (!field?.matches("input, select, textarea")) return;
    field.closest("details")?.setAttribute("open", "");
    field.focus();
  }
  goToField();
  addEventListener("hashchange", goToField);

  // A region that refreshes itself waits while nobody looks, and while somebody is at work inside it: also with
  // an answer that was asked for before they began.
  const atWork = region => region.querySelector("dialog[open], details[open], input:not([type=checkbox]):focus");
  document.addEventListener("htmx:beforeRequest", event => {
    if (event.target.matches("[data-poll]") && (document.hidden || atWork(event.target))) event.preventDefault();
  });
  document.addEventListener("htmx:beforeSwap", event => {
    if (event.target.matches("[data-poll]") && atWork(event.target)) event.detail.shouldSwap = false;
  });

  // Nothing moves between press and release: else what was pressed is gone from under the pointer, and the click
  // with it. An answer that comes meanwhile waits, but not for ever: a release elsewhere is not always told.
  const LONGEST_PRESS = 3000; // ms
  let release = () => {};
  let released = Promise.resolve();
  document.addEventListener("pointerdown", event => {
    if (event.button || event.target.closest("select")) return;
    released = new Promise(done => {
      release = done;
      setTimeout(done, LONGEST_PRESS);
    });
  });
  // The click follows the release at once, and comes first.
  for (const end of ["pointerup", "pointercancel"]) document.addEventListener(end, () => setTimeout(release));
  document.addEventListener("htmx:beforeSend", ({ detail: { xhr } }) => {
    const answer = xhr.onload;
    xhr.onload = () => released.then(() => answer.call(xhr));
  });

  // What was scrolled sideways inside a region stays so when the region is renewed.
  const scrolled = {};
  const each = act => document.querySelectorAll("[data-keeps-scroll]").forEach(part => act(part, part.dataset.keepsScroll));
  document.addEventListener("htmx:beforeSwap", () => each((part, name) => (scrolled[name] = part.scrollLeft)));
  document.addEventListener("htmx:afterSwap", () => each((part, name) => (part.scrollLeft = scrolled[name] ?? 0)));

  // A refused fragment (403, 404, 5xx) must not vanish: htmx swaps only successes by itself.
  document.addEventListener("htmx:responseError", event => {
    const status = event.detail.xhr.status;
    if (status === 401 || status === 403) location.reload();
  });
})();

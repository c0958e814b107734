// For every page: theme switch, menus, dialogs, copy buttons, character counters, and keys. All events are delegated, so
// that fragments which htmx loads need no setup.
(() => {
  const root = document.documentElement;

  function chooseTheme() {
    const next = root.dataset.bsTheme === "dark" ? "light" : "dark";
    root.dataset.theme = root.dataset.bsTheme = next;
    document.cookie = `theme=${next};path=/;max-age=31536000;samesite=lax`;
  }

  function copyText(button) {
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

  /** Show a placeholder instead of what the dialog loaded last time, which is about to be replaced. */
  function openDialog(dialog) {
    const waiting = dialog.querySelector("[data-until-fetched]");
    if (waiting) document.getElementById(waiting.dataset.untilFetched).replaceChildren(waiting.content.cloneNode(true));
    dialog.showModal();
  }

  document.addEventListener("click", event => {
    const at = selector => event.target.closest(selector);
    closeMenus(at("details.menu"));
    if (at("[data-theme-switch]")) chooseTheme();
    if (at("[data-copy], [data-copy-from]")) copyText(at("[data-copy], [data-copy-from]"));
    const opener = at("[data-dialog]");
    if (opener) {
      event.preventDefault();
      openDialog(document.getElementById(opener.dataset.dialog));
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
    if (event.key === "Escape") {
      closeMenus();
      for (const tip of document.querySelectorAll(".tip:is(:hover, :focus-within)")) tip.dataset.hushed = "";
    }
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

  for (const type of ["focusout", "mouseout"]) {
    document.addEventListener(type, event => {
      const tip = event.target.closest(".tip");
      if (tip && !tip.contains(event.relatedTarget)) delete tip.dataset.hushed;
    });
  }

  // A link to a field focuses it, and opens the section that contains it.
  function focusField() {
    const field = document.getElementById(location.hash.slice(1));
    if (!field?.matches("input, select, textarea")) return;
    field.closest("details")?.setAttribute("open", "");
    field.focus();
  }
  focusField();
  addEventListener("hashchange", focusField);

  // A region that refreshes itself does not do so in a hidden tab or while it is in use. A response that arrives
  // while the region is in use is dropped.
  const isInUse = region => region.querySelector("dialog[open], details[open], input:not([type=checkbox]):focus");
  document.addEventListener("htmx:beforeRequest", event => {
    if (event.target.matches("[data-poll]") && (document.hidden || isInUse(event.target))) event.preventDefault();
  });
  document.addEventListener("htmx:beforeSwap", event => {
    if (event.target.matches("[data-poll]") && isInUse(event.target)) event.detail.shouldSwap = false;
  });

  // Nothing is swapped between press and release: if the pressed element were replaced, there would be no click. A
  // response that arrives meanwhile waits for the release, which the browser does not report everywhere.
  const LONGEST_PRESS = 3000; // milliseconds; a press that takes longer is not a click
  let release = () => {};
  let released = Promise.resolve();
  document.addEventListener("pointerdown", event => {
    if (event.button || event.target.closest("select")) return;
    released = new Promise(done => {
      release = done;
      setTimeout(done, LONGEST_PRESS);
    });
  });
  // The click event follows the release at once; the timeout lets it come first.
  for (const end of ["pointerup", "pointercancel"]) document.addEventListener(end, () => setTimeout(release));
  document.addEventListener("htmx:beforeSend", ({ detail: { xhr } }) => {
    const answer = xhr.onload;
    xhr.onload = () => released.then(() => answer.call(xhr));
  });

  // Horizontal scroll positions survive a refresh of their region.
  const scrolled = {};
  const eachScroller = act => document.querySelectorAll("[data-keeps-scroll]").forEach(part => act(part, part.dataset.keepsScroll));
  document.addEventListener("htmx:beforeSwap", () => eachScroller((part, name) => (scrolled[name] = part.scrollLeft)));
  document.addEventListener("htmx:afterSwap", () => eachScroller((part, name) => (part.scrollLeft = scrolled[name] ?? 0)));

  // htmx swaps only successful responses. Without a session or permission, reload to show the page's own error.
  document.addEventListener("htmx:responseError", event => {
    const status = event.detail.xhr.status;
    if (status === 401 || status === 403) location.reload();
  });
})();

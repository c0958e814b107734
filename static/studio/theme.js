// Runs before the first paint: applies the theme that the user chose, or that of the system.
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const applyTheme = () => {
    if (!root.dataset.theme) root.dataset.bsTheme = dark.matches ? "dark" : "light";
  };
  applyTheme();
  dark.addEventListener("change", applyTheme);
})();

// The bar's buttons: theme, contents on small screens, all code; and what printing opens.
{
  const page = document.documentElement;
  const main = document.getElementById("content");
  const remember = (key, value) => { try { localStorage.setItem(key, value); } catch {} };
  const recall = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
  const name = (button, words) => { button.querySelector(".word").textContent = words; };

  const themes = ["auto", "light", "dark"];
  const themeButton = document.getElementById("theme");
  const theme = () => page.dataset.theme || "auto";
  themeButton.addEventListener("click", () => {
    const next = themes[(themes.indexOf(theme()) + 1) % themes.length];
    page.dataset.theme = next === "auto" ? "" : next;
    remember("theme", page.dataset.theme);
    name(themeButton, "Theme: " + theme());
  });
  name(themeButton, "Theme: " + theme());

  const menuButton = document.getElementById("menu");
  const contents = document.getElementById("contents");
  const openMenu = (open) => {
    page.classList.toggle("menu-open", open);
    menuButton.setAttribute("aria-expanded", open);
    main.inert = open;
  };
  const isOpen = () => page.classList.contains("menu-open");
  menuButton.addEventListener("click", () => openMenu(!isOpen()));
  contents.addEventListener("click", (event) => { if (event.target.closest("a")) openMenu(false); });
  matchMedia("(min-width: 64rem)").addEventListener("change", () => openMenu(false));
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !isOpen()) return;
    openMenu(false);
    menuButton.focus();
  });

  const codeButton = document.getElementById("code");
  const folds = [...main.querySelectorAll("details.code")];
  const openCode = (open) => {
    folds.forEach((fold) => { fold.open = open; });
    name(codeButton, open ? "Hide all code" : "Show all code");
    codeButton.dataset.shown = open ? "yes" : "";
  };
  // What is being read stays where it is while code above it opens.
  const hold = (change) => {
    const seen = document.elementFromPoint(main.getBoundingClientRect().left + 40, innerHeight / 3);
    const before = seen?.getBoundingClientRect().top;
    page.style.overflowAnchor = "none";
    change();
    if (main.contains(seen) && seen !== main) scrollBy(0, seen.getBoundingClientRect().top - before);
    requestAnimationFrame(() => { page.style.overflowAnchor = ""; });
  };
  codeButton.addEventListener("click", () => {
    const open = !codeButton.dataset.shown;
    hold(() => openCode(open));
    remember("code", open ? "shown" : "hidden");
  });
  if (recall("code")) openCode(recall("code") === "shown");
  codeButton.hidden = !folds.length;

  // A printed page shows what is folded on the screen.
  addEventListener("beforeprint", () => {
    document.querySelectorAll("details:not([open])").forEach((item) => {
      item.open = true;
      item.dataset.printed = "";
    });
  });
  addEventListener("afterprint", () => {
    document.querySelectorAll("details[data-printed]").forEach((item) => {
      item.open = false;
      delete item.dataset.printed;
    });
  });
}

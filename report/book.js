// The theme's button, the menu of small screens, and the current section in the contents.
const page = document.documentElement;
const themeButton = document.getElementById("theme");
const menuButton = document.getElementById("menu");
const contents = document.getElementById("contents");
const system = matchMedia("(prefers-color-scheme: dark)");

const isDark = () => (page.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
const nameTheme = () => { themeButton.textContent = isDark() ? "Light" : "Dark"; };
themeButton.addEventListener("click", () => {
  page.dataset.theme = isDark() ? "light" : "dark";
  try { localStorage.setItem("theme", page.dataset.theme); } catch {}
  nameTheme();
});
system.addEventListener("change", nameTheme);
nameTheme();

const openMenu = (open) => {
  page.classList.toggle("menu-open", open);
  menuButton.setAttribute("aria-expanded", open);
};
menuButton.addEventListener("click", () => openMenu(!page.classList.contains("menu-open")));
contents.addEventListener("click", (event) => { if (event.target.closest("a")) openMenu(false); });
addEventListener("keydown", (event) => { if (event.key === "Escape") openMenu(false); });

const links = [...contents.querySelectorAll("a[href^='#']")];
const sections = links.map((link) => document.getElementById(decodeURIComponent(link.hash.slice(1))));
let current = -1;
const follow = () => {
  const line = innerHeight * 0.25;
  let now = 0;
  sections.forEach((section, i) => { if (section && section.getBoundingClientRect().top <= line) now = i; });
  if (now === current) return;
  current = now;
  contents.querySelectorAll(".current").forEach((item) => item.classList.remove("current"));
  links.forEach((link) => link.removeAttribute("aria-current"));
  links[now].setAttribute("aria-current", "location");
  for (let item = links[now].closest("li"); item; item = item.parentElement.closest("li")) {
    item.classList.add("current");
  }
  const box = contents.getBoundingClientRect();
  const place = links[now].getBoundingClientRect();
  if (place.top < box.top + 40 || place.bottom > box.bottom - 40) {
    contents.scrollTop += place.top - box.top - box.height / 3;
  }
};
let waiting = false;
addEventListener("scroll", () => {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; follow(); });
}, { passive: true });
if (links.length) follow();

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

// One chapter at a time: the address decides which. Without JavaScript, all are there.
//
// The others are `hidden="until-found"`: the browser's own search still finds them.
{
  const root = document.documentElement;
  const main = document.getElementById("content");
  const contents = document.getElementById("contents");
  const bookTitle = document.title;

  // Each chapter with what stands before the first (the title) and after the last (notes).
  const pages = [];
  for (const part of main.children) {
    const begins = part.matches("section.level1") && pages.at(-1)?.some((p) => p.matches("section"));
    if (begins || !pages.length) pages.push([]);
    pages.at(-1).push(part);
  }
  const pageOf = (element) => pages.findIndex((parts) => parts.some((part) => part.contains(element)));
  const heading = (number) => {
    const section = pages[number].find((part) => part.matches("section.level1"));
    const text = section.querySelector("h1").textContent.trim();
    return { id: section.id, text };
  };

  const turn = document.createElement("nav");
  turn.className = "turn";
  turn.setAttribute("aria-label", "Previous and next chapter");
  main.append(turn);
  const link = (number, rel, word) => {
    if (!pages[number]) return null;
    const { id, text } = heading(number);
    const anchor = document.createElement("a");
    anchor.rel = rel;
    anchor.href = "#" + (number === 0 && rel === "prev" ? "top" : id);
    anchor.append(Object.assign(document.createElement("span"), { textContent: word }), text);
    return anchor;
  };

  let shown = -1;
  const show = (number) => {
    if (number === shown) return;
    shown = number;
    pages.flat().forEach((part) => {
      if (pages[number].includes(part)) part.removeAttribute("hidden");
      else part.setAttribute("hidden", "until-found");
    });
    document.title = number ? heading(number).text + " – " + bookTitle : bookTitle;
    const links = [link(number - 1, "prev", "Previous"), link(number + 1, "next", "Next")];
    turn.replaceChildren(...links.filter(Boolean));
  };

  const reveal = (element, block = "start") => {
    for (let fold = element.closest("details"); fold; fold = fold.parentElement.closest("details")) {
      fold.open = true;
    }
    element.scrollIntoView({ block });
    if (!element.matches("a, button, input, summary, [tabindex]")) element.tabIndex = -1;
    element.focus({ preventScroll: true });
  };

  const target = () => {
    try { return document.getElementById(decodeURIComponent(location.hash.slice(1))); } catch { return null; }
  };
  const arrive = () => {
    const element = target();
    const number = pageOf(element);
    show(number >= 0 ? number : element ? Math.max(shown, 0) : 0);
    const y = history.state?.y;
    if (y !== undefined) {
      reveal(element ?? main);
      scrollTo(0, y);
    } else if (element) reveal(element);
    else scrollTo(0, 0);
    arrived = location.hash;
    follow();
  };

  // The search goes to places that have no name of their own.
  globalThis.goTo = (element) => {
    keep();
    const named = element.closest("figure[id], section[id], .equation[id], header[id]");
    history.pushState(null, "", "#" + named.id);
    arrived = location.hash;
    show(pageOf(element));
    reveal(element, "center");
    element.classList.add("hit");
    element.addEventListener("blur", () => element.classList.remove("hit"), { once: true });
    follow();
  };

  // Back leads to where one was, so each place in the history remembers its height.
  let arrived = location.hash;
  let resting = 0;
  const keep = () => {
    clearTimeout(resting);
    if (location.hash !== arrived) return;
    try { history.replaceState({ y: scrollY }, ""); } catch {}
  };
  history.scrollRestoration = "manual";
  addEventListener("click", (event) => { if (event.target.closest("a[href^='#']")) keep(); }, true);
  addEventListener("hashchange", arrive);

  // The browser has found something, by its own search or by an address, and shows it.
  addEventListener("beforematch", (event) => {
    const number = pageOf(event.target);
    if (number < 0 || number === shown) return;
    if (pageOf(target()) !== number) history.pushState(null, "", "#" + heading(number).id);
    arrived = location.hash;
    show(number);
    follow();
  });

  // The current section in the contents.
  const links = [...contents.querySelectorAll("a[href^='#']")];
  const sections = links.map((item) => document.getElementById(decodeURIComponent(item.hash.slice(1))));
  let current = -1;
  const follow = () => {
    const line = innerHeight * 0.25;
    let now = -1;
    sections.forEach((section, i) => {
      if (!section || pageOf(section) !== shown) return;
      if (now < 0 || section.getBoundingClientRect().top <= line) now = i;
    });
    if (now === current || now < 0) return;
    current = now;
    contents.querySelectorAll(".current").forEach((item) => item.classList.remove("current"));
    links.forEach((item) => item.removeAttribute("aria-current"));
    links[now].setAttribute("aria-current", "location");
    for (let item = links[now].closest("li"); item; item = item.parentElement.closest("li")) {
      item.classList.add("current");
    }
    const list = links[now].closest("#contents > ul > li > ul");
    const pane = list && getComputedStyle(list).position === "fixed" ? list : contents;
    const box = pane.getBoundingClientRect();
    const place = links[now].getBoundingClientRect();
    if (place.top < box.top + 40 || place.bottom > box.bottom - 40) {
      pane.scrollTop += place.top - box.top - box.height / 3;
    }
  };
  let waiting = false;
  addEventListener("scroll", () => {
    clearTimeout(resting);
    resting = setTimeout(keep, 150);
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; follow(); });
  }, { passive: true });

  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    main.tabIndex = -1;
    main.focus();
  });

  addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const busy = event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.defaultPrevented;
    const scrolls = root.scrollWidth > innerWidth || visualViewport?.scale > 1;
    if (!step || busy || scrolls || !document.getElementById("keys").checked) return;
    if (event.target.closest?.("input, dialog, [tabindex='0']")) return;
    turn.querySelector(step < 0 ? "[rel=prev]" : "[rel=next]")?.click();
  });

  arrive();
}

// Previews: what a reference leads to shows beside it while a mouse rests there.
{
  const card = document.createElement("aside");
  card.className = "preview";
  card.hidden = true;
  card.setAttribute("aria-hidden", "true");
  document.body.append(card);

  const shownFor = (link) => {
    const target = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    const term = target?.closest("dt");
    return term ? term.nextElementSibling : target?.closest("figure, .equation, .csl-entry, .footnotes li");
  };
  const open = (link) => {
    const shown = shownFor(link);
    if (!shown || shown.contains(link)) return;
    const copy = shown.cloneNode(true);
    [copy, ...copy.querySelectorAll("[id]")].forEach((part) => part.removeAttribute("id"));
    copy.querySelectorAll("button, a.anchor").forEach((part) => part.replaceWith(...part.matches("th > button") ? part.childNodes : []));
    card.replaceChildren(copy);
    card.hidden = false;
    const at = link.getBoundingClientRect();
    const below = innerHeight - at.bottom > at.top;  // where there is more room
    card.style.maxHeight = (below ? innerHeight - at.bottom : at.top) - 16 + "px";
    card.style.left = Math.max(8, Math.min(at.left, innerWidth - card.offsetWidth - 8)) + "px";
    card.style.top = (below ? at.bottom + 6 : at.top - card.offsetHeight - 6) + "px";
  };
  let waiting = 0;
  const hide = () => { card.hidden = true; };
  const close = () => {
    clearTimeout(waiting);
    hide();
  };

  addEventListener("pointerover", (event) => {
    clearTimeout(waiting);
    const link = event.target.closest?.("#content a[href^='#']:not(.anchor)");
    if (link && event.pointerType === "mouse") waiting = setTimeout(open, 200, link);
    else if (!card.contains(event.target)) waiting = setTimeout(hide, 200);
  });
  addEventListener("scroll", hide, { passive: true });
  addEventListener("click", close);
  addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
}

// Search: an index of the page itself, made when the field is first used.
{
  const field = document.getElementById("query");
  const box = field.closest(".search");
  const panel = document.getElementById("results");
  const list = document.getElementById("found");
  const tally = document.getElementById("tally");
  const keys = document.getElementById("keys");
  const MOST = 40;

  // Ways to write the same: case, accents, dashes, quotes, spaces.
  const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase()
    .replace(/[‐-―−]/g, "-").replace(/[‘’]/g, "'").replace(/[“”]/g, '"');

  const BLOCKS = "h1, h2, h3, h4, h5, h6, p, li, dt, dd, figcaption, summary, tr, pre, div";
  const ownText = (block) => {
    const filter = (node) => {
      if (node.nodeType === Node.TEXT_NODE) return NodeFilter.FILTER_ACCEPT;
      if (node.matches(BLOCKS) || node.matches("annotation, button:not(th > button), .anchor")) return NodeFilter.FILTER_REJECT;
      return NodeFilter.FILTER_SKIP;
    };
    const walker = document.createTreeWalker(block, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT, filter);
    let text = "";
    while (walker.nextNode()) text += walker.currentNode.data;
    return text.replace(/\s+/g, " ").trim();
  };

  const weigh = (block) => {
    if (block.matches("h1, h2, h3, h4, h5, h6")) return 100 - block.tagName[1];
    if (block.matches("dt")) return 60;
    if (block.matches("figcaption, .callout-title")) return 40;
    if (block.matches("tr, pre")) return 0;
    return block.closest("#references, #refs") ? 5 : 20;
  };

  let index = null;
  const build = () => {
    const places = [];
    let chapter = "", section = "";
    for (const block of document.querySelectorAll("#content :is(" + BLOCKS + ")")) {
      if (block.closest(".turn, .title")) continue;
      const text = ownText(block);
      if (!text) continue;
      if (block.matches("section > h1")) [chapter, section] = [text, ""];
      else if (block.matches("section > :is(h2, h3)")) section = text;
      places.push({ block, text, folded: fold(text), weight: weigh(block), chapter, section });
    }
    return places;
  };

  const isLetter = (char) => char !== undefined && /[\p{L}\p{N}]/u.test(char);
  const score = (place, words, phrase) => {
    let sum = place.weight + (place.folded.includes(phrase) ? 6 : 0);
    for (const word of words) {
      let best = -1;
      for (let at = place.folded.indexOf(word); at >= 0 && best < 8; at = place.folded.indexOf(word, at + 1)) {
        const begins = !isLetter(place.folded[at - 1]);
        const ends = !isLetter(place.folded[at + word.length]);
        best = Math.max(best, begins && ends ? 8 : begins ? 4 : 0);
      }
      if (best < 0) return -1;
      sum += best;
    }
    return sum;
  };
  const search = (words, phrase) => index
    .map((place, order) => ({ place, order, score: score(place, words, phrase) }))
    .filter((hit) => hit.score >= 0)
    .sort((a, b) => b.score - a.score || a.order - b.order);

  // Where the words stand in the text as it is written: [from, to), merged.
  const spans = (text, words) => {
    let folded = "";
    const origin = [];
    [...text].reduce((at, char) => {
      const small = fold(char);
      for (let i = 0; i < small.length; i++) origin.push(at);
      folded += small;
      return at + char.length;
    }, 0);
    origin.push(text.length);
    const found = [];
    for (const word of words) {
      for (let at = folded.indexOf(word); at >= 0; at = folded.indexOf(word, at + word.length)) {
        found.push([origin[at], Math.max(origin[at + word.length], origin[at] + 1)]);
      }
    }
    found.sort((a, b) => a[0] - b[0]);
    return found.reduce((all, span) => {
      const last = all.at(-1);
      if (last && span[0] <= last[1]) last[1] = Math.max(last[1], span[1]);
      else all.push(span);
      return all;
    }, []);
  };

  // The stretch of the text with most of the words, and they marked in it.
  const marked = (text, words) => {
    const all = spans(text, words);
    const near = ([begin]) => all.filter((span) => span[0] >= begin && span[1] <= begin + 120);
    const kinds = (span) => new Set(near(span).map((other) => fold(text.slice(...other)))).size;
    const first = all.reduce((best, span) => (kinds(span) > kinds(best) ? span : best))[0];
    const from = first < 70 ? 0 : text.lastIndexOf(" ", first - 50) + 1;
    const to = text.length < from + 190 ? text.length : text.lastIndexOf(" ", from + 175);
    const line = document.createElement("span");
    line.append(from ? "… " : "");
    let at = from;
    for (const [begin, end] of all.filter((span) => span[1] <= to)) {
      const mark = document.createElement("mark");
      mark.textContent = text.slice(begin, end);
      line.append(text.slice(at, begin), mark);
      at = end;
    }
    line.append(text.slice(at, to), to < text.length ? " …" : "");
    return line;
  };

  const option = ({ place }, number, words) => {
    const item = document.createElement("li");
    item.id = "found-" + number;
    item.setAttribute("role", "option");
    item.place = place;
    const where = document.createElement("span");
    where.className = "where";
    const path = [place.chapter, place.section].filter((part) => part && part !== place.text);
    where.textContent = path.join(" › ");
    const line = marked(place.text, words);
    line.className = place.block.matches("pre") ? "line code" : place.weight > 90 ? "line head" : "line";
    item.append(where, line);
    return item;
  };

  let chosen = -1;
  const choose = (number) => {
    chosen = number;
    [...list.children].forEach((item, i) => item.setAttribute("aria-selected", i === number));
    list.children[number]?.scrollIntoView({ block: "nearest" });
    if (number < 0) field.removeAttribute("aria-activedescendant");
    else field.setAttribute("aria-activedescendant", "found-" + number);
  };

  const open = (shown) => {
    panel.hidden = !shown;
    field.setAttribute("aria-expanded", shown && list.children.length > 0);
  };
  const update = () => {
    index ??= build();
    const phrase = fold(field.value).replace(/\s+/g, " ").trim();
    const words = [...new Set(phrase.split(" "))].filter(Boolean);
    const hits = words.length ? search(words, phrase) : [];
    list.replaceChildren(...hits.slice(0, MOST).map((hit, i) => option(hit, i, words)));
    const count = hits.length === 1 ? "1 place" : hits.length + " places";
    const more = hits.length > MOST ? ", the first " + MOST + " of them here" : "";
    tally.textContent = !words.length ? "" : hits.length ? count + more : "Nothing found";
    choose(hits.length ? 0 : -1);
    list.scrollTop = 0;
    open(true);
  };
  const go = (item) => {
    open(false);
    goTo(item.place.block);
  };

  field.addEventListener("input", update);
  field.addEventListener("focus", update);
  box.addEventListener("focusout", (event) => { if (!box.contains(event.relatedTarget)) open(false); });
  list.addEventListener("pointerdown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const item = event.target.closest("li");
    if (item) go(item);
  });
  field.addEventListener("keydown", (event) => {
    const count = list.children.length;
    if (event.key === "Escape" && !panel.hidden) {
      event.preventDefault();
      open(false);
    } else if (event.key === "Enter" && !panel.hidden && chosen >= 0) {
      event.preventDefault();
      go(list.children[chosen]);
    } else if (count && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      open(true);
      choose((chosen + (event.key === "ArrowDown" ? 1 : count - 1)) % count);
    }
  });

  try { keys.checked = localStorage.getItem("keys") !== "off"; } catch {}
  keys.addEventListener("change", () => {
    try { localStorage.setItem("keys", keys.checked ? "on" : "off"); } catch {}
  });
  addEventListener("keydown", (event) => {
    const slash = event.key === "/" && keys.checked && !event.ctrlKey && !event.metaKey && !event.altKey;
    const control = event.key === "k" && (event.ctrlKey || event.metaKey);
    if (!slash && !control) return;
    if (slash && event.target.closest?.("input, textarea, dialog")) return;
    event.preventDefault();
    field.focus();
    field.select();
  });
}

// Follows `wslib workbook preview`: reloads the page and leaves the reader where he was,
// shows which chapter is running and what has to be mended. Not part of the report.
(() => {
  const version = document.currentScript.dataset.version;
  const host = document.body.appendChild(document.createElement("div"));
  host.id = "preview";
  const root = host.attachShadow({ mode: "open" });
  root.innerHTML = `<style>
    :host { position: fixed; inset: auto 0 0 0; z-index: 1000;
      font: 15px/1.45 system-ui, sans-serif; color: #fff }
    [hidden] { display: none !important }
    @media print { :host { display: none } }
    #running { background: #0f5f59; padding: .35rem 1rem; display: flex; gap: 1rem;
      align-items: center }
    #track { flex: 0 1 16rem; height: .4rem; border-radius: .2rem; background: #fff4 }
    #share { height: 100%; border-radius: inherit; background: #fff }
    #problem { background: #5d1a10; border-top: 4px solid #ffb4a2; max-height: 55vh;
      overflow: auto; padding: .8rem 1rem; box-shadow: 0 -8px 30px rgb(0 0 0 / .35) }
    h2 { font-size: 1rem; margin: 0 0 .4rem }
    pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere;
      font: 13.5px/1.5 ui-monospace, monospace }
  </style>
  <div id="problem" role="alert" hidden><h2>To mend; the page is the last good one</h2>
    <pre></pre></div>
  <div id="running" role="status" hidden><span></span>
    <div id="track"><div id="share"></div></div></div>`;
  const part = (selector) => root.querySelector(selector);

  const show = ({ running, share, problem }) => {
    part("#running").hidden = !running;
    part("#running span").textContent = running;
    part("#track").hidden = share === null;
    part("#share").style.width = `${100 * share}%`;
    part("#problem").hidden = !problem;
    part("pre").textContent = problem;
  };

  // The place is kept by what is shown there: what is above may get longer or shorter.
  const marks = () => [...document.querySelectorAll(
    "main :is(section, figure, .equation)[id]")].filter((item) => item.checkVisibility());
  const top = (item) => item.getBoundingClientRect().top;
  const details = () => [...document.querySelectorAll("details")];
  const remember = () => {
    if (!document.querySelector("main section")) return;  // nothing to read there yet
    const above = marks().filter((item) => top(item) <= 1);
    const mark = above.sort((a, b) => top(a) - top(b)).pop();
    const place = { y: scrollY, id: mark?.id, top: mark && top(mark),
      open: details().map((item) => item.open) };
    sessionStorage.setItem("preview", JSON.stringify(place));
  };
  const restore = ({ y, id, top: before }) => {
    const mark = id && document.getElementById(id);
    const place = mark ? scrollY + top(mark) - before : y;
    scrollTo({ top: place, behavior: "instant" });
  };
  const place = JSON.parse(sessionStorage.getItem("preview"));
  sessionStorage.removeItem("preview");
  if (place) {
    const items = details();
    if (items.length === place.open.length) {
      items.forEach((item, i) => { item.open = place.open[i]; });
    }
    restore(place);
    addEventListener("load", () => restore(place), { once: true });
  }

  const ask = async () => {
    let state = { running: "The preview has ended", share: null, problem: "" };
    try {
      state = await (await fetch("state.json")).json();
    } catch { /* nobody answers */ }
    if ((state.version ?? version) === version) {
      show(state);
      setTimeout(ask, 100);  // milliseconds
      return;
    }
    // Who has not gone anywhere yet is taken to the chapter that is being written.
    if (state.changed && location.hash.length < 2 && scrollY < 9) {
      location.hash = state.changed;
    } else {
      remember();
    }
    history.scrollRestoration = "manual";
    location.reload();
  };
  ask();
})();

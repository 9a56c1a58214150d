// Figures enlarge: a click, or the button beside them, shows them as large as fits.
{
  const dialog = document.getElementById("zoom");
  const stage = dialog.querySelector(".stage");
  const caption = document.getElementById("zoom-caption");
  const pictures = [...document.querySelectorAll("#content figure.fig img")];
  let current = null;

  const label = (picture) =>
    picture.closest("figure").querySelector(".label")?.textContent ?? "the picture";
  pictures.forEach((picture) => {
    const frame = document.createElement("span");
    frame.className = "frame";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "enlarge";
    button.setAttribute("aria-label", "Enlarge " + label(picture));
    button.innerHTML = '<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M10 2h4v4M14 2 9.5 6.5M6 14H2v-4M2 14l4.5-4.5"/></svg>';
    picture.replaceWith(frame);
    frame.append(picture, button);
  });

  const show = (picture) => {
    current = picture;
    const copy = picture.cloneNode();
    copy.style.width = "";
    copy.style.setProperty("--shape", picture.naturalWidth / picture.naturalHeight);
    stage.replaceChildren(copy);
    stage.scrollTo(0, 0);
    const words = picture.closest("figure").querySelector("figcaption")?.cloneNode(true);
    words?.querySelectorAll(".anchor").forEach((anchor) => anchor.remove());
    caption.replaceChildren(...(words ? words.childNodes : []));
  };
  const step = (by) => {
    const here = pictures.filter((picture) => picture.closest("main > *") === current.closest("main > *"));
    show(here[(here.indexOf(current) + by + here.length) % here.length]);
  };

  document.getElementById("content").addEventListener("click", (event) => {
    const frame = event.target.closest(".frame");
    if (!frame) return;
    show(frame.querySelector("img"));
    frame.querySelector("button").focus({ preventScroll: true });  // where closing leads back to
    dialog.showModal();
  });
  dialog.addEventListener("click", (event) => {
    const by = event.target.closest("[data-step]")?.dataset.step;
    if (by) step(Number(by));
    else if (event.target === dialog || event.target.closest("[data-close], a")) dialog.close();
  });
  dialog.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || event.target.matches(".stage") && stage.scrollWidth > stage.clientWidth) return;
    event.preventDefault();
    step(by);
  });
}

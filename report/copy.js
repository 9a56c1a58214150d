// Copy: code without its prompts, and the address of a section, figure or table.
{
  const status = document.getElementById("status");

  const byHand = (text) => {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "unseen";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  };
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return byHand(text);
    }
  };

  // Of a session with prompts, only what a person typed.
  const typed = (text) => {
    const lines = text.split("\n");
    const prompt = /^(>>> |\.\.\. |[$$] )/;
    if (!lines.some((line) => prompt.test(line))) return text;
    return lines.filter((line) => prompt.test(line)).map((line) => line.replace(prompt, "")).join("\n");
  };

  document.querySelectorAll("#content div.sourceCode, #content pre:not([class], div.sourceCode pre)").forEach((block) => {
    const frame = document.createElement("div");
    frame.className = "copyable";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", "Copy code");
    button.addEventListener("click", async () => {
      const focus = document.activeElement;
      const done = await copy(typed(block.textContent));
      focus?.focus({ preventScroll: true });
      button.textContent = done ? "Copied" : "Not copied";
      status.textContent = done ? "Code copied" : "The browser does not allow copying";
      setTimeout(() => { button.textContent = "Copy"; status.textContent = ""; }, 2000);
    });
    block.replaceWith(frame);
    frame.append(block, button);
  });

  document.getElementById("content").addEventListener("click", async (event) => {
    const anchor = event.target.closest("a.anchor");
    if (!anchor) return;
    if (await copy(anchor.href)) status.textContent = "Link copied";
  });
}

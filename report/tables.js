// Tables sort: a click on a column's head sorts up, the next one down, the third restores.
{
  const status = document.getElementById("status");
  const UNITS = {
    "%": 0.01, "µs": 1e-6, "μs": 1e-6, ms: 1e-3, s: 1, min: 60, h: 3600,
    k: 1e3, kB: 1e3, KB: 1e3, KiB: 1024, M: 1e6, MB: 1e6, MiB: 1048576, GB: 1e9, GiB: 1073741824,
  };
  const MISSING = /^(?:[-‐-―−.…?\s]*|n\/?a|nan|none)(?!.)/i;
  const NUMBER = new RegExp(
    /^[<>≤≥≈~=±\s]*([-−–+]?(?=\.?\d)(?:\d{1,3}(?:[,'\s]\d{3})+(?!\d)|\d+)?(?:\.\d+)?(?:e[-−–+]?\d+)?)/.source
    + /\s*([%\p{L}]*)/.source, "iu");
  const NO_NUMBER = /^\d{4}-\d\d-\d\d|^\d+\.\d+\.\d/;  // a date, a version

  // The number a cell begins with: "62.9 [48–76]" is 62.9, "850 ms" is 0.85, "–" is none.
  const numberIn = (text) => {
    const found = NO_NUMBER.test(text) ? null : text.match(NUMBER);
    if (!found) return null;
    const digits = found[1].replace(/[−–]/g, "-").replace(/[,'\s]/g, "");
    return Number(digits) * (UNITS[found[2]] ?? 1);
  };
  const isMissing = (text) => numberIn(text) === null && MISSING.test(text);

  // Rows at the end that sum up the others stay there.
  const SUMMARY = /^(mean|average|all|total|sum|overall)\b/i;
  const summaries = (rows) => {
    const last = rows.findLastIndex((row) => !SUMMARY.test(row.cells[0].textContent.trim()));
    return rows.slice(last + 1);
  };

  const words = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  const order = (rows, column, sign) => {
    const cells = rows.map((row) => row.cells[column].textContent.trim());
    const numbers = cells.map(numberIn);
    const numeric = cells.every((text, i) => numbers[i] !== null || isMissing(text));
    return rows.map((_, i) => i).sort((a, b) => {
      const gone = isMissing(cells[a]) - isMissing(cells[b]);
      if (gone) return gone;
      return sign * (numeric ? numbers[a] - numbers[b] : words.compare(cells[a], cells[b])) || a - b;
    }).map((i) => rows[i]);
  };

  const sortable = (table) => {
    const heads = table.tHead?.rows.length === 1 ? [...table.tHead.rows[0].cells] : [];
    const rows = [...table.tBodies].flatMap((body) => [...body.rows]);
    const plain = [...rows, ...(table.tHead?.rows ?? [])].every((row) =>
      row.cells.length === heads.length && [...row.cells].every((cell) => cell.colSpan * cell.rowSpan === 1));
    return table.tBodies.length === 1 && rows.length > 2 && heads.length > 1 && plain
      && heads.some((head) => head.textContent.trim());
  };

  const prepare = (table) => {
    const heads = [...table.tHead.rows[0].cells];
    const body = table.tBodies[0];
    const original = [...body.rows];
    const ends = summaries(original);
    const sorted = original.slice(0, original.length - ends.length);
    heads.forEach((head, column) => {
      const title = head.textContent.trim();
      if (!title) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const next = { none: "ascending", ascending: "descending", descending: "none" }[head.ariaSort ?? "none"];
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        if (next !== "none") head.setAttribute("aria-sort", next);
        const rows = next === "none" ? sorted : order(sorted, column, next === "ascending" ? 1 : -1);
        body.append(...rows, ...ends);
        status.textContent = next === "none" ? "In the original order" : "Sorted by " + title + ", " + next;
      });
    });
  };
  [...document.querySelectorAll("#content table")].filter(sortable).forEach(prepare);
}

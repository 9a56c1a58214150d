"""Links that open the chapters in Colab, and a badge for each in the README."""

from __future__ import annotations

import re
from pathlib import Path

from wslib.runtime.kept import write_text
from wslib.workbook.sources.chapter import Chapter
from wslib.workbook.sources.repository import github_name

SERVICE = "https://colab.research.google.com"
BRANCH = "colab"  # where the notebooks are looked for
BLOCK = re.compile(r"(<!-- colab -->\n).*?(<!-- /colab -->)", re.DOTALL)


def colab_url(root: Path, chapter: str) -> str | None:
    """Say where the notebook of a chapter NN_name opens in Colab: on the branch `colab`
    of the repository on GitHub; None without one."""
    name = github_name(root)
    return name and f"{SERVICE}/github/{name}/blob/{BRANCH}/{chapter}.ipynb"


def write_badges(root: Path, chapters: list[Chapter]) -> bool:
    """Rewrite what stands between `<!-- colab -->` and `<!-- /colab -->` in README.md:
    a line with a badge for each chapter. Whether it has changed; without an address,
    and without the two marks, it does not."""
    readme = root / "README.md"
    if github_name(root) is None or not readme.is_file():
        return False
    lines = []
    for chapter in chapters:
        badge = f"[![Open in Colab]({SERVICE}/assets/colab-badge.svg)]"
        title = re.search(r"^# # (.*?)(?: *\{.*)?$", chapter.text, re.M)
        words = title[1] if title else chapter.name
        lines.append(f"- {badge}({colab_url(root, chapter.name)}) {words}\n")
    text = readme.read_text(encoding="utf-8")
    new = BLOCK.sub(lambda found: found[1] + "".join(lines) + found[2], text)
    if new == text:
        return False
    write_text(readme, new)
    return True

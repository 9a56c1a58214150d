"""What is put right in the web book that Quarto has written.

Browsers refuse modules and data files to a page that is opened from disk. So a script
that is a module becomes a plain one, with what it imports inside, and the index of the
search comes as a script; "./" is a page. And where a page has no number, Quarto calls
other chapters by number and title; everywhere else they are "Chapter 1". A page is seen
before its scripts are there, all but the one that its figures call while it is read.
"""

from __future__ import annotations

import re
from pathlib import Path

IMPORT = re.compile(r'^import \* as (\w+) from "(\./[^"]+)";$', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|let|class) (\w+))", re.M)
BLOCKING = re.compile(
    r'(<script src="(?![^"]*glightbox)[^"]*site_libs/[^"]+")(?=></script>)'
)
MODULE = re.compile(r'<script src="([^"]+)" type="module"></script>\n?')
CHAPTER = re.compile(
    r'(<a href="[^"]*" class="quarto-xref"><span>)'
    r"(?:Appendix ([A-Z]) — |(\d+)&nbsp; )[^<]*(?=</span>)"
)
SEARCH = """<script>
{
  const ask = window.fetch;
  window.fetch = (address, ...rest) => !String(address).endsWith("search.json")
    ? ask(address, ...rest)
    : new Promise((done) => {
        const script = document.createElement("script");
        script.src = String(address) + ".js";
        script.onload = () => done(new Response(JSON.stringify(window.searchIndex)));
        document.head.append(script);
      });
}
</script>
"""


def retouch(output: Path) -> None:
    """Change the web book in the folder `output`. What has another form than Quarto 1.9
    and 1.10 give it stays as it is."""
    pages = {page: page.read_text("utf-8") for page in output.rglob("*.html")}
    plain, inside = _plain_scripts(pages, output)
    for page, text in pages.items():
        text = MODULE.sub(lambda tag, page=page: _tag(tag, page, plain, inside), text)
        text = BLOCKING.sub(r"\1 defer", text)
        text = CHAPTER.sub(_number, text).replace('href="./"', 'href="./index.html"')
        page.write_text(text.replace("</head>", f"{SEARCH}</head>", 1), "utf-8")
    index = output / "search.json"
    if index.is_file():
        script = f"window.searchIndex = {index.read_text('utf-8')};\n"
        (output / "search.json.js").write_text(script, "utf-8")
        index.unlink()


def _number(reference: re.Match) -> str:
    name = (
        f"Appendix&nbsp;{reference[2]}"
        if reference[2]
        else f"Chapter&nbsp;{reference[3]}"
    )
    return reference[1] + name


def _plain_scripts(pages: dict[Path, str], output: Path) -> tuple[set, set]:
    """Make plain scripts of the modules; those made, and those that went inside."""
    plain, inside = set(), set()
    for page, text in pages.items():
        for source in MODULE.findall(text):
            file = (page.parent / source).resolve()
            if file.is_relative_to(output.resolve()) and file.is_file():
                plain.add(file)
    for file in sorted(plain):
        text = file.read_text("utf-8")
        parts = {name: file.parent / source for name, source in IMPORT.findall(text)}
        text = IMPORT.sub(lambda found: _module(found[1], parts[found[1]]), text)  # noqa: B023
        file.write_text(f"(() => {{\n{text}\n}})();\n" if parts else text, "utf-8")
        inside |= {part.resolve() for part in parts.values()}
    return plain, inside


def _module(name: str, file: Path) -> str:
    """What `file` exports, as an object of this `name`."""
    text = file.read_text("utf-8")
    body, names = EXPORT.sub("", text), ", ".join(EXPORT.findall(text))
    return f"const {name} = (() => {{\n{body}\nreturn {{ {names} }};\n}})();"


def _tag(tag: re.Match, page: Path, plain: set, inside: set) -> str:
    file = (page.parent / tag[1]).resolve()
    if file in inside:
        return ""
    return f'<script src="{tag[1]}" defer></script>\n' if file in plain else tag[0]

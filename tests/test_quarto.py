"""The book at `smoke` by real Quarto: the same book, fit to be read from disk."""

from __future__ import annotations

import functools
import http.server
import re
import shutil
import subprocess
import threading
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest

from wslib.workbook.report import quarto
from wslib.workbook.report.render import render

pytestmark = pytest.mark.skipif(
    not quarto.find() or not quarto.is_recent(quarto.find()[1]),
    reason="Quarto 1.9 or later is not on the PATH",
)
CAPTION = re.compile(
    r"((?:Figure|Table)(?:\s|&nbsp;)*[\dA-Z.]*\d)", re.DOTALL
)  # the first words of a caption


@pytest.fixture(scope="module")
def project(book, tmp_path_factory) -> Path:
    """The project with its executed notebooks, untouched by tests that edit them."""
    root = tmp_path_factory.mktemp("quarto") / "project"
    shutil.copytree(book, root, symlinks=True)
    subprocess.run("git init -q && git add -A", shell=True, cwd=root, check=True)
    return root


@pytest.fixture(scope="module")
def by_quarto(project) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WSLIB_RENDERER", "quarto")
        report = render(project, "smoke", project.parent / "by-quarto")
    assert report.engine.startswith("Quarto")
    return report.html.parent


@pytest.fixture(scope="module")
def embedded(project, by_quarto) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WSLIB_RENDERER", "embedded")
        return render(project, "smoke", project.parent / "embedded").html.parent


@pytest.fixture(scope="module")
def pages(by_quarto) -> dict[str, str]:
    return {f.name: f.read_text("utf-8") for f in sorted(by_quarto.glob("*.html"))}


def words(html: str) -> str:
    text = unescape(re.sub(r"<[^>]*>", "", html)).replace("\u00a0", " ")
    return " ".join(text.split())


def references(text: str, tag: str) -> dict[str, set[str]]:
    """What the links of the class `tag` call each label."""
    found: dict[str, set[str]] = {}
    link = rf'<a\b[^>]*href="[^"#]*#([^"]+)"[^>]*class="{tag}"[^>]*>(.*?)</a>'
    for label, inner in re.findall(link, text, re.DOTALL):
        found.setdefault(label, set()).add(
            re.sub(r"^\D*(?=[\dA-Z.]+$)", "", words(inner))
        )
    return found


def test_numbers_are_those_of_the_embedded_renderer(pages, embedded):
    theirs: dict[str, set[str]] = {}
    for page in pages.values():
        for label, names in references(page, "quarto-xref").items():
            theirs.setdefault(label, set()).update(names)
    ours = references((embedded / "index.html").read_text("utf-8"), "ref")
    kinds = {label.partition("-")[0] for label in theirs}
    assert kinds >= {"fig", "tbl", "eq"} and len(theirs) > 60
    assert theirs == {label: names for label, names in ours.items() if label in theirs}
    missed = {label for label in ours if label not in theirs}
    assert all(label.startswith("sec-") for label in missed)  # linked without an anchor


def test_first_uses_lead_to_the_glossary(pages):
    ids = set(re.findall(r'\bid="(term-[\w-]+)"', pages["glossary.html"]))
    for name in (name for name in pages if name[:2].isdigit()):
        links = re.findall(r'href="\./glossary\.html#(term-[\w-]+)"', pages[name])
        assert len(links) >= 3 and set(links) <= ids and len(links) == len(set(links))


def test_chapters_are_referred_to_by_number_everywhere(pages):
    for name, page in pages.items():
        for target, inner in re.findall(
            r'<a href="([^"#]+\.html)"[^>]*class="quarto-xref"[^>]*>(.*?)</a>', page
        ):
            assert re.fullmatch(r"(Chapter )?\d|Appendix [A-Z]", words(inner)), (
                name,
                target,
                inner,
            )


def text_of(pdf: Path) -> list[str]:
    if not shutil.which("pdftotext"):
        pytest.skip("pdftotext is not installed (package poppler-utils)")
    done = subprocess.run(["pdftotext", pdf, "-"], capture_output=True, text=True)
    return [word for word in done.stdout.split() if not re.fullmatch(r"[. ]+", word)]


def test_pdf_is_that_of_the_embedded_renderer(by_quarto, embedded):
    theirs, ours = (text_of(f / "workbook.pdf") for f in (by_quarto, embedded))
    assert theirs == ours and len(ours) > 10_000


def test_nothing_is_unresolved_and_every_picture_has_words(pages):
    assert len(pages) >= 8
    for page in pages.values():
        assert "?@" not in page
        for picture in re.findall(r"<img\b[^>]*>", page):
            assert re.search(r'alt="[^"]{10,}"', picture), picture


def test_every_link_leads_somewhere(pages, by_quarto):
    ids = {
        name: set(re.findall(r'\bid="([^"]+)"', text)) for name, text in pages.items()
    }
    checked = 0
    for name, text in pages.items():
        body = re.sub(r"<script\b.*?</script>", "", text, flags=re.DOTALL)
        for link in re.findall(r'(?:href|src)="([^"]+)"', body):
            if re.match(r"[a-z]+:", link):
                continue
            file, _, anchor = unquote(unescape(link)).partition("#")
            target = (by_quarto / file).resolve() if file else by_quarto / name
            assert target.is_file(), (name, link)
            if anchor and target.suffix == ".html":
                assert anchor in ids[target.name], (name, link)
            checked += 1
    assert checked > 1000


def test_book_fits_its_budget(by_quarto):
    pictures = [file.stat().st_size for file in (by_quarto / "media").iterdir()]
    assert len(pictures) > 30 and sum(pictures) < 70_000 * len(pictures)
    files = [file for file in by_quarto.rglob("*") if file.is_file()]
    web = [file for file in files if file.name != "workbook.pdf"]
    assert sum(file.stat().st_size for file in web) < 6e6
    assert (by_quarto / "workbook.pdf").stat().st_size < 5e6


def test_a_page_is_painted_within_a_second_at_ten_megabits(pages, by_quarto):
    for name, page in pages.items():
        head = page[: page.index("</head>")]
        links = re.findall(r'<link href="(site_libs/[^"]+)"[^>]*rel="stylesheet"', head)
        links += re.findall(r'<script src="([^"]+)"></script>', head)
        waited_for = sum((by_quarto / link).stat().st_size for link in links)
        assert links and waited_for + len(page.encode()) < 0.8e6, name


def test_source_tree_is_as_it_was(project, by_quarto):
    status = subprocess.run(
        ["git", "status", "--short"], cwd=project, capture_output=True, text=True
    ).stdout.splitlines()
    assert [line for line in status if not line.startswith("A ")] == []


@pytest.fixture(scope="module")
def server(by_quarto):
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=by_quarto
    )
    handler.log_message = lambda *_: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("name", ["index.html", "03_weak_localisation.html"])
@pytest.mark.parametrize("scheme, width", [("light", 1400), ("dark", 375)])
@pytest.mark.parametrize("over", ["disk", "http"])
def test_in_a_browser_without_network(
    chromium, by_quarto, server, over, scheme, width, name
):
    said, asked = [], []
    page = chromium.new_page(
        viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{server if over == 'http' else by_quarto.as_uri()}/{name}")
    page.wait_for_timeout(300)
    overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    if width > 1000:
        assert page.locator("nav#TOC a").first.is_visible()
    page.close()
    home = ("file:", "data:", "blob:", "http://127.0.0.1")
    assert [url for url in asked if not url.startswith(home)] == []
    assert said == [] and overflow <= 0


@pytest.mark.parametrize("over", ["disk", "http"])
def test_search_finds_words(chromium, by_quarto, server, over):
    page = chromium.new_page(viewport={"width": 1400, "height": 900})
    page.goto(f"{server if over == 'http' else by_quarto.as_uri()}/index.html")
    page.locator("#quarto-search input").click()
    page.keyboard.type("pooling", delay=30)
    page.wait_for_selector(".search-result-title", timeout=5000)
    assert page.locator(".search-result-title").count() > 1
    page.close()

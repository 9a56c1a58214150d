"""The web book in a browser: reading, searching, copying, by hand and by key."""

from __future__ import annotations

import html as entities
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PLACE = "element => element.getBoundingClientRect().top"
VISIBLE = "element => element.checkVisibility()"


@pytest.fixture(scope="module")
def blank_page(book_page, tmp_path_factory) -> Path:
    """The book with blank pictures: nine tenths of it, which take time to load."""
    text = book_page.read_text(encoding="utf-8")
    blank = 'src="data:image/gif;base64,R0lGODlhAQABAAAAACw="'
    page = tmp_path_factory.mktemp("blank") / "index.html"
    page.write_text(re.sub('src="data:image/[^"]+"', blank, text), encoding="utf-8")
    return page


@pytest.fixture
def read(chromium, book_page, blank_page):
    """Opens the book at an address; each test has a reader with nothing remembered."""
    contexts = []

    def opened(place="", width=1400, pictures=False, **options):
        size = {"width": width, "height": 900}
        contexts.append(chromium.new_context(viewport=size, **options))
        page = contexts[-1].new_page()
        page.goto((book_page if pictures else blank_page).as_uri() + place)
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def bench(chromium):
    """A page with some HTML and one of the book's scripts, and nothing else."""
    pages = []

    def prepared(body, script):
        pages.append(chromium.new_page())
        source = (ROOT / "report" / script).read_text(encoding="utf-8")
        source = source.replace("$$", "$")  # as pandoc's template has it
        status = '<p id="status"></p>'
        pages[-1].set_content(f'<main id="content">{body}</main>{status}')
        pages[-1].add_script_tag(content=source)
        return pages[-1]

    yield prepared
    for page in pages:
        page.close()


def chapters(page) -> list[str]:
    """The ids of all chapters, and with it of what can be shown."""
    return page.eval_on_selector_all(
        "main > section.level1", "all => all.map(s => s.id)"
    )


def shown(page) -> list[str]:
    return page.eval_on_selector_all(
        "main > section.level1",
        "all => all.filter(s => s.firstElementChild.checkVisibility()).map(s => s.id)",
    )


def settled(page, id_: str) -> None:
    """Wait until the chapter with this id is the one that is shown."""
    page.wait_for_function(
        "id => document.getElementById(id).firstElementChild.checkVisibility()", arg=id_
    )


def search(page, words: str) -> list[str]:
    page.locator("#query").fill(words)
    return page.locator("#found li").all_inner_texts()


# -------------------------------------------------------------------------- chapters


def test_one_chapter_at_a_time_and_the_title_follows(read):
    page = read()
    first, _, second, *_ = chapters(page)
    assert shown(page) == [first] and page.locator("header.title").is_visible()
    assert page.title() == "Seeing without boxes"
    page.locator(f"#contents a[href='#{second}']").click()
    settled(page, second)
    assert shown(page) == [second] and not page.locator("header.title").is_visible()
    assert page.title() == "1 Grad-CAM: where a classifier looks – Seeing without boxes"
    current = page.locator("#contents [aria-current]")
    assert current.get_attribute("href") == f"#{second}"


def test_next_leads_through_the_book_and_previous_back(read):
    page = read()
    road = [shown(page)]
    for rel in ("next", "prev"):
        while page.locator(f".turn [rel={rel}]").count():
            page.locator(f".turn [rel={rel}]").click()
            page.wait_for_function(
                "id => document.getElementById(id).hidden", arg=road[-1][0]
            )
            road.append(shown(page))
    there = [[id_] for id_ in chapters(page)]
    assert len(there) >= 7 and road == there + there[-2::-1]
    assert page.evaluate("scrollY") == 0


def test_address_of_a_table_shows_its_chapter(read):
    page = read("#tbl-detection")
    assert shown(page) == ["sec-dogs"]
    assert 0 < page.locator("#tbl-detection").evaluate(PLACE) < 300


def test_nothing_is_hidden_until_scripts_have_run(chromium, blank_page, tmp_path):
    text = blank_page.read_text(encoding="utf-8")
    head, body = text.split("</head>")
    body = re.sub(r"<script>.*?</script>", "", body, flags=re.DOTALL)
    (tmp_path / "index.html").write_text(f"{head}</head>{body}", encoding="utf-8")
    page = chromium.new_page()
    page.goto(f"{(tmp_path / 'index.html').as_uri()}#tbl-detection")
    assert shown(page) == chapters(page)
    assert -5 < page.locator("#tbl-detection").evaluate(PLACE) < 300
    page.close()


def test_contents_of_the_page_stand_at_its_right(read):
    page = read("#sec-dogs")
    sections = page.locator("#contents li.current > ul a").first
    assert sections.evaluate("a => a.getBoundingClientRect().left") > 1100
    assert page.locator("#sec-dogs > p").first.evaluate(
        "p => p.getBoundingClientRect().right"
    ) < sections.evaluate("a => a.getBoundingClientRect().left")


def test_a_reference_shows_what_it_leads_to(read):
    page = read("#sec-dogs")
    link = page.locator("#sec-dogs a.ref[href^='#tbl-']:visible").first
    caption = page.locator(f"{link.get_attribute('href')} figcaption .label")
    link.hover()
    preview = page.locator(".preview")
    preview.wait_for()
    assert preview.inner_text().startswith(caption.text_content().strip())
    assert page.locator(".preview [id]").count() == 0
    page.keyboard.press("Escape")
    assert not preview.is_visible()


def test_address_of_nothing_shows_the_beginning(read):
    assert len(shown(read("#%E0%A4%A"))) == 1
    page = read("#tbl-detection")
    page.evaluate("location.hash = 'nowhere'")
    settled(page, chapters(page)[0])
    assert len(shown(page)) == 1 and page.evaluate("scrollY") == 0


def test_address_of_a_line_of_folded_code_opens_it(read):
    page = read()
    line = page.locator("#sec-dogs details.code [id]").nth(20)
    assert not line.evaluate(VISIBLE)
    page.evaluate("id => { location.hash = id }", line.get_attribute("id"))
    settled(page, "sec-dogs")
    assert line.evaluate(VISIBLE) and 0 < line.evaluate(PLACE) < 900
    assert page.locator("details.code[open]").count() == 1


def test_back_and_reload_lead_to_where_one_was(read):
    page = read("#sec-dogs")
    link = page.locator("#sec-dogs p a.ref[href='#tbl-detection']").first
    link.evaluate("element => element.scrollIntoView({ block: 'center' })")
    before = page.evaluate("scrollY")
    link.evaluate("element => element.click()")
    page.wait_for_function("y => scrollY !== y", arg=before)
    there = page.evaluate("scrollY")
    page.evaluate("location.hash = 'sec-weak'")
    settled(page, "sec-weak")
    page.go_back()
    settled(page, "sec-dogs")
    assert page.evaluate("scrollY") == there
    page.go_back()
    page.wait_for_function("y => scrollY === y", arg=before)
    page.wait_for_timeout(250)  # until the place has been noted
    page.reload()
    assert shown(page) == ["sec-dogs"] and page.evaluate("scrollY") == before
    page.go_forward()
    page.wait_for_function("y => scrollY === y", arg=there)


def test_what_the_browser_finds_in_another_chapter_is_shown(read):
    page = read()
    part = "document.getElementById('sec-weak')"
    assert page.evaluate(f"{part}.getAttribute('hidden')") == "until-found"
    page.evaluate(f"{part}.dispatchEvent(new Event('beforematch', {{bubbles: true}}))")
    assert shown(page) == ["sec-weak"] and page.url.endswith("#sec-weak")
    page.go_back()
    settled(page, chapters(page)[0])


def test_keys_turn_pages_and_can_be_switched_off(read):
    page = read("#sec-dogs")
    page.keyboard.press("ArrowRight")
    settled(page, "sec-weak")
    page.keyboard.press("ArrowLeft")
    settled(page, "sec-dogs")
    page.keyboard.press("/")
    page.keyboard.type("box")
    assert page.locator("#query").input_value() == "box"
    page.keyboard.press("ArrowLeft")
    assert shown(page) == ["sec-dogs"]
    page.locator("#keys").uncheck()
    page.reload()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("/")
    assert shown(page) == ["sec-dogs"]
    assert not page.locator("#query").evaluate("e => e === document.activeElement")


def test_skip_link_leads_to_the_text_of_the_chapter(read):
    page = read("#sec-dogs")
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    assert shown(page) == ["sec-dogs"]


# ---------------------------------------------------------------------------- search


@pytest.fixture(scope="module")
def rare(book_page) -> tuple[str, str]:
    """A word of chapter 3 that the book has once, and the paragraph that holds it."""
    source = book_page.read_text(encoding="utf-8")
    body = source[source.index("<main") : source.index("</main>")]
    text = entities.unescape(re.sub(r"<[^>]*>", " ", body))
    often = Counter(re.findall(r"\w+", text.lower()))
    chapter = body[body.index('id="sec-weak"') : body.index('id="sec-prompting"')]
    paragraphs = re.findall(r"<p>([A-Z][^<]{80,})</p>", chapter)
    return next(
        (word, entities.unescape(paragraph))
        for paragraph in paragraphs[len(paragraphs) // 2 :]
        for word in re.findall(r"[a-z]{8,}", paragraph)
        if often[word] == 1 and sum(word in other for other in often) == 1
    )


def test_search_leads_to_the_one_place_of_a_word(read, rare):
    word, paragraph = rare
    page = read()
    page.keyboard.press("/")
    page.keyboard.type(word.upper())
    assert page.locator("#found li").count() == 1
    assert page.locator("#tally").inner_text() == "1 place"
    assert page.locator("#found mark").inner_text() == word
    assert (
        page.locator("#found .where").inner_text().startswith("3 Weak localisation ›")
    )
    page.keyboard.press("Enter")
    assert shown(page) == ["sec-weak"] and not page.locator("#results").is_visible()
    hit = page.locator(".hit")
    assert " ".join(hit.inner_text().split()) == " ".join(paragraph.split())
    assert 0 < hit.evaluate(PLACE) < 900
    page.go_back()
    settled(page, chapters(page)[0])


def test_search_wants_all_words_and_ignores_case_and_accents(read):
    page = read()
    first = search(page, "threshold map")[0].lower()
    assert "threshold" in first and "map" in first
    assert page.locator("#found li").evaluate_all(
        """all => all.every((item) => ["threshold", "map"].every(
          (word) => item.place.text.toLowerCase().includes(word)))"""
    )
    many = page.locator("#tally").inner_text()
    search(page, "  MÁP   thréshold ")
    assert page.locator("#tally").inner_text() == many
    assert search(page, "mean box") != search(page, "mean box zzz") == []
    assert page.locator("#tally").inner_text() == "Nothing found"
    assert page.locator("#query").get_attribute("aria-expanded") == "false"
    assert search(page, "   ") == [] and page.locator("#tally").inner_text() == ""


def test_search_puts_headings_first_and_finds_cells_captions_and_code(read):
    page = read()
    assert search(page, "exercises")[0].splitlines()[-1].endswith("Exercises")
    assert page.locator("#found li").first.locator(".head").count() == 1
    code = next(
        line
        for line in page.locator("details.code pre").first.text_content().splitlines()
        if len(line) > 20
    )
    assert any(" ".join(code.split())[:20] in text for text in search(page, code))
    cell = page.locator("#tbl-detection tbody tr").last.text_content()
    assert len(search(page, " ".join(cell.split()))) >= 1
    label = " ".join(page.locator("#tbl-detection .label").text_content().split())
    assert search(page, label)[0].splitlines()[-1].startswith(label)


def test_search_by_keys(read):
    page = read()
    texts = search(page, "box")
    field = page.locator("#query")
    assert len(texts) == 40 and "40" in page.locator("#tally").inner_text()
    assert field.get_attribute("aria-expanded") == "true"
    page.keyboard.press("ArrowDown")
    assert field.get_attribute("aria-activedescendant") == "found-1"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert field.get_attribute("aria-activedescendant") == "found-39"
    chosen = page.locator("#found [aria-selected=true]")
    assert chosen.count() == 1 and chosen.inner_text() == texts[-1]
    page.keyboard.press("Escape")
    assert not page.locator("#results").is_visible()
    assert field.input_value() == "box" and shown(page) == chapters(page)[:1]
    page.keyboard.press("ArrowDown")
    assert page.locator("#results").is_visible()
    page.mouse.click(700, 800)
    assert not page.locator("#results").is_visible()


def test_search_opens_a_folded_solution(read):
    page = read()
    solution = page.locator("#sec-gradcam details.callout p").first
    words = " ".join(solution.text_content().split()[:6])
    search(page, words)
    page.locator("#found li").first.click()
    assert shown(page) == ["sec-gradcam"] and page.locator(".hit").evaluate(VISIBLE)
    assert page.locator("details.callout[open] .hit").count() == 1


def test_search_is_quick(read):
    page = read()
    search(page, "x")
    took = page.evaluate(
        """() => ["c", "ca", "cam", "the", "e", "iou box"].map((words) => {
          const field = document.getElementById("query");
          field.value = words;
          const tries = [1, 2, 3, 4].map(() => {
            const began = performance.now();
            field.dispatchEvent(new Event("input"));
            return performance.now() - began;
          });
          return Math.min(...tries);
        })"""
    )
    assert max(took) < 50, took


# ------------------------------------------------------------------------- the tools


def test_theme_has_three_states_and_is_remembered(read):
    page = read(color_scheme="dark")
    back = "getComputedStyle(document.body).backgroundColor"
    button = page.locator("#theme")
    dark = page.evaluate(back)
    button.click()
    assert button.inner_text() == "Theme: light" and page.evaluate(back) != dark
    page.reload()
    assert button.inner_text() == "Theme: light" and page.evaluate(back) != dark
    button.click()
    page.emulate_media(color_scheme="light")
    assert button.inner_text() == "Theme: dark" and page.evaluate(back) == dark
    button.click()
    assert button.inner_text() == "Theme: auto" and page.evaluate(back) != dark


def test_all_code_opens_by_one_button_and_is_remembered(read):
    page = read("#tbl-detection")
    folds, open_ = page.locator("details.code"), page.locator("details.code[open]")
    place = page.locator("#tbl-detection").evaluate(PLACE)
    page.locator("#code").evaluate("button => button.click()")
    assert open_.count() == folds.count() > 50
    assert page.locator("#code").inner_text() == "Hide all code"
    assert abs(page.locator("#tbl-detection").evaluate(PLACE) - place) < 2
    page.reload()
    assert open_.count() == folds.count()
    page.locator("#code").click()
    assert open_.count() == 0
    page.reload()
    assert open_.count() == 0 and page.locator("#code").inner_text() == "Show all code"


SESSION = "<div class='sourceCode'><pre><code>{}</code></pre></div>"


@pytest.mark.parametrize("clipboard", ["there", "missing", "refusing"])
def test_code_is_copied_without_prompts(bench, clipboard):
    body = SESSION.format("&gt;&gt;&gt; a = 1\n... b\n2\n") + SESSION.format("x\n  y")
    page = bench(body, "copy.js")
    page.evaluate(
        """kind => {
          window.copied = [];
          const writeText = async (text) => {
            if (kind === "refusing") throw new Error("no");
            copied.push(text);
          };
          const value = kind === "missing" ? undefined : { writeText };
          Object.defineProperty(navigator, "clipboard", { value });
          document.execCommand = () => copied.push(document.activeElement.value);
        }""",
        clipboard,
    )
    assert page.locator(".copy").count() == 2
    for number, button in enumerate(page.locator(".copy").all()):
        button.click()
        page.wait_for_function("n => copied.length > n", arg=number)
    assert page.evaluate("copied") == ["a = 1\nb", "x\n  y"]
    page.wait_for_function(
        "document.getElementById('status').textContent === 'Code copied'"
    )
    assert page.locator("textarea").count() == 0
    assert page.locator(".copy").last.inner_text() == "Copied"


def test_links_to_headings_figures_and_tables_can_be_copied(read):
    page = read("#sec-gradcam")
    page.evaluate(
        "Object.defineProperty(navigator, 'clipboard',"
        " { value: { writeText: async (text) => { window.copied = text } } })"
    )
    for place in ("#sec-gradcam h1", "#fig-scaling figcaption"):
        page.locator(f"{place} a.anchor").evaluate("anchor => anchor.click()")
        page.wait_for_function(
            "document.getElementById('status').textContent === 'Link copied'"
        )
        address = page.evaluate("copied")
        assert address == page.url and address.startswith("file:")
    assert address.endswith("#fig-scaling")
    bare = (
        "figure:is([id^=fig-], [id^=tbl-]):not(:has(a.anchor)), h2:not(:has(a.anchor))"
    )
    assert page.locator(bare).count() == 0


def test_figures_enlarge_by_keys_and_give_the_focus_back(read):
    page = read("#fig-scaling", pictures=True)
    figures = page.locator("#sec-gradcam figure.fig")
    button = page.locator("#fig-scaling .enlarge")
    assert button.get_attribute("aria-label") == "Enlarge Figure\u00a01.2"
    button.focus()
    page.keyboard.press("Enter")
    picture, caption = page.locator("#zoom img"), page.locator("#zoom-caption")
    assert "Figure\u00a01.2 " in caption.inner_text()
    small = page.locator("#fig-scaling img")
    assert picture.get_attribute("alt") == small.get_attribute("alt")
    assert picture.bounding_box()["width"] > 1.5 * small.bounding_box()["width"]
    page.keyboard.press("ArrowRight")
    assert "Figure\u00a01.3 " in caption.inner_text()
    for _ in range(figures.count() - 1):
        page.keyboard.press("ArrowRight")
    assert "Figure\u00a01.2 " in caption.inner_text()
    page.keyboard.press("Escape")
    assert not page.locator("#zoom").is_visible()
    assert button.evaluate("element => element === document.activeElement")
    assert shown(page) == ["sec-gradcam"]


@pytest.mark.parametrize("width", [1400, 375])
def test_enlarged_figure_can_be_seen_whole(read, width):
    page = read("#fig-scaling", width, pictures=True)
    page.locator("#fig-scaling img").click()
    box = page.locator("#zoom img").bounding_box()
    stage = page.locator("#zoom .stage")
    room = stage.evaluate("e => [e.scrollWidth, e.scrollHeight, e.clientHeight]")
    assert box["width"] >= 600 and box["width"] <= room[0] and box["height"] <= room[1]
    assert width == 375 or room[0] == 1400 and room[1] == room[2]
    page.locator("#zoom [data-close]").click()
    assert not page.locator("#zoom").is_visible()
    back = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert back == "Enlarge Figure\u00a01.2"


# ---------------------------------------------------------------------------- tables


def table(*columns: tuple[str, ...]) -> str:
    """Columns, each with its head first, as HTML."""
    head, *rows = zip(*columns, strict=True)
    cells = "".join(f"<th scope='col'>{cell}</th>" for cell in head)
    body = "".join(f"<tr><td>{'</td><td>'.join(row)}</td></tr>" for row in rows)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


def column(page, number: int) -> list[str]:
    cells = f"tbody tr > :nth-child({number})"
    return page.eval_on_selector_all(cells, "all => all.map(cell => cell.textContent)")


@pytest.mark.parametrize(
    "cells, ascending",
    [
        ("62.9 [48–76]|9.1 [5–90]|<b>71.9</b>|100.0", "2 1 3 4"),
        ("–|2|10||1", "5 2 3 1 4"),
        ("−0.5|+3|–2|0", "3 1 4 2"),
        ("1.2 s|850 ms|2 min|90 s", "2 1 4 3"),
        ("12 %|9.5 %|100%|3 %", "4 2 1 3"),
        ("1,234|999|12,000|1 000|0.5", "5 2 4 1 3"),
        ("4.1e−03|8.6e−04|0.1|1.0e+2", "2 1 3 4"),
        ("112 × 112|7 × 7|28 × 28|56 × 56", "2 3 4 1"),
        ("&lt; 0.001|0.5|0.01|n/a", "1 3 2 4"),
        ("epoch 10|epoch 9|Epoch 1|–", "3 2 1 4"),
        ("2026-11-22|2026-02-03|2025-12-31|2026-11-03", "3 2 4 1"),
        ("2.13.0|0.28.0|2.9.1|10.0.0", "2 3 1 4"),
        ("b|a|b|a", "2 4 1 3"),
    ],
)
def test_column_sorts_up_down_and_back(bench, cells, ascending):
    values = cells.split("|")
    order = [str(n) for n in range(1, len(values) + 1)]
    page = bench(table(("row", *order), ("value", *values)), "tables.js")
    button, head = page.locator("th button").last, page.locator("th").last
    button.click()
    assert column(page, 1) == ascending.split()
    assert head.get_attribute("aria-sort") == "ascending"
    missing = [n for n, cell in zip(order, values, strict=True) if cell in "–n/a"]
    button.focus()
    page.keyboard.press("Enter")
    down = column(page, 1)
    assert down[len(down) - len(missing) :] == missing
    assert head.get_attribute("aria-sort") == "descending"
    if "b" not in values:  # those that are equal keep their order
        known = [n for n in ascending.split() if n not in missing]
        assert down[: len(known)] == known[::-1]
    button.click()
    assert column(page, 1) == order and head.get_attribute("aria-sort") is None


@pytest.mark.parametrize(
    "body",
    [
        table(("a", "1", "2"), ("b", "3", "4")),
        table(("a", "1", "2", "3")),
        table(("", "1", "2", "3"), ("", "3", "4", "5")),
        table(("a", "1", "2", "3"), ("b", "3", "4", "5")).replace(
            "<td>5</td></tr>", "</tr>"
        ),
        "<table><tr><td>1</td><td>2</td></tr></table>",
    ],
    ids=["two rows", "one column", "no heads", "a cell is missing", "layout"],
)
def test_table_that_there_is_nothing_to_sort_in(bench, body):
    assert bench(body, "tables.js").locator("th button").count() == 0


def test_rows_that_sum_up_the_others_stay_below(bench):
    rows = [("cat", 3), ("dog", 1), ("pig", 2), ("mean", 2), ("all classes", 9)]
    body = "".join(f"<tr><td>{name}</td><td>{n}</td></tr>" for name, n in rows)
    head = "<thead><tr><th>class</th><th>AP</th></tr></thead>"
    page = bench(f"<table>{head}<tbody>{body}</tbody></table>", "tables.js")
    names = page.locator("tbody td:first-child")
    page.locator("th button").nth(1).click()
    assert names.all_inner_texts() == ["dog", "pig", "cat", "mean", "all classes"]
    page.locator("th button").nth(1).click()
    assert names.all_inner_texts() == ["cat", "pig", "dog", "mean", "all classes"]
    page.locator("th button").nth(1).click()
    assert names.all_inner_texts() == [name for name, _ in rows]


def test_search_finds_heads_of_tables_and_definitions(read):
    page = read()
    head = page.locator("#sec-weak thead th button", has_text="MaxBoxAccV2").first
    assert head.count() and any(
        "MaxBoxAccV2" in hit for hit in search(page, "maxboxaccv2 covered inside")
    )
    assert "AP, average precision" in search(page, "average precision")[0]


def test_table_of_the_book_sorts_by_numbers_with_intervals(read):
    page = read("#tbl-detection")
    places = page.locator("#tbl-detection")
    rows = places.locator("tbody tr")
    before = rows.all_inner_texts()
    assert places.locator("tbody th[scope=row]").count() == len(before)
    button = places.locator("thead th[scope=col] button").nth(1)
    for _ in range(2):
        button.evaluate("element => element.click()")
    cells = rows.evaluate_all("all => all.map(row => row.cells[1].textContent)")
    numbers = [float(re.match(r"[\d.]+", cell)[0]) for cell in cells]
    assert "[" in cells[0] and numbers == sorted(numbers, reverse=True)
    said = page.locator("#status").inner_text()
    assert said == f"Sorted by {button.inner_text().strip()}, descending"
    button.evaluate("element => element.click()")
    assert rows.all_inner_texts() == before


# ------------------------------------------------------- every screen, paper, no script


SMALL = """() => [...document.querySelectorAll("button, summary, nav a, .bar input")]
  .filter((e) => e.checkVisibility() && !e.closest("th"))
  .map((e) => [e.outerHTML.slice(0, 70), e.getBoundingClientRect()])
  .filter(([, box]) => box.height < 40).map(([text]) => text)"""
WIDE = "document.documentElement.scrollWidth - innerWidth"


@pytest.mark.parametrize("width", [375, 768])
def test_every_chapter_fits_the_screen(read, width):
    page = read(width=width, has_touch=True)
    page.locator("#code").click()
    for id_ in chapters(page):
        page.evaluate("id => { location.hash = id }", id_)
        settled(page, id_)
        assert page.evaluate(WIDE) <= 0, id_
        assert width > 375 or page.evaluate(SMALL) == [], id_


def test_menu_of_a_phone(read):
    page = read(width=375, has_touch=True)
    menu, contents = page.locator("#menu"), page.locator("#contents")
    assert not contents.is_visible()
    menu.click()
    assert contents.is_visible() and menu.get_attribute("aria-expanded") == "true"
    assert page.evaluate(SMALL) == []
    page.keyboard.press("Escape")
    assert not contents.is_visible()
    assert menu.evaluate("element => element === document.activeElement")
    menu.click()
    contents.locator("a[href='#sec-weak']").click()
    settled(page, "sec-weak")
    assert not contents.is_visible() and not page.locator("main[inert]").count()
    search(page, "wsddn")
    box = page.locator("#results").bounding_box()
    assert box["x"] == 0 and box["width"] == 375


def test_print_has_all_chapters_and_their_code_and_no_bar(read):
    page = read("#sec-weak", color_scheme="dark")
    page.emulate_media(media="print")
    assert shown(page) == chapters(page)
    folded = page.locator("details pre")
    hidden = folded.evaluate_all("all => all.filter(e => !e.checkVisibility()).length")
    assert folded.count() > 50 and hidden == 0
    for part in (".bar", "#contents", ".turn", "footer + dialog"):
        assert not page.locator(part).first.is_visible()
    style = "getComputedStyle(document.querySelector('#sec-weak > p')).color"
    assert page.evaluate(style) == "rgb(28, 36, 33)"
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details.code[open]").count() == 0


def test_without_javascript_all_of_the_book_is_there(read):
    page = read("#tbl-detection", java_script_enabled=False)
    assert shown(page) == chapters(page)
    assert page.locator("#contents").is_visible()
    assert not page.locator(".bar button, .search").filter(visible=True).count()
    assert abs(page.locator("#tbl-detection").evaluate(PLACE)) < 900


# --------------------------------------------------------------------- accessibility

RULES = {
    "light": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"],
    "dark": ["color-contrast", "link-in-text-block"],  # the rest is the same
}


@pytest.fixture(scope="module")
def axe() -> str:
    package = pytest.importorskip("axe_playwright_python")
    return (Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


# The other chapters are taken out for the while: axe looks at hidden ones for seconds.
AXE = """async (rules) => {
  const away = [...document.querySelectorAll("main > [hidden]")].map((part) => {
    const mark = document.createComment("");
    part.replaceWith(mark);
    return [mark, part];
  });
  const found = await axe.run({ runOnly: rules, resultTypes: ["violations"] });
  away.forEach(([mark, part]) => mark.replaceWith(part));
  return found.violations.flatMap(({ id, nodes }) => nodes.slice(0, 3).map((node) =>
    [id, node.html.slice(0, 120), node.failureSummary.slice(0, 200)].join(": ")));
}"""


@pytest.mark.parametrize("scheme, width", [("light", 1400), ("dark", 375)])
def test_accessibility_of_every_chapter(read, axe, width, scheme):
    page = read(width=width, color_scheme=scheme, has_touch=width == 375)
    page.evaluate(axe)
    for id_ in chapters(page):
        page.evaluate("id => { location.hash = id }", id_)
        settled(page, id_)
        if id_ == "sec-gradcam":
            page.locator("#code").click()
        assert page.evaluate(AXE, RULES[scheme]) == [], id_
        if id_ == "sec-gradcam":
            page.locator("#code").click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility_of_search_menu_and_enlarged_figure(read, axe, scheme):
    page = read("#fig-scaling", width=375, color_scheme=scheme)
    page.evaluate(axe)
    search(page, "box")
    assert page.evaluate(AXE, RULES[scheme]) == []
    page.keyboard.press("Escape")
    page.locator("#menu").click()
    assert page.evaluate(AXE, RULES[scheme]) == []
    page.locator("#menu").click()
    page.locator("#fig-scaling img").click()
    assert page.evaluate(AXE, RULES[scheme]) == []

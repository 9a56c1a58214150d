"""Sweeps: what is run for OVER, and what is made of it."""

import json
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest

from wslib.workbook.runs.gather import PointsFailed, gather, over_seeds, t_interval
from wslib.workbook.runs.sweep import Sweep, parse_over, plan, read_sweep
from wslib.workbook.sources.params import ParameterError, parse_overrides

CHAPTER = """
# %% tags=["parameters"]
width: int = 1  # of nothing
rate: float = 0.1
words: list[str] = ["a"]
name: str = "dog"
limit: int | None = None
seed: int = 0

# %%
from pathlib import Path

import pandas as pd

from wslib.show.tables import Table

if (width, seed) == (3, 1) and not Path("mended").exists():
    raise RuntimeError("on purpose")

# %%
frame = pd.DataFrame({"what": ["theirs", "ours"], "score": [0.5, 10 * width + seed]})
Table(frame, "one-scores", note="In points. Data: invented.")
"""
RESULTS = """
01_one:
  sentence: The score is {here}.
  chapter: sec-one
  place: tbl-one
  table: one-scores
  columns: {score: the score}
"""


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """A project without an engine: a chapter and what is said about its results."""
    for name, text in (
        ("chapters/01_one.py", CHAPTER),
        ("params/smoke/01_one.yml", ""),
        ("report/results.yml", RESULTS),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSLIB_BUILD", "unset by the test's end")
    return tmp_path


def sweep_of(over: str, limit: int = 200) -> Sweep:
    return read_sweep([Path("chapters/01_one.py")], "smoke", over, limit)


def finish(sweep: Sweep, score, more: int = 0, note: str = "N.") -> None:
    """Leave what a run of each point leaves; `score(values)` None leaves nothing."""
    for number, point in enumerate(plan(sweep, {})):
        value, build = score(point.values), sweep.build(point)
        if value is None:
            continue
        record = {
            "columns": ["what", "score", *(f"more {n}" for n in range(more))],
            "rows": [["theirs", *[0.0] * (more + 1)], ["ours", value, *[1.0] * more]],
            "note": note.format(number),
        }
        (build.folder / "tables").mkdir(exist_ok=True)
        (build.folder / "tables/one-scores.json").write_text(json.dumps(record))
        notebook = nbformat.v4.new_notebook(metadata={"wslib": {"seconds": 1.5}})
        nbformat.write(notebook, build.file(sweep.chapter, ".ipynb"))
        sweep.done(point).touch()


def table(folder: Path, name: str) -> pd.DataFrame:
    record = json.loads((folder / f"tables/{name}.json").read_text())
    return pd.DataFrame(record["rows"], columns=record["columns"])


# ----------------------------------------------------------------- what there is to run


def test_points_are_the_product_in_the_order_of_the_chapter(root):
    points = sweep_of("seed=0,1 width=224,320,448").points
    assert [p.name for p in points[:3]] == [
        "width-224+seed-0", "width-224+seed-1", "width-320+seed-0",
    ]  # fmt: skip
    assert len(points) == 6 and points[-1].values == {"width": 448, "seed": 1}


def test_values_are_separated_by_commas_outside_brackets():
    over = parse_over("""a=[0.3,0.4],[0.5] 'b={x: 1},{y: [2,3]}' c=null,1.5,'"p, q"'""")
    assert over == {
        "a": [[0.3, 0.4], [0.5]],
        "b": [{"x": 1}, {"y": [2, 3]}],
        "c": [None, 1.5, "p, q"],
    }


def test_settings_say_the_same_to_the_next_make(root):
    over = "words=[a,b],['c d'] limit=null,5 rate=1.0e-4,1 name=cat,\"'x y', 'on'\""
    long = "words=[" + ",".join(f"word{n}" for n in range(40)) + "],[b]"
    for point in [*sweep_of(over).points, *sweep_of(long).points]:
        assert parse_overrides(point.settings) == point.values
        assert "\n" not in point.settings


def test_equal_settings_have_equal_names_and_others_do_not(root):
    rate = [p.name for p in sweep_of("rate=1,2.0").points]
    assert rate == ["rate-1.0", "rate-2.0"]
    names = [p.name for p in sweep_of("name='a b','a/b','a:b','a%b'").points]
    assert len(set(names)) == 4


@pytest.mark.parametrize(
    "over",
    ["name=\"'a b','$(x)','#','a=b','a%b','../..','~','ä'\"", "words=[a,b],[c]",
     "name=" + "x" * 300],
)  # fmt: skip
def test_names_of_folders_are_plain(root, over):
    allowed = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.,+-")
    for point in sweep_of(over).points:
        assert set(point.name) <= allowed and len(point.name) <= 110
        assert point.name[0].isalpha()


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ("", "OVER is empty"),
        ("   ", "OVER is empty"),
        ("seed", "'seed': expected name=value,value"),
        ("seed=", "'seed=': expected name=value,value"),
        ("=1", "'=1': expected name=value,value"),
        ("seed=0,,1", "the values are not YAML"),
        ("words=[a", "the values are not YAML"),
        ("seed=0 'width=1", "No closing quotation in OVER"),
        ("seed=0 seed=1", "seed comes twice"),
        ("seed=0,1,0", "seed: 0 comes twice"),
        ("rate=1,1.0", "rate: 1.0 comes twice"),
        ("sed=0", "OVER: no parameter 'sed'; did you mean 'seed'? (allowed: width"),
        ("seed=0,x", "OVER: seed must be int, not 'x'"),
        ("seed=0,1.5", "OVER: seed must be int, not 1.5"),
        ("rate=.inf", "rate must be float, not '.inf'"),
        ("seed=0,010", "OVER: seed must be int, not '010'"),
        ("seed=[0,1]", "OVER: seed must be int, not [0, 1]"),
        ("seed=null", "OVER: seed must be int, not None"),
    ],
)
def test_bad_over_is_one_line(root, over, said):
    with pytest.raises(ParameterError) as error:
        sweep_of(over)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_many_points_have_to_be_meant(root):
    hundred = ",".join(map(str, range(101)))
    with pytest.raises(
        ParameterError, match="OVER makes 202 points, more than 200; LI"
    ):
        sweep_of(f"seed={hundred} width=1,2")
    assert len(sweep_of(f"seed={hundred} width=1,2", limit=202).points) == 202


def test_a_sweep_is_of_one_chapter(root):
    both = [Path("chapters/01_one.py"), Path("chapters/02_two.py")]
    with pytest.raises(ParameterError, match="of one chapter, not of 01_one, 02_two"):
        read_sweep(both, "smoke", "seed=0", 200)
    with pytest.raises(FileNotFoundError, match="03_three.py: no such chapter"):
        read_sweep([Path("chapters/03_three.py")], "smoke", "seed=0", 200)


def test_plan_refuses_before_it_writes(root):
    sweep = sweep_of("seed=0,1")
    with pytest.raises(ParameterError, match="seed: is in OVER and in SET"):
        plan(sweep, {"seed": 3})
    with pytest.raises(ParameterError, match="no parameter 'widht'; did you mean"):
        plan(sweep, {"widht": 3})
    (root / "report/results.yml").write_text(RESULTS.replace("01_one", "09_nine"))
    with pytest.raises(ValueError, match="results.yml: has no entry 01_one"):
        plan(sweep, {})
    assert not (root / "build").exists()


def test_plan_leaves_settings_and_forgets_what_was_done(root):
    sweep = sweep_of("seed=0,1")
    for point in plan(sweep, {"width": 5}):
        build = sweep.build(point)
        file = build.folder / "01_one.set"
        assert file.read_text() == f"seed={point.values['seed']}\n"
        assert [path.name for path in build.folder.iterdir()] == [file.name]
        sweep.done(point).touch()
    plan(sweep, {})
    assert not [p for p in sweep.points if sweep.done(p).exists()]


# --------------------------------------------------------------------- what is gathered


def test_means_have_the_interval_of_student():
    mean, low, high = t_interval([10.0, 11.0, 12.0])
    half = 4.302653 / np.sqrt(3)  # t of 2 degrees of freedom at 0.975; s is 1
    assert (mean, low, high) == pytest.approx((11, 11 - half, 11 + half), abs=1e-5)
    assert t_interval([5.0, np.nan])[0] == 5 and np.isnan(t_interval([5.0])[1:]).all()
    assert np.isnan(t_interval([])).all()


def test_over_seeds_counts_only_those_that_finished():
    frame = pd.DataFrame(
        {"width": [1, 1, 2, 2], "seed": [0, 1, 0, 1], "score": [1.0, 3.0, 5.0, np.nan],
         "seconds": [1, 1, 1, np.nan]}
    )  # fmt: skip
    means = over_seeds(frame, ["width"], ["score"])
    assert list(means["width"]) == [1, 2] and list(means["n"]) == [2, 1]
    assert list(means["score"]) == [2.0, 5.0]
    assert means["score high"][0] == pytest.approx(2 + 12.7062, abs=1e-3)
    assert np.isnan(means["score low"][1])


def test_gathered_in_one_table_and_one_figure(root, capsys):
    sweep = sweep_of("width=1,2 seed=0,1,2")
    finish(sweep, lambda v: 10.0 * v["width"] + v["seed"])
    folder = gather(sweep, "rate=0.5")
    points, means = table(folder, "points"), table(folder, "means")
    assert list(points) == ["width", "seed", "score", "seconds"]
    assert list(points["score"]) == [10, 11, 12, 20, 21, 22]
    assert list(points["seconds"]) == [1.5] * 6
    assert list(means["n"]) == [3, 3] and list(means["score"]) == [11, 21]
    said, text = capsys.readouterr().out, (folder / "sweep.md").read_text()
    for words in (said, text):
        assert "profile smoke, `rate=0.5`" in words and "Student" in words
        assert "N." in words  # the note of the chapter's own table
    assert "![](figures/sweep.svg)" in text and "| 2 | 2 | 22 |" in text
    assert (folder / "figures/sweep.svg").read_text().startswith("<?xml")
    assert (folder / "tables/points.csv").is_file()
    assert folder == Path("build/smoke/sweep/01_one/width-1,2+seed-0,1,2")


def test_failed_points_are_named_and_the_others_kept(root):
    sweep = sweep_of("width=1,2 seed=0,1")
    finish(sweep, lambda v: None if v == {"width": 2, "seed": 1} else 7.0)
    with pytest.raises(
        PointsFailed, match="no result of 1 of the sweep's 4 points: wid.*-1$"
    ):
        gather(sweep)
    points = table(sweep.folder, "points")
    assert points["score"].tolist()[:3] == [7, 7, 7] and points["score"].isna()[3]
    assert list(table(sweep.folder, "means")["n"]) == [2, 1]


def test_a_knob_that_changes_nothing_is_named(root, capsys):
    for score, said in ((lambda v: 7.0, True), (lambda v: 7.0 + v["seed"], False)):
        sweep = sweep_of("seed=0,1")
        finish(sweep, score)
        gather(sweep)
        text = "none of these numbers changes with seed"
        assert (text in capsys.readouterr().out) is said


def test_nothing_is_gathered_of_nothing(root):
    sweep = sweep_of(f"seed={','.join(map(str, range(7)))}")
    finish(sweep, lambda v: None)
    with pytest.raises(
        PointsFailed, match="no result of 7 of .* 7 points: seed-0, .*, ...$"
    ):
        gather(sweep)
    assert not sweep.folder.exists()


def test_what_does_not_fit_is_named(root):
    columns = ", ".join(f"more {n}: m" for n in range(5))
    text = RESULTS.replace("{score: the score}", f"{{score: s, {columns}}}")
    (root / "report/results.yml").write_text(text)
    sweep = sweep_of("rate=0.001,2 width=1 seed=0,1")
    finish(sweep, lambda v: 1.0, more=5, note="Of point {}. Data: drawn.")
    folder = gather(sweep)
    points, means = table(folder, "points"), table(folder, "means")
    shown = ["width", "rate", "seed", "score", "more 0", "more 1", "seconds"]
    assert list(points) == shown and len(points) == 4
    assert [c for c in means if c[-3:] not in ("low", "igh")] == [
        "width", "rate", "n", "score", "more 0", "more 1", "more 2",
    ]  # fmt: skip
    text = (folder / "sweep.md").read_text()
    assert "Not shown: more 2, more 3, more 4." in text and "| 0.001 |" in text
    assert "Of point" not in text  # the points do not agree
    assert "Data: drawn." in text


@pytest.mark.parametrize(
    "over",
    ["seed=0", "seed=0,1,2", "name=cat,dog", "name=cat,dog seed=0,1", "limit=null,5",
     "words=[a,b],[c] name=cat,dog rate=0.001,0.01,0.5", "rate=0.1", "width=0,1,-2",
     "width=1,2 rate=0.1,0.2 words=[a] name=x,y limit=1,2 seed=0,1"],
)  # fmt: skip
def test_any_knobs_make_a_table_and_a_figure(root, over):
    sweep = sweep_of(over)
    finish(sweep, lambda v: float(len(str(v))))
    folder = gather(sweep)
    assert len(table(folder, "points")) == len(sweep.points)
    assert (folder / "figures/sweep.svg").is_file()


def test_axes_of_the_figure(root, monkeypatch):
    from wslib.show import figures

    kept = []
    monkeypatch.setattr(figures, "Picture", lambda fig, name: kept.append(fig) or fig)
    from wslib.workbook.runs.gather import draw

    frame = pd.DataFrame(
        [{"name": n, "width": w, "rate": r, "seed": s, "score": w + s, "b": 1.0}
         for n in ("cat", "dog") for w in (1, 100) for r in (1, 2) for s in (0, 1)]
    )  # fmt: skip
    draw(frame, ["name", "width", "rate", "seed"], ["score", "b"])
    first, second = kept[0].axes
    assert [a.get_title() for a in (first, second)] == ["score", "b"]
    assert first.get_xlabel() == "width" and first.get_xscale() == "log"
    words = [text.get_text() for text in kept[0].legends[0].get_texts()]
    assert words[0] == "name cat, rate 1" and len(words) == 4
    means = first.containers[0].lines[0]
    assert list(means.get_xdata()) == [1, 100]
    assert list(means.get_ydata()) == [1.5, 100.5]
    draw(frame.query("width == 1 and rate == 1"), ["name", "width", "seed"], ["score"])
    only = kept[1].axes[0]
    assert only.get_xlabel() == "name" and not kept[1].legends
    assert [tick.get_text() for tick in only.get_xticklabels()] == ["cat", "dog"]
    low, high = only.get_ylim()  # of the dots at 1 and 2, not of their intervals
    assert 0 <= low < 1 and 2 < high <= 3


# ------------------------------------------------------------------------- through Make


def test_make_sweep(project):
    """One point fails, the other finishes; mended, only that one runs."""
    project.write("chapters/01_one.py", CHAPTER)
    project.write("params/smoke/01_one.yml", "")
    project.write("report/results.yml", RESULTS)
    words = ("sweep", "CH=01", "OVER=seed=1,0 width=3", "SET=name='a b'", "-j2")
    failed = project.make(*words)
    assert failed.returncode != 0
    assert "no result of 1 of the sweep's 2 points: width-3+seed-1" in failed.stdout, (
        failed.stdout
    )
    assert "RuntimeError: on purpose" in failed.stdout
    assert failed.stdout.count("executed in") == 1
    assert "Traceback" not in failed.stdout
    place = project.root / "build/smoke/sweep"
    notebook = nbformat.read(place / "width-3+seed-0/01_one.ipynb", as_version=4)
    values = notebook.metadata.wslib.parameters
    assert (values["width"], values["seed"], values["name"]) == (3, 0, "a b")
    project.write("mended", "")
    mended = project.make(*words)
    assert mended.returncode == 0, mended.stdout
    assert mended.stdout.count("executed in") == 1
    folder = place / "01_one/width-3+seed-1,0"
    assert list(table(folder, "points")["score"]) == [31, 30]
    assert list(table(folder, "means")["score"]) == [30.5]
    assert not (project.root / "build/smoke/01_one.ipynb").exists()

    # What could not be run again is no result, though an old one lies there.
    project.edit("chapters/01_one.py", "10 * width", "11 * width")
    broken = project.make("sweep", "CH=01", "OVER=width=3 seed=0,1", "RUN=false")
    assert broken.returncode != 0 and "2 of the sweep's 2 points" in broken.stdout


def test_make_sweep_refuses_before_anything_runs(project):
    project.write("chapters/01_one.py", CHAPTER)
    project.write("report/results.yml", RESULTS)
    for words, said in (
        (["CH=01", "OVER=sed=0,1"], "wslib: OVER: no parameter 'sed'; did you mean"),
        (["CH=01"], "wslib: OVER is empty"),
        (["CH=0", "OVER=seed=0"], "of one chapter, not of 01_one, 02_two"),
        (["OVER=seed=0"], "make sweep needs CH"),
        (["CH=01", "OVER=seed=0,1,2", "LIMIT=2"], "3 points, more than 2; LIMIT=3"),
    ):
        done = project.make("sweep", *words)
        assert done.returncode != 0 and said in done.stdout, done.stdout
        assert len(done.stdout.strip().splitlines()) <= 2
    assert not (project.root / "build/smoke/sweep").exists()

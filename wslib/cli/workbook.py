"""`wslib workbook`: the steps from chapters to the report, one by one."""

from __future__ import annotations

import shlex
from pathlib import Path

import typer

from wslib.cli.choices import names_in
from wslib.cli.console import fail_if, resumable
from wslib.cli.contents import Contents
from wslib.cli.options import argument, one_of, option
from wslib.workbook.sources.profiles import PROFILES


class Steps(Contents):
    """The commands, by what they are for."""

    chapters = {
        "What `make report` does": ("fetch", "check", "run", "render"),
        "While you write": ("preview", "sync", "rules"),
        "For others": ("handout", "summary", "slides", "colab", "publish"),
        "What was measured on real data": ("record", "headline"),
        "What `make sweep` does": ("sweep",),
    }


app = typer.Typer(
    cls=Steps, help="From chapters to the report, in the steps that Make takes."
)
sweep = typer.Typer(
    cls=Contents, help="A chapter, once for each combination of values."
)
app.add_typer(sweep, name="sweep")

DATA_SETS = names_in("data.fetch", "SOURCES")

Chapters = argument(list[Path], "Such as chapters/02_*.py")
Profile = one_of(PROFILES)
SomeChapters = argument(list[Path] | None, "Such as chapters/02_*.py [default: all]")
Overrides = option(str, 'Such as "seed=1 epochs=5"', "--set")
Data = option(str, "Folder of your own pictures, see `wslib data check`")
EditionName = option(
    str, "student: no solutions; teacher: with them, goals and times", "--edition"
)
Place = option(Path | None, "Not build/PROFILE", "--build")
Over = option(str, 'Such as "seed=0,1,2 input_size=224,448"')
Limit = option(int, "More combinations are a mistake")
Submission = option(str, 'Such as "sbatch --mem=4GB"', "--run")
AtOnce = option(int, "Tasks at a time; 0: any", "--most", min=0)
Checked = argument(Path, "A checked chapter")
Finished = argument(Path, "A chapter that was run")
RecordName = option(str, "Of the record, such as unseen")
Looks = option(str, "How often these images were seen: never, once ...")
Side = one_of(
    names_in("workbook.sources.pairing", "SIDES"),
    help="Whose text counts: {}",
    kind=str | None,
)
OnlyCheck = option(bool, "Only say what would be done", "--check")
OnlyChapter = option(str, "Follow only this one, such as 02", "--chapter")
Host = option(str, "Where to listen")
Port = option(int, "The first one to try", min=1, max=65535)
NoOpen = option(bool, "Do not open the browser", "--no-open")


@app.command("check")
def check_chapters(
    chapters: Chapters,
    profile: Profile = "sample",
    overrides: Overrides = "",
    data: Data = "",
    place: Place = None,
) -> None:
    """Check the parameters of chapters, and that their data are here.

    Nothing is executed, and nothing fetched.

    \b
    Example: wslib workbook check chapters/*.py --set "seed=1"
    """
    found, by_hand = _find_needed(chapters, profile, overrides, data, place)
    if by_hand:
        raise FileNotFoundError("; ".join(by_hand))
    if lacking := "; ".join(str(one) for one in found if not one.here):
        one = f" CH={chapters[0].name[:2]}" if len(chapters) == 1 else ""
        settings = f' SET="{overrides}"' if overrides else ""
        how = f"make data PROFILE={profile}{one}{settings}"
        raise FileNotFoundError(f"not here: {lacking}; to fetch it: {how}")


@app.command("fetch")
def fetch_for_chapters(
    chapters: Chapters,
    profile: Profile = "full",
    overrides: Overrides = "",
    data: Data = "",
) -> None:
    """Fetch the data sets and the weights that chapters need.

    Says first how much it is and what is free, and asks nothing. After an interruption
    the same command goes on where it stopped.

    \b
    Example: wslib workbook fetch chapters/*.py --profile full
    """
    from wslib.models.downloads import fetch_downloads

    with resumable():
        found, by_hand = _find_needed(chapters, profile, overrides, data)
        fetch_downloads(found)
        if by_hand:
            raise FileNotFoundError("; ".join(by_hand))
        print(f"PROFILE={profile}: all that it needs is here")


def _find_needed(
    chapters: list[Path], profile: str, overrides: str, data: str, place=None
) -> tuple[list, list[str]]:
    """Check the parameters of chapters; find what these name on the network, and say
    what is missing that cannot be fetched."""
    from wslib.data.inventory import find_missing
    from wslib.models.published import HUB, PUBLISHED
    from wslib.workbook.runs.build import Build
    from wslib.workbook.runs.settings import check
    from wslib.workbook.sources.chapter import Chapter
    from wslib.workbook.sources.params import parse_overrides
    from wslib.workbook.sources.profiles import named, splits

    build = Build(profile, place=place)
    wanted = [Chapter(path) for path in chapters]
    values = check(wanted, build, parse_overrides(overrides), data, _classes_in)
    names = {name: None for one in values for name in named(one)}
    missing = find_missing(names)
    if not names.keys() & {*DATA_SETS, *HUB, *PUBLISHED}:
        return [], missing
    from wslib.models.downloads import find_downloads

    wanted_splits = [name for one in values for name in splits(one)]
    return find_downloads(names, wanted_splits), missing


def _classes_in(folder: str) -> tuple[str, ...]:
    """Read the classes of a person's own pictures."""
    from wslib.data.own_folders import read_own_folder

    return read_own_folder(folder).classes


@app.command("rules")
def check_form(chapters: SomeChapters = None) -> None:
    """Say where chapters break the rules of their form.

    Lines of 88 characters, functions of 12, captions that end in a full stop, at most
    three cells of code in a row: `make test` holds the same rules.

    \b
    Example: wslib workbook rules chapters/NN_name.py
    """
    from wslib.workbook.sources.chapter import Chapter
    from wslib.workbook.sources.rules import find_faults

    paths = chapters or sorted(Path("chapters").glob("*.py"))
    faults = [fault for path in paths for fault in find_faults(Chapter(path))]
    print(*faults, sep="\n", end="\n" * bool(faults))
    print(f"faults: {len(faults)}")
    fail_if(faults)


@app.command("run")
def run_chapter(
    chapter: Checked,
    profile: Profile = "sample",
    overrides: Overrides = "",
    data: Data = "",
    place: Place = None,
) -> None:
    """Execute a chapter that was checked, or only join its new prose.

    It runs with what `check` wrote; --set and --data count only where that is lost. To
    run with others, check first.

    \b
    Example: wslib workbook run chapters/NN_name.py --profile smoke
    """
    from wslib.workbook.runs.build import Build
    from wslib.workbook.runs.run import run, tidy_up_when_ended
    from wslib.workbook.sources.chapter import Chapter
    from wslib.workbook.sources.params import parse_overrides

    tidy_up_when_ended()
    asked, own = parse_overrides(overrides), {"data": data, "classes_in": _classes_in}
    run(Chapter(chapter), Build(profile, place=place), asked, **own)


@sweep.command("plan")
def plan_sweep(
    chapters: Chapters,
    over: Over,
    profile: Profile = "sample",
    overrides: Overrides = "",
    limit: Limit = 200,
) -> None:
    """Check all combinations and name their folders; nothing is executed.

    \b
    Example: wslib workbook sweep plan chapters/NN_name.py --over "seed=0,1,2"
    """
    from wslib.workbook.runs.sweep import plan, read_sweep
    from wslib.workbook.sources.params import parse_overrides

    points = plan(
        read_sweep(chapters, profile, over, limit), parse_overrides(overrides)
    )
    print(*(point.name for point in points))


@sweep.command("submit")
def submit_sweep(
    chapters: Chapters,
    over: Over,
    profile: Profile = "sample",
    overrides: Overrides = "",
    limit: Limit = 200,
    run: Submission = "sbatch",
    most: AtOnce = 0,
) -> None:
    """Run the planned combinations as one job array of a Slurm cluster.

    \b
    Example: wslib workbook sweep submit chapters/NN_name.py --over "seed=0,1,2"
    """
    from wslib.workbook.runs.array import submit
    from wslib.workbook.runs.sweep import read_sweep

    if submit(read_sweep(chapters, profile, over, limit), shlex.split(run), most):
        raise typer.Exit(1)


@sweep.command("gather")
def gather_sweep(
    chapters: Chapters,
    over: Over,
    profile: Profile = "sample",
    overrides: Overrides = "",
    limit: Limit = 200,
) -> None:
    """Make one table and one figure of the combinations that were run.

    \b
    Example: wslib workbook sweep gather chapters/NN_name.py --over "seed=0,1,2"
    """
    from wslib.workbook.runs.gather import gather
    from wslib.workbook.runs.sweep import read_sweep

    print(gather(read_sweep(chapters, profile, over, limit), overrides))


@app.command("record")
def record_run(
    chapter: Finished,
    profile: Profile = "full",
    name: RecordName = "",
    looks: Looks = "",
    overrides: Overrides = "",
) -> None:
    """Keep the tables of a run on real data in report/recorded/.

    \b
    Example: wslib workbook record chapters/NN_name.py --name unseen --looks never
    """
    from wslib.workbook.runs.build import Build
    from wslib.workbook.runs.record import record
    from wslib.workbook.sources.chapter import Chapter

    settings = f' SET="{overrides}"' if overrides else ""
    command = f"make record CH={chapter.name[:2]} PROFILE={profile}{settings}"
    print(record(Chapter(chapter), Build(profile), name, looks, command))


@app.command("headline")
def write_headline() -> None:
    """Write the results of the README from the recorded runs.

    \b
    Example: wslib workbook headline
    """
    from wslib.workbook.report.headline import write_readme

    print(write_readme(Path(".")))


@app.command("sync")
def sync_notebooks(
    chapters: SomeChapters = None,
    keep: Side = None,
    check: OnlyCheck = False,
) -> None:
    """Bring the edits of chapters and of notebooks to each other.

    Both sides edited at the same place: it says so, and touches neither.

    \b
    Example: wslib workbook sync
    Example: wslib workbook sync chapters/NN_name.py --keep notebook
    """
    from wslib.workbook.sources.pairing import SIDES, find_pairs, pair_of, sync_all

    if keep not in (None, *SIDES):
        raise ValueError(f"--keep {keep}: expected {' or '.join(SIDES)}")
    pairs = [pair_of(path) for path in chapters] if chapters else find_pairs()
    done, failed = sync_all(pairs, keep, check)
    count = f"{len(pairs)} chapter" + ("s" if len(pairs) != 1 else "")
    left = f", {failed} not" if failed else ""
    print(f"{count}: {done} {'differ' if check else 'synced'}{left}")
    fail_if(failed or (check and done))


@app.command("render")
def render_book(profile: Profile = "sample", edition: EditionName = "") -> None:
    """Assemble the executed notebooks into the HTML book and the PDF.

    In the PDF the solutions of the exercises stand at the end, unless an edition says
    otherwise.

    \b
    Example: wslib workbook render --profile smoke
    """
    from wslib.workbook.report.pages import write_pages
    from wslib.workbook.report.render import render
    from wslib.workbook.runs.turn import our_turn

    with our_turn(Path("build", profile)):
        write_pages(Path("."), profile)
        render(Path("."), profile, edition=edition)


@app.command("preview")
def preview_book(
    profile: Profile = "sample",
    only: OnlyChapter = "",
    host: Host = "127.0.0.1",
    port: Port = 8765,
    no_open: NoOpen = False,
    data: Data = "",
) -> None:
    """Show the web book while you write: what is saved is on screen.

    New prose is joined to the outputs, changed code is run, the page reloads where it
    is. Ctrl-C ends it. The report is not touched; `make report` makes it as ever.

    \b
    Example: wslib workbook preview --profile smoke --chapter 02
    """
    from wslib.workbook.preview.preview import preview

    preview(Path("."), profile, only, host, port, not no_open, data)

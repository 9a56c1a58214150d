"""What a shell completes: commands, options, and the names that options take."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from wslib import cam, cli
from wslib.boxes import evidence
from wslib.boxes.recipe import DEFAULT_RECIPE
from wslib.cli import doctor
from wslib.cli.choices import names_in, settings_in
from wslib.data import datasets, fetch, voc
from wslib.metrics import detection
from wslib.models import classifiers, two_heads
from wslib.practical import views
from wslib.prompting import named_pipelines
from wslib.training import losses
from wslib.workbook.sources import pairing, profiles

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def complete(monkeypatch, capsys):
    """What is offered for the last word of a line, in the protocol of a shell."""

    def ask(line: str, shell: str = "bash") -> list[str]:
        words = line.split(" ")
        monkeypatch.setenv("_WSLIB_COMPLETE", f"complete_{shell}")
        monkeypatch.setenv("COMP_WORDS", "\n".join(words))
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        monkeypatch.setenv("_TYPER_COMPLETE_ARGS", line)
        monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
        monkeypatch.setattr(sys, "argv", ["wslib"])
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert not end.value.code
        return capsys.readouterr().out.split("\n")[:-1]

    return ask


@pytest.mark.parametrize(
    "line, offered",
    [
        ("wslib c", ["cam", "caltech", "completion"]),
        ("wslib voc s", ["score", "show"]),
        ("wslib voc eval --spl", ["--split"]),
        ("wslib voc eval --split t", ["train", "trainval", "test"]),
        ("wslib voc detect --class d", ["diningtable", "dog"]),
        ("wslib voc detect --class=d", ["diningtable", "dog"]),
        ("wslib voc score a.json --protocol ", ["course", "voc07", "voc10"]),
        ("wslib voc train --backbone resnet", ["resnet18", "resnet50"]),
        ("wslib voc train --dataset ", ["voc2007", "rendered"]),
        ("wslib caltech train --dataset c", ["caltech3", "caltech101"]),
        ("wslib caltech train --network ", [*two_heads.NETWORKS]),
        ("wslib caltech train --box-loss g", ["giou", "giou+l1"]),
        ("wslib cam a.png --method g", ["gradcam", "gradcam++", "guided"]),
        ("wslib segment a.png --sam vit", ["vit_b", "vit_l", "vit_h"]),
        ("wslib segment a.png --pipeline b", ["box"]),
        ("wslib data fetch c", ["cifar10", "caltech101"]),
        ("wslib data fetch voc2007 --part ", ["trainval", "test"]),
        ("wslib sam fetch m", ["mobile_sam"]),
        ("wslib voc eval --device ", ["auto", "cpu", "cuda"]),
        ("wslib workbook run a.py --profile s", ["smoke", "sample"]),
        ("wslib completion ", ["bash", "zsh", "fish"]),
        ("wslib --ver", ["--version"]),
        ("wslib cam ", [""]),  # nothing: the shell offers files
        ("wslib voc eval --split x", [""]),
    ],
)
def test_bash(complete, line, offered):
    assert complete(line) == offered


def test_zsh_and_fish_tell_what_a_command_does(complete):
    (told,) = complete("wslib voc ev", "fish")
    assert told.startswith("eval\tMeasure the classification of images")
    told = "".join(complete("wslib voc ev", "zsh"))
    assert '"eval":"Measure the classification' in told


@pytest.mark.parametrize(
    "module, table",
    [
        (voc, "SPLITS"),
        (voc, "CLASSES"),
        (datasets, "VOC_SETS"),
        (datasets, "CALTECH_SETS"),
        (voc, "VOC2007_PARTS"),
        (detection, "PROTOCOLS"),
        (evidence, "KINDS"),
        (cam, "METHODS"),
        (classifiers, "NAMES"),
        (two_heads, "NETWORKS"),
        (losses, "BOX_LOSSES"),
        (views, "AUGMENTATIONS"),
        (named_pipelines, "PIPELINES"),
        (pairing, "SIDES"),
    ],
)
def test_names_that_are_read_are_those_that_are_imported(module, table):
    name = module.__name__.removeprefix("wslib.")
    assert names_in(name, table) == tuple(getattr(module, table))


def test_settings_that_are_read_are_those_that_are_imported():
    read = settings_in("boxes.recipe", "DEFAULT_RECIPE")
    assert read.keys() >= {"max_boxes", "area_power", "second"}
    assert read == {key: getattr(DEFAULT_RECIPE, key) for key in read}


def test_a_table_that_is_not_there_is_named():
    with pytest.raises(LookupError, match="wslib.cam: no MODES"):
        names_in("cam", "MODES")


def test_profiles_are_those_that_have_parameters():
    folders = [path.name for path in (ROOT / "params").iterdir() if path.is_dir()]
    assert sorted(profiles.PROFILES) == sorted(folders)


def test_data_sets_are_those_that_can_be_opened(monkeypatch, tmp_path):
    monkeypatch.setenv("WSLIB_DATA", str(tmp_path))
    for opened, allowed in (
        (datasets.open_voc2007, datasets.VOC_SETS),
        (datasets.open_caltech, datasets.CALTECH_SETS),
    ):
        with pytest.raises(ValueError) as error:
            opened("other")
        for name in allowed:
            assert repr(name) in str(error.value)


def test_data_sets_that_are_offered_can_be_fetched():
    assert doctor.DATA_SETS == tuple(fetch.SOURCES)
    for sources in fetch.SOURCES.values():
        assert all(source.url.startswith("http") for source in sources)


def test_completing_imports_nothing_heavy():
    code = (
        "import sys; sys.argv = ['wslib']\n"
        "from wslib import cli\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "print([n for n in ('torch', 'numpy') if n in sys.modules])"
    )
    words = "\n".join("wslib voc detect --class do".split())
    env = {"COMP_WORDS": words, "COMP_CWORD": "4", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**env, "_WSLIB_COMPLETE": "complete_bash"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "dog\n[]\n", done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_printed(shell, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["wslib", "completion", shell])
    with pytest.raises(SystemExit) as end:
        cli.main()
    printed = capsys.readouterr().out
    assert end.value.code == 0 and f"_WSLIB_COMPLETE=complete_{shell}" in printed


def test_another_shell_is_one_line(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["wslib", "completion", "csh"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == "wslib: shell 'csh', expected bash, zsh, fish"


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
def test_in_a_real_bash(tmp_path):
    program = tmp_path / "wslib"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m wslib.cli "$@"\n')
    program.chmod(0o755)
    script = (
        'eval "$(wslib completion bash)"\n'
        "COMP_WORDS=(wslib voc eval --split tr) COMP_CWORD=4\n"
        "_wslib_completion wslib\n"
        'echo "${COMPREPLY[*]}"\n'
        "complete -p wslib\n"
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        cwd=ROOT,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    first, second = done.stdout.splitlines()
    assert first == "train trainval", done.stderr
    assert second == "complete -o default -F _wslib_completion wslib"

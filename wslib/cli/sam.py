"""`wslib sam`: the segmenters, where their weights are, and how ours was made."""

from __future__ import annotations

from pathlib import Path

import typer

from wslib.cli import options
from wslib.cli.console import INTERRUPTED, check_out, print_json, resumable
from wslib.cli.contents import Contents
from wslib.cli.options import named, option
from wslib.models.published import PUBLISHED

app = typer.Typer(cls=Contents)

Name = named(PUBLISHED)
Steps = option(int, "In rounds of 100; each draws new pictures", min=1)
BatchSize = option(int, "Pictures in a step, 2 prompts each", min=1, max=1024)
LearningRate = option(float, "At its start; it falls to 0", min=1e-6)
Start = option(Path | None, "Weights to go on from, instead of random ones")
WithoutShapes = option(bool, "Draw none of the course's shapes", "--without-shapes")


@app.callback()
def group() -> None:
    """The segmenters that can be prompted, and their weights."""


@app.command("list")
def list_networks(as_json: options.Json = False) -> None:
    """Say which segmenters there are, how large, and which are here.

    Weights lie in $WSLIB_DATA/sam; those of sam_tiny come with the package.

    \b
    Example: wslib sam list

    JSON: [{name, parameters, bytes, path, here, found}]
    """
    from importlib.util import find_spec

    from wslib.data.download import mebibytes
    from wslib.models.sam_tiny import WEIGHTS, build_sam_tiny

    ours = sum(p.numel() for p in build_sam_tiny().parameters())
    size = WEIGHTS.stat().st_size if WEIGHTS.is_file() else 0
    rows = [_row("sam_tiny", ours, size, WEIGHTS, f"{WEIGHTS}: not here")]
    for name, file in PUBLISHED.items():
        missing = f"not here; `wslib sam fetch {name}`"
        rows.append(_row(name, file.parameters, file.size, file.path, missing))
    if as_json:
        return print_json(rows)
    for row in rows:
        numbers = f"{row['parameters'] / 1e6:6.1f} M parameters  "
        numbers += f"{mebibytes(row['bytes']):>11}"
        print(f"{row['name']:11}{numbers}  {row['found']}")
    if find_spec("mobile_sam") is None:
        print("mobile_sam also needs its package, which is not installed")


def _row(name: str, parameters: int, size: int, path: Path, missing: str) -> dict:
    """Describe a segmenter and its file, or how much of it is here."""
    from wslib.data.download import mebibytes

    part = path.with_name(f"{path.name}.part")
    here = path.is_file() and path.stat().st_size == size
    found = missing
    if here:
        found = str(path.absolute())
    elif path.exists():
        found = f"{path.absolute()}: of another size, not the published file"
    elif part.is_file():
        found += f" goes on after {mebibytes(part.stat().st_size)}"
    row = {"name": name, "parameters": parameters, "bytes": size}
    return row | {"path": path.absolute(), "here": here, "found": found}


@app.command("fetch")
def fetch_weights(
    name: Name,
) -> None:
    """Download the published weights of a segmenter, and check them.

    What is there is only checked. After an interruption the same command goes on where
    it stopped. sam_tiny comes with the package.

    \b
    Example: wslib sam fetch vit_b
    """
    from wslib.models.sam import weights_file

    with resumable():
        print(weights_file(name).absolute())


@app.command("card")
def print_card(as_json: options.Json = False) -> None:
    """Print what sam_tiny learnt from, what it can do, what not.

    \b
    Example: wslib sam card

    JSON: the card as it is
    """
    import yaml

    from wslib.models.sam_tiny import read_card

    card = read_card()
    if as_json:
        return print_json(card)
    text = yaml.safe_dump(card, sort_keys=False, allow_unicode=True, width=88)
    print(text, end="")


@app.command("train-tiny")
def train_tiny(
    steps: Steps = 9000,
    batch_size: BatchSize = 16,
    learning_rate: LearningRate = 1e-3,
    start: Start = None,
    without_shapes: WithoutShapes = False,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    out: options.OutFolder = Path("build/sam_tiny"),
) -> None:
    """Train sam_tiny from nothing, on pictures drawn as it goes.

    Writes sam_tiny.pt, history.csv, and last.pt, from which the same command goes on
    after an interruption. The weights that come with the package stay as they are; to
    use these, say --sam-checkpoint to `wslib segment`.

    The weights that come with the package were made by two runs: this one, and another
    with --start build/sam_tiny/sam_tiny.pt --steps 2400 --learning-rate 3e-4 --seed 1.
    With --without-shapes nothing is drawn that is a triangle, a square, a diamond, a
    circle or a star, or half transparent.

    \b
    Example: wslib sam train-tiny --steps 9000 --out build/sam_tiny
    """
    from wslib.data.rendered.drawn.segments import WITHOUT_SHAPES
    from wslib.prompting.sam_training import STEPS_AN_EPOCH, train

    path = out / "sam_tiny.pt"
    check_out(path)
    with resumable():
        how = {"pictures": batch_size, "learning_rate": learning_rate, "seed": seed}
        how |= {"device": device, "start": start}
        how |= {"style": WITHOUT_SHAPES if without_shapes else None}
        history = train(path, steps, **how, keep=out)
    if len(history) < max(1, round(steps / STEPS_AN_EPOCH)):  # `fit` has said so
        raise typer.Exit(INTERRUPTED)
    print(f"{path}: loss {history['loss'].iloc[-1]:.3f}")

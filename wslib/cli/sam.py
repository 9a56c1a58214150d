"""`wslib sam`: the segmenters, where their weights are, and how ours was made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wslib.cli import options
from wslib.cli.interrupted import STATUS, goes_on

app = typer.Typer(no_args_is_help=True, help="The segmenters that can be prompted.")


@app.callback()
def group() -> None:
    """The segmenters that can be prompted; weights lie in $WSLIB_DATA/sam."""


@app.command("list")
def list_networks() -> None:
    """Say which segmenters there are, how large they are, and which are here.

    Example: wslib sam list
    """
    from importlib.util import find_spec

    from wslib.data.download import mebibytes
    from wslib.models.sam import PUBLISHED
    from wslib.models.sam_tiny import WEIGHTS, build_sam_tiny

    ours = sum(p.numel() for p in build_sam_tiny().parameters())
    size = WEIGHTS.stat().st_size if WEIGHTS.is_file() else 0
    rows = [("sam_tiny", ours, size, WEIGHTS, f"{WEIGHTS}: not here")]
    for name, file in PUBLISHED.items():
        missing = f"not here; `wslib sam fetch {name}`"
        rows.append((name, file.parameters, file.size, file.path, missing))
    for name, parameters, size, path, missing in rows:
        numbers = f"{parameters / 1e6:6.1f} M parameters  {mebibytes(size):>11}"
        print(f"{name:11}{numbers}  {_where(path, size, missing)}")
    if find_spec("mobile_sam") is None:
        print("mobile_sam also needs its package, which is not installed")


def _where(path: Path, size: int, missing: str) -> str:
    from wslib.data.download import mebibytes

    part = path.with_name(f"{path.name}.part")
    if path.is_file() and path.stat().st_size == size:
        return str(path.absolute())
    if path.exists():
        return f"{path.absolute()}: of another size, not the published file"
    there = f" goes on after {mebibytes(part.stat().st_size)}" if part.is_file() else ""
    return missing + there


@app.command("fetch")
def fetch_weights(
    name: Annotated[str, typer.Argument(help="vit_b, vit_l, vit_h or mobile_sam")],
) -> None:
    """Download the published weights of a segmenter, and check them.

    What is there is only checked. After an interruption the same command goes on where
    it stopped. sam_tiny comes with the package.

    Example: wslib sam fetch vit_b
    """
    from wslib.models.sam import weights_file

    with goes_on():
        print(weights_file(name).absolute())


@app.command("card")
def print_card(as_json: options.Json = False) -> None:
    """Print what sam_tiny learnt from, how, what it can do, and what it is not.

    Example: wslib sam card
    """
    import json

    import yaml

    from wslib.models.sam_tiny import read_card

    card = read_card()
    if as_json:
        return print(json.dumps(card, indent=1, ensure_ascii=False))
    text = yaml.safe_dump(card, sort_keys=False, allow_unicode=True, width=88)
    print(text, end="")


@app.command("train-tiny")
def train_tiny(
    steps: Annotated[
        int, typer.Option(min=1, help="In rounds of 100; each draws new pictures")
    ] = 9000,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Pictures in a step, with 2 prompts each")
    ] = 16,
    learning_rate: Annotated[
        float, typer.Option(min=1e-6, help="At its start; it falls to 0")
    ] = 1e-3,
    start: Annotated[
        Path | None, typer.Option(help="Weights to go on from, instead of random ones")
    ] = None,
    seed: Annotated[int, typer.Option(help="For all random numbers")] = 0,
    device: options.Device = "auto",
    out: Annotated[Path, typer.Option(help="Folder for the results")] = Path(
        "build/sam_tiny"
    ),
) -> None:
    """Train sam_tiny from nothing, on pictures that are drawn as it goes.

    Writes sam_tiny.pt, history.csv, and last.pt, from which the same command goes on
    after an interruption. The weights that come with the package stay as they are; to
    use these, say --sam-checkpoint to `wslib segment`.

    The weights that come with the package were made by two runs: this one, and another
    with --start build/sam_tiny/sam_tiny.pt --steps 2400 --learning-rate 3e-4 --seed 1.

    Example: wslib sam train-tiny --steps 9000 --out build/sam_tiny
    """
    from wslib.sam_training import STEPS_AN_EPOCH, train

    path = out / "sam_tiny.pt"
    options.check_out(path)
    with goes_on():
        how = {"pictures": batch_size, "learning_rate": learning_rate, "seed": seed}
        how |= {"device": device, "start": start}
        history = train(path, steps, **how, keep=out)
    if len(history) < max(1, round(steps / STEPS_AN_EPOCH)):  # `fit` has said so
        raise typer.Exit(STATUS)
    print(f"{path}: loss {history['loss'].iloc[-1]:.3f}")

"""`glyphlite bench …`."""

from __future__ import annotations

import importlib.util
from dataclasses import asdict
from pathlib import Path

import click

from ..runtime.cli import Scale, json_option, model_option, muted_libraries, print_json
from ..runtime.errors import GlyphliteError

ENGINES = ("litert", "tflite-runtime", "onnxruntime")


@click.group()
def bench() -> None:
    """Measure accuracy and latency on this machine."""


@bench.command("run")
@click.argument("models", nargs=-1, metavar="[MODEL]…")
@click.option("--data", required=True, metavar="PATH", help="Data set's name, folder or .npz; its test part judges.")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder of the reports.")
@click.option("--quick", is_flag=True, help="Time for seconds, not minutes; the images judged are the same.")
@click.option("--budget-s", type=click.FloatRange(0, min_open=True), help="Seconds of timing.  [120; --quick: 10]")
@click.option("--threads", default=1, show_default=True, type=click.IntRange(1), help="Of each engine.")
@click.option("--engine", default=None, type=click.Choice(ENGINES), help="Measure only what this one runs.")
@click.option("--scale", type=Scale(), help="What a bare file's float input makes of 0 and 255.  [0,255]")
@json_option
def run(
    models: tuple[str, ...],
    data: str,
    out: Path,
    quick: bool,
    budget_s: float | None,
    threads: int,
    engine: str | None,
    scale: tuple[float, float] | None,
    as_json: bool,
) -> None:
    """Accuracy, latency and bytes of every artifact of MODEL…, on this machine.

    MODEL is a shipped name, a bundle's folder (all its artifacts), or a .tflite or .onnx file; without one all shipped
    models. Of a file without a card, output i is class i of the data set. Writes results.json, results.md,
    accuracy-latency.png and index.html to the folder --out.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise GlyphliteError("`glyphlite bench run` draws with matplotlib: pip install 'glyphlite[bench]'")
    from .report import text_table, to_json, write_reports
    from .run import Settings, run_benchmark

    try:
        out.mkdir(parents=True, exist_ok=True)  # a folder that cannot be made is told before the work
    except OSError as error:
        raise GlyphliteError(f"{out}: cannot be made ({error.strerror or error})") from None
    settings = Settings(models, data, quick, budget_s, threads, engine or "", scale)
    measured = run_benchmark(settings, say=lambda line: click.echo(line, err=True))
    written = write_reports(out, measured)
    if as_json:
        print_json(to_json(measured))
        return
    click.echo(text_table(measured))
    click.echo(f"\nwrote {', '.join(path.name for path in written)} to {out}")


@bench.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@model_option
@click.option("--read", "always_read", is_flag=True, help="Read every image, those of one character as well.")
@click.option("--every", default=1, show_default=True, type=click.IntRange(1), help="Judge each N-th row only.")
@click.option("--ablate", is_flag=True, help="Judge again with each step switched: what it is worth.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write every outcome, and the failures.")
@json_option
def photos(
    folder: Path, model: str, always_read: bool, every: int, ablate: bool, out: Path | None, as_json: bool
) -> None:
    """Photos read right, of a folder with labels.csv (columns file, text).

    A text of one character is asked of `predict`, a longer one of `read`.
    """
    from ..runtime import Recognizer
    from . import photos as judging

    with muted_libraries():
        recognizer = Recognizer.load(model)
    found = judging.load_photos(folder, every)
    outcomes = judging.judge_photos(recognizer, found, always_read)
    rows = {"as it is": judging.summarise(outcomes)}
    if ablate:
        rows = judging.ablate(recognizer, found, always_read, lambda line: click.echo(line, err=True))
    written = judging.write_photos_report(out, outcomes) if out else []
    if as_json:
        print_json({"model": model, "folder": str(folder), **{title: asdict(row) for title, row in rows.items()}})
        return
    for title, row in rows.items():
        share = f"{100 * row.right / row.total:.1f} % ({100 * row.low:.0f} to {100 * row.high:.0f})"
        figures = f"character errors {100 * row.character_error_rate:.2f} %, {row.milliseconds:.1f} ms an image"
        click.echo(f"{title:<20}{row.right:>6} of {row.total}   {share}   {figures}")
    if written:
        click.echo(f"wrote {', '.join(path.name for path in written)} to {out}")


@bench.command()
@model_option
@click.option("--data", required=True, metavar="PATH", help="Characters: data set's name, folder or .npz.")
@click.option("--others", multiple=True, metavar="PATH", help="A folder of images, or a data set, of no characters.")
@click.option("--without", default="", metavar="CLASS[,…]", help="Classes of --others that are characters to any eye.")
@click.option("--limit", default=10_000, show_default=True, type=click.IntRange(1), help="Images of each, at most.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write the accuracy-coverage curve.")
@json_option
def refusals(
    model: str, data: str, others: tuple[str, ...], without: str, limit: int, out: Path | None, as_json: bool
) -> None:
    """Characters and other things refused by `predict`, and what moving the least confidence costs.

    Scribbles, letters, signs, noise, texture and blank paper are made here and judged beside --others.
    """
    from ..runtime import Recognizer
    from . import refusals as judging

    with muted_libraries():
        recognizer = Recognizer.load(model)
        characters = judging.judge_characters(recognizer, data, limit)
        left_out = [label.strip() for label in without.split(",") if label.strip()]
        found = [judging.judge_others(recognizer, source, left_out, limit) for source in others]
        found += judging.judge_made(recognizer)
    points = judging.curve(characters, found)
    if out:
        from .plot import save_coverage

        save_coverage(out / "coverage.png", points, recognizer.card.name)
    if as_json:
        rows = [{"kind": one.kind, "refused": one.refused, "images": len(one.answered)} for one in (characters, *found)]
        print_json({"model": model, "refusals": rows, "curve": [asdict(point) for point in points]})
        return
    for one in (characters, *found):
        low, high = one.interval
        share = f"{100 * one.refused / len(one.answered):.1f} % ({100 * low:.1f} to {100 * high:.1f})"
        click.echo(f"{one.kind:<16}{one.refused:>6} of {len(one.answered):>6} refused   {share}")
    click.echo(f"\n{'at least':>9}{'answered':>10}{'of these right':>16}{'others refused':>16}")
    for point in points:
        row = f"{100 * point.coverage:>8.1f} %{100 * point.accuracy:>14.2f} %{100 * point.refused:>14.1f} %"
        click.echo(f"{point.min_confidence:>9g}{row}")

"""`glyphlite data …` and `glyphlite train`."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import click

from ..runtime.cli import INTERRUPTED, complain, json_option, print_json
from ..runtime.errors import counted, how_to_install
from .augment import AUGMENTATIONS
from .backbones import BACKBONES
from .config import TrainingConfig, parse_shape
from .datasets import SPLITS, load_dataset, resolve
from .pages import FORMS, PageOptions, save_pages
from .paper import PATTERNS, RULES

split_option = click.option(
    "--split", type=click.Choice(SPLITS), default="train", show_default=True, help="Which part."
)
shape_option = click.option("--shape", default="", help="HEIGHT,WIDTH,CHANNELS that images are stretched to.")


@click.group()
def data() -> None:
    """Fetch, describe and preview data sets.

    A data set is a name ($GLYPHLITE_DATA/NAME, else the user's cache), a folder of IDX files, a folder of one folder
    per class, or an .npz with `images` and `labels`.
    """


@data.command()
@click.argument("name")
def fetch(name: str) -> None:
    """Fetch a public data set, NAME (mnist, emnist-digits, emnist-letters, …), into the user's cache."""
    from .fetch import fetch as fetch_dataset

    shown = {"file": "", "percent": -1}

    def progress(file: str, have: int, total: int) -> None:
        percent = 100 * have // total if total else 0
        terminal = sys.stderr.isatty()
        if file == shown["file"] and (percent == shown["percent"] or (not terminal and percent % 25)):
            return
        shown.update(file=file, percent=percent)
        line = f"{file}  {percent:3d} %  {have / 1e6:.1f} MB"
        click.echo(f"\r{line}" if terminal else line, err=True, nl=not terminal or have == total)

    click.echo(f"{name} is in {fetch_dataset(name, progress=progress)}")


@data.command()
@click.argument("source", metavar="PATH")
@split_option
@shape_option
@json_option
def info(source: str, split: str, shape: str, as_json: bool) -> None:
    """Size, classes, balance and hash of a data set."""
    dataset = load_dataset(source, split, parse_shape(shape))
    path, _ = resolve(source)
    counts = dict(zip(dataset.classes, dataset.counts().tolist(), strict=True))
    described = {
        "name": dataset.name,
        "path": str(path),
        "split": dataset.split,
        "images": len(dataset),
        "shape": list(dataset.images.shape[1:]),
        "classes": counts,
        "mean": round(float(dataset.images.mean()), 2),
        "sha256": dataset.sha256(),
        "unused": dataset.unused,
    }
    if as_json:
        print_json(described)
        return
    click.echo(f"{dataset.name} ({dataset.split}), {path}")
    click.echo(
        f"{counted(len(dataset), 'image')} of {' × '.join(map(str, dataset.images.shape[1:]))}, {len(counts)} classes"
    )
    click.echo(f"pixel mean {described['mean']}, sha256 {described['sha256']}")
    for label, count in counts.items():
        click.echo(f"  {label:<12}{count:>8,}  {100 * count / len(dataset):5.1f} %")
    for told in dataset.unused:
        click.echo(told)


@data.command()
@click.argument("source", metavar="PATH")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Folder of the PNGs.")
@split_option
@shape_option
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of the examples shown.")
def preview(source: str, out: Path, split: str, shape: str, seed: int) -> None:
    """A contact sheet by class and the class distribution, as PNG."""
    if importlib.util.find_spec("matplotlib") is None:
        raise click.UsageError(f"`glyphlite data preview` draws with matplotlib: {how_to_install('train')}")
    from . import plots

    dataset = load_dataset(source, split, parse_shape(shape))
    stem = f"{dataset.name}-{dataset.split}"
    plots.class_distribution(out / f"{stem}-classes.png", dataset)
    plots.contact_sheet(out / f"{stem}-examples.png", dataset, seed)
    click.echo(f"wrote {out / stem}-classes.png and {out / stem}-examples.png")


PAGE_HELP = {
    "lines": "Numbers on a page, one a line.",
    "numbers": "Of a line, far apart.",
    "height": "Of a digit, pixels.",
    "touching": "Share of neighbours that touch.",
    "separators": "Share of gaps with a point, comma, dash or colon.",
    "signs": "Which separators.",
    "form": "Printed around each line, as dark as the pen; cells: a box for each character.",
    "rules": "Of the paper.",
    "pattern": "Of the paper.",
    "shadow": "Share of the light that a shadow takes.",
    "blur": "Pixels, sigma.",
    "noise": "Grey levels, sigma.",
    "jpeg": "Quality; 0: none.",
    "perspective": "Share of the width that corners move by.",
    "weight": "Of the height: strokes thicker by it, below 0 thinner.",
    "small_zeros": "Share of lines whose zeros are small.",
    "links": "Share of touching neighbours that a stroke joins.",
    "rotation": "Degrees, spread.",
    "flow": "The ink's opacity.",
    "texture": "Of paper and ink, a factor; 0 is fast and flat.",
    "chalk": "Bright on a dark board.",
}


def _page_options(command: Any) -> Any:
    for spec in reversed([spec for spec in fields(PageOptions) if spec.name in PAGE_HELP]):
        choices = {"form": FORMS, "rules": tuple(RULES), "pattern": PATTERNS}.get(spec.name)
        kind: Any = click.Choice(choices) if choices else type(spec.default)
        command = click.option(
            "--" + spec.name.replace("_", "-"),
            spec.name,
            type=kind,
            default=spec.default,
            is_flag=spec.default is False,
            show_default=spec.default not in ("", False),
            help=PAGE_HELP[spec.name],
        )(command)
    return command


@data.command("pages")
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option("--data", "source", default="mnist", show_default=True, metavar="PATH", help="Whose glyphs are used.")
@click.option("--count", default=100, show_default=True, type=click.IntRange(1), help="Pages.")
@click.option("--digits", default="4,6", show_default=True, metavar="FEWEST,MOST", help="Of a number.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of all that is drawn by chance.")
@_page_options
def make_pages(out: Path, source: str, count: int, digits: str, seed: int, **settings: Any) -> None:
    """Compose pages of numbers, with labels.csv and boxes.csv, in the new folder OUT.

    Their glyphs are those of a training set that training holds out: no network has learned from them.
    """
    from .datasets import part_training_set

    try:
        fewest, most = (int(part) for part in digits.split(","))
        options = PageOptions(digits=(fewest, most), **settings)
    except ValueError as error:
        told = f"--digits {digits}: wanted FEWEST,MOST like 4,6" if not re.fullmatch(r"\d+,\d+", digits) else str(error)
        raise click.UsageError(told) from None
    _, held_out = part_training_set(load_dataset(source, "train"), 1 / 12, 0, 0)
    save_pages(out, held_out, count, options, seed)
    click.echo(f"wrote {counted(count, 'page')}, labels.csv and boxes.csv to {out}")


@data.command("lines")
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--data", "source", default="mnist", show_default=True, metavar="PATH", help="Whose glyphs are used.")
@click.option("--count", default=60_000, show_default=True, type=click.IntRange(12), help="Lines.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of all that is drawn by chance.")
@click.option("--workers", default=0, type=click.IntRange(0), help="Processes; default: as many as there are cores.")
@click.option("--sheet", type=click.Path(path_type=Path, dir_okay=False), help="Also write a PNG of the first lines.")
def lines_command(out: Path, source: str, count: int, seed: int, workers: int, sheet: Path | None) -> None:
    """Compose lines of writing for a line reader to learn from, into the file OUT (.npz).

    Amounts, dates, readings and plain numbers, of a set's digits and of drawn ones, on paper as a camera sees it.  One
    line in twelve is of glyphs that training holds out, and is kept for judging.
    """
    from .lines import LINES_SUFFIX, make_lines, save_lines
    from .lines import sheet as sheet_of

    if out.suffix != LINES_SUFFIX:
        raise click.UsageError(f"{out}: wanted a name that ends in {LINES_SUFFIX}")
    strips, texts, held_out = [], [], []
    with click.progressbar(
        make_lines(load_dataset(source, "train"), count, seed, workers), length=count, file=sys.stderr
    ) as made:
        for strip, text, held in made:
            strips.append(strip)
            texts.append(text)
            held_out.append(held)
    save_lines(out, strips, texts, held_out)
    if sheet:
        from ..runtime.explain import save_picture

        save_picture(sheet, sheet_of(strips, texts))
    click.echo(f"wrote {counted(count, 'line')}, {sum(held_out)} of them held out, to {out}")


# --- train -----------------------------------------------------------------------------------------------------------


DISTILLATION = (
    "teacher_scale",
    "unlabelled",
    "distill_temperature",
    "distill_share",
    "distill_views",
)  # options of `distill` only


def _config_options(*, distillation: bool) -> Callable[[Any], Any]:
    required = distillation  # of `train` its body asks, since `train report` wants none

    def add(command: Any) -> Any:
        for spec in reversed(fields(TrainingConfig)):
            if not spec.metadata or spec.name == "teacher" or (spec.name in DISTILLATION and not distillation):
                continue
            choices = spec.metadata["choices"]
            command = click.option(
                "--from" if spec.name == "start" else "--" + spec.name.replace("_", "-"),
                spec.name,
                type=click.Choice(choices) if choices else type(spec.default),
                default=spec.default,
                show_default=spec.default != "",
                help=spec.metadata["help"],
            )(command)
        for option in reversed(
            (
                click.option(
                    "--arch",
                    required=required,
                    help="lenet5, full, edge, micro, edge_separable; of lines: line_cnn, crnn.",
                ),
                click.option(
                    "--data",
                    required=required,
                    metavar="PATH",
                    help="Data set's name, folder or .npz; a folder with labels.csv.",
                ),
                click.option(
                    "--out",
                    required=required,
                    type=click.Path(path_type=Path, file_okay=False),
                    help="Folder of the run.",
                ),
                click.option("--resume", is_flag=True, help="Go on after the last whole epoch."),
            )
        ):
            command = option(command)
        return command

    return add


@click.group(invoke_without_command=True, subcommand_metavar="[report RUN | compare RUN…]")
@_config_options(distillation=False)
@click.option("--folds", default=None, type=click.IntRange(2), help="Judge a line reader by so many parts of a folder.")
@click.option("--backbone", type=click.Choice(tuple(BACKBONES)), help="In place of --arch: of keras.applications.")
@click.pass_context
def train(
    context: click.Context,
    /,
    out: Path | None,
    resume: bool,
    folds: int | None,
    backbone: str | None,
    **settings: Any,
) -> int:
    """Train a network and leave a run: model, card, history, curves, confusion matrix, worst errors.

    Interrupted, it can be resumed to the same result.  With --folds, as many runs are left, each judged by the lines
    that it did not learn from, and the labels that these surely contradict are listed.
    """
    if context.invoked_subcommand:
        return 0
    if backbone:
        if settings["arch"]:
            raise click.UsageError(f"--arch {settings['arch']} and --backbone {backbone}; wanted one of them", context)
        settings["arch"] = backbone
    for name, value in (("--arch", settings["arch"]), ("--data", settings["data"]), ("--out", out)):
        if value is None:
            raise click.UsageError(f"Missing option '{name}'.", context)
    assert out is not None
    return _run(out, resume, settings, folds)


@train.command()
@click.argument("run", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="HTML file; default: report.html in RUN.")
def report(run: Path, out: Path | None) -> None:
    """All that the run RUN tells, as one HTML file: data, curves, answers, errors, calibration."""
    from .report import write_report

    path = out or run / "report.html"
    write_report(run, path)
    click.echo(f"wrote {path}")


@train.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN…")
@click.option("--data", required=True, metavar="PATH", help="The data set that they learned from.")
@click.option(
    "--augment", type=click.Choice(tuple(AUGMENTATIONS)), default="medium", show_default=True, help="Of the copies."
)
@click.option("--views", default=2, show_default=True, type=click.IntRange(1), help="Distorted copies of each image.")
@json_option
def compare(runs: tuple[str, ...], data: str, augment: str, views: int, as_json: bool) -> None:
    """Runs, or bundles made of them, by the images that they held out, as they are and distorted: which one to ship.

    The test set is not looked at.  p is McNemar's, of the errors on the images as they are against the first run's.
    """
    from .selection import compare as compare_runs

    found = compare_runs(runs, data, augment, views)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    first, wide = found[0], max(len(one.model) for one in found)
    plain, distorted = f"errors of {first.images:,}", f"{augment}, of {first.distorted_images:,}"
    click.echo(f"{'':{wide}}  {plain}     NLL      p  {distorted}     NLL")
    for one in found:
        sure = "" if one.p is None else f"{one.p:.3f}"
        click.echo(
            f"{one.model:{wide}}  {one.errors:>{len(plain)}}  {one.nll:.4f}  {sure:>5}  "
            f"{one.distorted_errors:>{len(distorted)}}  {one.distorted_nll:.4f}"
        )


@click.command()
@click.argument("teacher", metavar="TEACHER[,…]")
@_config_options(distillation=True)
def distill(out: Path, resume: bool, **settings: Any) -> int:
    """Train a small network on the answers of TEACHER (runs, bundles or .keras files; several: their mean logits).

    It leaves a run as `train` does.
    """
    return _run(out, resume, settings)


def _run(out: Path, resume: bool, settings: dict[str, Any], folds: int | None = None) -> int:
    from .training import train as run

    try:
        if folds:
            from .folds import cross_validate

            cross_validate(TrainingConfig(**settings), folds, out, resume, click.echo)
        else:
            run(TrainingConfig(**settings), out, resume, say=click.echo)
    except KeyboardInterrupt:
        complain(f"interrupted; the same command with --resume goes on after the last whole epoch in {out}")
        return INTERRUPTED
    return 0

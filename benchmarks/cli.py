"""`glyphlite bench …`."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..runtime.bundle import DEFAULT_MODEL
from ..runtime.cli import (
    INTERRUPTED,
    expected,
    json_option,
    model_option,
    muted_libraries,
    print_json,
    scale_option,
)
from ..runtime.errors import GlyphliteError, how_to_install
from ..runtime.scale import scale_text

if TYPE_CHECKING:
    from ..runtime import Recognizer
    from .photos import Photo, Summary
    from .stages import Stage

ENGINES = ("litert", "tflite-runtime", "onnxruntime", "keras")


@click.group()
def bench() -> None:
    """Measure accuracy and latency on this machine."""


def _wants(command: str, *packages: str) -> None:
    """A package that is not there is told before the work."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise GlyphliteError(f"`glyphlite {command}` wants {package}: {how_to_install('bench')}")


def _make_folder(out: Path) -> None:
    """A folder that cannot be made is told before the work."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GlyphliteError(f"{out}: cannot be made ({error.strerror or error})") from None


@bench.command("run")
@click.argument("models", nargs=-1, metavar="[MODEL]…")
@click.option("--data", required=True, metavar="PATH", help="Data set's name, folder or .npz; its test part judges.")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder of the reports.")
@click.option("--quick", is_flag=True, help="Time for seconds, not minutes; the images judged are the same.")
@click.option("--budget-s", type=click.FloatRange(0, min_open=True), help="Seconds of timing.  [120; --quick: 10]")
@click.option("--threads", default=1, show_default=True, type=click.IntRange(1), help="Of each engine.")
@click.option("--batch", default=256, show_default=True, type=click.IntRange(1), help="Images a call, for images/s.")
@click.option("--power-watts", type=click.FloatRange(0, min_open=True), help="Of the device at work, by a meter.")
@click.option("--engine", default=None, type=click.Choice(ENGINES), help="Measure only what this one runs.")
@scale_option
@click.option("--peers", is_flag=True, help="Beside the first artifact: Keras, OpenCV's dnn, scikit-learn.")
@json_option
def run(
    models: tuple[str, ...],
    data: str,
    out: Path,
    quick: bool,
    budget_s: float | None,
    threads: int,
    batch: int,
    power_watts: float | None,
    engine: str | None,
    scale: tuple[float, ...] | None,
    peers: bool,
    as_json: bool,
) -> int:
    """Accuracy, latency and bytes of every artifact of MODEL…, on this machine.

    MODEL is a shipped name, a bundle's folder (all its artifacts), a .tflite, .onnx, .keras or .h5 file, or a
    SavedModel's folder; without one all shipped models. Of a file without a card, output i is class i of the data
    set. Writes results.json, results.md, accuracy-latency.png and .svg, and index.html to the folder --out. Ctrl-C
    when the timing has begun writes what is complete.
    """
    _wants("bench run", "matplotlib", "zstandard")
    from .report import to_json, write_reports
    from .run import Settings, run_benchmark
    from .terminal import text_table

    _make_folder(out)
    settings = Settings(models, data, quick, budget_s, threads, engine or "", scale, peers, batch, power_watts)
    measured = run_benchmark(settings, say=lambda line: click.echo(line, err=True))
    written = write_reports(out, measured)
    if as_json:
        print_json(to_json(measured))
    else:
        is_terminal = sys.stdout.isatty()
        click.echo(text_table(measured, shutil.get_terminal_size().columns if is_terminal else None, is_terminal))
        click.echo(f"\nwrote {', '.join(path.name for path in written)} to {out}")
    return INTERRUPTED if measured.partial else 0


@bench.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@model_option
@click.option("--alone", is_flag=True, help="Without the partner that reads lines with the model.")
@click.option("--read", "always_read", is_flag=True, help="Read every image, those of one character as well.")
@click.option("--expect", metavar="PATTERN", help="As of `glyphlite read`, a pattern or @FILE of values; with --read.")
@click.option("--every", default=1, show_default=True, type=click.IntRange(1), help="Judge each N-th row only.")
@click.option("--peers", is_flag=True, help="In turn with RapidOCR and Tesseract, where they are installed.")
@click.option("--ablate", is_flag=True, help="Judge again with each step switched: what it is worth.")
@click.option("--coverage", "covers", is_flag=True, help="How many are right of those surer than this and that.")
@click.option("--by-length", "lengths", is_flag=True, help="The figures of the texts of each length as well.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write every outcome, and the failures.")
@json_option
def photos(
    folder: Path,
    model: str,
    alone: bool,
    always_read: bool,
    expect: str | None,
    every: int,
    peers: bool,
    ablate: bool,
    covers: bool,
    lengths: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Photos read right, of a folder with labels.csv (columns file, text), here or in $GLYPHLITE_DATA.

    A text of one character, or that is one of the model's labels, is asked of `predict`, a longer one of `read`; of a
    model that takes whole images each is asked of `predict`.
    """
    from ..runtime import Recognizer
    from ..train.datasets import resolve
    from . import coverage
    from . import photos as judging

    if out and covers:
        _wants("bench photos --out", "matplotlib")
    if out:
        _make_folder(out)
    folder, _ = resolve(folder)
    with muted_libraries():
        recognizer = Recognizer.load(model, alone=alone)
    found = judging.load_photos(folder, every)
    wanted = expected(expect)
    if peers:
        for option, given in (("ablate", ablate), ("coverage", covers), ("by-length", lengths), ("out", out)):
            if given:
                raise click.UsageError(f"--{option} is of one reader; wanted it without --peers")
        _photos_beside(recognizer, found, model, folder, always_read, wanted, as_json)
        return
    outcomes = judging.judge_photos(recognizer, found, always_read, wanted)
    rows = {"as it is": judging.summarise(outcomes)}
    if ablate:
        rows = judging.ablate(recognizer, found, always_read, wanted, lambda line: click.echo(line, err=True))
    written = judging.write_photos_report(out, outcomes) if out else []
    probabilities, right = judging.sure(outcomes)
    points, trusted = coverage.curve(probabilities, right), coverage.trusted(probabilities, right)
    if out and covers:
        from .plot import save_coverage

        written.append(save_coverage(out / "coverage.png", points, model, "answered"))
    if as_json:
        told = {title: asdict(row) for title, row in rows.items()}
        sure = {"curve": [asdict(point) for point in points], "trusted": trusted and asdict(trusted)} if covers else {}
        parted = {}
        if lengths:
            parted["by_length"] = {length: asdict(row) for length, row in judging.by_length(outcomes).items()}
        print_json({"model": model, "folder": str(folder), **told, **sure, **parted})
        return
    for title, row in rows.items():
        click.echo(f"{title:<20}{_said(row)}")
    if lengths:
        for length, row in judging.by_length(outcomes).items():
            click.echo(f"{length:>5} characters    {_said(row)}")
    if covers:
        click.echo(f"\n{coverage.said(points)}\n\n{coverage.trust_said(trusted, len(outcomes))}")
        click.echo(f"right by the probabilities {100 * probabilities.mean():.1f} %, in fact {100 * right.mean():.1f} %")
    if written:
        click.echo(f"wrote {', '.join(path.name for path in written)} to {out}")


def _said(row: Summary) -> str:
    share = f"{100 * row.right / row.total:.1f} % ({100 * row.low:.0f} to {100 * row.high:.0f})"
    figures = f"character errors {100 * row.character_error_rate:.2f} %, {row.milliseconds:.1f} ms an image"
    return f"{row.right:>6} of {row.total}   {share}   {figures}"


def _photos_beside(
    recognizer: Recognizer,
    found: Sequence[Photo],
    model: str,
    folder: Path,
    always_read: bool,
    expect: str | Sequence[str] | None,
    as_json: bool,
) -> None:
    from .readers import judge_beside, open_readers

    readers, skipped = open_readers()
    for absent in skipped:
        click.echo(f"skipped {absent.artifact}: {absent.reason}", err=True)
    ours, beside = judge_beside(recognizer, readers, found, always_read, expect)
    if as_json:
        rows = [{"reader": one.name, "ratio": one.ratio, **asdict(one.summary)} for one in beside]
        print_json({"model": model, "folder": str(folder), "ours": asdict(ours), "peers": rows})
        return
    width = max(len(name) for name in (model, *(one.name for one in beside))) + 2
    click.echo(f"{model:<{width}}{_said(ours)}")
    for one in beside:
        click.echo(f"{one.name:<{width}}{_said(one.summary)}   {one.ratio:.2f} times ours")


@bench.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False), metavar="IMAGE…")
@model_option
@click.option("--read", "reads", is_flag=True, help="The stages of `read`; without it of `predict`.")
@json_option
def stages(images: tuple[Path, ...], model: str, reads: bool, as_json: bool) -> None:
    """Where the time goes from IMAGE's bytes to its answer, stage by stage."""
    from ..runtime import ImageError, Recognizer
    from .stages import BUDGET_S, time_stages

    with muted_libraries():
        recognizer = Recognizer.load(model)
    results = []
    for path in images:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ImageError(f"{path}: cannot be read ({error.strerror or error})") from None
        answer, found = time_stages(recognizer, data, reads, BUDGET_S)
        if as_json:
            rows = [{"stage": one.name, "share": round(one.share, 4), **asdict(one.latency)} for one in found]
            results.append({"file": str(path), "answer": answer, "bytes": len(data), "stages": rows})
            continue
        click.echo(f"{path}: {answer or 'no answer'} ({len(data):,} bytes)")
        *parts, whole = found
        for one in parts:
            click.echo(_stage_said(one))
        rest = whole.latency.p50 - sum(one.latency.p50 for one in parts)
        click.echo(f"  {'rest':<8}{rest:>9,.0f} µs  {100 * rest / whole.latency.p50:>5.1f} %")
        click.echo(_stage_said(whole))
    if as_json:
        print_json(results)


def _stage_said(stage: Stage) -> str:
    low, high = stage.latency.p50_interval
    return f"  {stage.name:<8}{stage.latency.p50:>9,.0f} µs  {100 * stage.share:>5.1f} %   [{low:,.0f} to {high:,.0f}]"


@bench.command()
@model_option
@click.option("--minutes", default=10.0, show_default=True, type=click.FloatRange(0), help="How long.")
@click.option("--predictions", default=0, type=click.IntRange(0), help="At least so many, however long they take.")
@click.option("--image", type=click.Path(path_type=Path, dir_okay=False), help="From its bytes; else one glyph.")
@click.option("--max-growth-mib", type=click.FloatRange(0), help="Exit code 1 where resident memory grew by more.")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder of the reports.")
@json_option
def soak(
    model: str,
    minutes: float,
    predictions: int,
    image: Path | None,
    max_growth_mib: float | None,
    out: Path,
    as_json: bool,
) -> int:
    """One image answered again and again: latency, memory, temperature and clock against time.

    Writes soak.json, soak.csv and soak.png to the folder --out. Ctrl-C ends it early.
    """
    _wants("bench soak", "matplotlib")
    from ..runtime import ImageError, Recognizer
    from . import soak as soaking

    _make_folder(out)
    try:
        data = image.read_bytes() if image else None
    except OSError as error:
        raise ImageError(f"{image}: cannot be read ({error.strerror or error})") from None
    with muted_libraries():
        recognizer = Recognizer.load(model)
    found = soaking.soak(recognizer, data, 60 * minutes, predictions, lambda line: click.echo(line, err=True))
    written = soaking.write_soak(out, found)
    if as_json:
        print_json({key: value for key, value in asdict(found).items() if key != "seconds"})
    else:
        grown = "memory not told here" if found.growth_mib is None else f"resident memory {found.growth_mib:+.2f} MiB"
        took = found.seconds[-1].elapsed_s
        drift = f"the last tenth took {found.drift:.2f} of the first's time"
        click.echo(f"{model}: {found.predictions:,} predictions in {took:,.0f} s; {grown}; {drift}")
        click.echo(f"wrote {', '.join(path.name for path in written)} to {out}")
    return 1 if max_growth_mib is not None and (found.growth_mib or 0) > max_growth_mib else 0


@bench.command()
@model_option
@click.option("--data", required=True, metavar="PATH", help="Characters: data set's name, folder or .npz.")
@click.option("--others", multiple=True, metavar="PATH", help="A folder of images, or a data set, of no characters.")
@click.option("--without", default="", metavar="CLASS[,…]", help="Classes of --others that are characters to any eye.")
@click.option("--limit", default=10_000, show_default=True, type=click.IntRange(1), help="Images of each, at most.")
@click.option("--read", "reads", is_flag=True, help="By `read`; without it by `predict`.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write the accuracy-coverage curve.")
@json_option
def refusals(
    model: str,
    data: str,
    others: tuple[str, ...],
    without: str,
    limit: int,
    reads: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Characters and other things refused by `predict`, or `read`, and what moving the least confidence costs.

    Scribbles, letters, signs, noise, texture and blank paper are made here and judged beside --others.
    """
    from ..runtime import Recognizer
    from . import coverage
    from . import refusals as judging

    if out:
        _wants("bench refusals --out", "matplotlib")
        _make_folder(out)
    with muted_libraries():
        recognizer = Recognizer.load(model)
        ask = judging.by_read(recognizer) if reads else judging.by_predict(recognizer)
        characters = judging.judge_characters(ask, data, limit)
        left_out = [label.strip() for label in without.split(",") if label.strip()]
        found = [judging.judge_others(ask, source, left_out, limit) for source in others]
        found += judging.judge_made(ask, min(limit, judging.MADE_EACH))
    points = judging.curve(characters, found)
    if out:
        from .plot import save_coverage

        save_coverage(out / "coverage.png", points, recognizer.card.name, "characters answered")
    if as_json:
        rows = [{"kind": one.kind, "refused": one.refused, "images": len(one.answered)} for one in (characters, *found)]
        print_json({"model": model, "refusals": rows, "curve": [asdict(point) for point in points]})
        return
    for one in (characters, *found):
        low, high = one.interval
        share = f"{100 * one.refused / len(one.answered):.1f} % ({100 * low:.1f} to {100 * high:.1f})"
        click.echo(f"{one.kind:<16}{one.refused:>6} of {len(one.answered):>6} refused   {share}")
    click.echo(f"\n{coverage.said(points)}")


@bench.command()
@click.argument("before", metavar="A.json", type=click.Path(path_type=Path, exists=True))
@click.argument("after", metavar="B.json", type=click.Path(path_type=Path, exists=True))
@click.option("--max-slowdown", default=1.1, show_default=True, type=click.FloatRange(0), help="B's p50 by A's.")
@click.option("--max-extra-errors", default=0, show_default=True, type=click.IntRange(0), help="Of B over A.")
@json_option
def compare(before: Path, after: Path, max_slowdown: float, max_extra_errors: int, as_json: bool) -> int:
    """Two runs' results (or their folders), artifact by artifact.  Exit code 1 where B is worse than allowed, or lacks
    an artifact of A.

    Accuracy by McNemar's test on the very images; time by the medians and their intervals, which only the same machine
    makes comparable.
    """
    from . import compare as comparing
    from .result_file import load_results
    from .stats import p_text

    results = [load_results(path) for path in (before, after)]
    differences = comparing.compare(*results)
    lost, added = comparing.only_in(*results), comparing.only_in(*reversed(results))
    worse = comparing.regressions(differences, lost, max_slowdown, max_extra_errors)
    if as_json:
        told = {"differences": [asdict(one) for one in differences], "only_before": lost, "only_after": added}
        print_json({**told, "regressions": worse})
        return 1 if worse else 0
    machines = [result.device.get("cpu", "") for result in results]
    if machines[0] != machines[1]:
        click.echo(f"! two machines ({machines[0] or '?'}; {machines[1] or '?'}): times say nothing of the artifacts")
    for side, result in zip("AB", results, strict=True):
        for note in result.notes:
            click.echo(f"! {side}: {note}", err=True)
    click.echo(f"{'artifact':<44}{'errors':>14}{'only A, only B':>16}{'p':>8}{'time':>8}  interval")
    for one in differences:
        wrong = "–" if one.p is None else f"{one.only_before}, {one.only_after}"
        p = "–" if one.p is None else p_text(one.p)
        errors = f"{one.errors[0]} → {one.errors[1]}"
        time = f"{one.slowdown:>7.2f}×  {one.interval[0]:.2f} to {one.interval[1]:.2f}"
        click.echo(f"{one.artifact:<44}{errors:>14}{wrong:>16}{p:>8}{time}")
    for artifact in added:
        click.echo(f"only in B: {artifact}")
    for line in worse:
        click.echo(f"regression: {line}")
    return 1 if worse else 0


@bench.command()
@click.argument("results", metavar="RESULTS", type=click.Path(path_type=Path, exists=True))
@click.option("--max-ms", type=click.FloatRange(0, min_open=True), help="Of one image, the median.")
@click.option("--max-bytes", type=click.IntRange(1), help="Of the file.")
@click.option("--min-accuracy", type=click.FloatRange(0, 1), help="Share that is right.")
@json_option
def recommend(
    results: Path, max_ms: float | None, max_bytes: int | None, min_accuracy: float | None, as_json: bool
) -> None:
    """Which artifact to ship, of RESULTS: the results.json of a `bench run` on the device, or its folder.

    Of those that the data cannot tell from the most accurate one the fastest, of the equally fast ones the smallest.
    Exit code 3 where none is within the limits.
    """
    from .compare import recommend as advise
    from .result_file import load_results

    found = load_results(results)
    advice = advise(found, max_ms, max_bytes, min_accuracy)
    if as_json:
        runner_up = advice.runner_up.artifact if advice.runner_up else None
        told = {"artifact": advice.chosen.artifact, "why": advice.why, "runner_up": runner_up}
        print_json({**told, "about_it": advice.about_it, "notes": found.notes})
        return
    for note in found.notes:
        click.echo(f"! {note}", err=True)
    click.echo(f"ship {advice.why}.\nrunner-up: {advice.about_it}.")


@bench.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--data", required=True, metavar="PATH", help="Data set's name, folder or .npz; its test part is asked.")
@scale_option
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the images in question, PNG.")
@json_option
def disagree(
    first: str, second: str, data: str, scale: tuple[float, ...] | None, out: Path | None, as_json: bool
) -> None:
    """The images on which two artifacts differ: shipped names, bundles or files, say a float and an int8 one."""
    import numpy as np

    from ..runtime import Recognizer
    from . import compare as comparing
    from .accuracy import answers, load_judges
    from .contenders import is_bare
    from .stats import p_text

    if scale and not any(is_bare(Path(name)) for name in (first, second)):
        raise click.UsageError(f"--scale {scale_text(scale)}: {first} and {second} have cards, which say their range")
    with muted_libraries():
        pair = [Recognizer.load(name, value_range=scale if is_bare(Path(name)) else None) for name in (first, second)]
    cards = [recognizer.card for recognizer in pair]
    if len({(card.input_shape, len(card.labels)) for card in cards}) > 1:
        told = " and ".join(f"{card.input_shape} to {len(card.labels)} classes" for card in cards)
        raise GlyphliteError(f"{first} and {second} take {told}; wanted the same")
    vouched = [card.training is not None or card.compression is not None for card in cards]
    if all(vouched) and set(cards[0].labels) != set(cards[1].labels):
        told = " and ".join(", ".join(card.labels) for card in cards)
        raise GlyphliteError(f"{first} and {second} know {told}; wanted the same classes")
    known = cards[vouched.index(any(vouched))]
    judges = load_judges(data, known, bare=not any(vouched))
    given = [answers(recognizer, judges.glyphs).argmax(1) for recognizer in pair]
    if all(vouched):  # the second's classes may have another order
        places = np.array([known.labels.index(label) for label in cards[1].labels])
        given[1] = places[given[1]]
    found = comparing.disagreement(given[0], given[1], judges.labels)
    counts = {
        "images": len(judges), "differ": len(found.where), "only_first_wrong": found.only_first_wrong,
        "only_second_wrong": found.only_second_wrong, "p": found.p,
    }  # fmt: skip
    if as_json:
        print_json({**counts, "indices": found.where.tolist()})
    else:
        better = first if found.only_first_wrong < found.only_second_wrong else second
        outcome = f"{better} errs less often" if found.p < comparing.SURE else "which is better this data cannot tell"
        click.echo(
            f"{len(found.where)} of {len(judges):,} images are answered differently: {found.only_first_wrong} only "
            f"{first} gets wrong, {found.only_second_wrong} only {second}; {outcome} (McNemar's p {p_text(found.p)})"
        )
    if out:
        shown = comparing.contact_sheet(out, found, judges, known.labels)
        click.echo(f"wrote {shown} of them to {out}", err=as_json)


@bench.command()
@click.argument("models", nargs=-1, metavar="[MODEL]…")
@click.option("--data", required=True, metavar="PATH", help="Data set's name, folder or .npz; its test part judges.")
@click.option("--kinds", default="", metavar="KIND[,…]", help="Of corruption; default: all of them.")
@click.option(
    "--boxes", type=click.Path(path_type=Path, file_okay=False), help="Also a folder with images and boxes.csv."
)
@click.option("--photos", "as_photos", is_flag=True, help="Each image through `predict`, which finds the ink first.")
@click.option(
    "--limit", default=10_000, show_default=True, type=click.IntRange(1), help="Images of each kind, at most."
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write a table, JSON and a picture.")
@json_option
def robustness(
    models: tuple[str, ...],
    data: str,
    kinds: str,
    boxes: Path | None,
    as_photos: bool,
    limit: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """What corruptions cost MODEL… (default: digits-edge).

    MNIST-C's fifteen, the strokes' thickness and the contrast, each at five severities.
    --boxes: single characters of real images, each through `predict`, which no kind of damage was made for.
    """
    from ..runtime import Recognizer
    from ..runtime.files import write_bytes, write_json
    from ..train.corruptions import CORRUPTIONS
    from . import robustness as judging

    if out:
        _wants("bench robustness --out", "matplotlib")
        _make_folder(out)
    wanted = [kind.strip() for kind in kinds.split(",") if kind.strip()] or list(CORRUPTIONS)
    with muted_libraries():
        opened = [Recognizer.load(name) for name in models or (DEFAULT_MODEL,)]
    judged = judging.judge_corrupted(opened, data, wanted, limit, lambda line: click.echo(line, err=True), as_photos)
    if boxes:
        judged += judging.judge_boxes(opened, boxes)
    found = judging.document(judged, data)
    if out:
        from .plot import save_robustness

        write_json(out / "robustness.json", found)
        write_bytes(out / "robustness.md", judging.table(judged).encode())
        save_robustness(out / "robustness.png", judged)
    if as_json:
        print_json(found)
    else:
        click.echo(judging.table(judged), nl=False)

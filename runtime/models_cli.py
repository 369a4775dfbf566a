"""`glyphlite models`: what is shipped and installed, whether it is what its card says, and how it reaches a device."""

from __future__ import annotations

import importlib
import importlib.util
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from .cli import complain, json_option, muted_libraries, print_json
from .errors import GlyphliteError, counted
from .scale import scale_text

CLAIM_SLACK = 3  # errors by which a card's claim may be missed: kernels of other processors round otherwise


@click.group()
def models() -> None:
    """List, describe, verify and install models."""


@models.command("list")
@json_option
def list_models(as_json: bool) -> int:
    """The shipped and the installed models."""
    from .bundle import all_models, installed_models, read_bundle

    cards, defaults, code = [], [], 0
    installed = installed_models()
    for folder in all_models().values():
        try:
            card = read_bundle(folder).card
            defaults.append(card.artifact())
            cards.append(card)
        except GlyphliteError as error:
            complain(str(error))
            code = error.exit_code
    if as_json:
        print_json([asdict(card) for card in cards])
        return code
    named = max((len(card.name) for card in cards), default=0) + 2
    filed = max((len(artifact.file) for artifact in defaults), default=0)
    click.echo(f"{'name':<{named}}{'classes':>7}{'parameters':>12}  {'default artifact':<{filed}}{'bytes':>9}  errors")
    for card, artifact in zip(cards, defaults, strict=True):
        errors = (
            "–" if artifact.errors is None else f"{artifact.errors} of {artifact.test_images:,} ({artifact.test_set})"
        )
        parameters = _counted(card.parameters)
        click.echo(
            f"{card.name:<{named}}{len(card.labels):>7}{parameters:>12}  {artifact.file:<{filed}}{artifact.bytes:>9,}  "
            f"{errors}{'  installed' if card.name in installed else ''}"
        )
    return code


def _counted(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"


@models.command()
@click.argument("model")
@json_option
def show(model: str, as_json: bool) -> None:
    """The card of MODEL, a shipped name or a bundle's folder."""
    from .bundle import find_bundle

    bundle = find_bundle(model)
    card = bundle.card
    if as_json:
        print_json(asdict(card))
        return
    click.echo(f"{card.name}: {len(card.labels)} classes ({' '.join(card.labels[:40])})")
    click.echo(
        f"input {' × '.join(map(str, card.input_shape))}, scale {scale_text(card.value_range)}, "
        f"geometry {card.geometry}, {card.output}, temperature {card.temperature}"
    )
    click.echo(f"{_counted(card.parameters)} parameters, {_counted(card.macs)} MACs")
    if card.training:
        run = card.training
        added = {"drawn": "drawn digits", "outliers": "outliers", "add_data": "added ones"}
        among = " and ".join(name for setting, name in added.items() if run.settings.get(setting))
        click.echo(
            f"trained on {run.dataset} ({run.images:,} images{f', {among} among them' if among else ''}, "
            f"{run.holdout_images:,} held out), {run.arch}, "
            f"{counted(run.epochs, 'epoch')}, seed {run.seed}, {run.seconds / 60:.0f} min; "
            f"float model: {counted(run.errors, 'error')} of {run.test_images:,} ({run.test_set})"
        )
    arenas = {} if card.reads_lines else _arenas(bundle)
    click.echo(f"\n{'artifact':<36}{'bytes':>10}  {'errors':>14}  {'agreement':>9}  {'ECE':>6}  {'arena':>8}")
    for artifact in card.artifacts:
        errors = "–" if artifact.errors is None else f"{artifact.errors} of {artifact.test_images:,}"
        agreement = "–" if artifact.agreement is None else f"{100 * artifact.agreement:.1f} %"
        ece = "–" if artifact.ece is None else f"{100 * artifact.ece:.2f} %"
        notes = (" (default)" if artifact.file == card.default else "") + (" degraded" if artifact.degraded else "")
        arena = f"{arenas[artifact.file]:,}" if artifact.file in arenas else "–"
        figures = f"{errors:>14}  {agreement:>9}  {ece:>6}  {arena:>8}"
        click.echo(f"{artifact.file:<36}{artifact.bytes:>10,}  {figures}{notes}")
    if arenas:
        click.echo("arena: bytes that a microcontroller's interpreter works in, an estimate; see `models export`")


def _arenas(bundle: Any) -> dict[str, int]:
    """Bytes of the arena by artifact, where it can be told: of a TFLite file, and with its schema installed."""
    found = {}
    try:
        arena: Any = importlib.import_module("glyphlite.compress.arena")
        tflite: Any = importlib.import_module("glyphlite.compress.tflite")
    except ImportError:
        return {}
    for artifact in bundle.card.artifacts:
        if artifact.format == "tflite":
            with suppress(GlyphliteError):
                found[artifact.file] = arena.estimate_arena(tflite.TFLiteFile(bundle.path(artifact).read_bytes())).bytes
    return found


@models.command()
@click.argument("names", nargs=-1, metavar="[MODEL]…")
@click.option("--data", metavar="PATH", help="Count the errors again, of the data set that the card names.")
@json_option
def verify(names: tuple[str, ...], data: str | None, as_json: bool) -> int:
    """Check that each artifact of MODEL… (default: all, shipped and installed) is what its card says, and loads."""
    from .bundle import all_models, find_bundle
    from .recognizer import Recognizer

    accuracy: Any = importlib.import_module("glyphlite.benchmarks.accuracy") if data else None
    results = []
    for name in names or tuple(all_models()):
        try:
            bundle = find_bundle(name)
            bundle.card.artifact()
        except GlyphliteError as error:
            results.append({"model": name, "artifact": None, "ok": False, "error": str(error)})
            if not as_json:
                click.echo(f"BAD {name}")
                complain(str(error))
            continue
        judges = accuracy.claimed_judges(data, bundle.card) if data and not bundle.card.reads_lines else None
        for artifact in bundle.card.artifacts:
            result: dict[str, Any] = {"model": bundle.card.name, "artifact": artifact.file, "ok": True}
            try:
                if artifact.format == "onnx" and importlib.util.find_spec("onnxruntime") is None:
                    bundle.path(artifact)  # the bytes can be checked all the same
                    result["note"] = "not run: no onnxruntime here"
                else:
                    with muted_libraries():
                        recognizer = Recognizer.from_bundle(bundle, artifact.file)
                    if judges is not None:
                        result.update(_judged_again(accuracy.judge(recognizer, judges), artifact))
                    elif data:
                        result["note"] = "reads lines: judged by `glyphlite bench photos`"
            except GlyphliteError as error:
                result.update(ok=False, error=str(error))
            results.append(result)
            if not as_json:
                mark = "ok" if result["ok"] else "BAD"
                click.echo(
                    f"{mark:<4}{bundle.card.name}/{artifact.file}"
                    + (f"  ({result['note']})" if "note" in result else "")
                )
                if not result["ok"]:
                    complain(result["error"])
    if as_json:
        print_json(results)
    return 0 if all(result["ok"] for result in results) else 2


def _judged_again(found: Any, artifact: Any) -> dict[str, Any]:
    """What to tell of an artifact whose errors were counted again."""
    result = {"errors": found.errors, "images": found.images}
    seen = f"{counted(found.errors, 'error')} of {found.images:,}"
    if artifact.errors is None:
        return {**result, "note": f"{seen}; its card makes no claim"}
    if artifact.test_images != found.images or abs(found.errors - artifact.errors) > CLAIM_SLACK:
        said = f"{counted(artifact.errors, 'error')} of {artifact.test_images:,} ({artifact.test_set})"
        return {**result, "ok": False, "error": f"{seen}; its card says {said}"}
    return {**result, "note": f"{seen}; its card says {artifact.errors}"}


@models.command()
@click.argument("model")
@click.argument("out", required=False, type=click.Path(path_type=Path))
@click.option("--format", "form", default="archive", show_default=True, type=click.Choice(("archive", "c-array")),
              help="One file for `models install`; or C source for a microcontroller.")  # fmt: skip
@click.option("--artifact", metavar="FILE", help="Which of its files becomes C; default: the one that runs unasked.")
@json_option
def export(model: str, out: Path | None, form: str, artifact: str | None, as_json: bool) -> None:
    """Write MODEL, a name or a bundle's folder, as one file that `models install` takes, or as C source.

    OUT is the file, MODEL.zip where it is left out.  Of a c-array it is the folder, this one where it is left out, of a
    header and a source: the network as an aligned array, its labels, its input's scale, an estimate of its arena.
    """
    from .bundle import find_bundle

    if form == "archive":
        from .updates import export as write

        if artifact:
            raise click.UsageError("--artifact wants --format c-array: an archive holds the whole bundle")
        path = out or Path(f"{find_bundle(model).card.name}.zip")
        digest = write(model, path)
        if as_json:
            print_json({"file": str(path), "sha256": digest})
        else:
            click.echo(f"{digest}  {path}")
        return
    c_array: Any = importlib.import_module("glyphlite.compress.c_array")
    written = c_array.export_c_array(find_bundle(model), out or Path(), artifact)
    arena = written.arena.bytes
    if as_json:
        files = {"header": str(written.header), "source": str(written.source)}
        print_json({**files, "bytes": written.bytes, "arena_bytes": arena})
        return
    sizes = f"{written.bytes:,} bytes of constants, about {arena:,} of arena"
    click.echo(f"wrote {written.header} and {written.source}: {sizes}")


@models.command()
@click.argument("source", metavar="FILE|URL")
@click.option("--sha256", help="What the file must have.")
@click.option("--key", metavar="KEY|FILE", help="minisign's public key; the signature lies beside, as FILE.minisig.")
def install(source: str, sha256: str | None, key: str | None) -> None:
    """Verify a bundle's file, try it, and make it the live model of its name."""
    from .bundle import shipped_models
    from .updates import install as put

    with muted_libraries():
        done = put(source, sha256, key)
    tried = f"{done.tested.right} of {done.tested.samples} samples right" if done.tested else "it computes; no samples"
    instead = ", in the place of the shipped one" if done.name in shipped_models() else ""
    click.echo(f"{done.name}: live{instead}, {tried}; {done.folder}")
    if done.replaced:
        click.echo(f"the one before is kept: glyphlite models rollback {done.name}")


@models.command()
@click.argument("name")
def rollback(name: str) -> None:
    """Make the version of an installed model before this one live again."""
    from .updates import rollback as back

    with muted_libraries():
        click.echo(f"{name}: live; {back(name)}")

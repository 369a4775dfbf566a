"""From a trained model to a bundle: each recipe's artifact is made, compared with its float model and judged."""

from __future__ import annotations

import gzip
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from ..runtime.bundle import ARTIFACT_SUFFIXES, CARD_FILE, Artifact, Card, Compression, read_bundle, write_card
from ..runtime.errors import ConversionError, Disagreement, GlyphliteError, RecipeError, counted
from ..runtime.files import replacing, sha256_file, write_bytes
from ..runtime.scale import scale_text
from ..train.batches import as_input
from ..train.calibration import expected_calibration_error, refusal_at
from ..train.keras_files import MODEL_FILE
from ..train.mixture import mixed
from ..train.versions import versions_of
from .checks import compare, weights_of
from .convert import ONNX_OPSET, QUANTIZED
from .examples import Examples
from .mixed import SCHEMES as MIXED
from .mixed import assign, divergence_from
from .quantize import quantize
from .ranges import Ranges, measure_ranges
from .recipes import STRIPPED, Recipe
from .sources import Source, card_of, input_text, opened, probabilities, scaled
from .steps import FloatModel, Workshop
from .tensors import short
from .tflite import TFLiteFile

RUN_FILES = (MODEL_FILE, "history.csv", "curves.png", "confusion.png")  # of a run, kept in its bundle
DEFAULT_ORDER = ("static_wi8_ai8.tflite", "float32.tflite", "float32.onnx")  # which artifact a bundle runs unasked
PACKAGES = ("ai_edge_quantizer", "ai_edge_litert", "onnxruntime", "tensorflow", "keras")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """scale: what 0 and 255 become at a bare model's input; None: 0 and 255.  geometry: how images become its inputs;
    '': by the data set.  epochs: of each step that trains.  calibration: how ranges are set, as of ranges.py.
    max_bytes: of a mixed scheme's file; None: as of mixed.py.  default: the artifact to run where none is named.
    partner: of a line reader's card.  skip: leave out what cannot be made, and say why."""

    scale: tuple[float, ...] | None = None
    geometry: str = ""
    epochs: int = 8
    calibration: str = "minmax"
    max_bytes: int | None = None
    default: str | None = None
    partner: str | None = None
    skip: bool = False


def compress(
    source: Source,
    recipes: Sequence[Recipe],
    formats: Sequence[str],
    examples: Examples,
    out: Path,
    options: Options = Options(),
    say: Say = print,
) -> Card:
    """Make the artifacts of each recipe and write them, with the card, into the bundle `out`.

    A bundle of the same model that is there already keeps its other artifacts and, unasked, its default.  What steps
    have made is kept beside `out` until the bundle is written, so that a run that was cut off goes on.
    Raises what ended it where an artifact cannot be made; those before it are written.  Raises Disagreement where a
    lossless conversion disagrees with its model; nothing is written then.
    """
    out = out.resolve()
    card = with_kept(base_card(source, examples, options, out), out)
    if source.card is None:
        say(input_text(source, card))
    kept = out.with_name(f".{out.name}.steps")
    with tempfile.TemporaryDirectory(prefix="glyphlite-") as name:
        maker = Maker(source, card, examples, options, Path(name), say)
        workshop = Workshop(source, card, examples, options.epochs, kept, say)

        def make(recipe: Recipe, form: str) -> Artifact:
            return maker.measured(maker.made(recipe, form, workshop.run(recipe.steps)))

        made, failure = make_artifacts(source, card, recipes, formats, make, Path(name), options, say)
        card = with_artifacts(card, made, options)
        card = with_refusal(card, examples, (Path(name) if card.default in made else out) / str(card.default))
        write_bundle(card, source, Path(name), list(made), out)
    if failure:
        raise failure
    shutil.rmtree(kept, ignore_errors=True)
    return card


def make_artifacts(
    source: Source,
    card: Card,
    recipes: Iterable[Recipe],
    formats: Sequence[str],
    make: Callable[[Recipe, str], Artifact],
    work: Path,
    options: Options,
    say: Say,
) -> tuple[dict[str, Artifact], GlyphliteError | None]:
    """What `make` leaves in the folder `work` of each recipe in each format, by its file, and what ended it before the
    last; each is told.

    card: with what the bundle has already.  Where options.skip is set, one that cannot be made is said and left out,
    unless it is options.default.
    Raises RecipeError where none remains, and before any is made where options.default is none of them; what ended it
    where none was made before; Disagreement.
    """
    wanted = [*_wanted(source, recipes, formats, say)]
    check_default(options.default, [artifact.file for artifact in card.artifacts] + [_file(*one) for one in wanted])
    made: dict[str, Artifact] = {}
    for recipe, form in wanted:
        try:
            artifact = make(recipe, form)
        except GlyphliteError as error:
            file, reason = _file(recipe, form), str(error).replace(f"{work}/", "")
            if options.skip and file != options.default:
                say(f"{file}: left out: {reason.removeprefix(f'{file}: ')}")
                continue
            failure = type(error)(reason if reason.startswith(recipe.name) else f"{file}: {reason}")
            if not made or isinstance(error, Disagreement):
                raise failure from error
            say(f"{file}: cannot be made; the bundle gets what was made before")
            return made, failure
        made[artifact.file] = artifact
        say(_line(artifact))
    if not made:
        raise RecipeError(f"nothing to make: no recipe here has a form in {', '.join(formats)}")
    return made, None


def _wanted(
    source: Source, recipes: Iterable[Recipe], formats: Sequence[str], say: Say
) -> Iterable[tuple[Recipe, str]]:
    """The artifacts to make; what a recipe or a source has no form for is said and left out."""
    possible = ARTIFACT_SUFFIXES.values() if source.form == "keras" else (source.form,)
    for recipe in recipes:
        for form in formats:
            aware = recipe.step("qat") is not None
            if form not in recipe.scheme.formats or (form == "onnx" and (aware or recipe.stripped)):
                say(f"{recipe.name}: has no {form} form, left out")
            elif form not in possible:
                say(f"{recipe.name}: {source.path.name} has no {form} form, left out")
            else:
                yield recipe, form


def _file(recipe: Recipe, form: str) -> str:
    return f"{recipe.name}.{form}"


@dataclass(frozen=True)
class Made:
    """An artifact's file.  model: the float model that it was converted from.  steps: what was done, in words."""

    recipe: Recipe
    form: str
    path: Path
    model: FloatModel
    steps: tuple[str, ...]


class Maker:
    """Makes and measures single artifacts in the folder `work`."""

    def __init__(
        self,
        source: Source,
        card: Card,
        examples: Examples,
        options: Options,
        work: Path,
        say: Say = lambda line: None,
    ) -> None:
        self._source, self._card, self._examples, self._options, self._work = source, card, examples, options, work
        self._say = say
        self._ranges: dict[Path, Ranges] = {}
        self._references: dict[Path, np.ndarray] = {}
        self._answers: dict[str, tuple[str, np.ndarray]] = {}  # of each recipe: the format made first, its answers

    @cached_property
    def _calibration(self) -> np.ndarray:
        """(N, H, W, C) float32 in the model's range."""
        return scaled(self._examples.calibration.images, self._card.value_range)

    def made(self, recipe: Recipe, form: str, model: FloatModel) -> Made:
        """One artifact, written into the folder."""
        path = self._work / _file(recipe, form)
        floats = model.converted(form, self._work)
        told = [*model.steps]
        if form == "onnx":
            from .onnx_quantize import quantize_onnx

            method = self._options.calibration
            quantize_onnx(floats, path, recipe.scheme.name, self._calibration, method)
            opset = f"; opset {ONNX_OPSET}" if model.form == "keras" else ""
            told.append(self._scheme_text(recipe) + opset)
        else:
            content = floats.read_bytes()
            finish = _finish(recipe)
            if model.form == QUANTIZED:
                content = finish(content)
            else:
                content, more = self._quantized(recipe, content, floats, model, finish)
                told.append(self._scheme_text(recipe) + more)
            if recipe.stripped:
                told.append(STRIPPED)
            write_bytes(path, content)
        return Made(recipe, form, path, model, tuple(told))

    def _quantized(
        self, recipe: Recipe, content: bytes, floats: Path, model: FloatModel, finish: Callable[[bytes], bytes]
    ) -> tuple[bytes, str]:
        """The finished file in the recipe's scheme, and what is to be told of how."""
        name = recipe.scheme.name
        ranges = self._ranges_of(floats, content) if "_ai" in name else None
        if name not in MIXED:
            content = quantize(content, name, ranges, tensorwise=recipe.step("cluster") is not None)
            return finish(content), _in_float32(content) if ranges else ""
        examples = self._examples.calibration
        reference = probabilities(self._card, self._scores(model, examples.images))
        divergence = divergence_from(reference, examples.images, self._card, self._work)
        content, scan, kept = assign(content, name, ranges, divergence, self._options.max_bytes, finish)
        for one in scan:
            bits = 8 if one.layer in kept else 4
            moved = f"4 bits here alone move the answers by {one.divergence:.2e} nats and save {one.saved:,} bytes"
            self._say(f"  {one.kind} {short(one.layer)}: {moved}; {bits} bits")
        more = f"; {len(kept)} of {len(scan)} layers with 8 bits"
        return content, more + (_in_float32(content) if ranges else "")

    def _ranges_of(self, floats: Path, content: bytes) -> Ranges:
        if floats not in self._ranges:
            self._ranges[floats] = measure_ranges(content, self._calibration, self._options.calibration)
        return self._ranges[floats]

    def _scheme_text(self, recipe: Recipe) -> str:
        if not recipe.scheme.calibrated:
            return recipe.scheme.text
        images = len(self._examples.calibration)
        return f"{recipe.scheme.text}; {images} calibration images, {self._options.calibration}"

    def _scores(self, model: FloatModel, images: np.ndarray) -> np.ndarray:
        return model.scores(self._source, images, self._card.value_range)

    def measured(self, made: Made) -> Artifact:
        """How an artifact does beside its float model, and on the judged images."""
        card, checked, judged = self._card, self._examples.checked, self._examples.judged
        recipe, form, path, model = made.recipe, made.form, made.path, made.model
        engine = opened(path, card.value_range)
        if model.path not in self._references:
            self._references[model.path] = self._scores(model, checked.images)
        pixels = as_input(checked.images).astype(np.uint8)
        comparison = compare(recipe, path.name, card, engine, pixels, self._references[model.path])
        scores = engine.run(as_input(judged.images).astype(np.uint8))
        answers = scores.argmax(1)
        first_form, other = self._answers.setdefault(recipe.name, (form, answers))
        return replace(
            described(path, recipe, form, made.steps),
            agreement=comparison.agreement,
            max_difference=comparison.max_difference,
            degraded=comparison.degraded,
            as_other_format=None if form == first_form else round(float((answers == other).mean()), 4),
            test_set=self._examples.test_set,
            test_images=len(judged),
            errors=int((answers != judged.labels).sum()),
            ece=round(expected_calibration_error(probabilities(card, scores), judged.labels), 5),
        )


def _finish(recipe: Recipe) -> Callable[[bytes], bytes]:
    """What a TFLite file passes last."""
    if not recipe.stripped:
        return lambda content: content
    from .strip import strip

    return strip


def _in_float32(content: bytes) -> str:
    """What a quantized file computes in float32 all the same, in words: operators that have no integer form."""
    kinds = sorted(TFLiteFile(content).float_operators())
    return f"; in float32: {', '.join(kinds)}" if kinds else "; integers only"


def described(path: Path, recipe: Recipe, form: str, steps: tuple[str, ...]) -> Artifact:
    """What an artifact's file tells by itself."""
    weights = weights_of(path) if form == "tflite" else None
    return Artifact(
        file=path.name,
        format=form,
        recipe=recipe.name,
        bytes=path.stat().st_size,
        sha256=sha256_file(path),
        zeros=weights.zeros if weights else None,
        values=weights.values if weights else None,
        integers=weights.integers if weights else None,
        gzip_bytes=len(gzip.compress(path.read_bytes(), 9, mtime=0)),
        steps=steps,
    )


# --- the card --------------------------------------------------------------------------------------------------------


def base_card(source: Source, examples: Examples, options: Options, out: Path) -> Card:
    """The card of a bundle to be, without artifacts."""
    card = card_of(source, out.resolve().name, examples.holdout, options.scale, options.geometry)
    compression = Compression(
        source=source.path.name,
        source_sha256=source.sha256,
        dataset=examples.train.name,
        dataset_sha256=examples.train.sha256(),
        calibration=len(examples.calibration),
        seed=examples.seed,
        holdout=examples.share,
        versions=versions_of(PACKAGES),
    )
    return replace(card, compression=compression)


def with_artifacts(card: Card, made: dict[str, Artifact], options: Options) -> Card:
    """The card with what was made, in the place of what it had of the same files.  Its default: the one that was asked
    for, where it was made; else the one that it had; else the usual one."""
    artifacts = {**{artifact.file: artifact for artifact in card.artifacts}, **made}
    default = next((file for file in (options.default, card.default) if file in artifacts), usual_default(artifacts))
    return replace(card, artifacts=tuple(artifacts.values()), default=default)


def with_refusal(card: Card, examples: Examples, default: Path) -> Card:
    """The card with what its default artifact, this file, refuses at the operating point of the network that it was
    made of."""
    if card.refusal is None:
        return card
    settings = card.training.settings if card.training else {}
    drawn, others = mixed(examples.holdout, float(settings.get("drawn", 0)), 1.0, examples.seed + 1)
    engine = opened(default, card.value_range)
    characters, junk = (engine.run(as_input(images).astype(np.uint8)) for images in (drawn.images, others))
    return replace(card, refusal=refusal_at(card.refusal.min_confidence, characters, junk, card.temperature))


def with_kept(card: Card, out: Path) -> Card:
    """The card with the artifacts, the default and the partner of a bundle of the same model that lies in `out`
    already.  Raises ConversionError for another's."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return card
    if not (out / CARD_FILE).exists():
        raise ConversionError(f"{out}: exists and is no bundle; wanted a new folder or a bundle of this model")
    there = read_bundle(out).card
    of_another = there.compression and card.compression and _origin(there.compression) != _origin(card.compression)
    if of_another or (there.training, there.labels, there.input_shape) != (
        card.training,
        card.labels,
        card.input_shape,
    ):
        raise ConversionError(f"{out}: holds a bundle of another model; wanted a new folder")
    if there.value_range != card.value_range:
        theirs, ours = scale_text(there.value_range), scale_text(card.value_range)
        raise ConversionError(f"{out}: holds a bundle of --scale {theirs}, not {ours}; wanted a new folder")
    if there.geometry != card.geometry:
        raise ConversionError(
            f"{out}: holds a bundle of --geometry {there.geometry}, not {card.geometry}; wanted a new folder"
        )
    return replace(card, artifacts=there.artifacts, default=there.default, partner=there.partner or card.partner)


def _origin(compression: Compression) -> tuple[str, str]:
    return compression.source_sha256, compression.dataset_sha256


def _line(artifact: Artifact) -> str:
    degraded = "  DEGRADED" if artifact.degraded else ""
    share = artifact.as_other_format
    other = "" if share is None else f", with its other format on {100 * share:.1f} %"
    zeros = f", {100 * artifact.zeros:.0f} % zeros" if artifact.zeros and artifact.zeros >= 0.2 else ""
    return (
        f"{artifact.file}: {artifact.bytes:,} bytes ({artifact.gzip_bytes:,} gzip), "
        f"{counted(artifact.errors or 0, 'error')} of {artifact.test_images:,} ({artifact.test_set}), "
        f"agrees with float on {100 * (artifact.agreement or 0):.1f} %{other}{zeros}{degraded}"
    )


def check_default(wanted: str | None, files: Collection[str]) -> None:
    """Raises RecipeError where an artifact that was asked for is not among these."""
    if wanted and wanted not in files:
        raise RecipeError(f"default {wanted!r} is not among {', '.join(files)}")


def usual_default(artifacts: dict[str, Artifact]) -> str:
    """The file that a bundle runs where nobody chose one."""
    sound = [file for file, artifact in artifacts.items() if not artifact.degraded] or list(artifacts)
    return next((file for file in DEFAULT_ORDER if file in sound), sound[0])


def write_bundle(card: Card, source: Source, work: Path, files: Sequence[str], out: Path) -> None:
    """A new bundle comes into being whole; one that is there gets each file whole, the card last."""
    folder = out if (out / CARD_FILE).exists() else out.with_name(f".{out.name}.new")
    if folder != out:
        shutil.rmtree(folder, ignore_errors=True)
    for file in files:
        _copy(work / file, folder / file)
    if source.folder and source.folder.resolve() != out.resolve():
        for file in RUN_FILES:
            if (source.folder / file).is_file():
                _copy(source.folder / file, folder / file)
    write_card(folder, card)
    if folder != out:
        folder.rename(out)  # where there is an empty folder, it takes its place


def _copy(source: Path, target: Path) -> None:
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)

"""A line reader becomes a bundle: as pack.py does for classifiers, with texts in the place of classes."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from ..runtime.bundle import Artifact, Card, Compression
from ..runtime.ctc import greedy
from ..runtime.errors import ConversionError, DatasetError, Disagreement, RecipeError
from ..runtime.files import write_bytes
from ..runtime.strip import padded
from ..train.datasets import resolve
from ..train.line_batches import FRAME
from ..train.line_training import line_logits, texts_right
from ..train.lines import HOLDOUT, Lines, is_lines, load_lines, with_classes
from ..train.versions import versions_of
from .checks import MIN_AGREEMENT
from .convert import ONNX_OPSET, convert
from .examples import recorded_data
from .mixed import SCHEMES as MIXED
from .pack import (
    PACKAGES,
    Options,
    Say,
    described,
    make_artifacts,
    with_artifacts,
    with_kept,
    write_bundle,
)
from .quantize import quantize
from .ranges import Ranges, measure_ranges
from .recipes import STRIPPED, Recipe
from .sources import Source, check_options, opened

CALIBRATION_LINES = 300  # of the training part


def compress_lines(
    source: Source,
    recipes: Sequence[Recipe],
    formats: Sequence[str],
    lines: tuple[Lines, Lines],
    out: Path,
    options: Options,
    say: Say = print,
) -> Card:
    """Make the artifacts of each recipe and write them, with the card, into the bundle `out`.

    lines: of the training part, for calibration, and held out, to judge.
    Raises RecipeError for a recipe with steps; what ended it where an artifact cannot be made, those before it written;
    Disagreement where a lossless conversion disagrees with its model, nothing written.
    """
    check_options(source, options.scale, options.geometry)
    if source.card is None or source.model is None:
        raise ConversionError(f"{source.path}: reads lines; wanted its training run, whose card tells the characters")
    out = out.resolve()
    possible = [recipe for recipe in recipes if not recipe.steps and recipe.scheme.name not in MIXED]
    for recipe in recipes:
        if recipe not in possible:
            reason = f"{recipe.name}: a line reader takes the schemes that store numbers only"
            if not options.skip:
                raise RecipeError(reason)
            say(f"left out: {reason}")
    train, judged = lines
    chosen = np.linspace(0, len(train) - 1, min(CALIBRATION_LINES, len(train))).astype(int)
    calibration = train.subset(chosen)
    compression = Compression(
        source=source.path.name,
        source_sha256=source.sha256,
        dataset=train.name,
        dataset_sha256=train.sha256(),
        calibration=len(calibration),
        seed=source.card.training.seed if source.card.training else 0,
        holdout=round(len(judged) / (len(judged) + len(train)), 4),
        versions=versions_of(PACKAGES),
    )
    card = replace(source.card, name=out.name, artifacts=(), default=None, compression=compression)
    card = with_kept(card, out)
    card = replace(card, partner=options.partner or card.partner)
    reference = line_logits(source.model, judged)
    with tempfile.TemporaryDirectory(prefix="glyphlite-") as name:
        work = Path(name)
        maker = _Maker(source, calibration, options, work)

        def make(recipe: Recipe, form: str) -> Artifact:
            return _measured(recipe, form, *maker.made(recipe, form), card, judged, reference)

        made, failure = make_artifacts(source, card, possible, formats, make, work, options, say)
        card = with_artifacts(card, made, options)
        write_bundle(card, source, work, list(made), out)
    if failure:
        raise failure
    return card


def lines_of(source: Source, data: str | None) -> tuple[Lines, Lines]:
    """The lines to calibrate by and those that judge, of a file or folder, by the reader's characters.  data None: of
    what the run was trained on."""
    training = source.card.training if source.card else None
    name, _ = resolve(data or recorded_data(source))
    if not is_lines(name):
        raise DatasetError(f"{name}: no file of lines and no folder with a labels.csv; name one (--data)")
    settings = training.settings if training else {}
    found = load_lines(name, float(settings.get("holdout", HOLDOUT)), training.seed if training else 0)
    learned, judged = (with_classes(part, source.card.labels) if source.card else part for part in found)
    return learned, judged


class _Maker:
    """Makes single artifacts in the folder `work`."""

    def __init__(self, source: Source, calibration: Lines, options: Options, work: Path) -> None:
        self._source, self._calibration, self._options, self._work = source, calibration, options, work
        self._ranges: Ranges | None = None

    @cached_property
    def _images(self) -> list[np.ndarray]:
        """(H, W, 1) float32 of each calibration line."""
        return [padded([strip]).astype(np.float32)[0] for strip in self._calibration.strips]

    def made(self, recipe: Recipe, form: str) -> tuple[Path, tuple[str, ...]]:
        """The file, and what was done in words."""
        path, scheme = self._work / f"{recipe.name}.{form}", recipe.scheme
        floats = self._work / f"floats.{form}"
        if not floats.exists():
            convert(self._source.path, form, floats)
        told = scheme.text
        if scheme.calibrated:
            told += f"; {len(self._calibration)} calibration lines, {self._options.calibration}"
        if form == "onnx":
            from .onnx_quantize import quantize_onnx

            quantize_onnx(floats, path, scheme.name, self._images, self._options.calibration)
            return path, (f"{told}; opset {ONNX_OPSET}",)
        content = floats.read_bytes()
        if scheme.calibrated and self._ranges is None:
            self._ranges = measure_ranges(content, self._images, self._options.calibration)
        content = quantize(content, scheme.name, self._ranges if scheme.calibrated else None)
        if recipe.stripped:
            from .strip import strip

            content, told = strip(content), f"{told}; {STRIPPED}"
        write_bytes(path, content)
        return path, (told,)


def _measured(
    recipe: Recipe, form: str, path: Path, told: tuple[str, ...], card: Card, judged: Lines, reference: list[np.ndarray]
) -> Artifact:
    """How an artifact does beside its float model, and on the held-out lines, frame by frame."""
    engine = opened(path)
    logits = []
    for strip in judged.strips:
        frames = -(-strip.shape[1] // FRAME)
        logits.append(engine.run(padded([strip]))[0][:frames])
    agreement = float(np.mean([greedy(a) == greedy(b) for a, b in zip(logits, reference, strict=True)]))
    if recipe.scheme.lossless and agreement < MIN_AGREEMENT:
        raise Disagreement(
            f"{path.name}: reads {100 * agreement:.1f} % of {len(judged)} lines as the float model does; a "
            f"{recipe.scheme.name} conversion must {100 * MIN_AGREEMENT:.0f} %"
        )
    return replace(
        described(path, recipe, form, told),
        agreement=round(agreement, 4),
        degraded=agreement < MIN_AGREEMENT,
        test_set=f"{judged.name} hold-out",
        test_images=len(judged),
        errors=len(judged) - texts_right(logits, judged),
    )

"""The verbs `load`, `predict` and `read`: an image passes the stages in order, and an answer comes back."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .answers import Box, Prediction, Reading, Trace
from .bundle import (
    ARTIFACT_SUFFIXES,
    CARD_FILE,
    DEFAULT_MODEL,
    Artifact,
    Bundle,
    Card,
    find_bundle,
    read_bundle,
    shipped_models,
)
from .engine import Engine, open_engine, reads_along
from .errors import ArtifactError, EngineError, ImageError, ModelError, UnknownModel
from .files import files_below, sha256_files
from .geometry import INK_GEOMETRIES
from .glyph import FROM_INK, fit_to_shape, resample
from .image import ImageSource, Pixels, read_image
from .ink import DEFAULT_STEPS, WORK_SIDE, Ink
from .layout import find_lines, main_characters
from .reader import answer
from .rules import written_ink
from .scale import WHOLE, scale_text
from .steps import Steps
from .turn import QUARTER_TURNS, turned, turned_back

if TYPE_CHECKING:
    from .answers import LineTrace
    from .expect import Expectation
    from .reader import LineReader, Place

Probabilities = NDArray[np.float32]

UNKNOWN = "unknown"  # recipe of a file that no card describes
NO_CHARACTER = "no character found"
NOT_KNOWN = "what was found is no character of the model"
NOT_SURE = "not sure"
SEVERAL = "more than one character was found; `read` takes them all"
CLOSE = "; `read` takes several that stand close together"
NOT_EXPECTED = "nothing that was expected can be read"
CHARACTER_SIDE = 200  # pixels of the longer side that the ink of a single character is looked for at, at least;
CHARACTER_SHARE = 0.4  # else this share of the image's, up to WORK_SIDE
CLOSE_WIDTH = 0.9  # of its height: what is no character and as wide may be several that were joined
LINE_CONFIDENCE = 0.2  # geometric mean of a line's characters; 0.3 and more drops lines that are read right
PROBABILITY_SLACK = 0.02  # that a row's sum may be off by, of an artifact of 8 bits
# of a page that may lie any way, found on the tuning part of real cheques, turned; 1.5 to 3 do as well:
CHARACTER_WORTH = 2.0  # nats, of a character that is read
LINE_PRICE = 1.0  # nats, of a line
AS_SURE = 0.9  # of the surest reading's confidence, for each character: upside down it may be meant as well


class Recognizer:
    """A model that is ready to answer.  It may be shared between threads.

    card: what its bundle says of it.  artifact: the one of its artifacts that runs.  engine: what runs it.
    steps: which ones a photo passes.  partner: of a line reader, what reads its lines as well.
    """

    def __init__(
        self,
        card: Card,
        artifact: Artifact,
        engine: Engine,
        steps: Steps = DEFAULT_STEPS,
        partner: Recognizer | None = None,
    ) -> None:
        self.card, self.artifact, self.engine, self.steps, self.partner = card, artifact, engine, steps, partner
        self._min_confidence = card.refusal.min_confidence if card.refusal else 0.0
        self._shape = (-1, *card.input_shape)
        self._accepted = {card.input_shape, card.input_shape[:2]} if card.input_shape[2] == 1 else {card.input_shape}
        self._inverse_temperature = np.array(1 / card.temperature, np.float32)  # 0-d: multiplies faster than a scalar

    def __repr__(self) -> str:
        return f"<Recognizer {self.card.name}: {self.artifact.file} by {self.engine.name}>"

    @cached_property
    def reader(self) -> LineReader | None:
        """What reads a line; None where the model takes whole images.  Made when first wanted: `predict` starts sooner
        without its imports."""
        if self.card.reads_lines:
            from .strip_reader import StripReader

            strips = StripReader(self.card, self.engine)
            if self.partner is None:
                return strips
            from .joint_reader import JointReader

            return JointReader(self.partner.reader, strips)
        if self.card.geometry in INK_GEOMETRIES:
            from .lattice_reader import LatticeReader

            return LatticeReader(self.card, self._open_probabilities, self.steps)
        return None

    @classmethod
    def load(
        cls,
        model: str | Path = DEFAULT_MODEL,
        *,
        threads: int = 1,
        engine: str = "",
        value_range: Sequence[float] | None = None,
        alone: bool = False,
    ) -> Recognizer:
        """Load a shipped name, a bundle's folder, or a `.tflite` or `.onnx` file.

        A file inside a bundle takes the bundle's card and must have its sha256.  A bare file gets the whole image
        stretched to its input, and numbers as labels; `value_range` says what a float input's 0 and 255 become, as of
        scale.py (default: 0 and 255).  threads: capped at the cores that may be used; 0: as many as are measured best.
        engine: 'litert', 'tflite-runtime' or 'onnxruntime'; the first that is installed where empty.
        alone: without the partner that a line reader's card names.
        Raises UnknownModel, CardError, ArtifactError or EngineError; ModelError where the card has another range.
        """
        if not isinstance(model, str | os.PathLike):
            raise UnknownModel(f"{model!r:.60}: no model; wanted a name, a bundle's folder, a .tflite or an .onnx")
        path = Path(model)
        if path.suffix in ARTIFACT_SUFFIXES and not os.path.isdir(model):  # noqa: PTH112  # never raises
            if not os.path.isfile(model):  # noqa: PTH113
                raise ArtifactError(f"{model}: no such file")
            if not (path.parent / CARD_FILE).exists():
                return cls._load_bare(path, threads, engine, value_range)
            bundle = read_bundle(path.parent)
            file: str | None = path.name
        else:
            bundle, file = find_bundle(model), None
        loaded = cls.from_bundle(bundle, file, threads=threads, engine=engine, alone=alone)
        if value_range and (reason := loaded.card.against_scale(value_range)):
            raise ModelError(f"scale {scale_text(value_range)}: {loaded.card.name} {reason}")
        return loaded

    @classmethod
    def from_bundle(
        cls, bundle: Bundle, file: str | None = None, *, threads: int = 1, engine: str = "", alone: bool = False
    ) -> Recognizer:
        """Load one artifact of a bundle.  Where `file` is None: its default, or the first of another format where no
        engine here runs that one.  Raises as `load`."""
        card = bundle.card
        artifact, opened = _opened(bundle, file, threads, engine)
        classes = len(card.labels) + card.reads_lines
        if opened.input_shape != card.input_shape or opened.classes not in (classes, -1):
            found = f"{opened.input_shape} to {opened.classes} classes"
            raise ArtifactError(
                f"{bundle.folder}: the artifact takes {found}; its card says {card.input_shape} to {classes}"
            )
        partner = None
        if card.partner and not alone:
            beside = bundle.folder.parent / card.partner  # of the shipped ones an installed one takes the place
            is_own = beside.is_dir() and beside != shipped_models().get(card.partner)
            partner = cls.from_bundle(find_bundle(beside if is_own else card.partner), threads=threads)
        loaded = cls(card, artifact, opened, partner=partner)
        if partner:
            _ = loaded.reader  # what does not fit together is told here
        return loaded

    @classmethod
    def _load_bare(cls, path: Path, threads: int, name: str, value_range: Sequence[float] | None) -> Recognizer:
        taken = value_range or WHOLE
        return cls.of_bare_file(path, open_engine(path, taken, threads, name), taken)

    @classmethod
    def of_bare_file(cls, path: Path, engine: Engine, value_range: Sequence[float] = WHOLE) -> Recognizer:
        """What an engine opened, without a card: the whole image stretched, numbers as labels.  Raises ArtifactError
        for an input that is no image of a fixed size."""
        height, width, channels = engine.input_shape
        if reads_along(engine.input_shape):
            raise ArtifactError(f"{path}: reads lines, and no {CARD_FILE} beside it says what; wanted it in its bundle")
        if min(height, width) < 1 or channels not in (1, 3):
            raise ArtifactError(f"{path}: input of {engine.input_shape}; wanted a fixed size and 1 or 3 channels")
        scores = engine.run(np.zeros((1, height, width, channels), np.uint8))
        if scores.ndim != 2 or scores.shape[1] < 2:
            raise ArtifactError(
                f"{path}: answers of shape {scores.shape[1:]}; wanted a score for each of two classes or more"
            )
        files = files_below(path)
        size = sum(file.stat().st_size for file in files)
        card = Card(
            name=path.stem,
            labels=tuple(str(index) for index in range(scores.shape[1])),
            input_shape=engine.input_shape,
            geometry="stretch",
            value_range=tuple(map(float, value_range)),
            output="probabilities" if are_probabilities(scores) else "logits",
            default=path.name,
            artifacts=(Artifact(path.name, path.suffix[1:], UNKNOWN, size, sha256_files(files)),),
        )
        return cls(card, card.artifact(), engine)

    @property
    def caution(self) -> str:
        """What is to be known of a file without a card that looks like a model of glyphs; '' of any other."""
        height, width, channels = self.card.input_shape
        if self.artifact.recipe != UNKNOWN or height != width or channels != 1:
            return ""
        return (
            f"{self.artifact.file}: has no card, and is shown whole images; a model of glyphs wants one: "
            "`glyphlite compress … --geometry mnist`"
        )

    def with_steps(self, steps: Steps) -> Recognizer:
        """The same model, by which a photo passes other steps."""
        partner = self.partner.with_steps(steps) if self.partner else None
        return Recognizer(self.card, self.artifact, self.engine, steps, partner)

    def predict(
        self,
        image: ImageSource,
        *,
        top: int = 3,
        min_confidence: float | None = None,
        any_rotation: bool = False,
    ) -> Prediction:
        """The one character in an image: a path, a file's bytes, or a uint8 array (H, W), (H, W, 3) BGR.

        top: how many answers to give.  min_confidence: a less sure answer is a refusal; None: the card's operating
        point.  any_rotation: try quarter turns and answer with the surest.
        Raises ImageError where the image cannot be read, ModelError where the model reads lines; an image without a
        character is a refusal, no error.
        """
        self._check_takes_characters()
        pixels, reduction = read_image(image)
        height, width = pixels.shape[:2]
        wanted = self._min_confidence if min_confidence is None else min_confidence
        if self.card.geometry not in INK_GEOMETRIES:
            if any_rotation:
                raise ModelError(f"{self.card.name}: takes whole images; quarter turns want a character model")
            glyph = fit_to_shape(pixels, self.card.input_shape, self.card.geometry)
            glyph = glyph[..., ::-1] if glyph.ndim == 3 else glyph
            one = self._judged(glyph, (0, 0, width, height), top, wanted)
            return replace(one, box=_placed(reduction, 0, width, height, (0, 0, width, height)))
        ink = written_ink(pixels, self.steps, character_side(pixels))
        answers = []
        for degrees in QUARTER_TURNS if any_rotation else (0,):
            one = self._predict_ink(turned(ink, degrees), top, wanted)
            if one.box is not None:
                box = _placed(reduction, degrees, width, height, one.box)
                one = replace(one, box=box, rotation=degrees)
            answers.append(one)
        best = max(answers, key=lambda one: (one.label is not None, one.confidence, -one.rotation))
        if not any_rotation:
            return best
        over = answers[(QUARTER_TURNS.index(best.rotation) + 2) % 4]
        ambiguous = over.label not in (None, best.label) and over.confidence > AS_SURE * best.confidence
        return replace(answers[0] if ambiguous and over is answers[0] else best, ambiguous=ambiguous)

    def _predict_ink(self, ink: Ink, top: int, wanted: float) -> Prediction:
        """The one character of an ink, its box in the reduced image."""
        if self.steps.squeeze and not ink.empty:
            height, width = (round(side / ink.scale) for side in ink.soft.shape)
            glyph = resample(ink.soft, (self.card.input_shape[1], self.card.input_shape[0]))
            return self._judged(glyph, (0, 0, width, height), top, wanted)
        found = main_characters(ink)
        if not found:
            return Prediction(None, 0.0, reason=NO_CHARACTER)
        to_glyph, side = FROM_INK[self.card.geometry], self.card.input_shape[0]
        main, *rivals = [
            self._judged(to_glyph(one.soft, side, one.stroke), one.box, top, wanted)
            for one in (found if self.card.refusal else found[:1])
        ]
        if main.label is not None and any(rival.label is not None for rival in rivals):
            return replace(main, label=None, reason=SEVERAL)
        return replace(main, reason=f"{main.reason}{CLOSE}") if may_be_several(main) else main

    def _judged(self, glyph: Pixels, box: Box, top: int, wanted: float) -> Prediction:
        """The answer for a glyph, or a refusal."""
        probabilities = self._open_probabilities(glyph[None])[0]
        one = answer(self.card.labels, probabilities, glyph, box, top)
        if one.confidence >= wanted:
            return one
        shown = f"{100 * one.confidence:.1f} % for {one.label}, wanted {100 * wanted:.1f} %"
        other = 1 - float(probabilities.sum())
        return replace(one, label=None, reason=f"{NOT_KNOWN if other > one.confidence else NOT_SURE}: {shown}")

    def read(
        self,
        image: ImageSource,
        *,
        top: int = 3,
        expect: str | Sequence[str] | None = None,
        separators: bool = False,
        alternatives: int = 0,
        min_confidence: float | None = None,
        any_rotation: bool = False,
    ) -> Reading:
        """Every character in an image, in reading order; touching ones are parted by what they are recognised as.

        image, top: as for `predict`.  expect: what each line says, as far as it is known: a pattern, a list of
        admissible texts or a checksum, as expect.py tells.  separators: keep points, commas, dashes, colons and equals
        signs, and slashes where something is expected; else they are left out, unless `expect` names one.
        alternatives: how many other texts to give for each line.  min_confidence: a line whose characters are less
        sure, in their geometric mean, is no writing and left out; None: LINE_CONFIDENCE where the model knows what is
        no character.  any_rotation: try quarter turns and answer with the surest.
        Raises ImageError where the image cannot be read, ModelError where the model takes whole images,
        ExpectationError where `expect` is not understood.
        """
        return self.trace(
            image,
            top=top,
            expect=expect,
            separators=separators,
            alternatives=alternatives,
            min_confidence=min_confidence,
            any_rotation=any_rotation,
        ).reading

    def trace(
        self,
        image: ImageSource,
        *,
        top: int = 3,
        expect: str | Sequence[str] | None = None,
        separators: bool = False,
        alternatives: int = 0,
        min_confidence: float | None = None,
        any_rotation: bool = False,
    ) -> Trace:
        """As `read`, with what every stage made of the image."""
        reader = self.reader
        if reader is None:
            geometry = self.card.geometry
            raise ModelError(f"{self.card.name}: takes whole images ({geometry}); `read` wants a character model")
        expected = None
        if expect is not None:
            from .expect import expectation
            from .signs import SIGNS

            expected = expectation(expect)
            separators = separators or any(map(expected.names, SIGNS))
        usual = LINE_CONFIDENCE if self.card.refusal or self.card.reads_lines else 0.0
        wanted = usual if min_confidence is None else min_confidence
        pixels, reduction = read_image(image)
        height, width = pixels.shape[:2]
        ink = written_ink(pixels, self.steps)
        traces = []
        for degrees in QUARTER_TURNS if any_rotation else (0,):
            upright = turned(ink, degrees)
            lines = [
                reader.trace(line, expected, separators, max(0, alternatives))
                for line in find_lines(upright, deslant=self.steps.deslant)
            ]
            place = partial(_placed, reduction, degrees, width, height)
            texts = [text for line in lines if (text := reader.text_line(line, top, wanted, place)) is not None]
            reason = None if texts else self._why_none(lines, expected, wanted, place)
            reading = Reading(tuple(texts), reason, rotation=degrees)
            traces.append(Trace(pixels, reduction, upright, tuple(line for line in lines if not line.empty), reading))
        best = max(traces, key=lambda trace: (bool(trace.reading.lines), _worth(trace), -trace.reading.rotation))
        if not any_rotation:
            return best
        over = traces[(QUARTER_TURNS.index(best.reading.rotation) + 2) % 4]
        as_sure = _worth(over) > _worth(best) + math.log(AS_SURE) * len(best.reading.text)
        ambiguous = bool(over.reading.lines) and as_sure and over.reading.text != best.reading.text
        best = traces[0] if ambiguous and over is traces[0] else best
        return replace(best, reading=replace(best.reading, ambiguous=ambiguous))

    def _why_none(self, lines: list[LineTrace], expected: Expectation | None, wanted: float, place: Place) -> str:
        """Why no line is left.  wanted: the confidence that a line must have."""
        if wanted and (reader := self.reader):
            found = [one.text for line in lines if (one := reader.text_line(line, 1, 0.0, place))]
            if found:
                return f"{NOT_SURE}: {' / '.join(found):.80} was found, wanted {100 * wanted:.1f} %"
        if expected is None or not lines:
            return NO_CHARACTER
        from .signs import SIGNS

        if any(expected.after(label) for label in (*self.card.labels, *SIGNS)):
            return NOT_EXPECTED
        return f"{NOT_EXPECTED}: it begins with no character that {self.card.name} knows ({' '.join(self.card.labels)})"

    def predict_batch(self, glyphs: NDArray[Any]) -> Probabilities:
        """Calibrated probabilities (N, classes) float32 of glyphs in the card's geometry; each row sums to 1: they are
        taken to be characters.

        glyphs: (N, H, W) or (N, H, W, C) uint8, colour as RGB.  Raises ImageError for any other dtype or shape.
        """
        self._check_takes_characters()
        dtype, shape = getattr(glyphs, "dtype", type(glyphs).__name__), getattr(glyphs, "shape", ())
        if dtype != np.uint8 or shape[1:] not in self._accepted:
            wanted = " or ".join(f"(N, {', '.join(map(str, shape))})" for shape in sorted(self._accepted, key=len))
            raise ImageError(f"glyphs of {dtype} {shape}; wanted uint8 {wanted}")
        if len(glyphs) == 0:
            return np.empty((0, len(self.card.labels)), np.float32)
        scores = self.engine.run(glyphs.reshape(self._shape))
        if self.card.output == "probabilities":
            return scores
        return softmax(scores, self._inverse_temperature)

    def _check_takes_characters(self) -> None:
        if self.card.reads_lines:
            raise ModelError(f"{self.card.name}: reads whole lines; `read` takes them, as short as one character")

    def _open_probabilities(self, glyphs: Pixels) -> Probabilities:
        """As `predict_batch`; where the card has a refusal, a row sums to 1 less the probability of no character."""
        if self.card.refusal is None or len(glyphs) == 0:
            return self.predict_batch(glyphs)
        scores = self.engine.run(glyphs.reshape(self._shape))
        return open_probabilities(scores, self.card.temperature).astype(np.float32)


def character_side(pixels: Pixels) -> int:
    """Pixels of the longer side that the ink of a single character is looked for at."""
    longer = int(max(pixels.shape[:2]))
    return min(max(CHARACTER_SIDE, round(CHARACTER_SHARE * longer)), WORK_SIDE)


def may_be_several(one: Prediction) -> bool:
    """Whether an answer of `predict` is a refusal of what may be several characters, which `read` takes."""
    if one.reason is None or one.box is None:
        return False
    return one.reason == SEVERAL or (one.reason.startswith(NOT_KNOWN) and one.box[2] >= CLOSE_WIDTH * one.box[3])


def _placed(reduction: int, degrees: int, width: int, height: int, box: Box) -> Box:
    """A box of the reduced, turned image in the pixels of the upright file; width, height: of the reduced image.  What
    the roundings of its sides put beyond the image is cut off."""
    x, y, across, down = turned_back(box, degrees, width, height)
    left, top = (min(max(0, start), side - 1) for start, side in ((x, width), (y, height)))
    right, bottom = min(max(left + 1, x + across), width), min(max(top + 1, y + down), height)
    return left * reduction, top * reduction, (right - left) * reduction, (bottom - top) * reduction


def _worth(trace: Trace) -> float:
    """What was read less the price of the best ways through all lines, nats: the right way up, all that is written has
    a good reading; sideways, what little is read can be cheap."""
    read = CHARACTER_WORTH * sum(len(line.characters) for line in trace.reading.lines)
    price = LINE_PRICE * len(trace.reading.lines) + sum(line.ways[0].cost for line in trace.lines if line.ways)
    return float(read - price)


def are_probabilities(scores: NDArray[np.floating[Any]]) -> bool:
    """Whether (N, classes) scores are those of a network that ends in a softmax."""
    return bool(scores.min() >= 0 and (abs(scores.sum(-1) - 1) < PROBABILITY_SLACK).all())


def softmax(logits: NDArray[np.floating[Any]], inverse_temperature: float | NDArray[Any] = 1.0) -> NDArray[Any]:
    """Probabilities (N, classes) of logits (N, classes), in their dtype."""
    scaled: NDArray[Any] = logits * inverse_temperature
    if len(scaled) == 1:  # one glyph: the same sum by calls that cost half
        row = scaled[0]
        row -= row[row.argmax()]
        np.exp(row, out=row)
        row /= sum(row.tolist())
        return scaled
    scaled -= scaled.max(axis=-1, keepdims=True)
    np.exp(scaled, out=scaled)
    scaled /= scaled.sum(axis=-1, keepdims=True)
    return scaled


def _opened(bundle: Bundle, file: str | None, threads: int, engine: str) -> tuple[Artifact, Engine]:
    """An artifact of a bundle and what runs it."""
    wanted = bundle.card.artifact(file)
    others = [one for one in bundle.card.artifacts if one.format != wanted.format and not one.degraded]
    failed: EngineError | None = None
    for artifact in (wanted, *(others[:1] if file is None else ())):
        try:
            return artifact, open_engine(bundle.path(artifact), bundle.card.value_range, threads, engine)
        except EngineError as error:
            failed = failed or error
    assert failed
    raise failed


def open_probabilities(logits: NDArray[np.floating[Any]], temperature: float = 1.0) -> NDArray[Any]:
    """Probabilities (N, classes) of logits (N, classes) beside a further logit, constantly 0, that stands for what is
    none of the classes; a row sums to 1 less its probability."""
    scaled = logits / temperature
    peak = np.maximum(scaled.max(axis=-1, keepdims=True), 0)
    exponentials = np.exp(scaled - peak)
    return np.asarray(exponentials / (exponentials.sum(axis=-1, keepdims=True) + np.exp(-peak)))

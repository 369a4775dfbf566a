"""The verbs `load`, `predict` and `read`: an image passes the stages in order, and an answer comes back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bundle import ARTIFACT_SUFFIXES, CARD_FILE, DEFAULT_MODEL, Artifact, Bundle, Card, find_bundle, read_bundle
from .cuts import segment
from .engine import Engine, open_engine
from .errors import ArtifactError, ImageError, ModelError
from .files import sha256_file
from .glyph import INK_GEOMETRIES, fit_to_shape
from .image import ImageSource, Pixels, read_image
from .ink import find_ink, without_rules
from .layout import Line, find_lines, main_character
from .path import best_path

Probabilities = NDArray[np.float32]

NO_CHARACTER = "no character found"
MIN_PROBABILITY = 1e-9  # below it a span is as unlikely as it can be, which keeps its logarithm finite


@dataclass(frozen=True)
class Prediction:
    """The answer for one image.

    label: None where the image was refused; `reason` then says why.  confidence: calibrated probability of the label.
    top: the best (label, probability) pairs, best first.  box: x, y, width, height of the character in the upright
    image's pixels.  glyph: what the network saw, (H, W) or RGB
    (H, W, 3) uint8.
    """

    label: str | None
    confidence: float
    top: tuple[tuple[str, float], ...] = ()
    box: tuple[int, int, int, int] | None = None
    glyph: Pixels | None = field(default=None, repr=False, compare=False)
    reason: str | None = None


@dataclass(frozen=True)
class Reading:
    """Every character found in an image: lines from the top, in each its characters from the left."""

    lines: tuple[tuple[Prediction, ...], ...]

    @property
    def text(self) -> str:
        """The labels, a line of text for each line of writing; '' where nothing was found."""
        return "\n".join("".join(str(character.label) for character in line) for line in self.lines)


class Recognizer:
    """A model that is ready to answer.  It may be shared between threads.

    card: what its bundle says of it.  artifact: the one of its artifacts that runs.  engine: what runs it.
    """

    def __init__(self, card: Card, artifact: Artifact, engine: Engine) -> None:
        self.card, self.artifact, self.engine = card, artifact, engine
        self._shape = (-1, *card.input_shape)
        self._accepted = {card.input_shape, card.input_shape[:2]} if card.input_shape[2] == 1 else {card.input_shape}
        self._inverse_temperature = np.array(1 / card.temperature, np.float32)  # 0-d: multiplies faster than a scalar

    @classmethod
    def load(
        cls,
        model: str | Path = DEFAULT_MODEL,
        *,
        threads: int = 1,
        engine: str = "",
        value_range: Sequence[float] | None = None,
    ) -> Recognizer:
        """Load a shipped name, a bundle's folder, or a `.tflite` or `.onnx` file.

        A file inside a bundle takes the bundle's card and must have its sha256.  A bare file gets the whole image
        stretched to its input, and numbers as labels; `value_range` says what a float input's 0 and 255 become
        (default 0 and 255).  threads: capped at the cores that may be used.
        engine: 'litert', 'tflite-runtime' or 'onnxruntime'; the first that is installed where empty.
        Raises UnknownModel, CardError, ArtifactError or EngineError.
        """
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
        return cls.from_bundle(bundle, file, threads=threads, engine=engine)

    @classmethod
    def from_bundle(cls, bundle: Bundle, file: str | None = None, *, threads: int = 1, engine: str = "") -> Recognizer:
        """Load one artifact of a bundle, its default where `file` is None.  Raises as `load`."""
        card = bundle.card
        opened = open_engine(bundle.path(card.artifact(file)), card.value_range, threads, engine)
        if opened.input_shape != card.input_shape or opened.classes not in (len(card.labels), -1):
            found = f"{opened.input_shape} to {opened.classes} classes"
            raise ArtifactError(
                f"{bundle.folder}: the artifact takes {found}; its card says {card.input_shape} to {len(card.labels)}"
            )
        return cls(card, card.artifact(file), opened)

    @classmethod
    def _load_bare(cls, path: Path, threads: int, name: str, value_range: Sequence[float] | None) -> Recognizer:
        low, high = value_range or (0.0, 255.0)
        engine = open_engine(path, (low, high), threads, name)
        height, width, channels = engine.input_shape
        if min(height, width) < 1 or channels not in (1, 3):
            raise ArtifactError(f"{path}: input of {engine.input_shape}; wanted a fixed size and 1 or 3 channels")
        scores = engine.run(np.zeros((1, height, width, channels), np.uint8))
        are_probabilities = scores.min() >= 0 and abs(float(scores.sum()) - 1) < 0.02
        card = Card(
            name=path.stem,
            labels=tuple(str(index) for index in range(scores.shape[1])),
            input_shape=engine.input_shape,
            geometry="stretch",
            value_range=(float(low), float(high)),
            output="probabilities" if are_probabilities else "logits",
            default=path.name,
            artifacts=(Artifact(path.name, path.suffix[1:], "unknown", path.stat().st_size, sha256_file(path)),),
        )
        return cls(card, card.artifact(), engine)

    def predict(self, image: ImageSource, *, top: int = 3, min_confidence: float = 0.0) -> Prediction:
        """The one character in an image: a path, a file's bytes, or a uint8 array (H, W), (H, W, 3) BGR.

        top: how many answers to give.  min_confidence: a less sure answer is a refusal.
        Raises ImageError where the image cannot be read; an image without a character is a refusal, no error.
        """
        pixels, reduction = read_image(image)
        glyph, box = self._see(pixels)
        if glyph is None:
            return Prediction(None, 0.0, reason=NO_CHARACTER)
        answer = self._answer(self.predict_batch(glyph[None])[0], glyph, box, reduction, top)
        if answer.confidence < min_confidence:
            reason = (
                f"not sure: {100 * answer.confidence:.0f} % for {answer.label}, wanted {100 * min_confidence:.0f} %"
            )
            return replace(answer, label=None, reason=reason)
        return answer

    def read(self, image: ImageSource, *, top: int = 3) -> Reading:
        """Every character in an image, in reading order; touching ones are parted by what they are recognised as.

        Points, commas, dashes and the like are left out.  image, top: as for `predict`.
        Raises ImageError where the image cannot be read, ModelError where the model takes whole images.
        """
        if self.card.geometry not in INK_GEOMETRIES:
            geometry = self.card.geometry
            raise ModelError(f"{self.card.name}: takes whole images ({geometry}); `read` wants a character model")
        pixels, reduction = read_image(image)
        lines = [self._read_line(line, reduction, top) for line in find_lines(without_rules(find_ink(pixels)))]
        return Reading(tuple(line for line in lines if line))

    def _read_line(self, line: Line, reduction: int, top: int) -> tuple[Prediction, ...]:
        lattice = segment(line)
        to_glyph, side = INK_GEOMETRIES[self.card.geometry], self.card.input_shape[0]
        glyphs = np.stack([to_glyph(span.soft, side, line.stroke) for span in lattice.spans])
        probabilities = self.predict_batch(glyphs)
        path = best_path(lattice, np.log(np.maximum(probabilities, MIN_PROBABILITY)))
        return tuple(
            self._answer(probabilities[i], glyphs[i], line.place(*lattice.spans[i].box), reduction, top) for i in path
        )

    def _answer(
        self, probabilities: Probabilities, glyph: Pixels, box: tuple[int, int, int, int], reduction: int, top: int
    ) -> Prediction:
        order = np.argsort(-probabilities, kind="stable")[: max(1, top)]
        best = tuple((self.card.labels[index], float(probabilities[index])) for index in order)
        x, y, width, height = (value * reduction for value in box)
        return Prediction(best[0][0], best[0][1], best, (x, y, width, height), glyph)

    def predict_batch(self, glyphs: NDArray[Any]) -> Probabilities:
        """Calibrated probabilities (N, classes) float32 of glyphs in the card's geometry.

        glyphs: (N, H, W) or (N, H, W, C) uint8, colour as RGB.  Raises ImageError for any other dtype or shape.
        """
        if glyphs.dtype != np.uint8 or glyphs.shape[1:] not in self._accepted:
            wanted = " or ".join(f"(N, {', '.join(map(str, shape))})" for shape in sorted(self._accepted, key=len))
            raise ImageError(f"glyphs of {glyphs.dtype} {glyphs.shape}; wanted uint8 {wanted}")
        if len(glyphs) == 0:
            return np.empty((0, len(self.card.labels)), np.float32)
        scores = self.engine.run(glyphs.reshape(self._shape))
        if self.card.output == "probabilities":
            return scores
        return softmax(scores, self._inverse_temperature)

    def _see(self, pixels: Pixels) -> tuple[Pixels | None, tuple[int, int, int, int]]:
        """The glyph of an image and where it was taken from; None where no character was found."""
        height, width = pixels.shape[:2]
        if self.card.geometry not in INK_GEOMETRIES:
            glyph = fit_to_shape(pixels, self.card.input_shape, self.card.geometry)
            return (glyph[..., ::-1] if glyph.ndim == 3 else glyph), (0, 0, width, height)
        character = main_character(find_ink(pixels))
        if character is None:
            return None, (0, 0, width, height)
        side = self.card.input_shape[0]
        return INK_GEOMETRIES[self.card.geometry](character.soft, side, character.stroke), character.box


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

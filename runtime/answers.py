"""What comes back: a prediction of one character, a reading of lines, and the trace of how it was made."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # `predict` needs none of them
    from .ctc import Aligned
    from .cuts import Lattice
    from .ink import Ink
    from .layout import Line
    from .path import Way
    from .strip import Strip

Pixels = NDArray[np.uint8]
Box = tuple[int, int, int, int]  # x, y, width, height


@dataclass(frozen=True)
class Prediction:
    """The answer for one image, or one character of a line.

    label: None where the image was refused; `reason` then says why.  confidence: calibrated probability of the label,
    beside all others and, where the card has a refusal, beside being no character at all.
    top: the best (label, probability) pairs, best first.  box: x, y, width, height of the character in the upright
    image's pixels.  glyph: what the network saw, (H, W) or RGB (H, W, 3) uint8.
    rotation: degrees clockwise that the image was turned by to be read so.  ambiguous: turned by 180 degrees it reads
    as another character as well: a 6 or a 9.
    """

    label: str | None
    confidence: float
    top: tuple[tuple[str, float], ...] = ()
    box: Box | None = None
    glyph: Pixels | None = field(default=None, repr=False, compare=False)
    reason: str | None = None
    rotation: int = 0
    ambiguous: bool = False


@dataclass(frozen=True)
class TextLine:
    """A line of writing.

    characters: from the left; separators that were asked for are among them, without a glyph.  alternatives: the next
    best (text, probability) pairs.  certainty: of the whole text, where a network tells it; None: that all of its
    characters are right.
    """

    characters: tuple[Prediction, ...]
    alternatives: tuple[tuple[str, float], ...] = ()
    certainty: float | None = None

    @property
    def text(self) -> str:
        """Its labels."""
        return "".join(str(character.label) for character in self.characters)

    @property
    def probability(self) -> float:
        """Of the text: that every character is what it was read as."""
        if self.certainty is not None:
            return self.certainty
        return math.prod(character.confidence for character in self.characters if character.glyph is not None)


@dataclass(frozen=True)
class Reading:
    """Every character found in an image: lines from the top, in each its characters from the left.

    reason: why there is no line.  rotation, ambiguous: as of Prediction.
    """

    lines: tuple[TextLine, ...]
    reason: str | None = None
    rotation: int = 0
    ambiguous: bool = False

    @property
    def text(self) -> str:
        """The labels, a line of text for each line of writing; '' where nothing was found."""
        return "\n".join(line.text for line in self.lines)

    @property
    def probability(self) -> float:
        """Of the text: that every line is what it was read as; 0 where nothing was found."""
        return math.prod(line.probability for line in self.lines) if self.lines else 0.0


@dataclass(frozen=True)
class LatticeTrace:
    """What became of one line in the lattice.

    labels: of the classes.  glyphs: (spans, H, W) uint8, what the network saw.  probabilities: (spans, classes)
    float32.  slashes: (spans,) probability that a span is a slash.  signs: of each span, what it is as a separator;
    none where they are left out.  ways: the best ones, best first; empty where nothing that was expected could be read.
    """

    line: Line
    labels: tuple[str, ...]
    lattice: Lattice
    glyphs: Pixels
    probabilities: NDArray[Any]
    slashes: NDArray[Any]
    signs: tuple[str, ...]
    ways: tuple[Way, ...]

    @property
    def empty(self) -> bool:
        """Nothing in it can be a character."""
        return not self.lattice.spans


@dataclass(frozen=True)
class StripTrace:
    """What became of one line as a strip.

    labels: of the characters.  views: of the strip at its own width and, where that left a doubt, at others:
    (frames, 1 + labels) log-probabilities each, blank first.  ways: the best ones, best first, without steps; empty
    where nothing was read that was expected.  aligned: the characters of the best one, in the first view's frames.
    """

    line: Line
    labels: tuple[str, ...]
    strip: Strip
    views: tuple[NDArray[Any], ...]
    ways: tuple[Way, ...]
    aligned: tuple[Aligned, ...]

    @property
    def empty(self) -> bool:
        """No character was read."""
        return bool(self.ways) and not self.ways[0].text

    @property
    def log_probabilities(self) -> NDArray[Any]:
        """(frames, 1 + labels) of the strip at its own width."""
        return self.views[0]


@dataclass(frozen=True)
class JointTrace:
    """What became of one line in the lattice and as a strip.

    ways: the best of both, best first, without steps.  shares: of each, the probability that it is right.
    """

    lattice: LatticeTrace
    strip: StripTrace
    ways: tuple[Way, ...]
    shares: tuple[float, ...]

    @property
    def empty(self) -> bool:
        """Neither found a character."""
        return self.lattice.empty and self.strip.empty


LineTrace = LatticeTrace | StripTrace | JointTrace


@dataclass(frozen=True)
class Trace:
    """What every stage made of an image.

    pixels: the upright image; of a large one every side is 1 / reduction of the file's.  ink: turned as it was read.
    """

    pixels: Pixels
    reduction: int
    ink: Ink
    lines: tuple[LineTrace, ...]
    reading: Reading

"""A line by the lattice: spans between possible cuts, each recognised as a character, and the best way through them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .answers import LatticeTrace, Prediction, TextLine
from .bundle import Card
from .cuts import Lattice, segment
from .expect import Expectation, meets
from .glyph import FROM_INK
from .image import Pixels
from .layout import Line
from .path import Way, best_ways
from .reader import Place, answer
from .signs import sign_of, slash_probability
from .steps import Steps

SURE = 0.98  # confidence at which a piece of writing is one character, and not cut,
TALL = 0.6  # if it is as high as this share of the line's height
MIN_PROBABILITY = 1e-9  # below it a span is as unlikely as it can be, which keeps its logarithm finite


class LatticeReader:
    """Reads lines by a network of single characters.

    recognise: glyphs (N, H, W) uint8 to probabilities (N, classes), that a row lacks to 1 being those of no character.
    """

    def __init__(self, card: Card, recognise: Callable[[Pixels], NDArray[Any]], steps: Steps) -> None:
        self._card, self._recognise, self._steps = card, recognise, steps
        self.labels = card.labels
        self._columns = {label: column for column, label in enumerate(card.labels)}

    def trace(self, line: Line, expected: Expectation | None, separators: bool, alternatives: int) -> LatticeTrace:
        """What a line says, the best ways first."""
        lattice, glyphs, probabilities = self._recognised(line, segment(line, cut=False))
        if self._steps.cuts:
            whole = {
                lattice.primitives[span.start].pieces
                for span, row in zip(lattice.spans, probabilities, strict=True)
                if span.end == span.start + 1 and row.max() >= SURE and span.box[3] >= TALL * line.height
            }
            if any(primitive.pieces not in whole for primitive in lattice.primitives):
                lattice, glyphs, probabilities = self._recognised(line, segment(line, whole=whole))

        def with_slashes(slashes: NDArray[Any]) -> LatticeTrace:
            signs = tuple(map(sign_of, lattice.spans, repeat(lattice), slashes)) if separators else ()
            return LatticeTrace(line, self.labels, lattice, glyphs, probabilities, slashes, signs, ())

        trace = with_slashes(np.zeros(len(lattice.spans)))
        if expected is not None and self._may_hold_slashes(trace, expected):
            trace = with_slashes(np.array([slash_probability(span, lattice, line.stroke) for span in lattice.spans]))
        return replace(trace, ways=self.ways(trace, expected, 1 + alternatives))

    def _may_hold_slashes(self, trace: LatticeTrace, expected: Expectation) -> bool:
        """Whether some tall strokes may be slashes: where one is expected, or where the line is not what is expected
        without any.  Else more leaning ones would go than slashes be told from them."""
        if expected.names("/"):
            return True
        usual = self.ways(trace, None, 1)
        return not usual or not meets([label for _, label in usual[0].steps], expected)

    def ways(self, trace: LatticeTrace, expected: Expectation | None, count: int) -> tuple[Way, ...]:
        """The `count` best ways through a lattice that read what is expected, the best first."""
        log_probabilities = np.log(np.maximum(trace.probabilities, MIN_PROBABILITY))
        other = np.ones(len(trace.glyphs))
        if self._card.refusal and self._steps.others:
            other = np.maximum(1 - trace.probabilities.sum(1), MIN_PROBABILITY)
        return tuple(
            best_ways(
                trace.lattice,
                self._card.labels,
                log_probabilities,
                np.log(other),
                slashes=trace.slashes,
                signs=trace.signs,
                expected=expected,
                count=count,
            )
        )

    def _recognised(self, line: Line, lattice: Lattice) -> tuple[Lattice, Pixels, NDArray[Any]]:
        """A lattice, its spans' glyphs (spans, H, W) and their probabilities (spans, classes)."""
        to_glyph, side = FROM_INK[self._card.geometry], self._card.input_shape[0]
        shape = (len(lattice.spans), *self._card.input_shape[:2])
        glyphs = np.array([to_glyph(s.soft, side, line.stroke) for s in lattice.spans], np.uint8).reshape(shape)
        return lattice, glyphs, self._recognise(glyphs)

    def text_line(self, trace: LatticeTrace, top: int, wanted: float, place: Place) -> TextLine | None:
        """What was read of a line; None of one whose characters are not sure enough."""
        if not trace.ways:
            return None
        best, *others = trace.ways
        characters = []
        for index, label in best.steps:
            box = place(trace.line.place(*trace.lattice.spans[index].box))
            row = trace.probabilities[index]
            if label in self._columns:
                one = answer(self._card.labels, row, trace.glyphs[index], box, top)
                if label != one.label:  # what was expected stands before what the network would say
                    one = replace(one, label=label, confidence=float(row[self._columns[label]]))
                characters.append(one)
            else:
                characters.append(Prediction(label, float(1 - row.sum()) if self._card.refusal else 1.0, box=box))
        text_line = TextLine(tuple(characters))
        count = sum(one.glyph is not None for one in characters)
        if not count or text_line.probability < wanted**count:
            return None
        rest = [(way.text, text_line.probability * float(np.exp(best.cost - way.cost))) for way in others]
        return replace(text_line, alternatives=tuple(rest))

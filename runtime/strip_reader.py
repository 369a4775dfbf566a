"""A line as a strip, read along by a network of its own, and its frames decoded into the best texts."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .answers import Prediction, StripTrace, TextLine
from .bundle import Card
from .ctc import BLANK, Scores, align, fold, log_likelihoods, log_softmax, search
from .engine import Engine
from .expect import Expectation
from .image import Pixels
from .layout import Line
from .path import Way
from .reader import Place, answer
from .strip import Strip, line_strip, padded, stretched

# found on the tuning part of real cheques
OTHER_WIDTHS = (0.8, 0.9, 1.1, 1.2)  # that a strip is read at as well
MORE_TEXTS = 1  # of each width, that the others may prefer
SURE = 0.75  # probability of a text at its own width that asks no other one
BLANK_PRICE = 1.0  # off blank's logit: hands that training did not show are passed over too readily


class StripReader:
    """Reads lines by a network that takes strips and tells each frame's character, by CTC."""

    def __init__(self, card: Card, engine: Engine) -> None:
        self._card, self._engine = card, engine
        self.labels = card.labels
        self._numbers = {label: number for number, label in enumerate(card.labels, 1)}
        self._signs = [number for number, label in enumerate(card.labels, 1) if not label.isalnum()]

    def trace(self, line: Line, expected: Expectation | None, separators: bool, alternatives: int) -> StripTrace:
        """What a line says, the best ways first.

        Where its own width leaves a doubt it is read at others too: of the texts that are likely at one of them, those
        that are at all of them, by the geometric mean of their probabilities.
        """
        strip = line_strip(line)
        views, texts = self._views(strip.image, expected, separators, 1 + alternatives + MORE_TEXTS)
        trace = StripTrace(line, self.labels, strip, views, (), ())
        return self.with_texts(trace, texts, 1 + alternatives)

    def read(self, strip: Pixels, separators: bool) -> tuple[str, float]:
        """The best text of a strip (STRIP_HEIGHT, w) uint8 and its probability, however unsure."""
        views, texts = self._views(strip, None, separators, 1 + MORE_TEXTS)
        found = self._log_probabilities(views, texts)
        best = int(found.argmax())
        return texts[best], float(np.exp(found[best]))

    def _views(
        self, strip: Pixels, expected: Expectation | None, separators: bool, count: int
    ) -> tuple[tuple[Scores, ...], list[str]]:
        """A strip's scores at its own width and, where that leaves a doubt, at others; and what is likely at any."""
        views = [self._scores(strip, separators)]
        first = search(views[0], self.labels, expected, count)
        likely = dict.fromkeys(one.classes for one in first)
        if not first or first[0].log_probability < math.log(SURE):
            for width in OTHER_WIDTHS:
                views.append(self._scores(stretched(strip, width), separators))
                likely.update(dict.fromkeys(one.classes for one in search(views[-1], self.labels, expected, count)))
        return tuple(views), ["".join(self.labels[c - 1] for c in one) for one in likely]

    def with_texts(self, trace: StripTrace, texts: Sequence[str], count: int) -> StripTrace:
        """A trace whose ways are the best `count` of some texts, those in its alphabet that every view has room for.

        The price of a text that is among the trace's ways is taken from there.
        """
        costs = {way.text: way.cost for way in trace.ways}
        new = [text for text in texts if text not in costs and self._numbers.keys() >= set(text)]
        if new:
            found = self._log_probabilities(trace.views, new)
            costs |= {text: -float(one) for text, one in zip(new, found, strict=True)}
        possible = sorted((text for text in texts if math.isfinite(costs.get(text, math.inf))), key=costs.__getitem__)
        ways = tuple(Way(costs[text], text, ()) for text in possible[:count])
        if ways and trace.ways and ways[0].text == trace.ways[0].text:
            return replace(trace, ways=ways)
        aligned = tuple(align(trace.log_probabilities, self._classes(possible[0]))) if possible else ()
        return replace(trace, ways=ways, aligned=aligned)

    def _log_probabilities(self, views: Sequence[Scores], texts: Sequence[str]) -> NDArray[np.float64]:
        """(texts,) logarithms of the geometric mean of each text's probabilities in the views."""
        classes = [self._classes(text) for text in texts]
        return np.asarray(np.mean([log_likelihoods(view, classes) for view in views], 0))

    def _classes(self, text: str) -> list[int]:
        return [self._numbers[label] for label in text]

    def _scores(self, strip: Pixels, separators: bool) -> Scores:
        """(frames, 1 + labels) log-probabilities of a strip's own frames."""
        columns = strip.shape[1]
        image = padded([strip])
        logits = self._engine.run(image)[0]
        logits = logits[: -(-columns * len(logits) // image.shape[2])].astype(np.float64)
        logits[:, BLANK] -= BLANK_PRICE
        scores = log_softmax(logits, self._card.temperature)
        return scores if separators else fold(scores, self._signs)

    def text_line(self, trace: StripTrace, top: int, wanted: float, place: Place) -> TextLine | None:
        """What was read of a line; None of one whose text is not sure enough, or empty."""
        if not trace.ways or not trace.ways[0].text:
            return None
        best, *others = trace.ways
        probability = float(np.exp(-best.cost))
        count = sum(label.isalnum() for label in best.text)
        if not count or probability < wanted**count:
            return None
        characters = []
        for one, (first, last) in zip(trace.aligned, _columns(trace), strict=True):
            box = place(trace.line.place(*_inked(trace.line, trace.strip, first, last)))
            row = np.exp(trace.log_probabilities[one.peak, 1:])
            label = self._card.labels[one.column - 1]
            if label.isalnum():
                glyph = np.ascontiguousarray(trace.strip.image[:, first:last])
                characters.append(
                    replace(
                        answer(self._card.labels, row, glyph, box, top),
                        label=label,
                        confidence=float(row[one.column - 1]),
                    )
                )
            else:
                characters.append(Prediction(label, float(row[one.column - 1]), box=box))
        rest = tuple((way.text, float(np.exp(-way.cost))) for way in others)
        return TextLine(tuple(characters), rest, probability)


def _columns(trace: StripTrace) -> list[tuple[int, int]]:
    """The strip's columns of each character: they part half way between the frames that say two neighbours."""
    wide = trace.strip.image.shape[1]
    step = wide / len(trace.log_probabilities)
    middles = [(one.first + one.last + 1) / 2 * step for one in trace.aligned]
    bounds = [0.0, *((a + b) / 2 for a, b in itertools.pairwise(middles)), float(wide)]
    ends = [min(max(round(bound), 0), wide) for bound in bounds]
    return [(a, max(b, a + 1)) for a, b in itertools.pairwise(ends)]


def _inked(line: Line, strip: Strip, first: int, last: int) -> tuple[int, int, int, int]:
    """The box of the ink between two columns of a strip, x, y, width and height in the line; all of its height where
    there is none."""
    left = max(0, round(strip.column(first)))
    right = min(line.mask.shape[1], max(left + 1, round(strip.column(last))))
    part: Pixels = line.mask[:, left:right]
    rows, columns = np.flatnonzero(part.any(1)), np.flatnonzero(part.any(0))
    if not len(rows):
        return min(left, line.mask.shape[1] - 1), 0, 1, line.mask.shape[0]
    return (
        left + int(columns[0]),
        int(rows[0]),
        int(columns[-1] - columns[0]) + 1,
        int(rows[-1] - rows[0]) + 1,
    )

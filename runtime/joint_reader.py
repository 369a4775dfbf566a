"""A line by both readers: what either of them finds likely is weighed by both.

They err differently: the lattice where characters touch, the network along the strip where a character by itself is
unclear.  A text's price is the weighted sum of its prices in both: a log-linear model (Och and Ney 2002, section 2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .answers import JointTrace, LatticeTrace, StripTrace, TextLine
from .errors import CardError
from .expect import Expectation, expectation
from .lattice_reader import LatticeReader
from .layout import Line
from .path import Way
from .reader import LineReader, Place
from .strip_reader import StripReader

# found on the tuning part of real cheques and on synthetic numbers
LATTICE_WEIGHT = 0.7  # of the lattice's price, where the strip's log-probability counts once
SPREAD = 1.9  # softmax temperature of the prices, at which a text's share is how often it is right
UNLISTED = 9.1  # nats, the price of all texts that neither reader found
TEXTS = 3  # of each reader that both weigh
UNLIKELY = 60.0  # nats, the price of a text that a reader cannot read


class JointReader:
    """Reads lines by a network of single characters and by one that takes strips."""

    def __init__(self, lattice: LineReader | None, strip: StripReader) -> None:
        """Raises CardError where the partner reads no lines by a lattice, or knows other characters."""
        if not isinstance(lattice, LatticeReader):
            raise CardError("partner: wanted a model of single characters in ink")
        missing = sorted(set(lattice.labels) - set(strip.labels))
        if missing:
            known = ", ".join(strip.labels)
            raise CardError(f"partner: its label {missing[0]!r} is none of the line reader's: {known}")
        self._lattice, self._strip = lattice, strip

    def trace(self, line: Line, expected: Expectation | None, separators: bool, alternatives: int) -> JointTrace:
        """What a line says, the best ways first."""
        more = max(TEXTS - 1, alternatives)
        lattice = self._lattice.trace(line, expected, separators, more)
        strip = self._strip.trace(line, expected, separators, more)
        texts = list(dict.fromkeys(way.text for way in (*lattice.ways, *strip.ways) if way.text))
        if not texts:
            return JointTrace(lattice, strip, (), ())
        unread = set(texts).difference(way.text for way in lattice.ways)
        if unread:
            others = self._lattice.ways(lattice, expectation(sorted(unread)), len(unread))
            lattice = replace(lattice, ways=(*lattice.ways, *others))
        strip = self._strip.with_texts(strip, texts, len(texts))
        prices = _prices(texts, lattice, strip)
        order = np.argsort(prices, kind="stable")[: 1 + alternatives].tolist()
        shares = np.exp(-prices / SPREAD - np.logaddexp.reduce(-np.append(prices, UNLISTED) / SPREAD))
        ways = tuple(Way(float(prices[index]), texts[index], ()) for index in order)
        return JointTrace(lattice, strip, ways, tuple(shares[order].tolist()))

    def text_line(self, trace: JointTrace, top: int, wanted: float, place: Place) -> TextLine | None:
        """What was read of a traced line; None where both readers together are not sure enough of it: by the geometric
        mean of what they give its characters.

        Its characters are the lattice's where that has a way to the text, which parts them better; else the strip's.
        """
        if not trace.ways:
            return None
        text = trace.ways[0].text
        count = sum(label.isalnum() for label in text)
        cost = next((way.cost for way in trace.strip.ways if way.text == text), None)
        if not count or cost is None:
            return None
        ways = tuple(way for way in trace.lattice.ways if way.text == text)
        found = self._lattice.text_line(replace(trace.lattice, ways=ways), top, 0.0, place)
        sure = float(np.exp(-cost)) if found is None else (found.probability * float(np.exp(-cost))) ** 0.5
        if sure < wanted**count:
            return None
        if found is None:
            found = self._strip.text_line(self._strip.with_texts(trace.strip, [text], 1), top, 0.0, place)
        if found is None:
            return None
        others = zip(trace.ways[1:], trace.shares[1:], strict=True)
        return replace(found, certainty=trace.shares[0], alternatives=tuple((way.text, share) for way, share in others))


def _prices(texts: Sequence[str], lattice: LatticeTrace, strip: StripTrace) -> NDArray[np.float64]:
    """(texts,) prices, nats: the weighted sums of both readers'."""
    total = np.zeros(len(texts))
    for weight, trace in ((LATTICE_WEIGHT, lattice), (1.0, strip)):
        price = {way.text: way.cost for way in trace.ways}
        total += [weight * min(price.get(text, UNLIKELY), UNLIKELY) for text in texts]
    return total

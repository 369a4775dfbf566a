"""Drift: readings that are less sure, more often refused or of other digits than the first ones were."""

import numpy as np

from glyphlite.runtime.watch.drift import Drift, watched
from glyphlite.runtime.watch.reading import Seen

SIZE = 200


def said(*windows, shares=True):
    """What is said after windows of (confidence, share refused, digits)."""
    rng, drift, lines = np.random.default_rng(0), Drift(), []
    for confidence, refused, digits in windows:
        for _ in range(SIZE):
            seen = Seen(("1",), float(np.clip(rng.normal(confidence, 0.05), 0, 1)), (str(rng.choice(list(digits))),))
            drift, line = watched(drift, seen, bool(rng.random() >= refused), SIZE, shares)
            if line:
                lines.append(line)
    return lines


GOOD = (0.95, 0.01, "0123456789")


def test_what_stays_as_it_was_says_nothing():
    assert said(*[GOOD] * 10) == []


def test_less_sure_is_said_and_that_it_is_over():
    first, second = said(GOOD, GOOD, (0.7, 0.01, GOOD[2]), GOOD)
    assert first.startswith("confidence fell from 9")
    assert second == "as the first readings again"


def test_more_refusals_are_said():
    (line,) = said(GOOD, (0.95, 0.3, GOOD[2]))
    assert line.startswith("refusals rose from ")


def test_other_digits_are_said_where_they_should_be_the_same():
    shifted = (0.95, 0.01, "8")
    assert "the digits' shares shifted" in said(GOOD, shifted)[0]
    assert said(GOOD, shifted, shares=False) == []

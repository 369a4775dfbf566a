"""Which sign a piece of writing is: told by its shape and its place on the line, as no network is asked."""

from __future__ import annotations

import cv2
import numpy as np

from .cuts import Lattice, Span

SIGNS = ".,-:=/"  # that are told; they may be expected, though they are no labels
LOW = 0.45  # of the line's height: a separator is lower
FLAT = 1.8  # times as wide as high: a dash
TALL = 1.5  # times as high as wide: a comma
BELOW = 0.12  # of the line's height under the baseline: a comma as well
TALL_CHARACTER = 0.6  # of the line's height: a piece as high stands on the baseline
DUST = 0.15  # of the larger part's area: a part is none of a colon's
STRAIGHT = 0.5  # stroke widths, standard deviation: a slash's middle is no further off a straight line
# log-odds of a slash against a 1, of tall straight strokes in the upright line, on synthetic numbers and cheques:
SLASH_USUAL = -4.0
SLASH_LEAN = 8.0  # for each column to the right per row up, beyond the line's own
SLASH_TALL = 20.0  # for each line height beyond one
SLASH_LEAST = 0.02  # probability: below it a stroke is no slash


def sign_of(span: Span, lattice: Lattice, slash: float = 0.0) -> str:
    """'.', ',', '-', ':' or '=' of a span that is lower than a character; '/' where `slash`, its probability, is not
    0; '' of any other."""
    _, y, width, height = span.box
    if slash:
        return "/"
    stacked = _stacked(span) if height < lattice.height else ""
    if stacked or height >= LOW * lattice.height:
        return stacked
    if width >= FLAT * height:
        return "-"
    below = y + height > baseline(lattice) + BELOW * lattice.height
    return "," if below or height >= TALL * width else "."


def slash_probability(span: Span, lattice: Lattice, stroke: float) -> float:
    """How likely a tall straight stroke is a slash and no 1; 0 of any other span.  stroke: the pen's width, pixels."""
    height, width = span.soft.shape
    if height < TALL_CHARACTER * lattice.height or width > height:
        return 0.0
    ink = span.soft > 0
    filled = np.flatnonzero(ink.any(1))
    middles = (ink.argmax(1) + width - 1 - ink[:, ::-1].argmax(1))[filled] / 2
    slope, start = np.polyfit(filled, middles, 1)
    if float(np.std(middles - slope * filled - start)) > STRAIGHT * stroke:
        return 0.0
    log_odds = SLASH_USUAL - SLASH_LEAN * slope + SLASH_TALL * (height / lattice.height - 1)
    probability = float(1 / (1 + np.exp(-log_odds)))
    return probability if probability >= SLASH_LEAST else 0.0


def baseline(lattice: Lattice) -> float:
    """The row on which a line's characters stand."""
    ends = [
        y + height for _, y, _, height in (s.box for s in lattice.spans) if height >= TALL_CHARACTER * lattice.height
    ]
    return float(np.median(ends)) if ends else lattice.height


def _stacked(span: Span) -> str:
    """':' of two dots above each other, '=' of two dashes."""
    mask = (span.soft > 0).astype(np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    parts = [stats[i] for i in range(1, count) if stats[i][4] >= DUST * stats[1:, 4].max()]
    if len(parts) != 2:
        return ""
    upper, lower = sorted(parts, key=lambda part: int(part[1]))
    apart = int(upper[1] + upper[3]) <= int(lower[1])
    if not apart or max(upper[3], lower[3]) >= LOW * span.soft.shape[0]:
        return ""
    return "=" if min(upper[2] / upper[3], lower[2] / lower[3]) >= FLAT else ":"

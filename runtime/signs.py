"""Which sign a low piece of writing is: told by its shape and its place on the line, as no network is asked."""

from __future__ import annotations

import cv2
import numpy as np

from .cuts import Lattice, Span

LOW = 0.45  # of the line's height: a separator is lower
FLAT = 1.8  # times as wide as high: a dash
TALL = 1.5  # times as high as wide: a comma
BELOW = 0.12  # of the line's height under the baseline: a comma as well
TALL_CHARACTER = 0.6  # of the line's height: a piece as high stands on the baseline
DUST = 0.15  # of the larger part's area: a part is none of a colon's


def sign_of(span: Span, lattice: Lattice) -> str:
    """'.', ',', '-', ':' or '=' of a span that is lower than a character; '' of any other."""
    _, y, width, height = span.box
    stacked = _stacked(span) if height < lattice.height else ""
    if stacked or height >= LOW * lattice.height:
        return stacked
    if width >= FLAT * height:
        return "-"
    below = y + height > baseline(lattice) + BELOW * lattice.height
    return "," if below or height >= TALL * width else "."


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

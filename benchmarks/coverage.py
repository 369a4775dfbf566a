"""Accuracy against coverage: what it costs to accept fewer answers, and how many may be accepted unseen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

THRESHOLDS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
TRUSTED = 0.99  # accuracy that a person is content with unseen


@dataclass(frozen=True)
class Point:
    """An operating point.

    coverage: share that is answered with at least this confidence.  accuracy: of those, how many are right; None where
    there are none.  refused: share of what has no right answer that is not answered; None where none of that kind was
    judged.
    """

    min_confidence: float
    coverage: float
    accuracy: float | None
    refused: float | None = None


def curve(
    confidences: NDArray[np.float64], right: NDArray[np.bool_], others: NDArray[np.float64] | None = None
) -> list[Point]:
    """A point for each of THRESHOLDS.

    confidences: (N,) in [0, 1], 0 where there was no answer.  right: (N,).  others: (M,) confidences of answers to what
    has no right one.
    """
    return [_point(threshold, confidences, right, others) for threshold in THRESHOLDS]


def trusted(confidences: NDArray[np.float64], right: NDArray[np.bool_], accuracy: float = TRUSTED) -> Point | None:
    """The point with the largest coverage of those as accurate as this; None where no confidence is enough."""
    points = [_point(threshold, confidences, right, None) for threshold in np.unique(confidences[confidences > 0])]
    return next((point for point in points if point.accuracy is not None and point.accuracy >= accuracy), None)


def said(points: Sequence[Point]) -> str:
    """A curve as a table for the terminal."""
    with_others = points[0].refused is not None
    lines = [f"{'at least':>9}{'answered':>10}{'of these right':>16}" + f"{'others refused':>16}" * with_others]
    for point in points:
        right = f"{'–':>16}" if point.accuracy is None else f"{100 * point.accuracy:>14.2f} %"
        row = f"{point.min_confidence:>9g}{100 * point.coverage:>8.1f} %{right}"
        lines.append(row if point.refused is None else f"{row}{100 * point.refused:>14.1f} %")
    return "\n".join(lines)


def trust_said(point: Point | None, total: int) -> str:
    """What `trusted` found, of so many answers."""
    if point is None:
        return f"no probability is high enough for {100 * TRUSTED:g} %"
    count = f"{round(point.coverage * total)} of {total} ({100 * point.coverage:.1f} %)"
    return f"{100 * TRUSTED:g} % right: the {count} of at least {point.min_confidence:.3f}; the rest to review"


def _point(
    threshold: float, confidences: NDArray[np.float64], right: NDArray[np.bool_], others: NDArray[np.float64] | None
) -> Point:
    least = max(threshold, 1e-9)  # 0 is no answer
    kept = confidences >= least
    accuracy = float(right[kept].mean()) if kept.any() else None
    refused = None if others is None else float((others < least).mean()) if len(others) else 0.0
    return Point(float(threshold), float(kept.mean()), accuracy, refused)

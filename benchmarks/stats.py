"""How sure a figure is: intervals of shares and of medians, percentiles, and a test of two classifiers on one set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..train.intervals import Z95, mcnemar_exact, wilson_interval

__all__ = ["Z95", "mcnemar_exact", "median_interval", "p_text", "percentiles", "wilson_interval"]

RESAMPLES = 2000


def percentiles(samples: ArrayLike, levels: Sequence[float]) -> NDArray[np.float64]:
    """(len(levels),) float64 percentiles, levels in [0, 100]; linear between samples (Hyndman and Fan's type 7)."""
    return np.asarray(np.percentile(np.asarray(samples, np.float64), levels), np.float64)


def median_interval(
    samples: ArrayLike, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of the median of (N,) independent samples.

    Efron and Tibshirani 1993, An Introduction to the Bootstrap, section 13.3.
    Calls timed one right after the other are not independent: give it the medians of rounds that lie apart in time.
    """
    values = np.asarray(samples, np.float64)
    rng = np.random.default_rng(seed)
    medians = np.median(rng.choice(values, (resamples, len(values))), axis=1)
    tail = 50 * (1 - confidence)
    low, high = np.percentile(medians, [tail, 100 - tail])
    return float(low), float(high)


def p_text(p: float) -> str:
    """A p-value as a table tells it."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"

"""How far a network's probabilities can be believed: softmax, temperature scaling, expected calibration error, and
the confidence below which an answer is refused."""

from __future__ import annotations

import numpy as np

from ..runtime import recognizer
from ..runtime.bundle import Refusal

ECE_BINS = 15  # equal-width bins, as in Guo et al. 2017
TEMPERATURE_BOUNDS = (0.05, 20.0)
SEARCH_STEPS = 60  # each leaves 0.62 of the interval
REFUSED_SHARE = 0.01  # of held-out characters that may be refused
_GOLDEN = (np.sqrt(5) - 1) / 2


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """(N, C) float64 probabilities of (N, C) logits."""
    return recognizer.softmax(np.asarray(logits, np.float64), 1 / temperature)


def negative_log_likelihood(logits: np.ndarray, labels: np.ndarray, temperature: float = 1.0) -> float:
    """Mean NLL in nats of (N,) labels under (N, C) logits."""
    scaled = np.asarray(logits, np.float64) / temperature
    peak = scaled.max(1, keepdims=True)
    log_sum = peak[:, 0] + np.log(np.exp(scaled - peak).sum(1))
    return float(np.mean(log_sum - scaled[np.arange(len(labels)), labels]))


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature of least NLL (Guo et al. 2017, section 4.2), by golden-section search over its logarithm.

    Fit it on held-out images: on training images it would come out too small.  Where all are right it is 1: the
    likelihood would only rise towards 0.
    """
    if (logits.argmax(1) == labels).all():
        return 1.0
    low, high = np.log(TEMPERATURE_BOUNDS)

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(logits, labels, float(np.exp(log_temperature)))

    for _ in range(SEARCH_STEPS):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if loss(left) < loss(right):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean gap between confidence and accuracy over equal-width bins, weighted by their share; in [0, 1]."""
    return calibration_error(probabilities.max(1), probabilities.argmax(1) == labels)


def calibration_error(confidence: np.ndarray, correct: np.ndarray) -> float:
    """As `expected_calibration_error`, of (N,) confidences and (N,) bool, which answers are right."""
    index = np.minimum((confidence * ECE_BINS).astype(int), ECE_BINS - 1)
    gaps = np.bincount(index, confidence - correct, minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def fit_refusal(characters: np.ndarray, others: np.ndarray, temperature: float) -> Refusal:
    """The operating point at which REFUSED_SHARE of held-out characters are refused, and how many others are there.

    characters, others: (N, C) logits of a network that was trained with outliers.
    """
    known = recognizer.open_probabilities(characters, temperature).max(1)
    return refusal_at(round(float(np.quantile(known, REFUSED_SHARE)), 4), characters, others, temperature)


def refusal_at(threshold: float, characters: np.ndarray, others: np.ndarray, temperature: float) -> Refusal:
    """How many of both are refused below a confidence of `threshold`.  The rest as of `fit_refusal`."""
    known, unknown = (recognizer.open_probabilities(logits, temperature).max(1) for logits in (characters, others))
    return Refusal(
        min_confidence=threshold,
        characters=len(known),
        characters_refused=round(float((known < threshold).mean()), 5),
        others=len(unknown),
        others_refused=round(float((unknown < threshold).mean()), 5),
    )

"""Temperature and calibration error against cases with a known answer."""

import numpy as np
import pytest

from glyphlite.train.calibration import (
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    softmax,
)


def drawn(temperature, count=20_000, classes=5, seed=0):
    """Logits, and labels drawn from their softmax at a temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, (count, classes))
    cumulative = softmax(logits, temperature).cumsum(1)
    return logits, (rng.random((count, 1)) > cumulative).sum(1).clip(max=classes - 1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_made_the_labels_is_found(temperature):
    assert fit_temperature(*drawn(temperature)) == pytest.approx(temperature, rel=0.05)


def test_where_all_are_right_the_temperature_is_one():
    logits, _ = drawn(1.0)
    assert fit_temperature(logits, logits.argmax(1)) == 1.0


def test_the_fitted_temperature_lowers_nll_and_ece():
    logits, labels = drawn(4.0)
    fitted = fit_temperature(logits, labels)
    assert negative_log_likelihood(logits, labels, fitted) < negative_log_likelihood(logits, labels)
    before, after = (expected_calibration_error(softmax(logits, t), labels) for t in (1.0, fitted))
    assert after < 0.02 < before


def test_calibration_error_of_a_known_gap():
    probabilities = np.tile([0.9, 0.1], (10, 1))
    assert expected_calibration_error(probabilities, np.array([0] * 7 + [1] * 3)) == pytest.approx(0.2)
    assert expected_calibration_error(probabilities, np.array([0] * 9 + [1])) == pytest.approx(0, abs=1e-12)


def test_softmax_of_huge_logits_is_finite():
    assert np.isfinite(softmax(np.array([[1e4, -1e4, 0]]))).all()

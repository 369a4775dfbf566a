"""What an artifact costs a process of its own."""

import pytest

from glyphlite.benchmarks.process import process_cost
from glyphlite.runtime import EngineError


def test_a_process_of_its_own(colour_model):
    cost = process_cost(colour_model, (0.0, 255.0), 1)
    assert 20 < cost.cold_start_ms < 60_000
    if cost.peak_mib is not None:
        assert 15 < cost.steady_mib <= cost.peak_mib < 1000


def test_a_process_that_does_not_end_is_told(colour_model, monkeypatch):
    monkeypatch.setattr("glyphlite.benchmarks.process.TIMEOUT_S", 0.05)
    with pytest.raises(EngineError, match=r"no answer of a process of its own in 0\.05 s"):
        process_cost(colour_model, (0.0, 255.0), 1)


def test_a_process_that_fails_is_told_by_its_last_words(tmp_path):
    (tmp_path / "x.tflite").write_bytes(b"nothing at all, but long enough for a file")
    with pytest.raises(EngineError, match=r"x\.tflite: a process of its own failed .*no TFLite model"):
        process_cost(tmp_path / "x.tflite", (0.0, 255.0), 1)

"""What an artifact could reach here, what it draws, where its time goes, and what all cores bring."""

import numpy as np
import pytest

from glyphlite.benchmarks.bound import Peaks, bound_of, measure_peaks
from glyphlite.benchmarks.contenders import open_contenders
from glyphlite.benchmarks.operators import operator_times
from glyphlite.benchmarks.power import busy_watts, rails_watts
from glyphlite.benchmarks.throughput import throughput

PMIC = """\
   VDD_CORE_A current(7)=2.50000000A
     3V3_SYS_A current(1)=0.10000000A
  VDD_CORE_V volt(15)=0.80000000V
   3V3_SYS_V volt(9)=3.30000000V
   EXT5V_V volt(24)=5.10000000V
"""


def test_the_larger_of_two_least_times_binds():
    peaks = Peaks(1, float32_gmacs=10.0, int8_gmacs=40.0, copy_gbytes=5.0)
    compute = bound_of(1_000_000, 50_000, False, peaks)
    assert (compute.compute_us, compute.memory_us, compute.binds) == (100, 10, "compute")
    memory = bound_of(200_000, 50_000, True, peaks)
    assert (memory.compute_us, memory.us, memory.binds) == (5, 10, "memory")
    assert bound_of(None, 50_000, True, peaks) is bound_of(1, 50_000, True, None) is None


def test_a_machine_multiplies_and_copies():
    peaks = measure_peaks(1)
    assert 0.05 < peaks.float32_gmacs < 5_000
    assert 0.05 < peaks.int8_gmacs < 20_000
    assert 0.05 < peaks.copy_gbytes < 2_000


def test_watts_are_the_sum_of_rails_whose_volts_and_amperes_are_known():
    assert rails_watts(PMIC) == pytest.approx(2.5 * 0.8 + 0.1 * 3.3)
    assert rails_watts("") is rails_watts("EXT5V_V volt(24)=5.1V") is rails_watts("unknown command") is None


def test_a_board_that_does_not_tell_has_no_watts(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert busy_watts(lambda: None) is None


def test_watts_are_read_while_the_call_is_made(monkeypatch, tmp_path):
    """A tool of that name, as a Raspberry Pi 5 has it."""
    (tmp_path / "told").write_text(PMIC)
    tool = tmp_path / "vcgencmd"
    tool.write_text(f'#!/bin/sh\n[ "$1" = pmic_read_adc ] && cat {tmp_path}/told\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr("glyphlite.benchmarks.power.BUSY_S", 0.1)
    calls = []
    assert busy_watts(lambda: calls.append(1)) == pytest.approx(2.33)
    assert calls


def test_onnx_runtime_tells_its_operators(grey_bundle):
    found = operator_times(grey_bundle / "float32.onnx", (12, 8, 1), 1)
    assert {one.kind for one in found} & {"MatMul", "Gemm", "FusedMatMul"}
    assert all(one.us >= 0 for one in found)
    assert operator_times(grey_bundle / "float32.tflite", (12, 8, 1), 1) is None


def test_throughput_is_of_the_batch_that_was_asked_for(grey_bundle, monkeypatch):
    monkeypatch.setattr("glyphlite.benchmarks.throughput.SECONDS", 0.01)
    contenders, _ = open_contenders([str(grey_bundle)])
    found = throughput(contenders[0], np.zeros((3, 12, 8), np.uint8), 64)
    assert found.batch == 64 and found.images_per_s > 0
    monkeypatch.setattr("glyphlite.benchmarks.throughput.usable_cores", lambda: 1)
    alone = throughput(contenders[0], np.zeros((3, 12, 8), np.uint8), 64)
    assert alone.gain is None and alone.images_per_s == alone.one_core_images_per_s

"""How fast an artifact could be here: its multiplications by what the machine's GEMM reaches, its bytes by what the
machine copies.  The roofline of Williams, Waterman and Patterson 2009 (CACM 52); both roofs are measured.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

# c = a · b of any size, as onnx.helper writes it at opset 13; the int8 one multiplies uint8 by int8
FLOAT32 = (
    b'\x08\x08\x12\x00:^\n\x11\n\x01a\n\x01b\x12\x01c"\x06MatMul\x12\x04gemmZ\x15\n\x01a\x12\x10\n\x0e\x08\x01\x12\n\n'
    b"\x03\x12\x01M\n\x03\x12\x01KZ\x15\n\x01b\x12\x10\n\x0e\x08\x01\x12\n\n\x03\x12\x01K\n\x03\x12\x01Nb\x15\n\x01c"
    b"\x12\x10\n\x0e\x08\x01\x12\n\n\x03\x12\x01M\n\x03\x12\x01NB\x04\n\x00\x10\r"
)
INT8 = (
    b'\x08\x08\x12\x00:e\n\x18\n\x01a\n\x01b\x12\x01c"\rMatMulInteger\x12\x04gemmZ\x15\n\x01a\x12\x10\n\x0e\x08\x02\x12'
    b"\n\n\x03\x12\x01M\n\x03\x12\x01KZ\x15\n\x01b\x12\x10\n\x0e\x08\x03\x12\n\n\x03\x12\x01K\n\x03\x12\x01Nb\x15\n"
    b"\x01c\x12\x10\n\x0e\x08\x06\x12\n\n\x03\x12\x01M\n\x03\x12\x01NB\x04\n\x00\x10\r"
)
SIDE = 512  # of the matrices: large enough to hide a call, small enough for a Pi's second-level cache
COPIED = 64 << 20  # bytes: no cache holds them
REPEATS = 20  # the best one counts: a peak is what the machine can do


@dataclass(frozen=True)
class Peaks:
    """What the machine reached: multiply-accumulates in 10^9 a second by so many threads, and bytes read and written
    in 10^9 a second by one."""

    threads: int
    float32_gmacs: float
    int8_gmacs: float
    copy_gbytes: float


@dataclass(frozen=True)
class Bound:
    """The least time of one image in µs, by its multiplications and by reading its file once."""

    compute_us: float
    memory_us: float

    @property
    def us(self) -> float:
        """What binds: the larger of the two."""
        return max(self.compute_us, self.memory_us)

    @property
    def binds(self) -> str:
        """'compute' or 'memory'."""
        return "compute" if self.compute_us >= self.memory_us else "memory"


def measure_peaks(threads: int) -> Peaks | None:
    """About a second of work; None where ONNX Runtime is not installed."""
    if importlib.util.find_spec("onnxruntime") is None:
        return None
    left, right = np.ones((SIDE, SIDE), np.uint8), np.ones((SIDE, SIDE), np.int8)
    source = np.ones(COPIED, np.uint8)
    target = np.empty_like(source)
    single = _gemm(FLOAT32, left.astype(np.float32), right.astype(np.float32), threads)
    integer = _gemm(INT8, left, right, threads)
    return Peaks(
        threads=threads,
        float32_gmacs=round(SIDE**3 / _best_ns(single), 2),
        int8_gmacs=round(SIDE**3 / _best_ns(integer), 2),
        copy_gbytes=round(2 * COPIED / _best_ns(lambda: np.copyto(target, source)), 2),
    )


def bound_of(macs: int | None, size: int, is_integer: bool, peaks: Peaks | None) -> Bound | None:
    """The bound of an artifact of `size` bytes; is_integer: its activations are int8.  None where something is not
    known."""
    if macs is None or peaks is None:
        return None
    reached = peaks.int8_gmacs if is_integer else peaks.float32_gmacs
    return Bound(macs / reached / 1000, size / peaks.copy_gbytes / 1000)


def _gemm(model: bytes, a: np.ndarray, b: np.ndarray, threads: int) -> Callable[[], object]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"a": a, "b": b})


def _best_ns(call: Callable[[], object]) -> int:
    call()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - start)
    return min(times)

"""What an artifact costs a process of its own: the time from its start to the first answer, and its memory."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ..runtime.errors import EngineError

TIMEOUT_S = 120
# what the process does: load, answer one glyph, tell its memory in MiB (peak, and as it is now)
PROGRAM = """
import json, sys
import numpy as np
from glyphlite.runtime import Recognizer
value_range = json.loads(sys.argv[2])
recognizer = Recognizer.load(sys.argv[1], engine=sys.argv[3], value_range=value_range)
recognizer.predict_batch(np.zeros((1, *recognizer.card.input_shape), np.uint8))
try:  # not getrusage: its peak is that of the process that started this one, where that had more
    with open("/proc/self/status") as file:
        lines = dict(line.split(":", 1) for line in file)
    print(json.dumps([int(lines[key].split()[0]) / 1024 for key in ("VmHWM", "VmRSS")]))
except (OSError, KeyError):
    print(json.dumps([None, None]))
"""


@dataclass(frozen=True)
class Cost:
    """cold_start_ms: a new Python process to its first answer, the median.  peak_mib, steady_mib: resident memory, at
    most and after the answer; None where the system does not tell."""

    cold_start_ms: float
    peak_mib: float | None
    steady_mib: float | None


def process_cost(path: Path, value_range: tuple[float, ...], repeats: int, engine: str = "") -> Cost:
    """Measured `repeats` times; engine: as of `Recognizer.load`.  Raises EngineError where the process fails, or takes
    more than TIMEOUT_S."""
    times: list[float] = []
    peaks: list[float | None] = []
    steady: list[float | None] = []
    for _ in range(repeats):
        start = time.perf_counter()
        command = [sys.executable, "-c", PROGRAM, str(path), json.dumps(value_range), engine]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        except subprocess.TimeoutExpired:
            raise EngineError(f"{path}: no answer of a process of its own in {TIMEOUT_S} s") from None
        times.append(1000 * (time.perf_counter() - start))
        if done.returncode:
            said = done.stderr.strip().splitlines() or ["it said nothing"]
            raise EngineError(f"{path}: a process of its own failed ({said[-1]:.160})")
        peak, now = json.loads(done.stdout)
        peaks.append(peak)
        steady.append(now)
    return Cost(round(statistics.median(times), 1), _median(peaks), _median(steady))


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(statistics.median(known), 1) if known else None

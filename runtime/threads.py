"""How many threads an artifact runs best with, on this machine: measured when first asked, then remembered.

A network of a few thousand weights loses more by handing its work out than it gains, and on a board with large and
small cores the slowest one sets the pace: one thread it is, unless more are clearly faster.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from .cores import usable_cores
from .files import sha256_file, write_json

GAIN = 0.9  # of the time of fewer threads, in the median, is worth having; and the 90th percentile must not be longer
ROUNDS, ROUND_S = 9, 0.02  # each number of threads in turn, so that what slows the machine slows them all
WIDTH = 320  # pixels of a strip, for a file whose width is open

Call = Callable[[], object]


def best_threads(path: Path, open_with: Callable[[int], Any]) -> int:
    """Threads to run an artifact with: 1, 2, 4, … up to the cores that may be used.

    open_with: opens it with so many.  What was found is remembered in the user's cache, for this file, engine,
    processor and number of cores.
    """
    cores = usable_cores()
    if cores == 1:
        return 1
    first = open_with(1)
    machine = f"{platform.node()} {platform.machine()} {first.name}"
    key, file = f"{sha256_file(path)[:16]} {machine} {cores} cores", cache_file()
    known = _known(file)
    if isinstance(known.get(key), int) and 1 <= known[key] <= cores:
        return int(known[key])
    engines = {1: first}
    while 2 * max(engines) <= cores:
        engines[2 * max(engines)] = open_with(2 * max(engines))
    height, width, channels = first.input_shape
    shape = (1, height, WIDTH if width < 0 else width, channels)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    best = chosen(measured({count: engine.bare_call(pixels) for count, engine in engines.items()}))
    with suppress(OSError):  # a read-only system measures again at its next start
        write_json(file, {**_known(file), key: best})
    return best


def measured(calls: Mapping[int, Call], clock: Callable[[], int] = time.perf_counter_ns) -> dict[int, list[int]]:
    """Nanoseconds of the calls, by threads, in rounds one after the other."""
    times: dict[int, list[int]] = {count: [] for count in calls}
    for number in range(ROUNDS + 1):
        for count, call in calls.items():
            end = clock() + round(ROUND_S * 1e9)
            while True:
                begun = clock()
                call()
                now = clock()
                if number:  # the first is a warm-up
                    times[count].append(now - begun)
                if now >= end:
                    break
    return times


def chosen(times: Mapping[int, list[int]]) -> int:
    """The number of threads that is worth it."""
    best, *more = sorted(times)
    for count in more:
        (fast, slow), (faster, slowest) = (np.percentile(times[one], [50, 90]) for one in (best, count))
        if faster <= GAIN * fast and slowest <= slow:
            best = count
    return best


def cache_file() -> Path:
    """Where it is remembered."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111  # never raises
    return Path(cache) / "glyphlite" / "threads.json"


def _known(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}

"""Does it stay as fast, as cool and as small?  One image answered again and again, looked at once a second."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..runtime import device
from ..runtime.errors import ModelError
from ..runtime.files import write_csv, write_json
from ..runtime.recognizer import Recognizer
from .stats import percentiles

EVERY_S = 1.0
SETTLING = 2_000  # predictions before memory is looked at: caches and allocators fill
SETTLING_SECONDS = 3  # and so many seconds of them: what takes down a second finds its place
KEPT = 50_000  # of the latencies of a second, at most


@dataclass(frozen=True)
class Second:
    """What was seen in about a second.  p50, p99: µs of a prediction.  rss_mib: resident memory.  mhz, temperature_c:
    None where the machine does not tell; throttled: what by, in words."""

    elapsed_s: float
    predictions: int
    p50: float
    p99: float
    rss_mib: float | None
    mhz: int | None
    temperature_c: float | None
    throttled: str


@dataclass(frozen=True)
class Soak:
    """growth_mib: resident memory at the end by that after SETTLING predictions; None where the system does not tell.
    drift: the median of the last tenth of the seconds by that of the first."""

    model: str
    predictions: int
    growth_mib: float | None
    drift: float
    seconds: tuple[Second, ...]


def soak(
    recognizer: Recognizer,
    data: bytes | None,
    seconds: float,
    least: int = 0,
    say: Callable[[str], None] = lambda line: None,
) -> Soak:
    """Answer a file's bytes, or where `data` is None one glyph through `predict_batch`, for so many seconds and at
    least so many times; by a line reader a file's bytes alone.  Ctrl-C ends it early.

    Raises ModelError for a line reader without a file.
    """
    call = _answering(recognizer, data)
    kept = np.ones(KEPT, np.int64)  # in RAM from the beginning: a list would grow with the fastest second

    for _ in range(min(SETTLING, max(1, least // 10)) if least else SETTLING):
        call()
    for _ in range(SETTLING_SECONDS):
        _second(0.0, _one_second(call, kept))  # what this takes down of a second is memory too
    gc.collect()
    before = resident_mib()
    seen: list[Second] = []
    start, total = time.monotonic(), 0
    try:
        while not seen or time.monotonic() - start < seconds or total < least:
            elapsed = time.monotonic() - start
            times = _one_second(call, kept)
            total += len(times)
            seen.append(_second(time.monotonic() - start, times))
            if int(elapsed) // 60 != int(seen[-1].elapsed_s) // 60:
                say(f"{seen[-1].elapsed_s:.0f} s: {total:,} predictions, p50 {seen[-1].p50:,.0f} µs")
    except KeyboardInterrupt:
        if not seen:
            raise
    gc.collect()
    after = resident_mib()
    tenth = max(1, len(seen) // 10)
    first, last = (np.median([one.p50 for one in part]) for part in (seen[:tenth], seen[-tenth:]))
    growth = None if before is None or after is None else round(after - before, 3)
    return Soak(recognizer.card.name, total, growth, round(float(last / first), 3), tuple(seen))


def _answering(recognizer: Recognizer, data: bytes | None) -> Callable[[], object]:
    if recognizer.card.reads_lines:
        if data is None:
            raise ModelError(f"{recognizer.card.name}: reads lines; wanted an image of some (--image)")
        return partial(recognizer.read, data)
    if data is not None:
        return partial(recognizer.predict, data)
    return partial(recognizer.predict_batch, np.zeros((1, *recognizer.card.input_shape), np.uint8))


def resident_mib() -> float | None:
    """Memory of this process that is in RAM; None where there is no /proc."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return float(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)


def write_soak(folder: Path, found: Soak) -> list[Path]:
    """`soak.json`, `soak.csv` and `soak.png`, each whole or not at all."""
    from .plot import save_soak

    written = [folder / f"soak.{suffix}" for suffix in ("json", "csv", "png")]
    write_json(written[0], {"device": device.describe(), **asdict(found)})
    rows = [asdict(one) for one in found.seconds]
    write_csv(written[1], [list(rows[0]), *(list(row.values()) for row in rows)])
    save_soak(written[2], found)
    return written


def _one_second(call: Callable[[], object], kept: NDArray[np.int64]) -> NDArray[np.int64]:
    """Nanoseconds of each call, a view of `kept`."""
    count, end = 0, time.perf_counter() + EVERY_S
    while time.perf_counter() < end and count < len(kept):
        start = time.perf_counter_ns()
        call()
        kept[count] = time.perf_counter_ns() - start
        count += 1
    return kept[:count]


def _second(elapsed: float, times: NDArray[np.int64]) -> Second:
    now = device.state()
    p50, p99 = (round(float(one) / 1000, 1) for one in percentiles(times, (50, 99)))
    memory = resident_mib()
    return Second(
        round(elapsed, 2),
        len(times),
        p50,
        p99,
        None if memory is None else round(memory, 3),
        now.get("mhz"),
        now.get("temperature_c"),
        ", ".join(now.get("throttled", ())),
    )

"""How long one image takes: contenders are timed in interleaved rounds, so that what slows the machine slows them all.

Each call is timed by itself. A round visits every contender once, in an order drawn anew, and times a block of calls;
the first calls of a block find the caches full of another model and are not counted.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .stats import median_interval, percentiles

Call = Callable[[], object]
Clock = Callable[[], int]  # nanoseconds, never back

BLOCK_CALLS = 20  # timed calls of one contender in a round, at most
BLOCK_NS = 10_000_000  # a block of slow calls is shortened to about this
SETTLING_CALLS = 5  # at the head of a block, not counted: the first took 1.5 times as long, the fifth as the rest
MIN_ROUNDS = 5  # even where the budget is spent: a median of fewer says nothing
STABLE_BLOCKS = 3  # the warm-up ends when the medians of so many blocks in a row …
STABLE_SPREAD = 0.10  # … lie within this share of the smallest


@dataclass(frozen=True)
class Plan:
    """When to stop: after max_rounds, or when budget_s seconds of warm-up and rounds are over."""

    budget_s: float
    max_rounds: int
    warm_up_s: float  # for each contender, at most
    seed: int = 0


@dataclass(frozen=True)
class Timing:
    """What was measured of one contender.

    samples: (rounds, calls) float64 µs.  warm_up_calls: before them.  stable: the warm-up ended by its criterion.
    """

    samples: NDArray[np.float64]
    warm_up_calls: int
    stable: bool


@dataclass(frozen=True)
class Latency:
    """One image's latency in µs; p50_interval: 95 % bootstrap over the medians of the rounds."""

    p50: float
    p90: float
    p99: float
    mean: float
    max: float
    p50_interval: tuple[float, float]
    calls: int
    rounds: int
    warm_up_calls: int
    stable: bool


def measure(
    calls: Mapping[str, Call],
    plan: Plan,
    clock: Clock = time.perf_counter_ns,
    progress: Callable[[str], None] = lambda line: None,
    interrupted: Callable[[], None] = lambda: None,
) -> dict[str, Timing]:
    """Time every call; the garbage collector is off meanwhile.

    Ctrl-C ends it after the last whole round, where there is one, and `interrupted` is called; the round that it cut
    is not counted.
    """
    rng = np.random.default_rng(plan.seed)
    names = list(calls)
    end = clock() + round(plan.budget_s * 1e9)
    samples: dict[str, list[list[int]]] = {name: [] for name in names}
    with _no_garbage_collection():
        warm_ups = {name: warm_up(calls[name], plan.warm_up_s, clock) for name in names}
        progress(f"warm: {sum(stable for *_, stable in warm_ups.values())} of {len(names)} stable")
        for round_number in range(plan.max_rounds):
            if round_number >= MIN_ROUNDS and clock() >= end:
                break
            try:
                for index in rng.permutation(len(names)):
                    name = names[index]
                    length = warm_ups[name][0]
                    block = time_block(calls[name], length + min(SETTLING_CALLS, length), clock)
                    samples[name].append(block[-length:])
            except KeyboardInterrupt:
                if not round_number:
                    raise
                samples = {name: rounds[:round_number] for name, rounds in samples.items()}
                interrupted()
                break
            if 4 * (round_number + 1) // plan.max_rounds > 4 * round_number // plan.max_rounds:  # each quarter
                progress(f"round {round_number + 1} of at most {plan.max_rounds}")
    return {name: Timing(np.array(samples[name], np.float64) / 1000, *warm_ups[name][1:]) for name in names}


def warm_up(call: Call, limit_s: float, clock: Clock) -> tuple[int, int, bool]:
    """Call until the time of a block is stable, or limit_s seconds are over.

    Returns the length of a block, the calls made, and whether they became stable.
    """
    end = clock() + round(limit_s * 1e9)
    slowest_allowed = min(time_block(call, 2, clock))  # the very first call may set things up
    length = max(1, min(BLOCK_CALLS, BLOCK_NS // max(1, slowest_allowed)))
    medians: list[float] = []
    made = 2
    while True:
        medians.append(statistics.median(time_block(call, length, clock)))
        made += length
        recent = medians[-STABLE_BLOCKS:]
        if len(recent) == STABLE_BLOCKS and max(recent) <= (1 + STABLE_SPREAD) * min(recent):
            return length, made, True
        if clock() >= end and len(medians) >= STABLE_BLOCKS:
            return length, made, False


def time_block(call: Call, count: int, clock: Clock) -> list[int]:
    """Nanoseconds of each of `count` calls."""
    times = [0] * count
    for index in range(count):
        start = clock()
        call()
        times[index] = clock() - start
    return times


def summarise(timing: Timing) -> Latency:
    """Percentiles over all calls, and how sure the median is."""
    p50, p90, p99 = percentiles(timing.samples, (50, 90, 99))
    rounds, calls = timing.samples.shape
    return Latency(
        p50=float(p50),
        p90=float(p90),
        p99=float(p99),
        mean=float(timing.samples.mean()),
        max=float(timing.samples.max()),
        p50_interval=median_interval(np.median(timing.samples, axis=1)),
        calls=rounds * calls,
        rounds=rounds,
        warm_up_calls=timing.warm_up_calls,
        stable=timing.stable,
    )


def ratio_of(timing: Timing, base: Timing) -> float:
    """Median over the rounds of one contender's median by another's: what slowed both in a round cancels out."""
    return float(np.median(np.median(timing.samples, axis=1) / np.median(base.samples, axis=1)))


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()

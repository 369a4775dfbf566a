"""The timing loop under a clock that the test moves: what it measures is known, nothing depends on this machine."""

import gc

import numpy as np
import pytest

from glyphlite.benchmarks.latency import (
    BLOCK_CALLS,
    BLOCK_NS,
    MIN_ROUNDS,
    SETTLING_CALLS,
    Plan,
    measure,
    ratio_of,
    summarise,
    warm_up,
)


class FakeTime:
    """A clock in nanoseconds, and calls that take as long as they are told."""

    def __init__(self):
        self.now = 0
        self.log = []

    def clock(self):
        return self.now

    def call(self, name, duration):
        """A call that takes duration(number of the call) ns."""
        count = 0

        def run():
            nonlocal count
            self.now += duration(count)
            self.log.append(name)
            count += 1

        return run


def test_constant_calls_are_measured_exactly():
    time = FakeTime()
    calls = {"fast": time.call("fast", lambda _: 10_000), "slow": time.call("slow", lambda _: 25_000)}
    timings = measure(calls, Plan(budget_s=60, max_rounds=30, warm_up_s=1), time.clock)
    assert timings["fast"].samples.shape == (30, BLOCK_CALLS)
    assert timings["fast"].stable
    fast, slow = summarise(timings["fast"]), summarise(timings["slow"])
    assert (fast.p50, fast.p99, fast.max, fast.p50_interval) == (10, 10, 10, (10, 10))
    assert slow.mean == pytest.approx(25)
    assert ratio_of(timings["slow"], timings["fast"]) == pytest.approx(2.5)


def test_contenders_alternate_in_random_order():
    time = FakeTime()
    calls = {name: time.call(name, lambda _: 1_000) for name in "abc"}
    measure(calls, Plan(budget_s=60, max_rounds=40, warm_up_s=1), time.clock)
    timed = time.log[-40 * 3 * (BLOCK_CALLS + SETTLING_CALLS) :: BLOCK_CALLS + SETTLING_CALLS]  # one of each block
    rounds = [tuple(timed[start : start + 3]) for start in range(0, len(timed), 3)]
    assert all(sorted(order) == list("abc") for order in rounds)
    assert len(set(rounds)) == 6


def test_settling_calls_are_not_counted():
    """After another contender's turn the first calls are slow; they must not show."""
    time = FakeTime()
    run = {name: time.call(name, lambda _: 10_000) for name in "ab"}

    def after_a_switch(name):
        def call():
            if time.log and time.log[-1] != name:
                time.now += 500_000
            run[name]()

        return call

    calls = {name: after_a_switch(name) for name in "ab"}
    timings = measure(calls, Plan(budget_s=60, max_rounds=20, warm_up_s=1), time.clock)
    assert summarise(timings["a"]).max == 10


def test_warm_up_goes_on_until_the_time_is_stable():
    time = FakeTime()
    falling = time.call("falling", lambda n: 400_000 - 3_000 * min(n, 100))  # 400 µs down to 100 µs
    length, calls, stable = warm_up(falling, 10, time.clock)
    assert stable
    assert length == BLOCK_CALLS
    assert calls >= 100 + 2 * BLOCK_CALLS


def test_warm_up_gives_up_on_a_call_that_never_settles():
    time = FakeTime()
    doubling = time.call("unsteady", lambda n: 1_000_000 * 2 ** (n // BLOCK_CALLS % 4))
    _, _, stable = warm_up(doubling, 0.5, time.clock)
    assert not stable
    assert time.now < 2e9


def test_slow_calls_get_shorter_blocks_and_the_budget_ends_the_rounds():
    time = FakeTime()
    calls = {"slow": time.call("slow", lambda _: 100_000_000)}
    timing = measure(calls, Plan(budget_s=3, max_rounds=500, warm_up_s=0.1), time.clock)["slow"]
    rounds, length = timing.samples.shape
    assert length * 100_000_000 <= max(BLOCK_NS, 100_000_000)
    assert MIN_ROUNDS <= rounds < 30


def test_a_spent_budget_still_gives_the_least_number_of_rounds():
    time = FakeTime()
    timing = measure({"x": time.call("x", lambda _: 5_000_000)}, Plan(0.001, 500, 0.001), time.clock)["x"]
    assert len(timing.samples) == MIN_ROUNDS


@pytest.mark.parametrize("was_on", [True, False])
def test_garbage_collector_is_off_meanwhile_and_then_as_before(was_on):
    time, seen = FakeTime(), []
    (gc.enable if was_on else gc.disable)()
    try:
        measure({"x": lambda: seen.append(gc.isenabled())}, Plan(1, 5, 0), time.clock)
        assert not any(seen)
        assert gc.isenabled() is was_on
    finally:
        gc.enable()


def test_a_few_slow_calls_move_the_tail_and_not_the_median():
    time = FakeTime()
    spikes = time.call("spikes", lambda n: 800_000 if n % 50 == 49 else 10_000)
    latency = summarise(measure({"x": spikes}, Plan(60, 100, 1), time.clock)["x"])
    assert latency.p50 == 10
    assert latency.p90 == 10
    assert latency.p99 == 800
    assert latency.mean == pytest.approx(10 + 0.02 * 790, rel=0.25)
    assert latency.calls == 100 * BLOCK_CALLS


def test_samples_are_microseconds():
    time = FakeTime()
    timing = measure({"x": time.call("x", lambda _: 1_234_500)}, Plan(1, 5, 0), time.clock)["x"]
    assert np.unique(timing.samples).tolist() == [1234.5]


def test_an_interruption_keeps_the_whole_rounds():
    time = FakeTime()
    per_round = BLOCK_CALLS + SETTLING_CALLS

    def interrupted(count):
        if count == 200 + 4 * per_round:
            raise KeyboardInterrupt
        return 1_000

    calls = {"a": time.call("a", interrupted), "b": time.call("b", lambda _: 1_000)}
    told = []
    timings = measure(calls, Plan(60, 1000, 1), time.clock, interrupted=lambda: told.append(True))
    assert told == [True]
    assert timings["a"].samples.shape == timings["b"].samples.shape
    assert 4 <= len(timings["a"].samples) < 20


def test_an_interruption_before_a_whole_round_leaves_nothing():
    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure({"a": stop}, Plan(60, 10, 1))

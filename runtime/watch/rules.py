"""Which readings of a counter are believed.

A meter never falls, does not run faster than it can, and has so many digits.  What a reading breaks of that is a
reason to refuse it; the value before it stays.  All arithmetic is in whole units of the last digit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from .reading import Seen
from .settings import Counter, Region

FIRST = 2  # readings that must agree before the first is believed


@dataclass(frozen=True)
class State:
    """What is known of a counter, kept from one reading to the next and from one run to the next.

    value: the last that was believed, in units of the last digit; None: none yet.  time: of it, seconds since 1970.
    candidate, candidate_time, agreeing: the last one that was refused, and how many in a row agreed with it.
    """

    value: int | None = None
    time: float = 0.0
    candidate: int | None = None
    candidate_time: float = 0.0
    agreeing: int = 0


@dataclass(frozen=True)
class Verdict:
    """value: the text that is believed, with its point; None: `reason` says why none is."""

    value: str | None
    reason: str | None = None


def judge(region: Region, seen: Seen, state: State, time: float) -> tuple[Verdict, State]:
    """Whether what was seen at a time is believed, and what is known of the counter from then on.

    Of several texts the lowest that the counter may show is taken.  A clock that was set back is taken to have stood
    still: no time has passed for the counter to run in.
    """
    if not seen.texts:
        return Verdict(None, seen.reason), state
    counter = region.counter
    if counter is None:
        return Verdict(shown(region, seen.texts[0])), state
    values = [int(text) for text in seen.texts]
    units = 10**region.decimals
    if state.value is None and counter.start is not None:
        state = replace(state, value=round(counter.start * units), time=time if not state.time else state.time)
    if time < state.time:
        state = replace(state, time=time)
    if time < state.candidate_time:
        state = replace(state, candidate_time=time)
    if state.value is not None:
        value = _lowest(region, counter, state.value, time - state.time, values)
        if value is not None:
            return Verdict(shown(region, _text(region, value))), State(value, time)
    agreed = None
    if state.candidate is not None:
        agreed = _lowest(region, counter, state.candidate, time - state.candidate_time, values)
    agreeing = state.agreeing + 1 if agreed is not None else 1
    candidate = min(values) if agreed is None else agreed
    needed = FIRST if state.value is None else counter.recover
    if needed and agreeing >= needed:
        return Verdict(shown(region, _text(region, candidate))), State(candidate, time)
    reason = "the first reading; waits for one that agrees" if state.value is None else _reason(region, seen, state)
    return Verdict(None, reason), replace(state, candidate=candidate, candidate_time=time, agreeing=agreeing)


def shown(region: Region, text: str) -> str:
    """Digits with their decimal point."""
    if not region.decimals:
        return text
    return f"{text[: -region.decimals] or '0'}.{text[-region.decimals :]}"


def _text(region: Region, value: int) -> str:
    return str(value).zfill(_digits(region))


def _digits(region: Region) -> int:
    return region.digits or len(region.boxes)


def _lowest(region: Region, counter: Counter, before: int, seconds: float, values: Iterable[int]) -> int | None:
    """Of values that may follow another, the one that is reached first; None where none may."""
    most = _most(region, counter, seconds)
    span = int(10 ** _digits(region))
    # a counter with a limit to its speed may pass 99…9 and begin again; without one, that is no different from falling
    rises = [
        ((value - before) % span if counter.max_per_hour is not None else value - before, value) for value in values
    ]
    return min(((rise, value) for rise, value in rises if 0 <= rise <= most), default=(0, None))[1]


def _most(region: Region, counter: Counter, seconds: float) -> float:
    """By how much it may have risen; one unit more for what the last digit hides."""
    if counter.max_per_hour is None:
        return math.inf
    return float(math.floor(counter.max_per_hour * 10**region.decimals * seconds / 3600) + 1)


def _reason(region: Region, seen: Seen, state: State) -> str:
    before = shown(region, _text(region, state.value or 0))
    value = shown(region, seen.texts[0])
    if int(seen.texts[0]) < (state.value or 0):
        return f"{value} after {before}: it never falls"
    limit = region.counter.max_per_hour if region.counter else None
    return f"{value} after {before}: more than {limit:g} an hour"

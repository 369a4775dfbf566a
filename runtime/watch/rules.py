"""Which readings of a counter are believed.

A meter never falls, does not run faster than it can, and has so many digits.  What a reading breaks of that is a
reason to refuse it; the value before it stays.  All arithmetic is in whole units of the last digit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from .reading import Seen, shown
from .settings import Counter, Region

FIRST = 2  # readings that agree, of which the first is believed


@dataclass(frozen=True)
class State:
    """What is known of a counter, kept from one reading to the next and from one run to the next.

    value: the last that was believed, in units of the last digit; None: none yet.  time: of it, seconds since 1970.
    candidate, candidate_time, agreeing: the last one that was refused, and how many in a row agreed with it.
    rival, rival_time: the candidate that it contradicts; None: no such.
    """

    value: int | None = None
    time: float = 0.0
    candidate: int | None = None
    candidate_time: float = 0.0
    agreeing: int = 0
    rival: int | None = None
    rival_time: float = 0.0

    def moved(self, seconds: float) -> State:
        """The same by a clock that was set by so much."""
        known = {"time": self.value, "candidate_time": self.candidate, "rival_time": self.rival}
        return replace(
            self, **{name: getattr(self, name) + seconds for name, value in known.items() if value is not None}
        )

    def until(self, latest: float) -> State:
        """The same where it was believed at a time that is still to come, by a clock that was ahead: by then."""
        return replace(self, time=min(self.time, latest))


@dataclass(frozen=True)
class Verdict:
    """value: the text that is believed, with its point; None: `reason` says why none is.  time: that it is of, where
    that of the frame is not it: a step is believed when the next frame has confirmed it."""

    value: str | None
    reason: str | None = None
    time: float | None = None


def judge(region: Region, seen: Seen, state: State, time: float) -> tuple[Verdict, State]:
    """Whether what was seen at a time is believed, and what is known of the counter from then on.

    Of several texts the lowest that the counter may show is taken.  A time before the one that is believed, of an old
    picture or a clock that was set back, is taken for that one: the counter had no time to run, and gets none later.
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
    told, time = time, max(time, state.time)
    if time < state.candidate_time:
        state = replace(state, candidate_time=time)
    if time < state.rival_time:
        state = replace(state, rival_time=time)
    value = None
    if state.value is not None:
        value = _lowest(region, counter, state.value, time - state.time, values)
        near = value is not None and (value - state.value) % _span(region) <= 1
        contested = state.candidate is not None and _may_be(region, counter, state)  # by one that was seen meanwhile
        if value is not None and (not counter.confirm or (near and not contested)):
            return _believed(region, value, told, State(value, time))
    elif not counter.confirm:
        return _believed(region, values[0], told, State(values[0], time))
    agreed = rivalled = None
    plausible = state.candidate is not None and _may_be(region, counter, state)
    if state.candidate is not None:
        agreed = _lowest(region, counter, state.candidate, time - state.candidate_time, values)
    if state.rival is not None:
        rivalled = _lowest(region, counter, state.rival, time - state.rival_time, values)
    if state.candidate is not None and agreed is not None and rivalled is None:
        needed = FIRST if plausible else counter.recover
        if needed and state.agreeing + 1 >= needed:
            if (agreed - state.candidate) % _span(region) <= 1:
                return _believed(region, agreed, told, State(agreed, time))
            # believed is the one before, which this one agrees with; the next one will say what this one is worth
            known = State(state.candidate, state.candidate_time, agreed, time, 1)
            return _believed(region, state.candidate, state.candidate_time, known)
    candidate = next(one for one in (agreed, value, min(values)) if one is not None)
    agreeing = state.agreeing + 1 if agreed is not None else 1
    known = replace(state, candidate=candidate, candidate_time=time, agreeing=agreeing, rival=None)
    if agreed is None and plausible and value is not None:  # two that may follow, of which one is wrong
        known = replace(known, rival=state.candidate, rival_time=state.candidate_time)
    if rivalled is not None:  # after either of them: it takes their place and counts from the beginning
        known = replace(known, agreeing=1)
    if state.value is None or value is not None:
        reason = f"{shown(region, _text(region, candidate))} waits for one that agrees"
    else:
        reason = _reason(region, seen, state)
    return Verdict(None, reason), known


def _believed(region: Region, value: int, time: float, state: State) -> tuple[Verdict, State]:
    return Verdict(shown(region, _text(region, value)), time=time), state


def _may_be(region: Region, counter: Counter, state: State) -> bool:
    """Whether the candidate may follow the value that is believed."""
    if state.value is None or state.candidate is None:
        return True
    seconds = state.candidate_time - state.time
    return _lowest(region, counter, state.value, seconds, [state.candidate]) is not None


def _text(region: Region, value: int) -> str:
    return str(value).zfill(_digits(region))


def _digits(region: Region) -> int:
    return region.digits or len(region.boxes)


def _span(region: Region) -> int:
    """How many values there are before it begins again."""
    return int(10 ** _digits(region))


def _lowest(region: Region, counter: Counter, before: int, seconds: float, values: Iterable[int]) -> int | None:
    """Of values that may follow another, the one that is reached first; None where none may."""
    most = _most(region, counter, seconds)
    span = _span(region)
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

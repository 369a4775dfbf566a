"""Whether readings still are what they were: how sure, how often refused, which digits.

The first readings of a region are the measure for each later window of as many.  A lens that gets dirty, a lamp that
fails or a camera that is nudged show here before they show as wrong values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .reading import Seen

LEAST_Z = 4.0  # standard errors that a difference must be beyond chance: one false alarm in 30,000 windows
LEAST_SHARE = 0.05  # and it must be worth telling: so much confidence, or so large a share of readings
MOST_PSI = 0.25  # population stability index: from here on a shift is called major (Siddiqi 2006, section 10)


@dataclass(frozen=True)
class Window:
    """Sums over readings."""

    readings: int = 0
    refused: int = 0
    confidence: float = 0.0
    squares: float = 0.0
    labels: Mapping[str, int] = field(default_factory=dict)

    def and_one(self, seen: Seen, accepted: bool) -> Window:
        """With another reading."""
        labels = dict(self.labels)
        for label in seen.labels:
            labels[label] = labels.get(label, 0) + 1
        return Window(
            self.readings + 1,
            self.refused + (not accepted),
            self.confidence + seen.confidence,
            self.squares + seen.confidence**2,
            labels,
        )

    @property
    def mean(self) -> float:
        """Of the confidence."""
        return self.confidence / self.readings

    @property
    def error(self) -> float:
        """Squared standard error of the mean."""
        return max(0.0, self.squares / self.readings - self.mean**2) / self.readings

    @property
    def share(self) -> float:
        """Of refused readings."""
        return self.refused / self.readings


@dataclass(frozen=True)
class Drift:
    """The first window, the one under way, and whether the last whole one had drifted."""

    first: Window = Window()
    current: Window = Window()
    drifted: bool = False


def watched(drift: Drift, seen: Seen, accepted: bool, size: int, shares: bool) -> tuple[Drift, str | None]:
    """The state after another reading, and what is to be said of it: that a window has drifted, or drifts no more.

    size: readings in a window.  shares: whether the digits themselves should stay as frequent as they were; those of a
    counter do not.
    """
    if drift.first.readings < size:
        return replace(drift, first=drift.first.and_one(seen, accepted)), None
    current = drift.current.and_one(seen, accepted)
    if current.readings < size:
        return replace(drift, current=current), None
    found = differences(drift.first, current, shares)
    said = None
    if found:
        said = f"{', '.join(found)}, in the last {size:,} readings against the first"
    elif drift.drifted:
        said = "as the first readings again"
    return Drift(drift.first, drifted=bool(found)), said


def differences(first: Window, now: Window, shares: bool) -> list[str]:
    """In which ways a window is worse than the first, or other."""
    found = []
    drop = first.mean - now.mean
    if drop > LEAST_SHARE and drop > LEAST_Z * math.sqrt(first.error + now.error):
        found.append(f"confidence fell from {100 * first.mean:.0f} to {100 * now.mean:.0f} %")
    rise = now.share - first.share
    both = (first.refused + now.refused) / (first.readings + now.readings)
    error = math.sqrt(both * (1 - both) * (1 / first.readings + 1 / now.readings))
    if rise > LEAST_SHARE and rise > LEAST_Z * error:
        found.append(f"refusals rose from {100 * first.share:.0f} to {100 * now.share:.0f} %")
    index = stability(first.labels, now.labels) if shares else 0.0
    if index > MOST_PSI:
        found.append(f"the digits' shares shifted (PSI {index:.2f})")
    return found


def stability(first: Mapping[str, int], now: Mapping[str, int]) -> float:
    """The population stability index of two sets of counts; half a count is added to each, so that none is 0."""
    names = {*first, *now}
    sums = [sum(counts.values()) + 0.5 * len(names) for counts in (first, now)]
    index = 0.0
    for name in names:
        before, after = ((counts.get(name, 0) + 0.5) / all for counts, all in zip((first, now), sums, strict=True))
        index += (after - before) * math.log(after / before)
    return index

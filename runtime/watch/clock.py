"""Time, as a thing that can be handed over: tests let a day pass in seconds."""

from __future__ import annotations

import threading
import time

JUMP = 5.0  # seconds by which the wall clock must leave the steady one to have been set


class Clock:
    """The machine's clocks."""

    def now(self) -> float:
        """Seconds since 1970, as the machine believes; it may be set in either direction at any moment."""
        return time.time()

    def steady(self) -> float:
        """Seconds since some moment; never set."""
        return time.monotonic()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait for an event, at most so long; whether it came."""
        return event.wait(max(0.0, seconds))


class JumpFinder:
    """Finds where the wall clock was set while we ran."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = clock.now() - clock.steady()

    def jump(self) -> float:
        """Seconds that the wall clock was set forward since the last call, backward where negative; 0 for none."""
        offset = self._clock.now() - self._clock.steady()
        moved, self._offset = offset - self._offset, offset
        return moved if abs(moved) > JUMP else 0.0

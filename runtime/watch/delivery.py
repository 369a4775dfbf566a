"""Readings from the store to one sink, in order, each until it has arrived; a sink that fails is tried again."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ..errors import SinkError, StoreError
from .clock import Clock
from .sinks import Sink
from .store import Store

BATCH = 100
SOONEST_S, LATEST_S = 1.0, 60.0  # waits before a sink that failed is tried again; doubled from one to the next


class Delivery(threading.Thread):
    """A thread for each sink, so that one that is away delays no other.

    end: is called when the sink is gone for good.
    """

    def __init__(
        self, store: Store, sink: Sink, clock: Clock, say: Callable[[str], None], end: Callable[[], None]
    ) -> None:
        super().__init__(name=f"delivery to {sink.name}", daemon=True)
        self._store, self._sink, self._clock, self._say, self._end = store, sink, clock, say, end
        self._ended = threading.Event()
        self._failing = ""

    def run(self) -> None:
        wait = SOONEST_S
        while not self._ended.is_set():
            try:
                last = self._sink.open()
                if last is not None:
                    self._store.arrived_id(self._sink.name, last)
                while not self._ended.is_set():
                    if self._deliver():
                        wait = SOONEST_S
                    with self._store.news:
                        if not self._ended.is_set() and not self._store.backlog(self._sink.name):
                            self._store.news.wait(LATEST_S)
                    self._sink.check()
            except BrokenPipeError:
                self._say(f"{self._sink.name}: nobody reads it; what waits is sent after the next start")
                self._end()
                break
            except (SinkError, StoreError) as error:
                if str(error) != self._failing:
                    self._failing = str(error)
                    self._say(f"{error}; readings are kept and sent later")
                self._clock.wait(self._ended, wait)
                wait = min(2 * wait, LATEST_S)
        self._sink.close()

    def _deliver(self) -> int:
        """Send what waits; how many have arrived."""
        count = 0
        while records := self._store.waiting(self._sink.name, BATCH):
            for record in records:
                if self._ended.is_set():
                    return count
                refused = self._sink.send(record)
                if refused:
                    self._say(refused)
                self._store.arrived(self._sink.name, record.seq)
                count += 1
                if self._failing:
                    self._failing = ""
                    self._say(f"{self._sink.name}: readings arrive again")
        return count

    def stop(self) -> None:
        """End after the reading that is under way."""
        self._ended.set()
        with self._store.news:
            self._store.news.notify_all()

"""Frames to kept readings, one after the other, until told to stop."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from ..errors import EngineError, ImageError, SourceError, StoreError
from ..fields import FieldError, read_fields
from ..recognizer import Recognizer
from .clock import Clock, JumpFinder
from .delivery import Delivery
from .drift import Drift, watched
from .folder import Folder
from .frame import Frame, Source
from .reading import Seen, look, shown
from .rules import State, judge
from .settings import Region, Settings
from .sinks import Sink
from .store import Record, Store

PATIENCE_S = 1.0  # how long a source is asked for a frame before other things are looked after
RETRY_S = 5.0  # wait after a source or the disk failed
LAST_S = 10.0  # for readings that have not yet arrived, when all is read; LEAVE_S when told to stop
LEAVE_S = 2.0
LATE_S = 120.0  # after which a loop that does not come round hangs


class Watcher:
    """What runs: a source, a model, the store, and a delivery for each sink.

    say: gets one line for a person whenever something changes: a camera is gone, a broker is back, a clock was set.
    """

    def __init__(
        self,
        settings: Settings,
        recognizer: Recognizer,
        source: Source,
        store: Store,
        sinks: Sequence[Sink],
        say: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self._settings, self._recognizer, self._source, self._store = settings, recognizer, source, store
        self._say, self._clock = say, clock
        self._sinks = sinks
        self._jumps = JumpFinder(clock)
        self._trouble = ""
        self._turned = clock.steady()
        self._counters = {one.name: _kept(store, State, f"counter/{one.name}") for one in settings.region}
        self._drifts = {one.name: _kept(store, Drift, f"drift/{one.name}") for one in settings.region}

    def run(self, stop: threading.Event, once: bool = False) -> bool:
        """Read until `stop`; once: one frame, or all files that lie there.  Whether all readings have arrived."""
        deliveries = [Delivery(self._store, sink, self._clock, self._say, stop.set) for sink in self._sinks]
        for delivery in deliveries:
            delivery.start()
        try:
            self._read_on(stop, once)
            return self._wait_for_sinks(LEAVE_S if stop.is_set() else LAST_S)
        finally:
            for delivery in deliveries:
                delivery.stop()
            for delivery in deliveries:
                delivery.join(LAST_S)
            self._source.close()

    def is_well(self) -> bool:
        """Whether its loop comes round; a camera's driver or a disk may hang for good."""
        longest = self._settings.interval + self._settings.source.timeout + LATE_S
        return self._clock.steady() - self._turned < longest

    def _read_on(self, stop: threading.Event, once: bool) -> None:
        due = self._clock.steady()
        patience = PATIENCE_S + (
            self._settings.source.settle if once else min(self._settings.source.settle, LATE_S / 2)
        )
        while not stop.is_set():
            self._turned = self._clock.steady()
            try:
                full = not self._has_room()
                frame = None if full else self._source.take(patience)
            except (SourceError, StoreError) as error:
                frame, full = None, True
                self._in_trouble(f"{error}; tried again")
            else:
                if full:
                    self._in_trouble(f"{self._settings.store}: full; nothing is read until {self._wanted()}")
            if frame is not None:
                self._read(frame, stop)
                if not frame.problem:
                    self._trouble = ""
            if once and (frame is None or self._source.paced):
                return
            if full:
                self._clock.wait(stop, RETRY_S)
            elif self._source.paced:
                due = max(due + self._settings.interval, self._clock.steady())
                self._clock.wait(stop, due - self._clock.steady())

    def _has_room(self) -> bool:
        """Whether the store has room; pictures that are gone are forgotten for it, but none for a folder that is empty:
        its stick may not be mounted."""
        if self._store.has_room():
            return True
        if isinstance(self._source, Folder) and (keys := list(self._source.keys())):
            self._store.forget_other_frames(keys)
        return self._store.has_room()

    def _wanted(self) -> str:
        if self._backlog():
            return "readings have arrived"
        return "pictures that were read are taken away, or store_mb is larger"

    def _in_trouble(self, message: str) -> None:
        """Say it, once."""
        if message != self._trouble:
            self._trouble = message
            self._say(message)

    def _shift(self, jump: float) -> None:
        """The clock was set: what was remembered by the old one is moved along, so that no time is gained or lost."""
        self._say(f"the clock was set by {jump:+,.0f} s")
        if self._source.paced:
            for name, state in self._counters.items():
                self._counters[name] = state.moved(jump)

    def _read(self, frame: Frame, stop: threading.Event) -> None:
        """Read all regions of a frame and keep what they say, however long the disk takes to have room for it."""
        if jump := self._jumps.jump():  # after the frame had its time
            self._shift(jump)
        if frame.problem:
            self._in_trouble(frame.problem)
        records: list[Record] = []
        states: dict[str, Any] = {}
        latest = max(frame.time, self._clock.now())
        counters = {name: state.until(latest) for name, state in self._counters.items()}
        drifts = dict(self._drifts)
        for region in self._settings.region:
            seen = self._look(frame, region)
            verdict, counters[region.name] = judge(region, seen, counters[region.name], frame.time)
            kind = "refused" if verdict.value is None else "value"
            told: dict[str, Any] = {"value": verdict.value, "confidence": round(seen.confidence, 4)}
            if verdict.time is not None:
                told["time"] = iso(verdict.time)
            if verdict.value is None:
                texts = [shown(region, text) for text in seen.texts]
                told |= {"seen": " or ".join(texts) or None, "reason": verdict.reason}
            records.append(self._record(frame, region, kind, told))
            states[f"counter/{region.name}"] = asdict(counters[region.name])
            if self._settings.drift:
                drift, said = watched(
                    drifts[region.name], seen, verdict.value is not None, self._settings.drift, not region.counter
                )
                drifts[region.name] = drift
                states[f"drift/{region.name}"] = asdict(drift)
                if said:
                    self._say(f"{region.name}: {said}")
                    records.append(self._record(frame, region, "drift", {"value": None, "reason": said}))
        while True:
            try:
                self._store.keep(records, states, None if self._source.paced else frame.key)
                break
            except StoreError as error:
                self._in_trouble(f"{error}; the reading waits")
                self._turned = self._clock.steady()
                if self._clock.wait(stop, RETRY_S):
                    return
        self._counters, self._drifts = counters, drifts
        self._source.done(frame)

    def _look(self, frame: Frame, region: Region) -> Seen:
        if frame.pixels is None:
            return Seen((), 0.0, reason=frame.problem)
        try:
            return look(self._recognizer, region, frame.pixels)
        except (EngineError, ImageError) as error:
            return Seen((), 0.0, reason=str(error))

    def _record(self, frame: Frame, region: Region, kind: str, told: dict[str, Any]) -> Record:
        name = self._settings.name
        id = reading_id(name, region.name, kind == "drift", frame.key)
        body = {"id": id, "time": iso(frame.time), "watch": name, "region": region.name, "kind": kind, **told}
        return Record(id, {**body, "unit": region.unit} if region.unit else body)

    def _wait_for_sinks(self, seconds: float) -> bool:
        """Whether all has arrived, within so many seconds."""
        never = threading.Event()
        for _ in range(round(seconds / 0.05)):
            if not self._backlog():
                return True
            never.wait(0.05)
        return False

    def _backlog(self) -> bool:
        """Whether readings wait for a sink."""
        return any(self._store.backlog(sink.name) for sink in self._sinks)


def iso(time: float) -> str:
    """A moment as ISO 8601, in UTC."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds")


def reading_id(watch: str, region: str, drift: bool, frame: str) -> str:
    """The key by which a receiver knows a reading: the same whenever it is read or sent again."""
    parts = "\0".join([watch, region, "drift" if drift else "", frame])
    return hashlib.sha256(parts.encode("utf-8", "surrogateescape")).hexdigest()[:20]


def _kept(store: Store, kind: Any, name: str) -> Any:
    """A state from the store; a new one where there is none, or of another form."""
    content = store.state(name)
    try:
        return kind() if content is None else read_fields(kind, content)
    except FieldError:
        return kind()

"""A folder that pictures arrive in, in any way: copied slowly, renamed into place, a hundred thousand at once.

A file is taken when it has stayed the same for a while and decodes; one that does not decode may still be growing,
and is told as damaged only when it has stayed the same for longer.  inotify, where the `watch` extra is installed,
says which files to look at; else the folder is listed again and again.
"""

from __future__ import annotations

import os
import stat
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import ImageError, SourceError
from ..image import decode
from .clock import Clock
from .frame import Done, Frame, upright
from .settings import Source as SourceSettings

POLL_S = 1.0  # seconds between two listings
RELIST_S = 60.0  # after which a folder that changed without a word of inotify is listed: another machine wrote there
LARGEST = 64 * 2**20  # bytes of a picture
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"}

Signature = tuple[int, int]  # nanoseconds of the last change, bytes


class Folder:
    """Pictures of a folder, the oldest first; hidden files and those of other suffixes are none."""

    paced = False

    def __init__(
        self, path: Path, settings: SourceSettings, clock: Clock, is_done: Done, say: Callable[[str], None]
    ) -> None:
        self._path, self._settings, self._clock, self._is_done, self._say = path, settings, clock, is_done, say
        self._never = threading.Event()
        self._seen: dict[str, tuple[Signature, float]] = {}  # not yet taken: how it was, and since when
        self._broken: dict[str, tuple[Signature, float]] = {}  # did not decode: how it was, and since when
        self._ready: deque[tuple[str, Signature]] = deque()
        self._names: dict[str, str] = {}  # of the keys that were given and are not yet done
        self._listed: float | None = None
        self._changed: int | None = None  # nanoseconds: when the folder had changed when it was listed
        self._told = False  # whether inotify has told of a file since
        self._stuck: dict[str, str] = {}  # could not be read, or deleted when it was done: why; tried again
        if not path.is_dir():
            raise SourceError(f"{path}: no such folder; wanted the one that pictures arrive in")
        self._notices = _inotify(path)

    def take(self, wait: float) -> Frame | None:
        until = self._clock.steady() + wait
        while True:
            self._look()
            while self._ready:
                frame = self._open(*self._ready.popleft())
                if frame is not None:
                    return frame
            left = until - self._clock.steady()
            if left <= 0:
                return None
            self._rest(min(left, POLL_S, self._settings.settle if self._seen else POLL_S))

    def done(self, frame: Frame) -> None:
        name = self._names.pop(frame.key, None)
        if name is not None:
            self._discard(name, frame.key)

    def close(self) -> None:
        if self._notices is not None:
            self._notices.close()

    def keys(self) -> Iterator[str]:
        """Of all the pictures that lie there."""
        for name, signature in self._list():
            key = _key(name, signature)
            yield from (key, _unread(key))

    def _discard(self, name: str, key: str) -> None:
        """Delete a file that is done, where that is wanted; one that stays is tried again at the next listing."""
        if self._settings.after != "delete":
            return
        path = self._path / name
        try:
            if key == _key(name, _signature(path.stat())):  # not another one of that name
                path.unlink()
        except FileNotFoundError:
            pass
        except OSError as error:
            self._stick(name, f"was read and cannot be deleted ({error.strerror})")
            return
        self._stuck.pop(name, None)

    def _stick(self, name: str, why: str) -> None:
        """Try a file again at the next listing, and say so where it is the first that this befalls."""
        if why not in self._stuck.values():
            self._say(f"{self._path / name}: {why}; tried again")
        self._stuck[name] = why

    def _rest(self, seconds: float) -> None:
        if self._notices is None:
            self._clock.wait(self._never, seconds)
            return
        for event in self._notices.read(timeout=max(1, round(1000 * seconds))):
            if not event.name:  # the queue ran over, or the folder itself is gone
                self._notices.close()
                self._notices, self._listed = _inotify(self._path), None
                return
            if Path(event.name).suffix.lower() in SUFFIXES and not event.name.startswith("."):
                self._told = True
                self._see(event.name)

    def _look(self) -> None:
        """Move what has stayed the same for long enough to the ready ones, the oldest first."""
        now = self._clock.steady()
        if self._is_due(now):
            self._changed, self._told = self._last_change(), False
            waiting = {name for name, _ in self._ready}
            files = list(self._list())
            there = {name for name, _ in files}
            self._stuck = {name: why for name, why in self._stuck.items() if name in there}
            for name, signature in files:
                if self._is_done(key := _key(name, signature)):
                    self._discard(name, key)
                elif not self._is_done(_unread(key)) and name not in waiting:
                    self._note(name, signature, now)
            self._listed = now
        settled = []
        for name, (signature, since) in list(self._seen.items()):
            if now - since >= self._settings.settle:
                del self._seen[name]
                try:
                    current = _signature((self._path / name).stat())
                except FileNotFoundError:
                    self._broken.pop(name, None)
                    continue
                except OSError as error:
                    self._stick(name, f"cannot be read ({error.strerror})")
                    continue
                if current != signature:
                    self._see(name)
                else:
                    settled.append((name, signature))
        self._ready.extend(sorted(settled, key=lambda one: (one[1][0], one[0])))

    def _is_due(self, now: float) -> bool:
        """Whether the folder is to be listed."""
        if self._listed is None:
            return True
        if self._notices is None:
            return now - self._listed >= POLL_S
        if now - self._listed < RELIST_S:
            return False
        self._listed, missed = now, not self._told and self._last_change() != self._changed
        self._told = False
        return missed or bool(self._stuck)

    def _last_change(self) -> int:
        try:
            return self._path.stat().st_mtime_ns
        except OSError as error:
            raise SourceError(f"{self._path}: cannot be listed ({error.strerror})") from None

    def _see(self, name: str) -> None:
        with suppress(OSError):
            found = (self._path / name).stat()
            if stat.S_ISREG(found.st_mode):
                self._note(name, _signature(found), self._clock.steady())

    def _note(self, name: str, signature: Signature, now: float) -> None:
        if self._seen.get(name, (None,))[0] != signature:
            self._seen[name] = signature, now

    def _list(self) -> Iterator[tuple[str, Signature]]:
        try:
            with os.scandir(self._path) as entries:
                for entry in entries:
                    if entry.name.startswith(".") or os.path.splitext(entry.name)[1].lower() not in SUFFIXES:  # noqa: PTH122  # a Path each is half the time
                        continue
                    with suppress(OSError):  # gone since
                        if entry.is_file():
                            yield entry.name, _signature(entry.stat())
        except OSError as error:
            raise SourceError(f"{self._path}: cannot be listed ({error.strerror})") from None

    def _open(self, name: str, signature: Signature) -> Frame | None:
        """The frame of a file; None where it is done, gone, changed or perhaps not yet whole."""
        key, path = _key(name, signature), self._path / name
        if any(self._is_done(one) or one in self._names for one in (key, _unread(key))):
            return None
        pixels, problem = None, ""
        shown = os.fsencode(name).decode("utf-8", "replace")  # a name may be of any bytes
        try:
            if signature[1] > LARGEST:
                raise ImageError(f"{shown}: {signature[1]:,} bytes; wanted at most {LARGEST:,}")
            data = path.read_bytes()
            if _signature(path.stat()) != signature:
                self._see(name)
                return None
            pixels = upright(decode(data, shown, full=True)[0], self._settings.rotate)
        except FileNotFoundError:
            self._broken.pop(name, None)
            return None
        except OSError as error:  # the disk's or the network's trouble, not the picture's
            self._stick(name, f"cannot be read ({error.strerror})")
            return None
        except ImageError as error:
            problem = str(error)
        if pixels is None and self._may_grow(name, signature):
            return None
        self._broken.pop(name, None)
        self._stuck.pop(name, None)
        if pixels is None:
            key = _unread(key)
        self._names[key] = name
        return Frame(key, signature[0] / 1e9, pixels, problem)

    def _may_grow(self, name: str, signature: Signature) -> bool:
        """Whether a file that does not decode is to be looked at again; it is then waited for."""
        now = self._clock.steady()
        known, since = self._broken.get(name, (None, now))
        if known != signature:
            since = now
        self._broken[name] = signature, since
        age = max(now - since + self._settings.settle, self._clock.now() - signature[0] / 1e9)
        if age >= self._settings.patience:
            return False
        self._seen[name] = signature, now
        return True


def _key(name: str, signature: Signature) -> str:
    return f"{name}:{signature[0]}:{signature[1]}"


def _unread(key: str) -> str:
    """What stands for a picture that could not be read: it is done, but no file of this key is deleted."""
    return f"{key}:unread"


def _signature(found: os.stat_result) -> Signature:
    return found.st_mtime_ns, found.st_size


def _inotify(path: Path) -> Any:
    """What tells of changes in a folder; None where it cannot be had."""
    try:
        from inotify_simple import INotify, flags

        notices = INotify()
    except (ImportError, OSError):  # not Linux, not installed, or the user's watches are used up
        return None
    try:
        notices.add_watch(path, flags.CLOSE_WRITE | flags.MOVED_TO | flags.CREATE | flags.DELETE_SELF | flags.MOVE_SELF)
    except OSError:
        notices.close()
        return None
    return notices

"""Where readings go: lines of JSON on stdout, a CSV file, a web address; a broker is in `mqtt.py`."""

from __future__ import annotations

import csv
import http.client
import io
import json
import os
import sys
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from ..errors import SettingsError, SinkError
from .settings import Settings, Webhook
from .snapshot import reason, request, without_password
from .store import Record

COLUMNS = ("id", "time", "region", "kind", "value", "confidence", "reason")
TAIL = 1 << 16  # bytes from a CSV's end in which its last line begins
REFUSED = (400, 409, 413, 415, 422)  # answers that say the reading itself is not wanted: to send it again is no use


class Sink(Protocol):
    """A place that readings go to, one after the other."""

    name: str

    def open(self) -> str | None:
        """Get ready; the id of the last reading that is there, where the place can tell.  Raises SinkError."""

    def send(self, record: Record) -> str | None:
        """Hand one over; when it returns, the reading is there for good, or is not wanted there: then why, in words.
        Raises SinkError; BrokenPipeError where no reading will ever be taken again."""

    def check(self) -> None:
        """Raises SinkError where it has gone since it was opened, so that it is opened again without a reading."""

    def close(self) -> None:
        """Let go; `open` may follow."""


def open_sinks(settings: Settings) -> list[Sink]:
    """The sinks that the settings name; stdout where they name none.

    Raises SettingsError where a package is missing, a file that holds a password cannot be read or stdout is closed.
    """
    sinks: list[Sink] = []
    if settings.csv is not None:
        sinks.append(CsvFile(settings.path(settings.csv.file)))
    if settings.webhook is not None:
        file = settings.webhook.token_file
        sinks.append(Hook(settings.webhook, secret(settings.path(file)) if file else None))
    if settings.mqtt is not None:
        from .mqtt import Broker

        file = settings.mqtt.password_file
        sinks.append(Broker(settings, secret(settings.path(file)) if file else settings.mqtt.password))
    if settings.stdout or (settings.stdout is None and not sinks):
        sinks.append(Stdout())
    return sinks


def secret(path: Path) -> str:
    """The first line of a file."""
    try:
        return path.read_text("utf-8").split("\n", 1)[0].strip()
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None


class Stdout:
    """A line of JSON each.  A kill between the line and the note that it was written writes the line again."""

    name = "stdout"

    def __init__(self) -> None:
        if sys.stdout is None:
            raise SettingsError("stdout: is closed; wanted an open one, or another place for readings")

    def open(self) -> str | None:
        return None

    def send(self, record: Record) -> None:
        left = f"{json.dumps(record.body, ensure_ascii=False)}\n".encode()
        try:
            while left:  # past Python's buffer, which would keep what could not be written
                left = left[os.write(sys.stdout.fileno(), left) :]
        except BrokenPipeError:
            raise
        except OSError as error:
            raise SinkError(f"stdout: {error.strerror}") from None

    def check(self) -> None:
        """That its reader has gone shows when it is written."""

    def close(self) -> None:
        """It stays open."""


class CsvFile:
    """A file that grows by a line a reading, each on the disk before the next; it may be renamed away at any time."""

    name = "csv"

    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self) -> str | None:
        """The id in the last line."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            line, _ = self._end()
        except OSError as error:
            raise SinkError(f"{self._path}: {error.strerror}") from None
        return line.split(b",", 1)[0].decode("utf-8", "replace") or None

    def send(self, record: Record) -> None:
        line = _row(cells(record))
        try:
            _, rest = self._end()
            with self._path.open("ab") as file:
                start = file.tell() - len(rest)
                line = line if start else _row(COLUMNS) + line
                if rest and line.startswith(rest):  # what a dying process left of this line
                    file.truncate(start)
                elif rest:  # a whole one, of which an editor took the end
                    line = b"\n" + line
                file.write(line)
                file.flush()
                with suppress(OSError):  # a device has no disk
                    os.fsync(file.fileno())
        except OSError as error:
            raise SinkError(f"{self._path}: {error.strerror}") from None

    def _end(self) -> tuple[bytes, bytes]:
        """The last line, and what follows it without an end of its own."""
        if not self._path.is_file():  # none yet, or a device
            return b"", b""
        with self._path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            *lines, rest = file.read().split(b"\n")
        return lines[-1] if lines else b"", rest

    def check(self) -> None:
        """There is nothing to lose between two lines."""

    def close(self) -> None:
        """It is open only while a line is written."""


def _row(values: Sequence[object]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue().encode()


def cells(record: Record) -> Sequence[object]:
    """A record as a line of a table, no cell of more than one line."""
    values = ("" if (value := record.body.get(column)) is None else value for column in COLUMNS)
    return [" ".join(value.split()) if isinstance(value, str) else value for value in values]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A POST that is sent on comes as a GET without its reading, and the answer to that means nothing."""

    def redirect_request(self, *_: object) -> None:
        """None: the redirect is an error."""


_OPENER = urllib.request.build_opener(_NoRedirect)


class Hook:
    """A POST of JSON each, with the id as Idempotency-Key: the receiver knows one that it has had."""

    name = "webhook"

    def __init__(self, settings: Webhook, token: str | None) -> None:
        self._settings, self._token = settings, token
        self._shown = without_password(settings.url)

    def open(self) -> str | None:
        return None

    def send(self, record: Record) -> str | None:
        asked = request(self._settings.url)
        asked.data = json.dumps(record.body, ensure_ascii=False).encode()
        asked.add_header("Content-Type", "application/json")
        asked.add_header("Idempotency-Key", record.id)
        if self._token:
            asked.add_unredirected_header("Authorization", f"Bearer {self._token}")
        try:
            with _OPENER.open(asked, timeout=self._settings.timeout) as answer:
                answer.read(1)
        except (OSError, ValueError, http.client.HTTPException) as error:
            if getattr(error, "code", None) not in REFUSED:
                raise SinkError(f"{self._shown}: {reason(error)}") from None
            return f"{self._shown}: {reason(error)} to reading {record.id}, which is not sent again"
        return None

    def check(self) -> None:
        """Each reading is a request of its own."""

    def close(self) -> None:
        """Nothing is held open."""

"""What to watch and where readings go: a TOML file, checked whole before anything starts.

Every mistake is told with the file, the line and the key, and what was wanted.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from ..bundle import DEFAULT_MODEL
from ..errors import SettingsError, counted
from ..fields import FieldError, read_fields
from ..fields import Path as KeyPath

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # what an MQTT topic, a URL and a file name all take
AFTER = ("keep", "delete")
TURNS = (0, 90, 180, 270)
MOST_DIGITS = 18  # of a counter: what 64 bits hold
MOST_PER_HOUR = 1_000_000_000


@dataclass(frozen=True)
class Source:
    """Where frames come from: one of folder, camera, url.

    camera: a number, a device such as /dev/video0, or picamera2.  url: http(s):// of one picture, or rtsp://.
    size: (width, height) asked of a camera.  rotate: degrees clockwise that make a frame upright.
    after: what becomes of a file of the folder that was read: keep or delete.  settle: seconds that a file must have
    stayed the same to be taken.  patience: seconds after which one that is still not whole is told as damaged.
    timeout: seconds to wait for a picture of a URL.
    """

    folder: str | None = None
    camera: str | None = None
    url: str | None = None
    size: tuple[int, ...] | None = None
    rotate: int = 0
    after: str = "keep"
    settle: float = 2.0
    patience: float = 60.0
    timeout: float = 10.0


@dataclass(frozen=True)
class Counter:
    """What a meter cannot do: fall, or rise faster than max_per_hour.

    start: a value that it is known to have had.
    confirm: a step of more than one in the last digit, and the first reading of all, is believed when the next reading
    agrees with it; false: at once.
    recover: after so many refused readings that agree with each other the counter goes on from them; 0: never.
    """

    max_per_hour: float | None = None
    start: float | None = None
    confirm: bool = True
    recover: int = 0


@dataclass(frozen=True)
class Region:
    """What is read of a frame.

    box: x, y, width, height in the upright frame's pixels, of all digits; None: the whole frame.  boxes: or one for
    each digit.  digits: how many there must be.  decimals: how many of them stand after the point.
    rolling: a digit may be seen between two values.  min_confidence: of the whole text.
    unit, device_class: for Home Assistant.
    """

    name: str
    box: tuple[int, ...] | None = None
    boxes: tuple[tuple[int, ...], ...] = ()
    digits: int | None = None
    decimals: int = 0
    rolling: bool = False
    min_confidence: float = 0.8
    unit: str | None = None
    device_class: str | None = None
    counter: Counter | None = None


@dataclass(frozen=True)
class Mqtt:
    """A broker.  password_file: a file whose first line is the password.  ca_file: of the broker's certificate.
    discovery: the prefix that Home Assistant listens to; '' announces nothing."""

    host: str
    port: int = 1883
    username: str | None = None
    password: str | None = None
    password_file: str | None = None
    tls: bool = False
    ca_file: str | None = None
    topic: str = "glyphlite"
    discovery: str = "homeassistant"


@dataclass(frozen=True)
class Csv:
    """A file that gets one line a reading."""

    file: str


@dataclass(frozen=True)
class Webhook:
    """An address that gets one POST a reading.  token_file: a file whose first line is a bearer token."""

    url: str
    timeout: float = 10.0
    token_file: str | None = None


@dataclass(frozen=True)
class Settings:
    """All of it.  name: of this watcher, in topics and keys.  interval: seconds from one reading to the next, of a
    camera or a URL.  store: the file that readings are kept in.  store_mb: what it may take on the disk.
    stdout: print each reading; None: where there is no other place for them.  drift: readings in a window that is
    compared with the first; 0: none is."""

    name: str
    source: Source
    region: tuple[Region, ...]
    model: str = DEFAULT_MODEL
    interval: float = 60.0
    store: str = "watch.sqlite"
    store_mb: int = 64
    drift: int = 1440
    stdout: bool | None = None
    csv: Csv | None = None
    mqtt: Mqtt | None = None
    webhook: Webhook | None = None
    base: Path = field(default_factory=Path)  # the folder that relative paths start from

    def path(self, name: str) -> Path:
        """A path that the file names: relative ones start at the file."""
        return self.base / Path(name).expanduser()


def read_settings(path: Path) -> Settings:
    """The settings in a TOML file.  Raises SettingsError naming the file, the line and the key."""
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(f"{path}: cannot be read ({reason}); wanted a TOML file") from None
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: {_where_first(str(error))}; wanted TOML") from None
    except RecursionError:
        raise SettingsError(f"{path}: nested too deeply; wanted TOML") from None
    try:
        if "base" in content:
            raise FieldError((), "unknown field 'base'", "base")
        settings = read_fields(Settings, {**content, "base": path.parent})
        _check(settings)
    except FieldError as error:
        line = line_of(text, error.path)
        raise SettingsError(f"{path}: {f'line {line}: ' if line else ''}{error}") from None
    return settings


def _where_first(message: str) -> str:
    """tomllib's 'reason (at line 3, column 7)' as 'line 3, column 7: reason'."""
    found = re.fullmatch(r"(.*) \(at (.*)\)", message, re.DOTALL)
    return f"{found[2]}: {found[1]}" if found else message


def line_of(text: str, path: KeyPath) -> int | None:
    """The line, from 1, that sets the value of a path, or else the table around it; None where it is not to be seen."""
    table: KeyPath = ()
    counts: dict[KeyPath, int] = {}
    best, length = None, 0
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*(\[\[?)\s*([^\[\]#]+?)\s*\]", line):
            table = ()
            *outer, last = _names(header[2])
            for name in outer:
                table = (*table, name)
                table = (*table, counts[table]) if table in counts else table
            table = (*table, last)
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
            table = (*table, counts[table]) if table in counts else table
            found = table
        elif key := re.match(r"\s*([\w\"'.\s-]+?)\s*=", line):
            found = (*table, *_names(key[1]))
        else:
            continue
        if len(found) > length and path[: len(found)] == found:
            best, length = number, len(found)
    return best


def _names(dotted: str) -> list[str]:
    return [name.strip().strip("\"'") for name in dotted.split(".")]


def _check(settings: Settings) -> None:
    """What the types do not say.  Raises FieldError."""
    _check_name(settings.name, ("name",))
    _within(settings.interval, 0.05, 86_400, ("interval",), "seconds")
    _within(settings.store_mb, 1, 1_000_000, ("store_mb",), "megabytes")
    if settings.drift:
        _within(settings.drift, 20, 1_000_000, ("drift",), "readings, or 0")
    source = settings.source
    given = [key for key in ("folder", "camera", "url") if getattr(source, key) is not None]
    if len(given) != 1:
        _wrong(("source",), f"{' and '.join(given) or 'nothing'}; wanted one of folder, camera, url")
    if source.url is not None and not _is_address(source.url, ("http", "https", "rtsp", "rtsps")):
        _wrong(("source", "url"), f"{source.url!r}; wanted http://, https:// or rtsp://, and ASCII (%C3%A4 for ä)")
    if source.rotate not in TURNS:
        _wrong(("source", "rotate"), f"{source.rotate}; wanted one of {', '.join(map(str, TURNS))}")
    if source.after not in AFTER:
        _wrong(("source", "after"), f"{source.after!r}; wanted {' or '.join(AFTER)}")
    if source.size is not None and (len(source.size) != 2 or min(source.size) < 1):
        _wrong(("source", "size"), f"{list(source.size)}; wanted [width, height]")
    for key in ("settle", "patience", "timeout"):
        _within(getattr(source, key), 0, 86_400, ("source", key), "seconds")
    if not settings.region:
        _wrong(("region",), "none; wanted at least one [[region]]")
    names: set[str] = set()
    for at, region in enumerate(settings.region):
        _check_region(region, ("region", at))
        if region.name in names:
            _wrong(("region", at, "name"), f"{region.name!r} is taken; wanted another for each region")
        names.add(region.name)
    if settings.mqtt is not None:
        _within(settings.mqtt.port, 1, 65_535, ("mqtt", "port"), "")
        if settings.mqtt.password is not None and settings.mqtt.password_file is not None:
            _wrong(("mqtt", "password"), "and password_file; wanted one of them")
        for key in ("topic", "discovery"):
            topic = getattr(settings.mqtt, key)
            if re.search(r"[+#\0]|^/|/$", topic) or (key == "topic" and not topic):
                _wrong(("mqtt", key), f"{topic!r}; wanted a topic without + and #")
    if settings.webhook is not None and not _is_address(settings.webhook.url, ("http", "https")):
        _wrong(("webhook", "url"), f"{settings.webhook.url!r}; wanted http:// or https://, and ASCII (%C3%A4 for ä)")


def _is_address(url: str, schemes: Sequence[str]) -> bool:
    """Whether a URL can be asked."""
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and url.isascii() and (parts.port or 1) > 0
    except ValueError:
        return False


def _check_region(region: Region, path: KeyPath) -> None:
    _check_name(region.name, (*path, "name"))
    if region.box is not None and region.boxes:
        _wrong((*path, "boxes"), "and box; wanted one of them")
    for key, boxes in (("box", () if region.box is None else (region.box,)), ("boxes", region.boxes)):
        for box in boxes:
            if len(box) != 4 or min(box) < 0 or min(box[2:]) < 1:
                _wrong((*path, key), f"{list(box)}; wanted [x, y, width, height]")
    if region.digits is not None:
        _within(region.digits, 1, MOST_DIGITS, (*path, "digits"), "")
        if region.boxes and len(region.boxes) != region.digits:
            _wrong((*path, "digits"), f"{region.digits}, but {len(region.boxes)} boxes; wanted a box for each digit")
    _within(region.decimals, 0, region.digits or len(region.boxes) or MOST_DIGITS, (*path, "decimals"), "")
    _within(region.min_confidence, 0, 1, (*path, "min_confidence"), "")
    counter = region.counter
    if counter is None:
        return
    if region.digits is None and not region.boxes:
        _wrong((*path, "counter"), "no digits; wanted to know how many a counter has")
    if counter.max_per_hour is not None:
        _within(counter.max_per_hour, 0, MOST_PER_HOUR, (*path, "counter", "max_per_hour"), "")
    digits, units = region.digits or len(region.boxes), 10**region.decimals
    if counter.start is not None and not 0 <= counter.start * units + 0.5 < 10**digits:
        wanted = f"wanted a number of {counted(digits, 'digit')}, {region.decimals} of them after the point"
        _wrong((*path, "counter", "start"), f"{counter.start:.15g}; {wanted}")
    _within(counter.recover, 0, 1_000_000, (*path, "counter", "recover"), "readings")


def _check_name(name: str, path: KeyPath) -> None:
    if not NAME.fullmatch(name):
        _wrong(path, f"{name!r:.80}; wanted letters, digits, - and _, at most 64")


def _within(value: Any, low: float, high: float, path: KeyPath, unit: str) -> None:
    if not low <= value <= high:
        _wrong(path, f"{value}; wanted {low:g} to {high:,g} {unit}".rstrip())


def _wrong(path: KeyPath, message: str) -> NoReturn:
    raise FieldError(path, message)

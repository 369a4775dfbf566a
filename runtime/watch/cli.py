"""`glyphlite watch`: readings from a folder or a camera, by the interval, until stopped."""

from __future__ import annotations

import signal
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ..cli import complain, muted_libraries
from ..errors import SettingsError, counted
from ..heartbeat import heartbeat
from ..recognizer import Recognizer
from .clock import Clock
from .frame import Frame, open_source
from .loop import Watcher
from .reading import look, shown
from .rules import State
from .settings import Region, Settings, read_settings
from .sinks import open_sinks
from .store import Store

NOT_YET = 2  # exit code of --once where readings wait for a sink that is away


@click.command()
@click.argument("settings", type=click.Path(path_type=Path, dir_okay=False), metavar="SETTINGS.toml")
@click.option("--once", is_flag=True, help="Read one frame, or the files that lie there, and end.")
@click.option("--check", is_flag=True, help="Read one frame and print what is seen; keep and send nothing.")
@click.option(
    "--set", "given", multiple=True, metavar="REGION=VALUE", help="Say what a counter shows now, and end: a new meter."
)
def watch(settings: Path, once: bool, check: bool, given: tuple[str, ...]) -> int:
    """Read the regions of SETTINGS.toml from a folder, a camera or an address, and send the readings on.

    Readings are kept on the disk until they have arrived: of those that were kept none is lost, whatever is killed or
    away.  A web hook, and stdout, may get one twice, with the same id.
    """
    wanted = read_settings(settings)
    if given:
        return _set(wanted, given)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    clock = Clock()
    with muted_libraries():
        recognizer = Recognizer.load(_model(wanted), threads=0)
    if check:
        return _check(wanted, recognizer, clock)
    sinks = open_sinks(wanted)
    store = Store(wanted.path(wanted.store), wanted.store_mb, [sink.name for sink in sinks])
    try:
        source = open_source(wanted, clock, store.is_done, complain)
        complain(f"watching {_what(wanted)} with {recognizer.card.name}, for {', '.join(sink.name for sink in sinks)}")
        watcher = Watcher(wanted, recognizer, source, store, sinks, complain, clock)
        with heartbeat(watcher.is_well):
            arrived = watcher.run(stop, once)
    finally:
        store.close()
    if once and not arrived:
        complain("readings wait for the next time: not all have arrived")
        return NOT_YET
    return 0


def _model(settings: Settings) -> str:
    """The model's name, or its path from the settings' file."""
    path = settings.path(settings.model)
    return str(path) if path.exists() else settings.model


def _what(settings: Settings) -> str:
    from .snapshot import without_password

    source = settings.source
    return source.folder or source.camera or without_password(source.url or "")


def _check(settings: Settings, recognizer: Recognizer, clock: Clock) -> int:
    """Print what one frame shows."""
    source = open_source(settings, clock, lambda key: False, complain)
    try:
        frame: Frame | None = source.take(settings.source.timeout + settings.source.settle)
    finally:
        source.close()
    if frame is None or frame.pixels is None:
        complain(frame.problem if frame else f"{_what(settings)}: no picture")
        return 2
    height, width = frame.pixels.shape[:2]
    click.echo(f"{_what(settings)}: {width} × {height} pixels")
    code = 0
    for region in settings.region:
        seen = look(recognizer, region, frame.pixels)
        text = " or ".join(shown(region, text) for text in seen.texts)
        click.echo(f"{region.name:<16}{text or '–':<16}{100 * seen.confidence:5.1f} %  {seen.reason or ''}".rstrip())
        code = code if seen.texts else 2
    return code


def _set(settings: Settings, given: tuple[str, ...]) -> int:
    """Keep what counters show now."""
    regions = {region.name: region for region in settings.region}
    states: dict[str, Any] = {}
    for one in given:
        name, _, text = one.partition("=")
        region: Region | None = regions.get(name)
        if region is None or region.counter is None:
            counters = ", ".join(name for name, region in regions.items() if region.counter) or "none"
            raise SettingsError(f"--set {one}: no counter {name!r}; there is {counters}")
        try:
            value = round(float(text) * 10**region.decimals)
        except (ValueError, OverflowError):
            value = -1
        digits = region.digits or len(region.boxes)
        if not 0 <= value < 10**digits:
            raise SettingsError(f"--set {one}: {text!r}; wanted a number of {counted(digits, 'digit')}")
        states[f"counter/{name}"] = asdict(State(value, Clock().now()))
    store = Store(settings.path(settings.store), settings.store_mb, [])
    try:
        store.keep([], states)
    finally:
        store.close()
    return 0

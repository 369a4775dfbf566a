"""`glyphlite serve`: the app under waitress, in the foreground, until SIGTERM or Ctrl+C."""

from __future__ import annotations

import signal
from types import FrameType
from typing import NoReturn

import click

from ..runtime.cli import INTERRUPTED, model_option
from ..runtime.heartbeat import heartbeat
from .app import create_app
from .probe import is_ready
from .server import listen

DEFAULT_PORT = 8000
DEFAULT_THREADS = 4  # requests answered at once: one computes while others are read and written


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for every network.")
@click.option(
    "--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one."
)
@model_option
@click.option(
    "--threads", default=DEFAULT_THREADS, show_default=True, type=click.IntRange(1, 64), help="Requests at once."
)
def serve(host: str, port: int, model: str, threads: int) -> int:
    """Serve a page and an API over HTTP until stopped.

    Requests being answered when SIGTERM comes are finished, for at most five seconds.
    """
    code = 0

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        nonlocal code
        code = INTERRUPTED if number == signal.SIGINT else 0
        raise SystemExit(code)  # waitress catches it, and lets its threads finish

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    server, urls = listen(create_app({"MODEL": model}), host, port, threads)
    click.echo(f"glyphlite: {model} answers on {' '.join(urls)}", err=True)
    with heartbeat(lambda: is_ready(urls[0])):
        server.run()
    return code

"""`glyphlite serve`: the app under waitress, in the foreground, until SIGTERM or Ctrl+C."""

from __future__ import annotations

import logging
import signal
from types import FrameType
from typing import Any, NoReturn

import click
from waitress.server import create_server

from ..runtime import GlyphliteError
from ..runtime.cli import INTERRUPTED, model_option
from .app import create_app
from .uploads import BODY_LIMIT

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
    received: list[int] = []

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        received.append(number)
        raise SystemExit  # waitress lets its threads finish on this one

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    server = listen(create_app({"MODEL": model}), host, port, threads)
    for at in getattr(server, "effective_listen", None) or [(host, server.effective_port)]:
        click.echo(f"glyphlite: {model} answers on {_url(*at)}", err=True)
    server.run()
    return INTERRUPTED if received[:1] == [signal.SIGINT] else 0


def listen(app: Any, host: str, port: int, threads: int) -> Any:
    """A waitress server, bound and ready to run.  Raises GlyphliteError where the address cannot be had."""
    # one line for each request that has to wait says nothing that the latency histogram does not
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    try:
        return create_server(
            app,
            host=host,
            port=port,
            threads=threads,
            ident="glyphlite",
            # a body that is somewhat too large is read, so that its sender gets the app's answer, no broken connection
            max_request_body_size=2 * BODY_LIMIT,
            inbuf_overflow=2 * BODY_LIMIT + 1,  # never to a temporary file
        )
    except (OSError, ValueError) as error:  # waitress turns an unknown host into a ValueError
        reason = getattr(error, "strerror", None) or error
        raise GlyphliteError(f"{_url(host, port)}: cannot listen ({reason}); wanted a free port of this host") from None


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"

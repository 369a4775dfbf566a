"""`glyphlite serve`: the app under waitress, in the foreground, until SIGTERM or Ctrl+C."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from ..runtime.cli import INTERRUPTED, model_option
from .app import create_app
from .server import listen
from .tls import Door, own_certificate

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
@click.option(
    "--corrections",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep glyphs that people correct on the page in this folder, for `train --add-data`; default: none are kept.",
)
@click.option("--tls", is_flag=True, help="HTTPS, with a certificate of one's own unless one is given.")
@click.option("--tls-cert", type=click.Path(path_type=Path, dir_okay=False), help="Certificate, PEM; with --tls-key.")
@click.option("--tls-key", type=click.Path(path_type=Path, dir_okay=False), help="The certificate's key, PEM.")
def serve(
    host: str,
    port: int,
    model: str,
    threads: int,
    corrections: Path | None,
    tls: bool,
    tls_cert: Path | None,
    tls_key: Path | None,
) -> int:
    """Serve a page and an API over HTTP, or HTTPS, until stopped.

    Requests being answered when SIGTERM comes are finished, for at most five seconds.
    """
    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key go together; got one of them")
    door = None
    if tls or tls_cert:
        certificate, key = (tls_cert, tls_key) if tls_cert and tls_key else own_certificate()
        door = Door(certificate, key)
        click.echo(f"glyphlite: the certificate is {certificate}", err=True)
    code = 0

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        nonlocal code
        code = INTERRUPTED if number == signal.SIGINT else 0
        raise SystemExit(code)  # waitress catches it, and lets its threads finish

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    server, urls = listen(create_app({"MODEL": model, "CORRECTIONS": corrections}), host, port, threads, door)
    click.echo(f"glyphlite: {model} answers on {' '.join(urls)}", err=True)
    server.run()
    if door:
        door.finish()
    return code

"""`glyphlite serve`: the app under waitress, in the foreground, until SIGTERM or Ctrl+C."""

from __future__ import annotations

import logging
import signal
import threading
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from ..runtime import GlyphliteError
from ..runtime.cli import INTERRUPTED
from ..runtime.heartbeat import heartbeat
from .app import create_app
from .config import Config, configure, from_environment, over
from .logs import logging_to_stderr
from .probe import is_ready
from .server import Server
from .service import reload_models
from .tls import Door, own_certificate

log = logging.getLogger(__name__)


def _config_options(command: Any) -> Any:
    """An option for each key of Config; None where it was not given."""
    for spec in reversed(fields(Config)):
        name, kind, choices = "--" + spec.name.replace("_", "-"), type(spec.default), spec.metadata["choices"]
        shown = f"  [{spec.default}]" if spec.default and kind is not bool else ""
        command = click.option(
            f"{name}/--no-{name[2:]}" if kind is bool else name,
            default=None,
            type=click.Choice(choices) if choices else None if kind is bool else int if kind is int else str,
            metavar="A,B,…" if kind is tuple else None,
            help=spec.metadata["help"] + shown,
        )(command)
    return command


def _door(config: Config) -> Door | None:
    """What takes TLS off, where HTTPS is wanted."""
    if not (config.tls or config.tls_cert):
        return None
    certificate, key = (
        (Path(config.tls_cert), Path(config.tls_key))
        if config.tls_cert
        else own_certificate(names=[name for name in config.hosts if name != "*"])
    )
    log.info("the certificate is %s", certificate)
    return Door(certificate, key)


@click.command()
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="TOML file; variables and options win over it.",
)
@_config_options
def serve(file: Path | None, **options: Any) -> int:
    """Serve a page and an API over HTTP, or HTTPS, until stopped.

    Every option is a key of the TOML file too (log_format = "json"), and a variable (GLYPHLITE_LOG_FORMAT). Requests
    being answered when SIGTERM comes are finished, for at most five seconds.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if given.get("tls") is False and (given.get("tls_cert") or given.get("tls_key")):
        raise click.UsageError("--no-tls and --tls-cert or --tls-key; wanted one of them")
    config = configure(over(from_environment(file), given))
    code = 0
    with logging_to_stderr(config.log_format):
        try:
            app = create_app(config)
            door = _door(config)
            server = Server(app, config.host, config.port, config.threads, config.proxies, door)
        except GlyphliteError as error:
            if config.log_format == "text":
                raise
            log.error("%s", error)  # as every line of the log
            return error.exit_code

        def stop(number: int, _: Any) -> None:
            nonlocal code
            code = INTERRUPTED if number == signal.SIGINT else 0
            server.stop()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        if config.reload_models:  # in a thread, so that requests go on meanwhile
            signal.signal(signal.SIGHUP, lambda *_: threading.Thread(target=reload_models, args=(app,)).start())
        log.info("%s answers on %s", config.model, " ".join(server.urls))
        with heartbeat(lambda: is_ready(server.urls[0])):
            server.run()
        if door:
            door.finish()
    return code

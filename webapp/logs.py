"""The log: a line for each request and each failure, with the request's id; for people, or a JSON object a line.

An image is never in it, nor a query or a body: a line holds who asked, for which path, and how it went.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import g, has_request_context, request

from ..runtime.cli import muted_libraries

ID_HEADER = "X-Request-Id"
USABLE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")  # of a client or a proxy; anything else could forge a line
FIELDS = ("request_id", "client", "method", "path", "status", "ms")

requests = logging.getLogger("glyphlite.requests")


def request_id() -> str:
    """The current request's id: what a proxy or a client calls it, else a new one."""
    if "request_id" not in g:
        given = request.headers.get(ID_HEADER, "")
        g.request_id = given if USABLE_ID.fullmatch(given) else new_id()
    found: str = g.request_id
    return found


def new_id() -> str:
    """An id that no other request has."""
    return secrets.token_hex(8)


def log_request(status: int, seconds: float) -> None:
    """The line of a request that was answered."""
    line = {
        "client": request.remote_addr,
        "method": request.method,
        "path": request.path,
        "status": status,
        "ms": round(1000 * seconds, 1),
    }
    requests.info("%(client)s %(method)s %(path)r %(status)s in %(ms)s ms", line, extra=line)


class _Format(logging.Formatter):
    """Adds the id of the request that a record was made in."""

    def format(self, record: logging.LogRecord) -> str:
        if has_request_context() and not hasattr(record, "request_id"):
            record.request_id = request_id()
        return self.line(record)

    def line(self, record: logging.LogRecord) -> str:
        name = getattr(record, "request_id", None)
        return super().format(record) + (f" [{name}]" if name else "")


class _Json(_Format):
    def line(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{name: getattr(record, name) for name in FIELDS if hasattr(record, name)},
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


@contextmanager
def logging_to_stderr(log_format: str) -> Iterator[None]:
    """While it lasts, stderr takes the log, in 'text' or 'json', and nothing else: what LiteRT and the decoders of
    OpenCV write there past Python, for a damaged image of anybody, would break the lines of it."""
    text = _Format("%(asctime)s %(levelname)s %(message)s")
    before = sys.stderr
    with os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace") as stream, muted_libraries():
        handler = logging.StreamHandler(stream)
        handler.setFormatter(_Json() if log_format == "json" else text)
        logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
        sys.stderr = stream
        try:
            yield
        finally:
            sys.stderr = before
            logging.getLogger().removeHandler(handler)

"""The server as one of its clients sees it: what its heartbeat is taken from."""

from __future__ import annotations

import ssl
from http.client import HTTPException
from urllib.request import HTTPSHandler, ProxyHandler, build_opener

TIMEOUT_S = 15  # systemd waits for four of them


def is_ready(url: str) -> bool:
    """Whether the server at a URL such as http://127.0.0.1:8000/ says that its model answers."""
    # its certificate may be its own; the machine's proxy has no business with it
    context = ssl._create_unverified_context()
    opener = build_opener(ProxyHandler({}), HTTPSHandler(context=context))
    try:
        with opener.open(f"{url}readyz", timeout=TIMEOUT_S) as answer:
            return bool(answer.status == 200)
    except (OSError, HTTPException):
        return False

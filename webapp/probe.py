"""The server as one of its clients sees it: what its heartbeat is taken from."""

from __future__ import annotations

from http.client import HTTPException
from urllib.request import ProxyHandler, build_opener

TIMEOUT_S = 15  # systemd waits for four of them


def is_ready(url: str) -> bool:
    """Whether the server at a URL such as http://127.0.0.1:8000/ says that its model answers."""
    opener = build_opener(ProxyHandler({}))  # the machine's proxy has no business with it
    try:
        with opener.open(f"{url}readyz", timeout=TIMEOUT_S) as answer:
            return bool(answer.status == 200)
    except (OSError, HTTPException):
        return False

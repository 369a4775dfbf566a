"""What systemd is told by a service: that it is ready, that it is well, that it stops (sd_notify(3)).

Nothing is told where no systemd asks, so that a command needs not know how it was started.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

BEATS = 3  # within the time that systemd waits for one: two may be late


def notify(state: str) -> bool:
    """Tell systemd a state such as READY=1; False where it does not ask."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address.startswith("@"):  # Linux's abstract names
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
            connection.sendto(state.encode(), address)
    except OSError as error:
        print(f"glyphlite: systemd cannot be told {state} ({error})", file=sys.stderr)
        return False
    return True


@contextmanager
def heartbeat(healthy: Callable[[], bool]) -> Iterator[None]:
    """Ready inside of the block; then well as long as `healthy` says so, asked from a thread of its own.

    A service that is not well is silent, and systemd starts it again when its WatchdogSec is over.
    """
    stop = threading.Event()
    interval = _watchdog_s() / BEATS

    def beat() -> None:
        while not stop.wait(interval):
            if healthy():
                notify("WATCHDOG=1")
            else:
                print("glyphlite: not well: systemd is not told otherwise", file=sys.stderr)

    notify("READY=1")
    thread = threading.Thread(target=beat, name="heartbeat", daemon=True) if interval else None
    if thread:
        thread.start()
    try:
        yield
    finally:
        notify("STOPPING=1")
        stop.set()
        if thread:
            thread.join(1)  # not for longer: `healthy` may be what hangs


def _watchdog_s() -> float:
    """Seconds within which systemd wants to hear of this process; 0 where it does not."""
    microseconds, process = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not microseconds.isdigit() or process not in ("", str(os.getpid())):
        return 0.0
    return int(microseconds) / 1e6

"""`glyphlite serve` as systemd runs it: told when it is ready, that it is well, that it stops."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

from glyphlite.webapp.probe import is_ready


def test_systemd_is_told_how_the_server_is(tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(120)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "600000")
        command = [Path(sys.executable).with_name("glyphlite"), "serve", "--port", "0"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            assert [systemd.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
            process.send_signal(signal.SIGTERM)
            told = b"WATCHDOG=1"
            while told == b"WATCHDOG=1":
                told = systemd.recv(100)
        assert told == b"STOPPING=1"
        assert process.returncode == 0


def test_a_server_that_is_gone_or_speaks_something_else_is_not_ready():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        silent.close()
    assert not is_ready(url)

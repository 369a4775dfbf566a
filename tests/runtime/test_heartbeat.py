"""What systemd hears of a service, on a real socket."""

import socket
import threading

import pytest

from glyphlite.runtime.heartbeat import heartbeat, notify


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    """The socket that systemd would listen on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.delenv("WATCHDOG_USEC", raising=False)
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        yield listening


def test_a_service_is_ready_and_stops(systemd):
    with heartbeat(lambda: True):
        assert systemd.recv(100) == b"READY=1"
    assert systemd.recv(100) == b"STOPPING=1"


def test_a_service_that_is_well_says_so_again_and_again(systemd, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "30000")
    with heartbeat(lambda: True):
        assert [systemd.recv(100) for _ in range(4)] == [b"READY=1", *[b"WATCHDOG=1"] * 3]


def test_one_that_is_not_well_is_silent(systemd, monkeypatch, capfd):
    monkeypatch.setenv("WATCHDOG_USEC", "30000")
    asked = threading.Semaphore(0)
    with heartbeat(lambda: asked.release() or False):
        for _ in range(3):
            assert asked.acquire(timeout=30)
    assert [systemd.recv(100) for _ in range(2)] == [b"READY=1", b"STOPPING=1"]
    assert "not well" in capfd.readouterr().err


def test_the_watchdog_of_another_process_is_left_alone(systemd, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "30000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    with heartbeat(lambda: pytest.fail("asked")):
        assert "heartbeat" not in [thread.name for thread in threading.enumerate()]


def test_linux_abstract_names_are_reached(monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0glyphlite-test-heartbeat")
        listening.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", "@glyphlite-test-heartbeat")
        assert notify("READY=1")
        assert listening.recv(100) == b"READY=1"


def test_nothing_is_told_where_no_systemd_asks(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify("READY=1")


def test_a_systemd_that_is_gone_is_no_end(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    assert not notify("READY=1")
    assert "cannot be told READY=1" in capfd.readouterr().err

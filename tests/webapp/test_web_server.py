"""The server before the app: uploads stay in memory, broken requests are answered."""

import os
import socket
import sys
import tempfile
import threading
import urllib.error
import urllib.request

import cv2
import numpy as np
import pytest

from glyphlite.webapp.server import Server

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
opened = None  # what was opened for writing, while someone looks


def _audit(event, arguments):
    if opened is None:
        return
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING:
        opened.append(arguments[0])
    elif event.startswith("tempfile."):
        opened.append(event)


sys.addaudithook(_audit)


@pytest.fixture
def watch():
    """The list that every file opened for writing in this process goes to."""
    global opened
    opened = []
    yield opened
    opened = None


@pytest.fixture(scope="module")
def address(app):
    """The app under the real server, in a thread that ends with this process."""
    server = Server(app, "127.0.0.1", 0, 2)
    thread = threading.Thread(target=server.run)
    thread.start()
    yield server.urls[0]
    server.stop()
    thread.join()


def test_the_watch_sees_temporary_files(watch):
    with tempfile.TemporaryFile():  # has no name, so that looking into the folder would not show it
        assert watch


def test_a_large_upload_touches_no_disk(address, multipart, watch):
    noise = np.random.default_rng(0).integers(0, 255, (1500, 1500, 3), np.uint8)
    data = cv2.imencode(".png", noise)[1].tobytes()
    assert len(data) > 6_000_000
    body, content_type = multipart(data)
    for url, content, kind in (
        (f"{address}predict", body, content_type),
        (f"{address}api/v1/predict", data, "image/png"),
    ):
        request = urllib.request.Request(url, content, {"Content-Type": kind})
        try:
            status = urllib.request.urlopen(request, timeout=60).status
        except urllib.error.HTTPError as error:
            status = error.code
        assert status in (200, 400, 422)  # read whole, whatever the noise looks like
    assert watch == []


@pytest.mark.parametrize("line", [b"GET http://[/ HTTP/1.1", b"GET /\xff HTTP/1.1", b"nonsense"])
def test_a_broken_request_is_answered(address, line, caplog):
    host, port = address.strip("/").removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(line + b"\r\nHost: here\r\n\r\n")
        assert b" 400 " in connection.recv(1000).splitlines()[0]
    assert urllib.request.urlopen(f"{address}healthz", timeout=10).status == 200
    assert not caplog.records


def test_it_may_be_stopped_twice(app):
    server = Server(app, "127.0.0.1", 0, 1)
    server.stop()
    server.run()
    server.stop()  # while a door still sends the last answers

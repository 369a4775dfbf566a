"""`glyphlite serve` as its user runs it: a process on a port, clients at it, and SIGTERM."""

import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from glyphlite.runtime import Recognizer

GLYPHLITE = Path(sys.executable).with_name("glyphlite")
THREADS, EACH = 8, 50


def start(*arguments):
    return subprocess.Popen([GLYPHLITE, "serve", *arguments], stderr=subprocess.PIPE, text=True)


def wait_for_url(process):
    """The address that the server says it listens on."""
    for line in process.stderr:
        if found := re.search(r"https?://\S+", line):
            threading.Thread(target=process.stderr.read, daemon=True).start()  # so that its pipe never fills
            return found[0].rstrip("/")
    raise AssertionError(f"the server ended with {process.wait()} before it listened")


def stop(process, number=signal.SIGTERM):
    """Its exit code, and the seconds until it was gone."""
    start = time.monotonic()
    process.send_signal(number)
    return process.wait(timeout=30), time.monotonic() - start


@pytest.fixture
def server(model):
    process = start("--port", "0", "--model", model)
    yield process, wait_for_url(process)
    process.kill()
    process.wait()


def post(url, data, content_type="image/png"):
    request = urllib.request.Request(url, data, {"Content-Type": content_type})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_a_photo_is_answered_and_sigterm_ends_it(server, draw, multipart):
    process, url = server
    assert url.startswith("http://127.0.0.1:")
    status, answer = post(f"{url}/predict", *multipart(draw(7)))
    assert (status, answer["prediction"]) == (200, 7)
    # connections that are open, idle or half way through a request, do not hold it up
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))), socket.create_connection((host, int(port))) as half:
        half.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
        code, seconds = stop(process)
    assert code == 0 and seconds < 10


def test_ctrl_c_is_an_interruption(server):
    assert stop(server[0], signal.SIGINT)[0] == 130


def test_every_caller_gets_its_own_answer(server, model, draw):
    _, url = server
    images = [
        draw((0, 1, 7)[i % 3], thickness=8 + i % 17, shift=(i % 23 - 11, i % 19 - 9)) for i in range(THREADS * EACH)
    ]
    assert len(set(images)) == len(images)
    recognizer = Recognizer.load(model)
    expected = [recognizer.predict(image) for image in images]

    def ask(thread):
        return [post(f"{url}/api/v1/predict", image) for image in images[thread::THREADS]]

    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(ask, range(THREADS)))
    for thread in range(THREADS):
        for (status, answer), right in zip(answers[thread], expected[thread::THREADS], strict=True):
            assert status == 200
            assert answer["label"] == right.label
            assert answer["confidence"] == pytest.approx(right.confidence, abs=2e-6)
            assert tuple(answer["box"].values()) == right.box


@pytest.mark.parametrize("mebibytes", [9, 40])
def test_a_body_over_the_limit_is_answered_in_json(server, multipart, mebibytes):
    body, content_type = multipart(bytes(mebibytes * 2**20))
    status, answer = post(f"{server[1]}/predict", body, content_type)
    assert status == 413 and "8 MiB" in answer["error"]
    pieces = (body[start : start + 2**20] for start in range(0, len(body), 2**20))  # chunked: no length said before
    status, answer = post(f"{server[1]}/api/v1/predict", pieces, content_type)
    assert (status, answer["type"]) == (413, "/problems/body-too-large")


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_a_bad_host_is_one_line(model, host):
    process = start("--host", host, "--port", "0", "--model", model)
    _, text = process.communicate(timeout=60)
    lines = [line for line in text.splitlines() if not line.startswith("INFO")]
    assert process.returncode == 2 and len(lines) == 1 and host in lines[0]


def test_a_port_in_use_is_one_line(model):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start("--port", str(port), "--model", model)
        _, text = process.communicate(timeout=60)
    lines = [line for line in text.splitlines() if not line.startswith("INFO")]
    assert process.returncode == 2 and len(lines) == 1 and str(port) in lines[0]


def test_an_unknown_model_is_one_line():
    process = start("--port", "0", "--model", "no-such-model")
    _, text = process.communicate(timeout=60)
    assert process.returncode == 2 and "no-such-model" in text and len(text.splitlines()) == 1

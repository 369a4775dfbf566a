"""`glyphlite serve` as its user runs it: a process on a port, clients at it, and SIGTERM."""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner

from glyphlite.runtime import Recognizer, find_bundle
from glyphlite.webapp.cli import serve

GLYPHLITE = Path(sys.executable).with_name("glyphlite")
THREADS, EACH = 8, 50
WAITING = 24  # requests that wait when the server is told to stop


def start(*arguments):
    return subprocess.Popen([GLYPHLITE, "serve", *arguments], stderr=subprocess.PIPE, text=True)


def wait_for_url(process):
    """The address that the server says it listens on."""
    for line in process.stderr:
        if found := re.search(r"https?://[^\s\"]+", line):
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


def test_every_request_that_has_arrived_is_answered_after_sigterm(server, draw):
    process, url = server
    host, port = url.removeprefix("http://").split(":")
    head = f"POST /api/v1/read HTTP/1.1\r\nHost: {host}\r\nContent-Type: image/png\r\n"
    head += f"Content-Length: {len(draw(7))}\r\n\r\n"
    with ExitStack() as stack:
        waiting = [stack.enter_context(socket.create_connection((host, int(port)))) for _ in range(WAITING)]
        for connection in waiting:
            connection.sendall(head.encode() + draw(7))
        waiting[0].recv(1)  # they have arrived
        process.send_signal(signal.SIGTERM)
        answers = [connection.makefile("rb").read() for connection in waiting]  # to its end: it is closed
    assert all(b"200 OK" in answer for answer in answers[1:])
    assert process.wait(timeout=30) == 0


def test_sighup_loads_the_models_again_and_drops_no_request(tmp_path, draw):
    bundle = tmp_path / "mine"
    shutil.copytree(find_bundle("digits-edge").folder, bundle)
    file = tmp_path / "serve.toml"
    file.write_text(f'model = "{bundle}"\nport = 0\nreload_models = true\nlog_format = "json"\n')
    process = start("--config", str(file))
    url = wait_for_url(process)
    done = threading.Event()

    def ask(_):
        models = []
        while not done.is_set():
            status, answer = post(f"{url}/api/v1/predict", draw(7))
            models.append((status, answer["label"], answer["model"]))
        return models

    try:
        with ThreadPoolExecutor(4) as pool:
            asking = [pool.submit(ask, n) for n in range(4)]
            post(f"{url}/api/v1/predict", draw(7))
            shutil.rmtree(bundle)
            shutil.copytree(find_bundle("digits-lenet5").folder, bundle)
            process.send_signal(signal.SIGHUP)
            while post(f"{url}/api/v1/predict", draw(7))[1]["model"] != "digits-lenet5":
                pass
            done.set()
        answers = {answer for one in asking for answer in one.result()}
        assert {(200, "7", "digits-edge")} < answers <= {(200, "7", "digits-edge"), (200, "7", "digits-lenet5")}
        assert stop(process)[0] == 0
    finally:
        process.kill()


def test_every_line_of_a_json_log_is_json(model, draw):
    process = start("--port", "0", "--model", model, "--log-format", "json")
    url = re.search(r"http://[^\s\"]+/", process.stderr.readline())[0]
    damaged = draw(7)[:300], draw(1, suffix=".jpg")[:1500], b""  # of which decoders complain on stderr by themselves
    for data in (draw(7), *damaged):
        post(f"{url}api/v1/predict", data)
    process.send_signal(signal.SIGTERM)
    lines = [json.loads(line) for line in process.stderr.read().splitlines()]
    assert process.wait(timeout=30) == 0
    assert [line["status"] for line in lines if "status" in line] == [200, 400, 400, 400]


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
    for shape in ("text", "json"):
        process = start("--port", "0", "--model", "no-such-model", "--log-format", shape)
        _, text = process.communicate(timeout=60)
        assert process.returncode == 2 and "no-such-model" in text and len(text.splitlines()) == 1
    assert json.loads(text)["level"] == "error"


def test_options_that_contradict_each_other():
    done = CliRunner().invoke(serve, ["--no-tls", "--tls-cert", "x", "--tls-key", "y"])
    assert done.exit_code == 2 and "--no-tls and --tls-cert" in done.output

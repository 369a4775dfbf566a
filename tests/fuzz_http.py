"""Hostile requests by the thousand at a real server: none is answered by 500, none ends it, its memory stays bounded.

`python tests/fuzz_http.py [--count N] [--seed S]`; `make fuzz` runs 20,000.  What fails is kept in build/fuzz.
"""

import argparse
import base64
import collections
import io
import re
import signal
import socket
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from fuzz import KEPT, mutated, originals

MOST_MEMORY = 256 * 2**20  # bytes above the server before its first hostile request
THREADS = 8
ANSWER_S = 60  # the longest that an answer may take, however busy the machine is
PATHS = ("/predict", "/api/v1/predict", "/api/v1/read", "/api/v1/batch", "/") * 3 + (
    "/api/v1/models",
    "/docs",
    "/metrics",
)
TYPES = (
    "image/png",
    "image/heic",
    "text/html",
    "application/json",
    "application/octet-stream",
    "application/zip",
    "multipart/form-data",
    "multipart/form-data; boundary=" + "x" * 300,
    "application/x-www-form-urlencoded",
    "\x00",
    "",
)
QUERIES = (
    "",
    "?glyph=1",
    "?glyph=2",
    "?model=x",
    "?expect=" + "(" * 500,
    "?expect=%5Cd%7B99999%7D",
    "?expect=%5Cd%2A&separators=1&alternatives=20&any_rotation=1",
    "?alternatives=1e9",
    "?%00=%ff",
    "?" + "a=1&" * 2000,
)
BROKEN = (
    b"nonsense\r\n\r\n",
    b"\r\n" * 50,
    b"\x16\x03\x01\x02\x00",
    b"GET http://[/ HTTP/1.1\r\n\r\n",
    b"GET /\xff HTTP/1.1\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"TRACE / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nX: " + b"a" * 40_000 + b"\r\n\r\n",
    b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n\r\n",
    b"GET /static/../../etc/passwd HTTP/1.1\r\n\r\n",
    b"POST /predict HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"POST /predict HTTP/1.1\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx",
)


def npz_bomb(rng):
    """An .npz whose array unpacks to far more than it says, or says far more than it holds."""
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (%d, 28, 28), }" % rng.choice([1, 4096, 10**12])
    member = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(int(rng.integers(0, 5_000_000)))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", member)
    return stream.getvalue()


def part(data, rng):
    """A part of a form, more or less."""
    name, file = (
        rng.choice(["file", "file", "file", "", "x" * 500, "\xff"]),
        rng.choice(["a.png", "", "../../a", "\r\n"]),
    )
    head = f'--glyph\r\nContent-Disposition: form-data; name="{name}"; filename="{file}"\r\n\r\n'
    return head.encode("latin-1") + data + b"\r\n"


def body(sources, rng):
    """(Content-Type, body) of one request."""
    data = mutated(sources, rng)
    way = rng.integers(8)
    if way <= 1:
        form = b"".join(part(data, rng) for _ in range(rng.choice([1, 1, 1, 3, 70]))) + b"--glyph--\r\n"
        if way == 1:  # a damaged form
            at = int(rng.integers(len(form)))
            form = form[:at] + rng.bytes(int(rng.integers(0, 9))) + form[at + int(rng.integers(0, 9)) :]
        return "multipart/form-data; boundary=glyph", form
    if way == 2:
        key = rng.choice(["image", "images", "x"])
        text = base64.b64encode(data).decode() if rng.random() < 0.7 else rng.choice(["%%", "data:;base64,", ""])
        content = rng.choice(
            [f'{{"{key}": "{text}"}}', f'{{"{key}": ["{text}", NaN]}}', "[" * 50_000, "NaN", '{"image": 1e999}']
        )
        return "application/json", str(content).encode()
    if way == 3:
        return "application/octet-stream", npz_bomb(rng)
    if way == 4:
        return "application/octet-stream", rng.bytes(784 * int(rng.choice([0, 1, 2, 5000])) + int(rng.integers(2)))
    if way == 5:
        kind = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
        return "multipart/form-data; boundary=x", kind * int(rng.choice([10, 10_000])) + b"--x--\r\n"
    return str(rng.choice(TYPES)), data


def attempt(port, sources, number, seed):
    """(kind of outcome, bytes sent) of one request: its status, 'closed' without one, or '!…' of what is wrong."""
    rng = np.random.default_rng((seed, number))
    kind, content = body(sources, rng)
    way, told, pause = rng.integers(10), len(content), 0.0
    path = str(rng.choice(PATHS)) + str(rng.choice(QUERIES, p=[0.6, *[0.4 / (len(QUERIES) - 1)] * (len(QUERIES) - 1)]))
    if way == 0:
        told = int(rng.choice([0, told // 2, told + 100, 10**12]))
    head = f"{rng.choice(['POST'] * 8 + ['GET', 'PUT'])} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
    head += f"Content-Type: {kind}\r\nContent-Length: {told}\r\n\r\n"
    sent = head.encode("latin-1") + content
    if way == 1:
        sent = sent[: int(rng.integers(len(sent)))]
    if way == 2:
        sent = BROKEN[rng.integers(len(BROKEN))]
    if way == 3 and number % 10 == 0:
        pause = 0.02
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S) as connection:
            try:
                for start in range(0, len(sent), piece := len(sent) // 20 + 1 if pause else len(sent) + 1):
                    connection.sendall(sent[start : start + piece])
                    time.sleep(pause)
                connection.shutdown(socket.SHUT_WR)
            except OSError:  # it was answered, and closed, before all was sent
                pass
            answer = connection.recv(64)
    except TimeoutError:
        return "!no answer", sent
    except OSError:
        answer = b""
    found = re.match(rb"HTTP/1\.[01] (\d{3}) ", answer)
    status = found[1].decode() if found else "closed"
    return ("!" if status.startswith("5") and status not in ("501", "503") else "") + status, sent


def resident(process):
    """Bytes of resident memory of a process; 0 where the system does not tell."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text("ascii"))
    return int(found[1]) * 1024 if found else 0


def fuzz(count, seed=0, say=lambda line: None):
    """Send `count` requests to a server of their own; returns the outcomes by kind, the failures as (kind, bytes sent),
    the growth of its memory, and its exit code on SIGTERM."""
    call = [Path(sys.executable).with_name("glyphlite"), "serve", "--port", "0"]
    server = subprocess.Popen(call, stderr=subprocess.PIPE, text=True)
    try:
        line = next(line for line in server.stderr if "http://" in line)
        port = int(re.search(r":(\d+)/", line)[1])
        log = ThreadPoolExecutor(1).submit(server.stderr.read)
        sources = originals()
        outcomes, failures, before, most = collections.Counter(), [], resident(server), 0
        with ThreadPoolExecutor(THREADS) as pool:
            for first in range(0, count, 500):
                numbers = range(first, min(first + 500, count))
                for kind, sent in pool.map(lambda number: attempt(port, sources, number, seed), numbers):
                    outcomes[kind] += 1
                    if kind.startswith("!"):
                        failures.append((kind, sent))
                if server.poll() is not None:
                    failures.append((f"!server ended with {server.returncode}", b""))
                    break
                most = max(most, resident(server) - before)
                say(f"{numbers[-1] + 1} of {count}: {dict(outcomes)}, {most / 2**20:+.0f} MiB")
        if most > MOST_MEMORY:
            failures.append((f"!memory {most}", b""))
        server.send_signal(signal.SIGTERM)
        code = server.wait(timeout=30)
        if "Traceback" in log.result():
            failures.append(("!traceback in the log", log.result().encode()))
    finally:
        server.kill()
    return outcomes, failures, most, code


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    start = time.perf_counter()
    outcomes, failures, most, code = fuzz(asked.count, asked.seed, lambda line: print(line, file=sys.stderr))
    for index, (kind, sent) in enumerate(failures):
        KEPT.mkdir(parents=True, exist_ok=True)
        (KEPT / f"http-{re.sub('[^a-z0-9]', '', kind)}-{asked.seed}-{index}").write_bytes(sent)
    shown = ", ".join(f"{number} {kind}" for kind, number in outcomes.most_common())
    print(f"{asked.count} requests in {time.perf_counter() - start:.0f} s: {shown}")
    print(f"memory {most / 2**20:+.0f} MiB at most, exit code {code} on SIGTERM, {len(failures)} failures")
    sys.exit(1 if failures or code else 0)


if __name__ == "__main__":
    main()

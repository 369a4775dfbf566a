"""What the web app stands: requests per second beside bare routes, latency under load, memory, everybody's own answer.

`python -m glyphlite.benchmarks.load`, or `make load`.  The routes that it is compared with run in the same server, in
rounds that alternate, so that only ratios of one run are compared.  The load comes from `hey` (Debian's package).
"""

from __future__ import annotations

import argparse
import csv
import http.client
import json
import multiprocessing
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np
from numpy.typing import NDArray

from ..runtime import Recognizer, load_image
from ..runtime.bundle import samples_folder
from ..runtime.errors import GlyphliteError
from .stats import percentiles

ROUTES = ("api/v1/predict", "decode", "constant")
CLIENTS = 8
SHARE_OF_LOAD = 0.8
PICTURE_BYTES = 10_000
GUNICORN_PORT = 9317
CROWD, CROWD_S = 64, 60
ASKERS, EACH = 8, 400
TOLERANCE = 2e-6  # of a probability: it comes rounded


def app() -> Any:
    """The web app, and beside it the two routes that it is compared with."""
    from flask import request

    from ..webapp import create_app

    made = create_app({})

    def decode() -> Any:
        return {"shape": load_image(request.get_data(cache=False)).shape}

    def constant() -> Any:
        return {"bytes": len(request.get_data(cache=False))}

    made.add_url_rule("/decode", view_func=decode, methods=["POST"])
    made.add_url_rule("/constant", view_func=constant, methods=["POST"])
    return made


def serve(urls: Any, threads: int) -> None:
    """Run it under the server of `glyphlite serve`, and tell its address."""
    from ..webapp.server import Server

    server = Server(app(), "127.0.0.1", 0, threads)
    urls.put(server.urls[0])
    server.run()


def picture(size: int = PICTURE_BYTES) -> bytes:
    """A photo of a digit as a PNG of about `size` bytes."""
    photo: NDArray[Any] = load_image(samples_folder() / "0-marker.png")
    side = photo.shape[1]
    while len(data := cv2.imencode(".png", photo)[1].tobytes()) > size:
        side -= 4
        photo = cv2.resize(photo, (side, side * photo.shape[0] // photo.shape[1]), interpolation=cv2.INTER_AREA)
    return data


def hey(url: str, file: Path, seconds: float, clients: int, rate: float = 0) -> list[tuple[float, int]]:
    """(latency in seconds, status) of each request of `clients` connections; rate: of all together, 0: no pause."""
    call = ["hey", "-z", f"{seconds}s", "-c", str(clients), "-m", "POST", "-T", "image/png", "-D", str(file)]
    pause = ["-q", str(rate / clients)] if rate else []
    done = subprocess.run([*call, *pause, "-o", "csv", url], capture_output=True, text=True, check=True)
    return [(float(row["response-time"]), int(row["status-code"])) for row in csv.DictReader(done.stdout.splitlines())]


def resident_mib(process: int) -> float:
    """Resident memory of a process."""
    for line in Path(f"/proc/{process}/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise GlyphliteError(f"process {process}: /proc does not tell its memory")


def different(count: int) -> list[bytes]:
    """`count` photos, all different: the samples, moved and lit otherwise."""
    samples = [load_image(path) for path in sorted(samples_folder().glob("*.png"))]
    rng = np.random.default_rng(0)
    made = []
    for index in range(count):
        photo: NDArray[Any] = samples[index % len(samples)]
        moved = np.roll(photo, rng.integers(-20, 20, 2), (0, 1))
        made.append(cv2.imencode(".jpg", cv2.convertScaleAbs(moved, alpha=rng.uniform(0.7, 1)))[1].tobytes())
    return made


def wrong_answers(url: str) -> int:
    """Of ASKERS threads × EACH photos, how many answers are not those that the photo gets by itself."""
    photos = different(ASKERS * EACH)
    recognizer = Recognizer.load()
    right = [recognizer.predict(photo) for photo in photos]

    def ask(first: int) -> int:
        connection, wrong = http.client.HTTPConnection(urlsplit(url).netloc), 0
        for index in range(first, len(photos), ASKERS):
            connection.request("POST", f"/{ROUTES[0]}", photos[index], {"Content-Type": "image/jpeg"})
            answer = json.loads(connection.getresponse().read())
            same = answer.get("label") == right[index].label
            same &= abs(answer.get("confidence", right[index].confidence) - right[index].confidence) <= TOLERANCE
            wrong += not same
        return wrong

    with ThreadPoolExecutor(ASKERS) as pool:
        return sum(pool.map(ask, range(ASKERS)))


def rounds(urls: dict[str, str], file: Path, count: int, seconds: float) -> dict[str, list[float]]:
    """Requests per second of each URL, by name, in `count` rounds that take them in turn."""
    found: dict[str, list[float]] = {name: [] for name in urls}
    for _ in range(count):
        for name, url in urls.items():
            answers = hey(url, file, seconds, CLIENTS)
            found[name].append(len(answers) / seconds)
            if bad := [status for _, status in answers if status != 200]:
                raise GlyphliteError(f"{url}: answered {bad[0]}")
    return found


def tell_ratios(found: dict[str, list[float]]) -> None:
    """Each name's rate, and the ratio of the first one's to it in the same round."""
    first = next(iter(found.values()))
    for name, rates in found.items():
        ratios = sorted(one / other for one, other in zip(first, rates, strict=True))
        line = f"{name:<28}{statistics.median(rates):8.0f} requests/s"
        print(f"{line}; the first is {statistics.median(ratios):.2f} of it [{ratios[0]:.2f} to {ratios[-1]:.2f}]")


def tell_latency(url: str, file: Path, count: int, seconds: float) -> None:
    """Percentiles under a share of the load that the server took just before, in `count` rounds."""
    found = []
    for _ in range(count):
        rate = SHARE_OF_LOAD * len(hey(url, file, seconds, CLIENTS)) / seconds
        times = [1000 * latency for latency, _ in hey(url, file, 2 * seconds, CLIENTS, rate)]
        found.append(percentiles(times, [50, 99]))
    p50, p99 = np.median(found, axis=0)
    ratios = sorted(high / low for low, high in found)
    shown = f"{statistics.median(ratios):.1f} [{ratios[0]:.1f} to {ratios[-1]:.1f}]"
    print(f"at {SHARE_OF_LOAD:.0%} of its load: p50 {p50:.1f} ms, p99 {p99:.1f} ms; p99 / p50 {shown}")


def beside_gunicorn(workers: int, url: str, file: Path, count: int, seconds: float) -> None:
    """The same app in the same rounds under gunicorn, each worker with threads."""
    address = f"127.0.0.1:{GUNICORN_PORT}"
    call = [sys.executable, "-m", "gunicorn", "-b", address, "-w", str(workers), "-k", "gthread", "--threads", "4"]
    server = subprocess.Popen([*call, f"{__name__ if __spec__ is None else __spec__.name}:app()"])
    try:
        _wait_for(address, server)
        for route in ROUTES:
            urls = {f"waitress {route}": f"{url}{route}", f"gunicorn×{workers} {route}": f"http://{address}/{route}"}
            tell_ratios(rounds(urls, file, count, seconds))
    finally:
        server.terminate()
        server.wait()


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(150):
        if server.poll() is not None:
            break
        try:
            connection = http.client.HTTPConnection(address, timeout=10)
            connection.request("GET", "/healthz")
            connection.getresponse()
            return
        except OSError:
            time.sleep(0.2)
    raise GlyphliteError(f"gunicorn does not answer; wanted it installed, and {address} free")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2, help="of each route in a round")
    parser.add_argument("--threads", type=int, default=4, help="of the server")
    parser.add_argument("--image", type=Path, help="what is posted, instead of a photo of 10 kB")
    parser.add_argument("--gunicorn", type=int, default=0, metavar="WORKERS", help="only the same app under gunicorn")
    parser.add_argument("--crowd-s", type=float, default=CROWD_S, help=f"seconds of {CROWD} clients")
    asked = parser.parse_args()
    if shutil.which("hey") is None:
        raise SystemExit("wanted `hey`: apt-get install hey")
    context = multiprocessing.get_context("spawn")
    urls = context.Queue()
    server = context.Process(target=serve, args=(urls, asked.threads), daemon=True)
    server.start()
    assert server.pid is not None
    url = urls.get(timeout=60)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "picture"
        data = asked.image.read_bytes() if asked.image else picture()
        file.write_bytes(data)
        print(f"posted: {len(data):,} bytes, {' × '.join(map(str, load_image(data).shape[1::-1]))} pixels")
        for route in ROUTES:
            hey(f"{url}{route}", file, 1, CLIENTS)
        if asked.gunicorn:
            beside_gunicorn(asked.gunicorn, url, file, asked.rounds, asked.seconds)
            server.terminate()
            return
        found = rounds({route: f"{url}{route}" for route in ROUTES}, file, asked.rounds, asked.seconds)
        tell_ratios(found)
        tell_latency(f"{url}{ROUTES[0]}", file, asked.rounds, asked.seconds)
        hey(f"{url}{ROUTES[0]}", file, 5, CROWD)
        before = resident_mib(server.pid)
        answers = hey(f"{url}{ROUTES[0]}", file, asked.crowd_s, CROWD)
        bad = sum(status != 200 for _, status in answers)
        grown = resident_mib(server.pid) - before
        print(
            f"{CROWD} clients, {asked.crowd_s:.0f} s: {len(answers)} answers, {bad} errors, {grown:+.1f} MiB resident"
        )
    print(f"{ASKERS} threads × {EACH} different images: {wrong_answers(url)} answers that are not their own")
    server.terminate()


if __name__ == "__main__":
    main()

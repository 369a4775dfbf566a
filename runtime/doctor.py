"""`glyphlite doctor`: whether this machine is fit to run glyphlite, and what to do where it is not.

What may kill a process (an engine's wheel built for another processor) is tried in a process of its own.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import click

from . import device
from .cli import json_option, model_option, muted_libraries, print_json
from .errors import GlyphliteError, counted

OK, WARN, FAIL = "ok", "warn", "fail"
MARKS = {OK: "ok  ", WARN: "warn", FAIL: "FAIL"}
ROOT = Path("/")

IMPORT_S = 120  # an import may take so long: a Raspberry Pi Zero reads OpenCV from a slow card
MEMORY_MIB = 150  # available; one `predict` takes 70 to 110
DISK_MIB = 500, 50  # free: warn below, fail below
HOT_C, TOO_HOT_C = 75, 80  # a Raspberry Pi slows down from 80 °C (60 °C on a 3 B+; it says so itself)
ENGINES = {  # package: module
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
    "onnxruntime": "onnxruntime",
}
DIES = "dies of"
ANSWERS = """
import dataclasses, json, sys
from glyphlite.runtime import doctor
print(json.dumps(dataclasses.asdict(doctor.answers(sys.argv[1]))))
"""
# V4L2 devices of a Raspberry Pi that are no cameras: codecs, scalers, the camera's own image processor
NO_CAMERAS = ("codec", "isp", "hevc", "rpivid", "pispbe", "unicam-embedded", "metadata")


@dataclass(frozen=True)
class Check:
    """One thing looked at.  status: ok, warn (it works, but…) or fail.  advice: what to do, '' where nothing is."""

    name: str
    status: str
    found: str
    advice: str = ""


def examine(model: str, port: int, root: Path = ROOT) -> Iterator[Check]:
    """Every check, one by one; root: where `proc`, `sys`, `dev` and `run` lie."""
    yield processor(root)
    yield python()
    yield library("numpy", "numpy", "numpy")
    yield library("OpenCV", "cv2", "opencv-python-headless")
    yield engine()
    yield answers_apart(model)
    yield memory(root)
    yield disk(Path(os.path.expanduser("~")))  # noqa: PTH111  # Path.home() raises where there is none
    yield temperature(root)
    yield power(device.vcgencmd("get_throttled"))
    yield camera(root)
    yield clock(root)
    yield open_port(port)


def processor(root: Path = ROOT) -> Check:
    """Board, cores, and the instructions that make int8 fast."""
    told = device.describe(root)
    features = device.features(root)
    board = told.get("board") or told.get("cpu") or "unknown processor"
    cores = counted(told["usable_cores"], "core")
    found = f"{board}, {told['machine']}, {cores}, {', '.join(features) or 'no vector unit'}"
    if told["machine"].startswith(("arm", "aarch")) and "NEON" not in features:
        return Check("processor", WARN, found, "no NEON: the engines' wheels want an ARMv7 with it, or newer")
    return Check("processor", OK, found)


def python() -> Check:
    """Python, and whether it is as wide as the kernel: pip asks the kernel which wheels to take."""
    bits = 8 * struct.calcsize("P")
    found = f"{platform.python_implementation()} {platform.python_version()}, {bits} bits"
    if bits == 32 and platform.machine() in ("aarch64", "x86_64"):
        advice = "32-bit system on a 64-bit kernel: install with `linux32 pip install …`, else pip wants 64-bit wheels"
        return Check("python", WARN, f"{found}, kernel {platform.machine()}", advice)
    return Check("python", OK, found)


def library(name: str, module: str, package: str) -> Check:
    """Whether a library can be imported."""
    problem = import_problem(module)
    if problem:
        advice = f"pip install --force-reinstall {package}, or your system's package"
        if "cannot open shared object file" in problem:
            advice = f"sudo apt install what has that library (libopenblas0, libgl1, libglib2.0-0), or {advice}"
        return Check(name, FAIL, f"{module}: {problem}", advice)
    return Check(name, OK, _version(package) or "installed, not by pip")


def engine() -> Check:
    """The engines that are here; a .tflite needs one of the first two."""
    works, broken = [], []
    for package, module in ENGINES.items():
        if find_spec(module.split(".")[0]) is None:
            continue
        problem = import_problem(module)
        shown = f"{package} {_version(package)}".strip()
        if problem:
            broken.append(f"{shown}: {problem}")
        else:
            works.append(shown)
    found = ", ".join([*works, *broken]) or "none"
    if not any(not name.startswith("onnx") for name in works):
        narrow = "tflite-runtime (of Python 3.11), or python3-onnxruntime, which runs .onnx files"
        what = narrow if struct.calcsize("P") == 4 else "ai-edge-litert"
        return Check(
            "engine",
            WARN if works else FAIL,
            found,
            f"nothing runs a .tflite{'; .onnx files are run' if works else ''}: install {what}",
        )
    return Check("engine", WARN if broken else OK, found, "reinstall the broken one, or remove it" if broken else "")


def import_problem(module: str) -> str:
    """Why a module cannot be imported, tried in a process of its own; '' where it can."""
    problem, _ = _apart(f"import {module}")
    return f"its import {problem}" if problem.startswith(DIES) else problem


def _apart(program: str, *arguments: str) -> tuple[str, str]:
    """What ended a Python program that runs in a process of its own ('' where nothing did), and what it printed."""
    command = [sys.executable, "-c", program, *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=IMPORT_S)
    except subprocess.TimeoutExpired:
        return f"not done within {IMPORT_S} s", ""
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        built = "; a wheel was built for another processor" if name == "SIGILL" else ""
        return f"{DIES} {name}{built}", ""
    told = (done.stderr.strip().splitlines() or ["it ends"])[-1]
    return " ".join(told.split()) if done.returncode else "", done.stdout


def answers_apart(model: str) -> Check:
    """As `answers`, in a process of its own."""
    problem, told = _apart(ANSWERS, model)
    if problem:
        return Check("model", FAIL, f"{model}: {problem}", "first what fails above; else --model with another one")
    return Check(**json.loads(told))


def answers(model: str) -> Check:
    """Whether the model loads, and recognises its samples."""
    from .recognizer import Recognizer
    from .selftest import self_test

    try:
        with muted_libraries():
            start = time.perf_counter()
            recognizer = Recognizer.load(model)
            loaded = time.perf_counter()
            tested = self_test(recognizer)
            done = time.perf_counter()
    except GlyphliteError as error:
        return Check("model", FAIL, str(error), "install glyphlite again, or name another one with --model")
    card = recognizer.card
    times = f"loaded in {1000 * (loaded - start):.0f} ms"
    if tested is None:
        return Check("model", OK, f"{card.name} {times} and computes; it knows other characters than the samples'")
    times += f", {1000 * (done - loaded) / tested.samples:.1f} ms a photo"
    found = f"{card.name}, {recognizer.artifact.file}: {tested.right} of {tested.samples} samples right, {times}"
    return Check("model", OK, found)


def memory(root: Path = ROOT) -> Check:
    """Memory that can be had."""
    in_all, available = device.memory_mib(root), device.memory_mib(root, "MemAvailable")
    if in_all is None or available is None:
        return Check("memory", OK, "not told by this system")
    found = f"{available:,} of {in_all:,} MiB available"
    if available < MEMORY_MIB:
        return Check("memory", WARN, found, f"wanted {MEMORY_MIB} MiB: end other programs, or add zram swap")
    return Check("memory", OK, found)


def disk(folder: Path) -> Check:
    """Room, and leave to write, where readings and caches go."""
    while not folder.is_dir():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 2**20
    found = f"{free:,.0f} MiB free in {folder}"
    warn_below, fail_below = DISK_MIB
    if not os.access(folder, os.W_OK):
        advice = "fine for `predict` and `serve`; `watch` wants a folder that it may write"
        return Check("disk", WARN, f"{folder} cannot be written", advice)
    if free < warn_below:
        advice = "make room: apt clean, journalctl --vacuum-size=50M"
        return Check("disk", FAIL if free < fail_below else WARN, found, advice)
    return Check("disk", OK, found)


def temperature(root: Path = ROOT) -> Check:
    """How warm the processor is."""
    degrees = device.state(root).get("temperature_c")
    if degrees is None:
        return Check("temperature", OK, "not told by this machine")
    if degrees >= HOT_C:
        status = FAIL if degrees >= TOO_HOT_C else WARN
        return Check(
            "temperature", status, f"{degrees:.0f} °C", "a heat sink, a fan or a cooler place: it slows down at 80 °C"
        )
    return Check("temperature", OK, f"{degrees:.0f} °C")


def power(told: str) -> Check:
    """What the firmware of a Raspberry Pi says; told: what `vcgencmd get_throttled` prints."""
    if "throttled=" not in told:
        return Check("power", OK, "not told by this machine")
    now, before = device.throttling(told), device.throttling(told, device.SINCE_BOOT)
    volts = "under-voltage" in (*now, *before)
    advice = "the official power supply and a short cable" if volts else "better cooling"
    if now:
        return Check("power", FAIL, f"now: {', '.join(now)}", advice)
    if before:
        return Check("power", WARN, f"since the start: {', '.join(before)}", advice)
    return Check("power", OK, "not throttled since the start")


def camera(root: Path = ROOT) -> Check:
    """Cameras of the kernel's, and Raspberry Pi's own library; only `watch` wants one."""
    found: list[str] = []
    locked: list[str] = []
    for node in sorted((root / "sys/class/video4linux").glob("video*")):
        name = device.read_text(node / "name")
        if any(word in name.lower() for word in NO_CAMERAS):
            continue
        path = root / "dev" / node.name
        (found if os.access(path, os.R_OK | os.W_OK) else locked).append(f"{name or 'camera'} (/dev/{node.name})")
    if find_spec("picamera2") is not None:
        found.append("picamera2")
    if locked:
        return Check("camera", WARN, ", ".join([*found, *locked]), "sudo usermod -aG video $USER, and log in again")
    return Check("camera", OK, ", ".join(found) or "none (only `watch` on a camera wants one)")


def clock(root: Path = ROOT, now: float | None = None) -> Check:
    """A Raspberry Pi without a battery starts with the time of its last stop: readings would be dated wrongly."""
    now = time.time() if now is None else now
    installed = Path(__file__).stat().st_mtime
    shown = time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(now))
    if now < installed - 86400:
        return Check("clock", FAIL, f"{shown}, before glyphlite was installed", "sudo timedatectl set-ntp true")
    if (root / "run/systemd/timesync").is_dir() and not (root / "run/systemd/timesync/synchronized").exists():
        return Check("clock", WARN, f"{shown}, not set by the network yet", "sudo timedatectl set-ntp true")
    return Check("clock", OK, shown)


def open_port(port: int) -> Check:
    """Whether `serve` could listen, or does."""
    found = f"127.0.0.1:{port}"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            return Check(
                "port", WARN, f"{found} may not be listened on", "take a port over 1023: glyphlite serve --port"
            )
        except OSError:
            pass
        else:
            return Check("port", OK, f"{found} is free")
    if _serves_glyphlite(port):
        return Check("port", OK, f"{found}: glyphlite serves there")
    return Check("port", WARN, f"{found} is another program's", "glyphlite serve --port, with another number")


def _serves_glyphlite(port: int) -> bool:
    """Whether it answers there, by HTTP or by HTTPS with any certificate."""
    trusting = ssl._create_unverified_context()
    for connection in (
        HTTPConnection("127.0.0.1", port, timeout=2),
        HTTPSConnection("127.0.0.1", port, timeout=2, context=trusting),
    ):
        with suppress(OSError, HTTPException), closing(connection):
            connection.request("GET", "/healthz")
            if connection.getresponse().getheader("Server") == "glyphlite":
                return True
    return False


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


@click.command()
@model_option
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="That `serve` would take.")
@json_option
def doctor(model: str, port: int, as_json: bool) -> int:
    """Check this machine: processor, engine, model, memory, disk, heat, power, camera, clock, port.

    A line each: ok, warn or FAIL, what was found, and what to do. Exit code 2 where something fails.
    """
    checks = []
    for check in examine(model, port):
        checks.append(check)
        if not as_json:
            advice = f"\n      {' ' * 12}→ {check.advice}" if check.advice else ""
            click.echo(f"{MARKS[check.status]}  {check.name:<12}{check.found}{advice}")
    fit = all(check.status != FAIL for check in checks)
    if as_json:
        print_json({"fit": fit, "checks": [asdict(check) for check in checks]})
    return 0 if fit else 2

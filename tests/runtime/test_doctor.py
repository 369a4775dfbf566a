"""What the doctor finds: on machines that the tests make up, and on this one."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections import namedtuple

import pytest
from click.testing import CliRunner

from glyphlite.runtime import doctor
from glyphlite.runtime.cli import root as command


def write(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_this_machine_is_fit_and_says_so_twice(model_name):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    told = CliRunner().invoke(command, ["doctor", "--port", port, "--model", model_name, "--json"])
    found = json.loads(told.output)
    statuses = {check["name"]: check["status"] for check in found["checks"]}
    assert found["fit"] == (doctor.FAIL not in statuses.values()) == (told.exit_code == 0)
    assert list(statuses) == [
        *("processor", "python", "numpy", "OpenCV", "engine", "model"),
        *("memory", "disk", "temperature", "power", "camera", "clock", "port"),
    ]
    for name in ("OpenCV", "engine", "model", "port"):
        assert statuses[name] == doctor.OK
    assert all(check["advice"] for check in found["checks"] if check["status"] != doctor.OK)


def test_a_model_that_is_damaged_fails(tmp_path):
    (tmp_path / "model.tflite").write_bytes(bytes(400))
    found = doctor.answers(str(tmp_path / "model.tflite"))
    assert found.status == doctor.FAIL
    assert "no TFLite model" in found.found


def test_an_import_that_kills_its_process_is_told(tmp_path, monkeypatch):
    """As a wheel of another processor does: illegal instruction."""
    write(
        tmp_path,
        {"deadly.py": f"import os\nos.kill(os.getpid(), {int(signal.SIGILL)})\n", "broken.py": "import nope\n"},
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    assert doctor.import_problem("deadly") == "its import dies of SIGILL; a wheel was built for another processor"
    assert doctor.import_problem("broken") == "ModuleNotFoundError: No module named 'nope'"
    assert doctor.import_problem("json") == ""


@pytest.mark.parametrize(
    ("broken", "name", "told"),
    [
        ("cv2", "OpenCV", "raise ImportError('libGL.so.1: cannot open shared object file')"),
        ("numpy", "numpy", "raise ImportError('libopenblas.so.0: cannot open shared object file')"),
        ("ai_edge_litert", "engine", f"import os; os.kill(os.getpid(), {int(signal.SIGILL)})"),
    ],
)
def test_the_doctor_runs_where_what_it_looks_at_is_broken(tmp_path, broken, name, told):
    """As on a board without the system's libraries, or with another processor's wheels."""
    write(tmp_path / "shadow", {f"{broken}/__init__.py": told + "\n"})
    lamed = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "shadow"), *sys.path])}
    command = [sys.executable, "-c", "from glyphlite.runtime.cli import main; main()"]
    seen = subprocess.run([*command, "doctor", "--json"], env=lamed, capture_output=True, text=True)
    assert seen.returncode == 2 and not seen.stderr
    checks = {check["name"]: check for check in json.loads(seen.stdout)["checks"]}
    assert checks["model"]["status"] == doctor.FAIL and checks["port"]["name"] == "port"
    assert checks[name]["status"] != doctor.OK and checks[name]["advice"]
    if broken != "ai_edge_litert":
        asked = subprocess.run([*command, "predict", "one.png"], env=lamed, capture_output=True, text=True)
        assert asked.returncode == 2
        assert "cannot open shared object file" in asked.stderr and "glyphlite doctor" in asked.stderr
        assert "Traceback" not in asked.stderr and len(asked.stderr.splitlines()) == 1


def test_no_engine_fails_and_a_broken_one_warns(monkeypatch):
    problems = {"ai_edge_litert.interpreter": "its import dies of SIGILL", "onnxruntime": ""}
    monkeypatch.setattr(doctor, "find_spec", lambda name: name != "tflite_runtime" or None)
    monkeypatch.setattr(doctor, "import_problem", problems.get)
    found = doctor.engine()
    assert found.status == doctor.WARN
    assert "dies of SIGILL" in found.found
    assert "nothing runs a .tflite" in found.advice
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)
    assert doctor.engine().status == doctor.FAIL


@pytest.mark.parametrize(("available", "status"), [(400_000, doctor.OK), (90_000, doctor.WARN)])
def test_little_memory_warns(tmp_path, available, status):
    write(tmp_path, {"proc/meminfo": f"MemTotal: 445000 kB\nMemAvailable: {available} kB\n"})
    assert doctor.memory(tmp_path).status == status


@pytest.mark.parametrize(("free", "status"), [(9000, doctor.OK), (300, doctor.WARN), (20, doctor.FAIL)])
def test_a_full_disk_fails(tmp_path, monkeypatch, free, status):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: usage(0, 0, free * 2**20))
    assert doctor.disk(tmp_path / "not" / "yet").status == status


@pytest.mark.parametrize(("degrees", "status"), [(52, doctor.OK), (77, doctor.WARN), (84, doctor.FAIL)])
def test_heat_is_told(tmp_path, degrees, status):
    zone = "sys/class/thermal/thermal_zone0"
    write(tmp_path, {f"{zone}/type": "cpu-thermal\n", f"{zone}/temp": f"{degrees}000\n"})
    assert doctor.temperature(tmp_path).status == status


@pytest.mark.parametrize(
    ("told", "status", "advice"),
    [
        ("throttled=0x0", doctor.OK, ""),
        ("throttled=0x50005", doctor.FAIL, "power supply"),
        ("throttled=0x50000", doctor.WARN, "power supply"),
        ("throttled=0x80008", doctor.FAIL, "cooling"),
        ("", doctor.OK, ""),
    ],
)
def test_power_and_throttling_are_told(told, status, advice):
    found = doctor.power(told)
    assert found.status == status
    assert advice in found.advice


def test_codecs_are_no_cameras(tmp_path):
    classes = "sys/class/video4linux"
    write(tmp_path, {f"{classes}/video10/name": "bcm2835-codec-decode\n"})
    assert doctor.camera(tmp_path).found.startswith("none")
    write(tmp_path, {f"{classes}/video0/name": "HD USB Camera\n", "dev/video0": ""})
    assert doctor.camera(tmp_path).found == "HD USB Camera (/dev/video0)"


def test_a_clock_that_stood_still_fails(tmp_path):
    assert doctor.clock(tmp_path, now=0.0).status == doctor.FAIL
    assert doctor.clock(tmp_path).status == doctor.OK
    (tmp_path / "run/systemd/timesync").mkdir(parents=True)
    assert doctor.clock(tmp_path).status == doctor.WARN
    (tmp_path / "run/systemd/timesync/synchronized").touch()
    assert doctor.clock(tmp_path).status == doctor.OK


def test_another_programs_port_warns():
    with socket.create_server(("127.0.0.1", 0)) as other:
        found = doctor.open_port(other.getsockname()[1])
    assert found.status == doctor.WARN
    assert "another program" in found.found

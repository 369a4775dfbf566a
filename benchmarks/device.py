"""The machine that a figure belongs to, as far as it can be read; what cannot be read is absent, never invented."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..runtime.cores import usable_cores

PACKAGES = ("glyphlite", "numpy", "opencv-python-headless", "ai-edge-litert", "tflite-runtime", "onnxruntime")
# bits of the Raspberry Pi's firmware (documentation of vcgencmd, get_throttled)
THROTTLES = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}
CPU_ZONES = ("cpu", "pkg", "soc", "core")  # in the type of a thermal zone that tells the processor's temperature


def describe(root: Path = Path("/")) -> dict[str, Any]:
    """What stays the same during a run: board, processor, cores, governor, kernel, versions.

    root: where `proc` and `sys` lie.
    """
    frequency = root / "sys/devices/system/cpu/cpu0/cpufreq"
    kilohertz = _read(frequency / "cpuinfo_max_freq")
    found = {
        "board": _read(root / "proc/device-tree/model").rstrip("\0"),
        "cpu": _cpu_model(root),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "memory_mib": _memory_mib(root),
        "governor": _read(frequency / "scaling_governor"),
        "max_mhz": int(kilohertz) // 1000 if kilohertz.isdigit() else None,
        "system": f"{platform.system()} {platform.release()}".strip(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": _versions(),
    }
    return _present(found)


def state(root: Path = Path("/")) -> dict[str, Any]:
    """What changes during a run: load average over one minute, frequency in MHz, temperature in °C, and what
    throttles a Raspberry Pi now."""
    kilohertz = _read(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq")
    try:
        load: float | None = round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):  # Windows has none
        load = None
    found = {
        "load_average": load,
        "mhz": int(kilohertz) // 1000 if kilohertz.isdigit() else None,
        "temperature_c": _temperature(root),
        "throttled": throttling(vcgencmd("get_throttled")),
    }
    return _present(found)


def throttling(told: str) -> list[str]:
    """What `vcgencmd get_throttled` says of now: 'throttled=0x50005' to words; [] where nothing throttles."""
    _, _, number = told.partition("throttled=")
    try:
        bits = int(number, 16)
    except ValueError:
        return []
    return [word for bit, word in THROTTLES.items() if bits & (1 << bit)]


def vcgencmd(command: str) -> str:
    """The answer of the Raspberry Pi's own tool; '' where there is none."""
    if not (tool := shutil.which("vcgencmd")):
        return ""
    try:
        told = subprocess.run([tool, command], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return told.stdout.strip()


def _cpu_model(root: Path) -> str:
    """The processor's name: x86 calls it `model name`, ARM's kernels give `Hardware` or a part number at best."""
    fields: dict[str, str] = {}
    for line in _read(root / "proc/cpuinfo").splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    if "CPU part" in fields:
        part = f"ARM implementer {fields.get('CPU implementer', '?')} part {fields['CPU part']}"
        return f"{fields['Hardware']} ({part})" if "Hardware" in fields else part
    return fields.get("model name", "") or platform.processor()


def _memory_mib(root: Path) -> int | None:
    for line in _read(root / "proc/meminfo").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) // 1024
    return None


def _temperature(root: Path) -> float | None:
    """The hottest of the processor's thermal zones."""
    degrees = []
    for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        kind, millidegrees = _read(zone / "type").lower(), _read(zone / "temp")
        if any(word in kind for word in CPU_ZONES) and millidegrees.lstrip("-").isdigit():
            degrees.append(int(millidegrees) / 1000)
    return round(max(degrees), 1) if degrees else None


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace").strip()
    except OSError:
        return ""


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value not in (None, "", {}, [])}

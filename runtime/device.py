"""The machine that this runs on, as far as it can be read; what cannot be read is absent, never invented."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .cores import usable_cores

PACKAGES = ("glyphlite", "numpy", "opencv-python-headless", "ai-edge-litert", "tflite-runtime", "onnxruntime")
# bits of the Raspberry Pi's firmware (documentation of vcgencmd, get_throttled)
THROTTLES = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}
SINCE_BOOT = 16  # such a bit, so much further up, tells that it has happened since the start
# what makes an int8 network fast, as the kernel names it in /proc/cpuinfo: on 64-bit ARM, on 32-bit, on x86-64
FEATURES = {
    "asimd": "NEON",
    "neon": "NEON",
    "asimddp": "dot product",
    "i8mm": "int8 matrices",
    "avx2": "AVX2",
    "avx_vnni": "VNNI",
    "avx512_vnni": "VNNI",
}
CPU_ZONES = ("cpu", "pkg", "soc", "core")  # in the type of a thermal zone that tells the processor's temperature


def describe(root: Path = Path("/")) -> dict[str, Any]:
    """What stays the same during a run: board, processor, cores, governor, kernel, versions.

    root: where `proc` and `sys` lie.
    """
    frequency = root / "sys/devices/system/cpu/cpu0/cpufreq"
    kilohertz = read_text(frequency / "cpuinfo_max_freq")
    found = {
        "board": read_text(root / "proc/device-tree/model").rstrip("\0"),
        "cpu": _cpu_model(root),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "memory_mib": memory_mib(root),
        "governor": read_text(frequency / "scaling_governor"),
        "max_mhz": int(kilohertz) // 1000 if kilohertz.isdigit() else None,
        "system": f"{platform.system()} {platform.release()}".strip(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": _versions(),
    }
    return _present(found)


def state(root: Path = Path("/")) -> dict[str, Any]:
    """What changes during a run: load average over one minute, frequency in MHz, temperature in °C, and what
    throttles a Raspberry Pi now."""
    kilohertz = read_text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq")
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


def throttling(told: str, shift: int = 0) -> list[str]:
    """What `vcgencmd get_throttled` says of now, or SINCE_BOOT: 'throttled=0x50005' to words; [] for nothing."""
    _, _, number = told.partition("throttled=")
    try:
        bits = int(number, 16)
    except ValueError:
        return []
    return [word for bit, word in THROTTLES.items() if bits & (1 << bit + shift)]


def vcgencmd(command: str) -> str:
    """The answer of the Raspberry Pi's own tool; '' where there is none."""
    if not (tool := shutil.which("vcgencmd")):
        return ""
    try:
        told = subprocess.run([tool, command], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return told.stdout.strip()


def features(root: Path = Path("/")) -> list[str]:
    """What the processor has of FEATURES."""
    cpu = _cpu_fields(root)
    named = (cpu.get("Features") or cpu.get("flags") or "").split()
    return sorted({word for name, word in FEATURES.items() if name in named})


def _cpu_model(root: Path) -> str:
    """The processor's name: x86 calls it `model name`, ARM's kernels give `Hardware` or a part number at best."""
    cpu = _cpu_fields(root)
    if "CPU part" in cpu:
        part = f"ARM implementer {cpu.get('CPU implementer', '?')} part {cpu['CPU part']}"
        return f"{cpu['Hardware']} ({part})" if "Hardware" in cpu else part
    return cpu.get("model name", "") or platform.processor()


def _cpu_fields(root: Path) -> dict[str, str]:
    """What the kernel says of the first core."""
    return _colon_fields(root / "proc/cpuinfo")


def memory_mib(root: Path = Path("/"), what: str = "MemTotal") -> int | None:
    """A line of /proc/meminfo: MemTotal, MemAvailable, SwapTotal."""
    kibibytes = _colon_fields(root / "proc/meminfo").get(what, "").split()
    return int(kibibytes[0]) // 1024 if kibibytes else None


def _temperature(root: Path) -> float | None:
    """The hottest of the processor's thermal zones."""
    degrees = []
    for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        kind, millidegrees = read_text(zone / "type").lower(), read_text(zone / "temp")
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


def _colon_fields(path: Path) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in read_text(path).splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    return fields


def read_text(path: Path) -> str:
    """A file's text without the space around it; '' where it cannot be read."""
    try:
        return path.read_text("utf-8", errors="replace").strip()
    except OSError:
        return ""


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value not in (None, "", {}, [])}

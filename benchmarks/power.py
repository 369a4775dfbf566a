"""Watts while an artifact runs: from a Raspberry Pi 5's power management chip, else none are told."""

from __future__ import annotations

import re
import threading
import time

from ..runtime.device import vcgencmd
from .latency import Call

BUSY_S = 2.0  # of calls while the chip is read
RAIL = re.compile(r"^\s*(\w+)_([AV]) (?:current|volt)\(\d+\)=([\d.]+)", re.MULTILINE)  # VDD_CORE_A current(7)=1.52A


def rails_watts(told: str) -> float | None:
    """The sum over the rails of volts × amperes, of what `vcgencmd pmic_read_adc` prints; None where there are none.

    What hangs at the USB ports and the header is on none of these rails.
    """
    found: dict[str, dict[str, float]] = {}
    for rail, unit, value in RAIL.findall(told):
        found.setdefault(rail, {})[unit] = float(value)
    powers = [rail["A"] * rail["V"] for rail in found.values() if rail.keys() == {"A", "V"}]
    return sum(powers) if powers else None


def busy_watts(call: Call) -> float | None:
    """The mean of the board's watts while `call` is made again and again; None on a board that does not tell."""
    if rails_watts(vcgencmd("pmic_read_adc")) is None:
        return None
    over = threading.Event()

    def run() -> None:
        while not over.is_set():
            call()

    worker = threading.Thread(target=run)
    worker.start()
    try:
        readings = []
        end = time.monotonic() + BUSY_S
        while time.monotonic() < end:
            readings.append(rails_watts(vcgencmd("pmic_read_adc")))
    finally:
        over.set()
        worker.join()
    known = [reading for reading in readings if reading is not None]
    return sum(known) / len(known) if known else None

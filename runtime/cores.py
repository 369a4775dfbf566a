"""How many cores this process may use: what `taskset` left it, and what its control group pays for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def usable_cores(root: Path = Path("/")) -> int:
    """Cores that this process may run on, at least 1; root: of the file system that tells of control groups.

    A quota of 1.5 cores counts as one: a second thread would be stopped for half of the time.
    """
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        cores = os.cpu_count() or 1
    return max(1, min([cores, *(int(quota) for quota in _quotas(root))]))


def _quotas(root: Path) -> Iterator[float]:
    """Cores that each control group around this process pays for (cgroups(7), versions 1 and 2)."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # no Linux
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / (controllers if controllers else "")
        folder = mount / group.strip("/")
        for around in [folder, *folder.parents]:
            if controllers:
                quota, period = (_number(around / f"cpu.cfs_{what}_us") for what in ("quota", "period"))
            else:
                quota, period = (_number(around / "cpu.max", place) for place in (0, 1))
            if quota > 0 and period > 0:
                yield quota / period
            if around == mount:
                break


def _number(path: Path, place: int = 0) -> int:
    """A number in a file; 0 for none, as for `max`."""
    try:
        return int(path.read_text().split()[place])
    except (OSError, ValueError, IndexError):
        return 0

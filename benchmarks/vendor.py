"""Is our timing loop right?  The vendor's own benchmark and ours, in turn, on the same file and threads:
`python -m glyphlite.benchmarks.vendor FILE.tflite`."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..runtime.engine import open_engine
from ..runtime.errors import EngineError
from .latency import Plan, measure

TOOL = "litert-benchmark"  # of the ai-edge-litert wheel; it rounds to 0.01 ms
RUNS, WARM_UPS = 200, 50
TURNS = 5


@dataclass(frozen=True)
class Agreement:
    """Medians in ms of each turn, ours and the vendor's.  ratio: the median of ours by theirs, turn by turn."""

    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """1 where both tell the same."""
        return statistics.median(a / b for a, b in zip(self.ours, self.theirs, strict=True))


def compare_with_vendor(path: Path, threads: int = 1, turns: int = TURNS) -> Agreement:
    """Time the bare call of a `.tflite` by both.  Raises EngineError where the vendor's tool is not there or fails."""
    engine = open_engine(path, threads=threads)
    call = engine.bare_call(np.zeros((1, *engine.input_shape), np.uint8))
    ours, theirs = [], []
    for _ in range(turns):
        theirs.append(_vendor_median_ms(path, threads))
        timing = measure({"bare": call}, Plan(2.0, 50, 1.0))["bare"]
        ours.append(float(np.median(timing.samples)) / 1000)
    return Agreement(tuple(ours), tuple(theirs))


def _vendor_median_ms(path: Path, threads: int) -> float:
    tool = Path(sys.executable).with_name(TOOL)
    if not tool.is_file():
        raise EngineError(f"{tool}: not there; the ai-edge-litert wheel brings it")
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told.json"
        command = [tool, "--model", path, "--num_runs", RUNS, "--warmup_runs", WARM_UPS, "--num_threads", threads]
        done = subprocess.run(
            [*map(str, command), "--result_json", str(told)], capture_output=True, text=True, check=False, timeout=300
        )
        if done.returncode or not told.exists():
            said = done.stderr.strip().splitlines() or ["it said nothing"]
            raise EngineError(f"{path}: {TOOL} failed ({said[-1]:.200})")
        return float(json.loads(told.read_text())["latency"]["median_ms"])


def main() -> None:
    """The command line."""
    found = compare_with_vendor(Path(sys.argv[1]))
    for name, medians in (("ours", found.ours), (TOOL, found.theirs)):
        print(f"{name:<18}" + "  ".join(f"{median:.3f}" for median in medians) + "  ms, medians")
    print(f"ours by theirs    {found.ratio:.3f}")


if __name__ == "__main__":
    main()

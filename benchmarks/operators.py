"""Where an artifact's time goes, operator by operator, as far as its engine tells.

ONNX Runtime has a profiler; LiteRT's Python interpreter has none.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

RUNS = 50
KERNEL = "_kernel_time"  # ends the name of a node's event in the profile


@dataclass(frozen=True)
class OperatorTime:
    """A node of the graph as it runs, its kind, and the median of its kernel's time in µs: whole ones are counted."""

    name: str
    kind: str
    us: float


def operator_times(path: Path, input_shape: tuple[int, ...], threads: int) -> tuple[OperatorTime, ...] | None:
    """The times of an `.onnx` in the graph's order, for a black image (H, W, C); None of any other file."""
    if path.suffix != ".onnx":
        return None
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.enable_profiling, options.profile_file_prefix = True, str(Path(folder) / "profile")
        options.intra_op_num_threads, options.log_severity_level = threads, 3
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        wanted = session.get_inputs()[0]
        sizes = [1, *(input_shape if wanted.shape[-1] == input_shape[2] else np.roll(input_shape, 1))]
        image = np.zeros(sizes, np.uint8 if "uint8" in wanted.type else np.float32)
        for _ in range(RUNS):
            session.run(None, {wanted.name: image})
        events = json.loads(Path(session.end_profiling()).read_text())
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(KERNEL):
            times[event["name"].removesuffix(KERNEL), event["args"]["op_name"]].append(event["dur"])
    return tuple(OperatorTime(name, kind, statistics.median(found)) for (name, kind), found in times.items())

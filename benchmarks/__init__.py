"""glyphlite.benchmarks: how well and how fast each artifact does on this machine, and how sure that is.

Needs the base install; the picture needs matplotlib (`pip install '.[bench]'`), imported in `plot.py` only.
"""

from .run import BenchmarkRun, Row, Settings, run_benchmark
from .stats import mcnemar_exact, median_interval, percentiles, wilson_interval

__all__ = [
    "BenchmarkRun",
    "Row",
    "Settings",
    "mcnemar_exact",
    "median_interval",
    "percentiles",
    "run_benchmark",
    "wilson_interval",
]

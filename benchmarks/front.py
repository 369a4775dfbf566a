"""The Pareto front: what no other artifact beats in both errors and time."""

from __future__ import annotations

from collections.abc import Sequence

from .run import Row


def pareto_front(rows: Sequence[Row]) -> list[int]:
    """Indices of the rows that no other one beats in both errors and median latency, the fastest first."""
    front: list[int] = []
    for index in sorted(range(len(rows)), key=lambda i: (rows[i].latency.p50, rows[i].accuracy.errors)):
        if not front or rows[index].accuracy.errors < rows[front[-1]].accuracy.errors:
            front.append(index)
    return front

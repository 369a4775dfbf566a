"""The pictures: accuracy against latency, a point for each artifact, and accuracy against coverage.

The only file of this folder that imports matplotlib.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ..runtime.files import replacing
from .coverage import Point
from .front import pareto_front
from .robustness import CLEAN, Judged
from .run import Row
from .soak import Soak

DPI = 130
SIZE = (10.0, 6.2)  # inches
COLOURS = ("#2f6690", "#c8553d", "#3a7d44", "#7d4e9e", "#b8860b", "#4f5d75", "#c2407a", "#1b998b")
POINT = "artifact-"  # id of an artifact's mark in the SVG, before its number
MARKERS = {"litert": "o", "tflite-runtime": "D", "onnxruntime": "s"}
COARSE, FINE = (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7)  # ticks in each power of ten of an axis; fine within one
LABEL_RADII = (7, 14, 24, 36, 50, 66, 84, 104)  # points from the mark, tried in this order
LABEL_ANGLES = np.radians([0, 180, 30, -30, 150, -150, 60, -60, 120, -120, 90, -90])


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels."""

    left: float
    bottom: float
    right: float
    top: float

    def overlap(self, other: Box) -> float:
        """Common area, in square pixels."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(0.0, width) * max(0.0, height)


def accuracy_latency(paths: Sequence[Path], rows: Sequence[Row], title: str) -> None:
    """Write the picture to each path, as PNG or SVG by its suffix.

    Up is more accurate, each step halving or so the errors: a linear axis would press all good models into one line.
    Error bars are the Wilson intervals and those of the median; a model without an error is drawn at half an error.  A
    mark's area grows with the file's bytes.  The line is the Pareto front: nothing is both faster and more accurate.
    """
    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    canvas = FigureCanvasAgg(figure)  # no pyplot: no window, no state
    axes = figure.subplots()
    models = list(dict.fromkeys(row.model for row in rows))
    colours = dict(zip(models, itertools.cycle(COLOURS), strict=False))
    heights = [_height(row) for row in rows]
    for index, (row, (low, height, high)) in enumerate(zip(rows, heights, strict=True)):
        fastest, slowest = row.latency.p50_interval
        points, _, _ = axes.errorbar(
            row.latency.p50,
            height,
            xerr=[[max(0.0, row.latency.p50 - fastest)], [max(0.0, slowest - row.latency.p50)]],
            yerr=[[height - low], [high - height]],
            fmt=MARKERS.get(row.engine, "o"),
            color=colours[row.model],
            markersize=_mark_size(row.bytes),
            capsize=3,
            elinewidth=1,
            alpha=0.75,
        )
        points.set_gid(f"{POINT}{index}")
    front = pareto_front(rows)
    if len(front) > 1:
        axes.step(
            [rows[i].latency.p50 for i in front],
            [heights[i][1] for i in front],
            where="post",
            color="#888888",
            lw=1,
            ls="--",
            zorder=0,
        )
    _scale_axes(axes, [row.latency.p50 for row in rows], heights)
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("one image, p50 (µs): left is faster")
    axes.set_ylabel("accuracy (%), with the 95 % interval: up is better")
    axes.grid(alpha=0.25)
    _legend(axes, colours, sorted({row.engine for row in rows}))
    canvas.draw()  # the layout must be settled before labels find their places
    figure.set_layout_engine("none")
    _label(axes, canvas.get_renderer(), rows, heights, colours)
    for path in paths:
        vector = path.suffix == ".svg"
        told: dict[str, Any] = {"Date": None} if vector else {"Software": None}
        with replacing(path) as temporary, rc_context({"svg.hashsalt": "glyphlite", "svg.fonttype": "none"}):
            figure.savefig(temporary, format=path.suffix[1:], dpi=DPI, metadata=told)


def _mark_size(count: int) -> float:
    """Points across: the area grows with the bytes, from 10 kB to 1 MB."""
    return float(np.clip(2.2 * math.sqrt(count / 10_000), 5.0, 22.0))


def _height(row: Row) -> tuple[float, float, float]:
    """Error share (low, itself, high), none below half an error: the axis is a logarithm."""
    floor = 0.5 / row.accuracy.images
    share = max(floor, row.accuracy.errors / row.accuracy.images)
    low, high = row.accuracy.interval
    return min(share, max(floor, low)), share, max(share, high)


def _scale_axes(axes: Axes, latencies: Sequence[float], heights: Sequence[tuple[float, float, float]]) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    best, worst = min(low for low, *_ in heights) / 1.25, min(1.0, max(high for *_, high in heights)) * 1.25
    axes.set_ylim(worst, best)  # upside down: few errors are up
    axes.set_xlim(min(latencies) / 1.6, max(latencies) * 2.2)  # labels lie to the right first
    for axis, (low, high) in ((axes.yaxis, sorted(axes.get_ylim())), (axes.xaxis, axes.get_xlim())):
        steps = FINE if high < 10 * low else COARSE
        axis.set_major_locator(FixedLocator([step * 10.0**power for power in range(-7, 9) for step in steps]))
        axis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * (1 - value):.6g}"))


def _legend(axes: Axes, colours: dict[str, str], engines: Sequence[str]) -> None:
    handles = [Line2D([], [], color=colour, marker="o", linestyle="", label=name) for name, colour in colours.items()]
    handles += [Line2D([], [], color="black", marker=MARKERS.get(e, "o"), linestyle="", label=e) for e in engines]
    axes.figure.legend(
        handles=handles, loc="outside lower center", ncols=min(6, len(handles)), fontsize=8, frameon=False
    )


def _label(
    axes: Axes,
    renderer: Any,
    rows: Sequence[Row],
    heights: Sequence[tuple[float, float, float]],
    colours: dict[str, str],
) -> None:
    """Put each artifact's file name where it covers least, with a line to its point where that is not beside it."""
    scale = DPI / 72
    frame = axes.get_window_extent(renderer)
    points = [
        axes.transData.transform((row.latency.p50, share)) for row, (_, share, _) in zip(rows, heights, strict=True)
    ]
    marks = [Box(x - 5 * scale, y - 5 * scale, x + 5 * scale, y + 5 * scale) for x, y in points]
    for (x, _), (low, _, high) in zip(points, heights, strict=True):  # the error bars
        ends = [axes.transData.transform((1, share))[1] for share in (low, high)]
        marks.append(Box(x - 2 * scale, min(ends), x + 2 * scale, max(ends)))
    for row, (_, y) in zip(rows, points, strict=True):
        ends = [axes.transData.transform((max(bound, 1e-9), 1))[0] for bound in row.latency.p50_interval]
        marks.append(Box(min(ends), y - 2 * scale, max(ends), y + 2 * scale))
    placed: list[Box] = []
    for index in sorted(range(len(rows)), key=lambda i: (points[i][0], points[i][1])):
        row, (x, y) = rows[index], points[index]
        text = axes.annotate(
            row.artifact.split("/")[-1],
            (row.latency.p50, heights[index][1]),
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=7.5,
            color=colours[row.model],
            ha="center",
            va="center",
        )
        extent = text.get_window_extent(renderer)
        offset, box, radius = _place(x, y, extent.width, extent.height, scale, frame, placed + marks)
        text.set_position(offset)
        placed.append(box)
        if radius > LABEL_RADII[1]:
            near_x, near_y = np.clip(x, box.left, box.right), np.clip(y, box.bottom, box.top)
            (data_x, data_y) = axes.transData.inverted().transform((near_x, near_y))
            axes.plot(
                [row.latency.p50, data_x], [heights[index][1], data_y], color=colours[row.model], lw=0.6, alpha=0.6
            )


def _place(
    x: float, y: float, width: float, height: float, scale: float, frame: Any, taken: Sequence[Box]
) -> tuple[tuple[float, float], Box, float]:
    """The first place around (x, y) that covers nothing, else the one that covers least.

    Pixels in; returns the offset in points, the label's box in pixels and its distance in points.
    """
    best: tuple[float, tuple[float, float], Box, float] | None = None
    for radius, angle in itertools.product(LABEL_RADII, LABEL_ANGLES):
        # the label's nearest edge, not its centre, lies at the radius
        dx = math.cos(angle) * (radius * scale + width / 2)
        dy = math.sin(angle) * (radius * scale + height / 2)
        box = Box(x + dx - width / 2, y + dy - height / 2, x + dx + width / 2, y + dy + height / 2)
        outside = width * height - box.overlap(Box(frame.x0, frame.y0, frame.x1, frame.y1))
        cost = sum(box.overlap(other) for other in taken) + 3 * outside
        if best is None or cost < best[0]:
            best = cost, (dx / scale, dy / scale), box, radius
        if cost == 0:
            break
    assert best is not None
    return best[1:]


def save_coverage(path: Path, points: Sequence[Point], name: str, answered: str) -> Path:
    """Accuracy of what is answered and, where others were judged, the share of them that is refused, against the share
    that is answered; the path."""
    figure = Figure(figsize=(7.0, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    points = [point for point in points if point.accuracy is not None]  # that are reached by an answer
    coverage = [100 * point.coverage for point in points]
    lowest = [100 * (point.accuracy or 0.0) for point in points]
    axes.plot(coverage, lowest, "o-", color=COLOURS[0], label="answers right")
    if points and points[0].refused is not None:
        lowest = [100 * (point.refused or 0.0) for point in points]
        axes.plot(coverage, lowest, "s-", color=COLOURS[1], label="others refused")
    for point, across, up in zip(points, coverage, lowest, strict=True):
        axes.annotate(
            f"{point.min_confidence:g}",
            (across, up),
            xytext=(0, -11),
            textcoords="offset points",
            ha="center",
            fontsize=7,
        )
    axes.set(xlabel=f"{answered}, %", ylabel="%", title=f"{name}: what moving the least confidence costs")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI)
    return path


def save_robustness(path: Path, judged: Sequence[Judged]) -> None:
    """Accuracy against severity: a small picture for each kind of corruption, a line for each model."""
    clean = {one.model: one.accuracy for one in judged if not one.severity and one.kind == CLEAN}
    kinds = list(dict.fromkeys(one.kind for one in judged if one.severity))
    columns = min(6, len(kinds))
    figure = Figure(figsize=(2.0 * columns, 1.7 * -(-len(kinds) // columns) + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(-(-len(kinds) // columns), columns, sharex=True, sharey=True, squeeze=False).ravel()
    for panel, kind in zip(panels, kinds, strict=False):
        for (model, base), colour in zip(clean.items(), itertools.cycle(COLOURS), strict=False):
            ones = [one for one in judged if (one.model, one.kind) == (model, kind)]
            shares = [100 * base, *(100 * one.accuracy for one in ones)]
            panel.plot([0, *(one.severity for one in ones)], shares, "o-", ms=2.5, lw=1.2, color=colour, label=model)
        panel.set_title(kind.replace("_", " "), fontsize=8)
        panel.grid(alpha=0.3)
        panel.tick_params(labelsize=7)
    for panel in panels[len(kinds) :]:
        panel.set_axis_off()
    figure.supxlabel("severity (0: clean)", fontsize=8)
    figure.supylabel("accuracy, %", fontsize=8)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=len(names), fontsize=8, frameon=False)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI)


def save_soak(path: Path, found: Soak) -> None:
    """Latency, memory and, where the machine tells them, temperature and clock against time."""
    across = [one.elapsed_s for one in found.seconds]
    panels: list[tuple[str, dict[str, list[Any]]]] = [
        ("µs", {"p50": [one.p50 for one in found.seconds], "p99": [one.p99 for one in found.seconds]}),
        ("resident MiB", {"": [one.rss_mib for one in found.seconds]}),
        ("temperature, °C", {"": [one.temperature_c for one in found.seconds]}),
        ("clock, MHz", {"": [one.mhz for one in found.seconds]}),
    ]
    known = [(name, lines) for name, lines in panels if all(None not in values for values in lines.values())]
    figure = Figure(figsize=(8.0, 2.0 * len(known) + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (name, lines) in zip(figure.subplots(len(known), sharex=True, squeeze=False)[:, 0], known, strict=True):
        for number, (label, values) in enumerate(lines.items()):
            axes.plot(across, values, color=COLOURS[number], lw=1, label=label)
        axes.set_ylabel(name)
        axes.grid(alpha=0.25)
        if len(lines) > 1:
            axes.set_yscale("log")
            axes.legend(loc="upper right", fontsize=8, ncols=2)
    axes.set_xlabel("seconds")
    figure.suptitle(f"{found.model}: {found.predictions:,} predictions", fontsize=10)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI)


def save_learning_curves(path: Path, curves: Mapping[str, Sequence[tuple[int, float, float, float]]]) -> None:
    """Errors against the size of the training set, both as powers of ten.

    curves: of each learner (images, error share, its interval's low and high end), shares in [0, 1].
    """
    figure = Figure(figsize=(8.0, 5.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for index, (name, points) in enumerate(curves.items()):
        sizes, shares, lows, highs = zip(*points, strict=True)
        bars = [[100 * (s - one) for s, one in zip(shares, lows, strict=True)],
                [100 * (one - s) for s, one in zip(shares, highs, strict=True)]]  # fmt: skip
        colour, style = COLOURS[index // 2 % len(COLOURS)], "-" if index % 2 else "--"
        axes.errorbar(sizes, [100 * s for s in shares], yerr=bars, fmt="o", ls=style, ms=3, capsize=2, color=colour,
                      lw=1.2, label=name)  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="training images", ylabel="errors, %")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=8)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI)

"""What an activation's integers stand for: its range over example images, measured in a float TFLite file.

ai-edge-quantizer sets ranges by a moving average over the images, which lags behind: on a meter-reading model of the
field it makes 13 errors of 1,323 where the ranges' ends make 1 (docs/compression.md).  So they are measured here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..runtime.errors import ConversionError
from .tflite import TFLiteFile

METHODS = ("minmax", "moving_average", "percentile", "mse")
SMOOTHING = 0.95  # of the moving average: the share of what was seen before, as ai-edge-quantizer takes it
PERCENTILE = 99.99  # of the values lie within the range
BINS = 4096  # of a tensor's histogram
SHRINKS = np.linspace(0.2, 1.0, 81)  # of the whole range that are tried for the least squared error
LEVELS = 255  # steps of an 8-bit integer
LEAST_WIDTH = 1e-4  # of a range: a narrower one (tried: 1e-5, of a leaky layer) ends the interpreter's process
DEAD = (0.0, 1.0)  # range of what is always 0: any does, but the layers before and after want a usual scale

Images = Sequence[np.ndarray] | np.ndarray
Ranges = Mapping[str, tuple[float, float]]  # a tensor's name to its lowest and highest value


def measure_ranges(content: bytes, images: Images, method: str = "minmax") -> Ranges:
    """The range of every activation of a float TFLite file.

    images: (N, H, W, C) float32 in the model's own range; where its width is open, (H, W, C) each.  method: 'minmax':
    all that was seen; 'moving_average': of the single images' ends; 'percentile': all but the rarest; 'mse': of the
    least squared error in 8 bits.  None is narrower than LEAST_WIDTH.
    Raises ConversionError for another method, or where an activation is not finite.
    """
    if method not in METHODS:
        raise ConversionError(f"calibration {method!r}: a TFLite file's ranges have {', '.join(METHODS)}")
    if not len(images):
        raise ConversionError("no images to calibrate with; wanted at least one")
    low, high = _Ends(), _Ends()
    averages: dict[str, tuple[float, float]] = {}

    def ends(name: str, values: np.ndarray) -> None:
        here = float(values.min()), float(values.max())
        low.lower(name, here[0])
        high.raise_(name, here[1])
        before = averages.get(name, here)
        averages[name] = (
            SMOOTHING * before[0] + (1 - SMOOTHING) * here[0],
            SMOOTHING * before[1] + (1 - SMOOTHING) * here[1],
        )

    _each_activation(content, images, ends)
    for name in low:
        if not np.isfinite(low[name] + high[name]):
            raise ConversionError(f"{name} is not finite on an example image; wanted finite activations")
    whole = {name: (low[name], high[name]) for name in low}
    if method in ("minmax", "moving_average"):
        return _wide_enough(whole if method == "minmax" else averages, whole)
    histograms = {name: np.zeros(BINS) for name in whole}

    def count(name: str, values: np.ndarray) -> None:
        histograms[name] += np.histogram(values, BINS, _widened(whole[name]))[0]

    _each_activation(content, images, count)
    narrowed = _percentile if method == "percentile" else _least_error
    return _wide_enough({name: narrowed(histograms[name], _widened(whole[name])) for name in whole}, whole)


def _wide_enough(ranges: Ranges, whole: Ranges) -> Ranges:
    """The ranges, widened where the interpreter takes none so narrow.  whole: of all that was seen."""
    wide = {name: (low, max(high, low + LEAST_WIDTH)) for name, (low, high) in ranges.items()}
    return {name: ends if any(whole[name]) else DEAD for name, ends in wide.items()}


class _Ends(dict[str, float]):
    def lower(self, name: str, value: float) -> None:
        self[name] = min(self.get(name, value), value)

    def raise_(self, name: str, value: float) -> None:
        self[name] = max(self.get(name, value), value)


def _each_activation(content: bytes, images: Images, take: Callable[[str, np.ndarray], None]) -> None:
    """Run the images one by one; `take` gets the name and the values of each float activation."""
    interpreter = preserving_interpreter(content)
    file = TFLiteFile(content)
    names = {t.index: t.name for t in file.activations() if t.dtype == "float32"}
    given = file.inputs[0]
    shape = tuple(interpreter.get_input_details()[0]["shape"])
    for image in images:
        if shape != (1, *image.shape):
            shape = (1, *image.shape)
            interpreter.resize_tensor_input(given, shape)
            interpreter.allocate_tensors()
        interpreter.set_tensor(given, image[None])
        interpreter.invoke()
        for index, name in names.items():
            values = interpreter.get_tensor(index)
            if values.size:
                take(name, values)


def preserving_interpreter(content: bytes) -> Any:
    """An interpreter that keeps every tensor of its last run."""
    import warnings

    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that keeping tensors takes memory
        interpreter = Interpreter(
            model_content=content,
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
    interpreter.allocate_tensors()
    return interpreter


def _widened(ends: tuple[float, float]) -> tuple[float, float]:
    low, high = ends
    return (low, high) if high > low else (low, low + max(1e-6, abs(low) * 1e-6))


def _percentile(histogram: np.ndarray, ends: tuple[float, float]) -> tuple[float, float]:
    """The ends without the rarest values, half of them on each side."""
    shares = np.cumsum(histogram) / histogram.sum()
    edges = np.linspace(*ends, len(histogram) + 1)
    tail = (1 - PERCENTILE / 100) / 2
    first, last = int(np.searchsorted(shares, tail, side="right")), int(np.searchsorted(shares, 1 - tail))
    return float(edges[first]), float(edges[min(last, len(histogram) - 1) + 1])


def _least_error(histogram: np.ndarray, ends: tuple[float, float]) -> tuple[float, float]:
    """The ends, both shrunk towards zero alike, of the least squared error of rounding and clipping."""
    edges = np.linspace(*ends, len(histogram) + 1)
    values = (edges[1:] + edges[:-1]) / 2
    best = (np.inf, *ends)
    for share in SHRINKS:
        low, high = min(ends[0] * share, 0.0), max(ends[1] * share, 0.0)
        step = (high - low) / LEVELS or 1.0
        stored = np.clip(np.rint((values - low) / step), 0, LEVELS) * step + low
        error = float(histogram @ (stored - values) ** 2)
        if error <= best[0]:
            best = (error, low, high)
    return best[1], best[2]

"""Where a quantized file loses accuracy: each of its tensors beside the float file's, over example images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..runtime.errors import ConversionError
from ..runtime.files import replacing
from .ranges import preserving_interpreter
from .tflite import Tensor, TFLiteFile

QUIET_DB = 20.0  # signal by noise: below it a tensor is marked


@dataclass(frozen=True)
class TensorError:
    """One tensor of a quantized file against the float file's tensor of the same name.

    kind: 'weights' or 'activation'.  sqnr_db: signal by quantization noise, decibels.  cosine: of the angle between
    the two, 1 where they point the same way.  low, high: of the float values.  holds_low, holds_high: what the
    integers can stand for; None where it is not quantized.  saturated: share of the float values beyond that.
    """

    name: str
    kind: str
    dtype: str
    sqnr_db: float
    cosine: float
    low: float
    high: float
    holds_low: float | None = None
    holds_high: float | None = None
    saturated: float | None = None


def tensor_errors(floats: bytes, quantized: bytes, images: np.ndarray) -> list[TensorError]:
    """Of every tensor that both files have, in the order of the quantized one's computation.

    images: (N, H, W, C) float32 in the model's range.  Raises ConversionError where the files share no names or have
    other sizes: one of them is stripped, has fewer channels or is of another model.
    """
    float_file, quantized_file = TFLiteFile(floats), TFLiteFile(quantized)
    by_name = {tensor.name: tensor for tensor in float_file.tensors}
    pairs = [(by_name[tensor.name], tensor) for tensor in quantized_file.tensors if by_name.get(tensor.name)]
    pairs = [(ours, theirs) for ours, theirs in pairs if ours.name and ours.dtype == "float32"]
    if other := next((theirs for ours, theirs in pairs if np.prod(ours.shape) != np.prod(theirs.shape)), None):
        raise ConversionError(
            f"tensor {short(other.name)} has other sizes in the two files: channels were taken out, or one is of "
            "another model; wanted a float file and one that was quantized from it"
        )
    outputs = _order(quantized_file)
    activations = sorted(
        (pair for pair in pairs if not pair[1].is_constant and pair[1].index in outputs),
        key=lambda pair: outputs[pair[1].index],
    )
    if not activations:
        raise ConversionError("the two files share no tensors; wanted a float file and one that was quantized from it")
    weights = [pair for pair in pairs if pair[1].is_constant and len(pair[1].shape) > 1 and pair[0].is_constant]
    found = [
        _error("weights", theirs, [float_file.values(ours)], [quantized_file.values(theirs)])
        for ours, theirs in weights
    ]
    seen = _run(floats, images, [ours.index for ours, _ in activations])
    got = _run(quantized, _as_input(images, quantized_file), [theirs.index for _, theirs in activations])
    return found + [
        _error("activation", theirs, seen[ours.index], got[theirs.index])
        for ours, theirs in activations
        if seen[ours.index] and got[theirs.index]
    ]


def plot(errors: Sequence[TensorError], path: Path) -> None:
    """Signal by noise of each tensor, and how many of its values the integers cannot reach, as PNG."""
    from matplotlib.figure import Figure

    shown = [error for error in errors if np.isfinite(error.sqnr_db)]
    figure = Figure(figsize=(9, 0.28 * len(shown) + 1.5), layout="constrained")
    noise, use = figure.subplots(1, 2, sharey=True, width_ratios=(2, 1))
    rows = np.arange(len(shown))[::-1]
    colours = ["#c44" if error.sqnr_db < QUIET_DB else "#47a" for error in shown]
    noise.barh(rows, [error.sqnr_db for error in shown], color=colours)
    noise.set_yticks(rows, [f"{error.kind[0]}  {short(error.name)}" for error in shown], fontsize=7)
    noise.set_xlabel("signal by quantization noise, dB")
    noise.axvline(QUIET_DB, color="#999", linewidth=0.8)
    use.barh(rows, [100 * (error.saturated or 0) for error in shown], color="#a73")
    use.set_xlabel("beyond the integers, %")
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)


def short(name: str, length: int = 44) -> str:
    """A tensor's name, of which the converter makes a list of all that was fused into it, cut to its end."""
    last = name.split(";")[-1]
    return last if len(last) <= length else "…" + last[-length + 1 :]


def _order(file: TFLiteFile) -> dict[int, int]:
    """When each tensor is computed; the inputs first."""
    order = dict.fromkeys(file.inputs, 0)
    for place, operator in enumerate(file.operators, 1):
        order.update(dict.fromkeys(operator.outputs, place))
    return order


def _as_input(images: np.ndarray, file: TFLiteFile) -> np.ndarray:
    tensor = file.tensors[file.inputs[0]]
    if tensor.dtype == "float32":
        return images
    limits = np.iinfo(tensor.dtype)
    values = np.rint(images / tensor.scales[0] + tensor.zero_points[0])
    return np.asarray(np.clip(values, limits.min, limits.max), np.dtype(tensor.dtype))


def _run(content: bytes, images: np.ndarray, wanted: Sequence[int]) -> dict[int, list[np.ndarray]]:
    """The values of some tensors, an array an image."""
    interpreter: Any = preserving_interpreter(content)
    given = interpreter.get_input_details()[0]["index"]
    found: dict[int, list[np.ndarray]] = {index: [] for index in wanted}
    for image in images:
        interpreter.set_tensor(given, image[None])
        interpreter.invoke()
        for index in wanted:
            found[index].append(interpreter.get_tensor(index).copy())
    return found


def _error(kind: str, tensor: Tensor, wanted: Sequence[np.ndarray], got: Sequence[np.ndarray]) -> TensorError:
    """wanted: float32.  got: as it is stored."""
    signal = noise = product = theirs = 0.0
    low, high, beyond, count = np.inf, -np.inf, 0, 0
    holds = _holds(tensor)
    for one, other in zip(wanted, got, strict=True):
        real = _real(tensor, other).astype(np.float64)
        expected = np.asarray(one, np.float64).reshape(real.shape)
        signal, noise = signal + float((expected**2).sum()), noise + float(((expected - real) ** 2).sum())
        product, theirs = product + float((expected * real).sum()), theirs + float((real**2).sum())
        low, high = min(low, float(expected.min())), max(high, float(expected.max()))
        if holds:
            slack = float(tensor.scales.max()) / 2
            beyond += int(((expected < holds[0] - slack) | (expected > holds[1] + slack)).sum())
            count += expected.size
    return TensorError(
        tensor.name,
        kind,
        tensor.dtype,
        sqnr_db=float(10 * np.log10(signal / noise)) if noise and signal else np.inf,
        cosine=float(product / np.sqrt(signal * theirs)) if signal and theirs else 1.0,
        low=low,
        high=high,
        holds_low=holds[0] if holds else None,
        holds_high=holds[1] if holds else None,
        saturated=beyond / count if count else None,
    )


def _limits(tensor: Tensor) -> tuple[int, int]:
    bits = int(tensor.dtype.lstrip("uint"))
    return (0, 2**bits - 1) if tensor.dtype.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _holds(tensor: Tensor) -> tuple[float, float] | None:
    """The lowest and highest number that a tensor can hold, over its channels."""
    if not tensor.is_quantized:
        return None
    zeros = tensor.zero_points if len(tensor.zero_points) else np.zeros(1)
    low, high = ((limit - zeros) * tensor.scales for limit in _limits(tensor))
    return float(low.min()), float(high.max())


def _real(tensor: Tensor, values: np.ndarray) -> np.ndarray:
    if not tensor.is_quantized:
        return values
    zeros, scales = tensor.zero_points if len(tensor.zero_points) else np.zeros(1), tensor.scales
    if scales.ndim > 1:
        scales = np.repeat(scales, values.shape[-1] // scales.shape[-1], axis=-1)
    elif len(scales) > 1:
        broad = [1] * values.ndim
        broad[tensor.axis] = -1
        zeros, scales = zeros.reshape(broad), scales.reshape(broad)
    return np.asarray((values.astype(np.float64) - zeros) * scales)

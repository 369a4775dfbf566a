"""What a network's float input takes a pixel as.

A value range is what 0 and 255 become: `(low, high)` for all channels alike, or such a pair for each of R, G and B.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .errors import ModelError

WHOLE = (0.0, 255.0)  # the pixels as they are
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, of 0 to 1, as torchvision has them
IMAGENET = tuple(
    round((end - mean) / deviation, 6)
    for mean, deviation in zip(_MEAN, _DEVIATION, strict=True)
    for end in (0, 1)
)  # fmt: skip
NAMED = {"imagenet": IMAGENET}


def parse_scale(text: str) -> tuple[float, ...]:
    """'0,1', six numbers 'R,R,G,G,B,B', or a name of NAMED as a value range.  Raises ValueError for anything else."""
    if text.strip() in NAMED:
        return NAMED[text.strip()]
    wanted = f"{text!r}; wanted two numbers like 0,1 or -1,1, a pair for each of R, G and B, or {', '.join(NAMED)}"
    try:
        values = tuple(map(float, text.split(",")))
    except ValueError:
        raise ValueError(wanted) from None
    if len(values) not in (2, 6):
        raise ValueError(wanted)
    if not is_range(values):
        raise ValueError(f"{text!r}; wanted two different numbers for each channel")
    return values


def is_range(values: Sequence[float]) -> bool:
    """Whether 0 and 255 become two different finite numbers, of each pair."""
    pairs = zip(values[::2], values[1::2], strict=True)
    return all(math.isfinite(low - high) and low != high for low, high in pairs)


def scale_text(value_range: Sequence[float]) -> str:
    """As `parse_scale` takes it."""
    name = next((name for name, known in NAMED.items() if tuple(value_range) == known), None)
    return name or ",".join(repr(float(value)).removesuffix(".0") for value in value_range)


def scaled_pixels(pixels: Any, value_range: Sequence[float]) -> Any:
    """float32 (…, C) of (…, C) numbers from 0 to 255.  Raises ModelError where the range is of other channels."""
    import numpy as np

    low, step = low_and_step(value_range, pixels.shape[-1])
    return np.asarray(pixels * np.float32(step) + np.float32(low), np.float32)


def low_and_step(value_range: Sequence[float], channels: int) -> tuple[Any, Any]:
    """float64 numbers, or (3,) arrays to be broadcast over the channels: a pixel becomes low + step × pixel.

    Raises ModelError where the range is of other channels.
    """
    import numpy as np

    if len(value_range) not in (2, 2 * channels):
        raise ModelError(f"scale {scale_text(value_range)}: for each of 3 channels; the model takes {channels}")
    lows, highs = np.array(value_range[::2], np.float64), np.array(value_range[1::2], np.float64)
    steps = (highs - lows) / 255
    return (lows[0], steps[0]) if len(lows) == 1 else (lows, steps)

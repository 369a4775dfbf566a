"""Is an artifact what its recipe claims?  It is run beside the float model that went into the converter."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..runtime.engine import Engine, check_tflite
from ..runtime.errors import ConversionError
from ..runtime.recognizer import softmax
from .recipes import Recipe

CHECKED_IMAGES = 1000
MIN_AGREEMENT = 0.98  # share of equal answers below which a conversion is refused, and a quantized artifact degraded


@dataclass(frozen=True)
class Comparison:
    """agreement: share of images with the same answer.  max_difference: largest difference of a probability."""

    agreement: float
    max_difference: float

    @property
    def degraded(self) -> bool:
        """It disagrees on more images than MIN_AGREEMENT allows."""
        return self.agreement < MIN_AGREEMENT


def compare(recipe: Recipe, file: str, engine: Engine, images: np.ndarray, reference: np.ndarray) -> Comparison:
    """An artifact's answers against the float model's.

    images: (N, H, W, C) uint8.  reference: (N, classes) float logits.  Raises ConversionError where a lossless recipe
    is degraded: then the conversion itself went wrong.
    """
    logits = engine.run(images)
    if logits.shape != reference.shape:
        raise ConversionError(f"{file}: gives {logits.shape} scores; the float model gives {reference.shape}")
    agreement = float((logits.argmax(1) == reference.argmax(1)).mean())
    difference = float(np.abs(softmax(logits) - softmax(reference.astype(np.float32))).max())
    comparison = Comparison(round(agreement, 4), round(difference, 4))
    if recipe.scheme.lossless and comparison.degraded:
        raise ConversionError(
            f"{file}: agrees with the float model on {100 * agreement:.1f} % of {len(images)} images "
            f"(largest difference of a probability {difference:.3f}); a {recipe.scheme.name} conversion must on "
            f"{100 * MIN_AGREEMENT:.0f} %"
        )
    return comparison


def zero_share(path: Path) -> float:
    """Share of zeros among the per-channel int8 weights of a `.tflite`."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=check_tflite(path))
    interpreter.allocate_tensors()
    weights = [
        interpreter.get_tensor(detail["index"])
        for detail in interpreter.get_tensor_details()
        if detail["dtype"] == np.int8 and detail["quantization_parameters"]["scales"].size > 1
    ]
    total = sum(array.size for array in weights)
    return round(sum(int((array == 0).sum()) for array in weights) / total, 4) if total else 0.0

"""Is an artifact what its recipe claims?  It is run beside the float model that went into the converter."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..runtime.bundle import Card
from ..runtime.engine import Engine, check_tflite
from ..runtime.errors import Disagreement
from .recipes import Recipe
from .sources import probabilities
from .tflite import TFLiteFile

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


def compare(
    recipe: Recipe, file: str, card: Card, engine: Engine, images: np.ndarray, reference: np.ndarray
) -> Comparison:
    """An artifact's answers against the float model's.

    images: (N, H, W, C) uint8.  reference: (N, classes) float scores.  Raises Disagreement where a lossless recipe
    is degraded: then the conversion itself went wrong.
    """
    scores = engine.run(images)
    if scores.shape != reference.shape:
        raise Disagreement(f"{file}: gives {scores.shape} scores; the float model gives {reference.shape}")
    agreement = float((scores.argmax(1) == reference.argmax(1)).mean())
    difference = float(np.abs(probabilities(card, scores) - probabilities(card, reference.astype(np.float32))).max())
    comparison = Comparison(round(agreement, 4), round(difference, 4))
    if recipe.scheme.lossless and comparison.degraded:
        raise Disagreement(
            f"{file}: agrees with the float model on {100 * agreement:.1f} % of {len(images)} images "
            f"(largest difference of a probability {difference:.3f}); a {recipe.scheme.name} conversion must on "
            f"{100 * MIN_AGREEMENT:.0f} %"
        )
    return comparison


@dataclass(frozen=True)
class Weights:
    """What the stored weights of a `.tflite` are like: of the layers that multiply by them.

    zeros: share of them that is zero.  values: the most different ones in a channel.
    integers: share that is stored in 8 bits or less.
    """

    zeros: float
    values: int
    integers: float


def weights_of(path: Path) -> Weights:
    """Counted over all convolutions and dense layers, biases left out."""
    file = TFLiteFile(check_tflite(path), str(path))
    total = zeros = integers = values = 0
    for operator in file.operators:
        tensor = file.weights(operator)
        if tensor is None or len(tensor.shape) < 2:
            continue
        weights = file.values(tensor)
        total += weights.size
        zeros += int((weights == 0).sum())
        integers += weights.size * (tensor.dtype.startswith("int") and tensor.is_quantized)
        if operator.kind != "DEPTHWISE_CONV_2D":
            values = max(values, *(len(np.unique(channel)) for channel in weights))
    return Weights(round(zeros / total, 4), values, round(integers / total, 4)) if total else Weights(0.0, 0, 0.0)

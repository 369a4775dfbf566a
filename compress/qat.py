"""Quantization-aware training through tensorflow-model-optimization (Jacob et al. 2018): the roundings of int8 are in
the forward pass, batch normalization folded into the convolutions before it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_model_optimization as tfmot
import tf_keras

from ..runtime.errors import ConversionError
from ..train.backend import keras
from .bridge import to_tf_keras
from .tuning import Tuning, tune

LEARNING_RATE = 3e-4


def quantize_aware(model: keras.Model, tuning: Tuning, keep_zeros: bool = False, keep_clusters: bool = False) -> Any:
    """A tf_keras model of a Keras 3 one, trained with the roundings of int8.

    keep_zeros, keep_clusters: of a pruned or clustered model.
    Raises ConversionError where a layer cannot cross to tf_keras, or cannot be quantized.
    """
    annotate = tfmot.quantization.keras.quantize_annotate_layer
    registry = _registry()
    bridged = to_tf_keras(model)
    folded = _folded(bridged)

    def mark(layer: Any) -> Any:
        if isinstance(layer, tf_keras.layers.Rescaling):
            return annotate(layer, _OutputQuantized())
        return annotate(layer) if registry.supports(layer) or layer.name in folded else layer

    marked = tf_keras.models.clone_model(bridged, clone_function=mark)
    marked.set_weights(bridged.get_weights())
    try:
        with tfmot.quantization.keras.quantize_scope({"_OutputQuantized": _OutputQuantized}):
            aware = tfmot.quantization.keras.quantize_apply(marked, scheme=_scheme(keep_zeros, keep_clusters))
    except (ValueError, RuntimeError) as error:
        raise ConversionError(
            f"{model.name}: cannot be trained for int8 ({' '.join(str(error).split()):.200})"
        ) from None
    logger = logging.getLogger("tensorflow")
    if keep_clusters:
        logger.addFilter(_trained_by_centroids)
    try:
        tune(aware, tuning, learning_rate=LEARNING_RATE)
    finally:
        logger.removeFilter(_trained_by_centroids)
    return aware


def _trained_by_centroids(record: logging.LogRecord) -> bool:
    """Whether a warning is to be told: clustered kernels get no gradient, and their centroids do."""
    return "Gradients do not exist" not in record.getMessage()


def _folded(model: Any) -> set[str]:
    """Names of the normalizations that fold into the layer before them: tfmot looks for the pair only where both are
    marked, and takes no other normalization."""
    layers = tf_keras.layers
    names = set()
    for layer in model.layers:
        if not isinstance(layer, layers.BatchNormalization):
            continue
        before = layer.input._keras_history.layer
        weighted = isinstance(before, (layers.Conv2D, layers.DepthwiseConv2D, layers.Dense))
        linear = getattr(before, "activation", None) is tf_keras.activations.linear
        alone = len(before.outbound_nodes) == 1
        if weighted and linear and alone and not isinstance(before, layers.Conv2DTranspose):
            names.add(layer.name)
    return names


def reload(path: Path) -> Any:
    """A quantization-aware model from the SavedModel that it was exported to, to predict with."""
    import tensorflow as tf

    return _Exported(tf.saved_model.load(str(path)))


class _Exported:
    def __init__(self, loaded: Any) -> None:
        self._loaded = loaded

    def predict_on_batch(self, images: np.ndarray) -> np.ndarray:
        return np.asarray(self._loaded.serve(images))


class _OutputQuantized(tfmot.quantization.keras.QuantizeConfig):
    """Of a layer without weights: what comes out is rounded."""

    def get_weights_and_quantizers(self, layer: Any) -> list[Any]:
        return []

    def get_activations_and_quantizers(self, layer: Any) -> list[Any]:
        return []

    def set_quantize_weights(self, layer: Any, quantize_weights: Any) -> None:
        pass

    def set_quantize_activations(self, layer: Any, quantize_activations: Any) -> None:
        pass

    def get_output_quantizers(self, layer: Any) -> list[Any]:
        return [
            tfmot.quantization.keras.quantizers.LastValueQuantizer(  # the range of pixels, in every batch the same
                num_bits=8, per_axis=False, symmetric=False, narrow_range=False
            )
        ]

    def get_config(self) -> dict[str, Any]:
        return {}


def _registry() -> Any:
    from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
        default_8bit_quantize_registry as registry,
    )

    return registry.Default8BitQuantizeRegistry()


def _scheme(keep_zeros: bool, keep_clusters: bool) -> Any:
    if keep_clusters:
        return tfmot.experimental.combine.Default8BitClusterPreserveQuantizeScheme(preserve_sparsity=keep_zeros)
    if keep_zeros:
        return tfmot.experimental.combine.Default8BitPrunePreserveQuantizeScheme()
    from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
        default_8bit_quantize_scheme as scheme,
    )

    return scheme.Default8BitQuantizeScheme()

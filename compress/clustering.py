"""Weight clustering through tensorflow-model-optimization: a layer's weights share a few values (Han et al. 2016)."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow_model_optimization as tfmot
import tf_keras

from ..runtime.errors import ConversionError
from ..train.backend import keras
from .bridge import copy_weights, to_tf_keras
from .pruning import PRUNED_LAYERS
from .tuning import Tuning, settle, tune

LEARNING_RATE = 3e-4  # the centroids move with it


def cluster(model: keras.Model, clusters: int, tuning: Tuning, keep_zeros: bool = False) -> keras.Model:
    """A copy of a Keras 3 model in which each convolution's and dense layer's weights have at most `clusters` values.

    keep_zeros: zeros of a pruned model stay zero.  Raises ConversionError where a layer cannot cross to tf_keras.
    """
    from tensorflow_model_optimization.python.core.clustering.keras.experimental import cluster as experimental

    wrapped = []

    def wrap(layer: Any) -> Any:
        if type(layer).__name__ not in PRUNED_LAYERS:
            return layer
        kernel = layer.get_weights()[0]
        if (np.count_nonzero(kernel) + 1 if keep_zeros else kernel.size) <= clusters:
            layer.trainable = False  # no more values than that, which tfmot cannot part: they stay as they are
            return layer
        wrapped.append(layer.name)
        return experimental.cluster_weights(
            layer,
            number_of_clusters=clusters,
            cluster_centroids_init=tfmot.clustering.keras.CentroidInitialization.KMEANS_PLUS_PLUS,
            preserve_sparsity=keep_zeros,
        )

    clustered = tf_keras.models.clone_model(to_tf_keras(model), clone_function=wrap)
    if not wrapped:
        raise ConversionError(f"{model.name}: no layer to cluster; wanted one of {', '.join(PRUNED_LAYERS)}")
    tune(clustered, tuning, learning_rate=LEARNING_RATE)
    result = keras.models.clone_model(model)
    copy_weights(tfmot.clustering.keras.strip_clustering(clustered), result)
    settle(result, tuning.batches)
    return result

"""What training minimizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .backend import keras

ops = keras.ops

Loss = Callable[[Any, Any], Any]  # targets and logits, (B, …) each, to (B,)


def label_loss(smoothing: float = 0.0, is_open: bool = False) -> Loss:
    """Cross-entropy of logits with one-hot labels.

    is_open: among the classes and a further one, "none of them", whose logit is constantly 0 and whose label is all
    zeros.  It costs no weights: the logits become log-odds against it, and their log-sum-exp is the negative energy of
    Liu et al. 2020, trained here with outliers as Hendrycks et al. 2019 do.
    """

    def loss(label: Any, logits: Any) -> Any:
        known, classes = ops.sum(label, -1), logits.shape[-1]
        label = label * (1 - smoothing) + ops.expand_dims(known * smoothing, -1) / classes
        if is_open:
            logits = ops.concatenate([logits, ops.zeros_like(logits[:, :1])], -1)
        normalizer = ops.logsumexp(logits, -1)
        return normalizer - ops.sum(label * logits[:, :classes], -1)

    return loss


def right_answers(label: Any, logits: Any) -> Any:
    """(B,) float32, 1 where an answer is right: the label's class; of an outlier, whose label is all zeros, that no
    class is likelier than "none of them"."""
    is_known = ops.sum(label, -1) > 0
    named = ops.equal(ops.argmax(label, -1), ops.argmax(logits, -1))
    return ops.cast(ops.where(is_known, named, ops.max(logits, -1) < 0), "float32")

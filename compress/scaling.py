"""A quantized TFLite file without the multiplication that scales its input: the weights' own scale does that."""

from __future__ import annotations

from typing import Any

import numpy as np

from .strip import packed
from .tflite import TFLiteFile, builtin

MULTIPLY = 18  # operators, by the format
WITH_WEIGHTS = {3, 4, 9}  # CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED
INT8 = 9  # a type


def without_scaling(content: bytes) -> bytes:
    """The same answers from fewer operators.

    A multiplication by a constant that leaves every integer as it is only gives it another scale.  Where what comes
    after it has weights, their scale takes that in.  A file without such a one comes back as it is.
    """
    model: Any = TFLiteFile(content).model
    graph = model.subgraphs[0]
    for operator in graph.operators:
        if builtin(model, operator) != MULTIPLY:
            continue
        scaled = int(operator.outputs[0])
        data, constant = _operands(model, operator)
        after = [one for one in graph.operators if scaled in one.inputs]
        weighted = [builtin(model, one) in WITH_WEIGHTS and one.inputs[0] == scaled for one in after]
        if data is None or scaled in graph.outputs or not all(weighted):
            continue
        if not _is_identity(model, data, constant, scaled):
            continue
        factor = np.float32(graph.tensors[scaled].quantization.scale[0] / graph.tensors[data].quantization.scale[0])
        for one in after:
            weights = graph.tensors[one.inputs[1]].quantization
            weights.scale = np.asarray(weights.scale, np.float32) * factor
            one.inputs[0] = data
        graph.operators.remove(operator)
        _forget(model, {scaled, constant})
        return packed(model, len(content))
    return content


def _operands(model: Any, operator: Any) -> tuple[int | None, int]:
    """The tensor that is multiplied and the constant, where there is one of both in int8."""
    tensors = model.subgraphs[0].tensors
    for data, constant in (operator.inputs[:2], operator.inputs[1::-1]):
        values = model.buffers[tensors[constant].buffer].data
        if values is not None and len(values) == 1 and tensors[data].type == tensors[constant].type == INT8:
            return int(data), int(constant)
    return None, -1


def _is_identity(model: Any, data: int, constant: int, scaled: int) -> bool:
    """Whether each integer of `data` is the same one in `scaled`."""
    tensors = model.subgraphs[0].tensors
    (s, z), (sc, zc), (so, zo) = (
        (float(tensors[index].quantization.scale[0]), int(tensors[index].quantization.zeroPoint[0]))
        for index in (data, constant, scaled)
    )
    value = int(np.array(model.buffers[tensors[constant].buffer].data, np.uint8).view(np.int8)[0])
    numbers = np.arange(-128, 128)
    return z == zo and bool((np.rint((numbers - z) * s * (value - zc) * sc / so + zo) == numbers).all())


def _forget(model: Any, tensors: set[int]) -> None:
    """Take tensors that nothing uses out of the first graph."""
    graph = model.subgraphs[0]
    used = {int(index) for one in graph.operators for index in (*one.inputs, *one.outputs)}
    gone = tensors - used
    kept = [index for index in range(len(graph.tensors)) if index not in gone]
    place = {-1: -1, **{old: new for new, old in enumerate(kept)}}
    graph.tensors = [graph.tensors[index] for index in kept]
    graph.inputs, graph.outputs = ([place[int(index)] for index in ends] for ends in (graph.inputs, graph.outputs))
    for one in graph.operators:
        one.inputs, one.outputs = ([place[int(index)] for index in ends] for ends in (one.inputs, one.outputs))
    for signature in model.signatureDefs or []:
        for end in (*signature.inputs, *signature.outputs):
            end.tensorIndex = place[end.tensorIndex]

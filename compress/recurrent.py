"""The weights of recurrent layers in 8 bits, which ai-edge-quantizer leaves as they are.

TFLite's own operator for an LSTM takes them so, and quantizes what it multiplies them by as it computes ("hybrid").
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from .strip import packed
from .tflite import TFLiteFile, builtin

LSTM = schema.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM
WEIGHTS = slice(1, 9)  # of its inputs: of the four gates, by the input and by the state; -1 where a gate is left out
ASYMMETRIC = 3  # the operator's version that takes an input's zero point into account


def with_int8_recurrence(content: bytes) -> bytes:
    """The file with each LSTM's float weights as int8, one scale for each matrix.  A file without one comes back as it
    is."""
    model: Any = TFLiteFile(content).model
    floats: set[int] = set()  # buffers of what is quantized
    for graph in model.subgraphs:
        for operator in graph.operators:
            if builtin(model, operator) != LSTM:
                continue
            for index in operator.inputs[WEIGHTS]:
                if index != -1 and graph.tensors[index].type == schema.TensorType.FLOAT32:
                    floats.add(graph.tensors[index].buffer)
                    _quantize(model, graph.tensors[index])
            operator.builtinOptions.asymmetricQuantizeInputs = True
            code = model.operatorCodes[operator.opcodeIndex]
            code.version = max(code.version, ASYMMETRIC)
    if not floats:
        return content
    for unused in floats - {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors}:
        model.buffers[unused].data = None
    return packed(model, len(content))


def _quantize(model: Any, tensor: Any) -> None:
    """A constant's values as int8, symmetric, in a buffer of its own: equal constants may share theirs."""
    values = np.asarray(model.buffers[tensor.buffer].data, np.uint8).view(np.float32)
    scale = float(np.abs(values).max(initial=0)) / 127 or 1.0
    buffer = schema.BufferT()
    buffer.data = np.rint(values / scale).astype(np.int8).view(np.uint8)
    model.buffers.append(buffer)
    tensor.buffer, tensor.type = len(model.buffers) - 1, schema.TensorType.INT8
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [0]

"""A TFLite file as objects: its tensors, operators and constants, by the schema that ai-edge-litert carries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from ..runtime.errors import ArtifactError

_OPERATORS = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
_DTYPES = {value: name.lower() for name, value in vars(schema.TensorType).items() if isinstance(value, int)}
WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED")  # their second input is the weights
PACKED_BITS = {"int2": 2, "int4": 4}  # dtypes of which several share a byte


@dataclass(frozen=True)
class Tensor:
    """shape: as stored; -1 where a size is free.  dtype: 'float32', 'int8', …  scales, zero_points: (n,), empty where
    it is not quantized; n is 1, or the channels, which lie along `axis`.  Of weights in blocks scales are (channels,
    blocks of the last axis).  bytes: of its constant values; 0 of an activation."""

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: np.ndarray
    zero_points: np.ndarray
    bytes: int
    axis: int = 0

    @property
    def is_constant(self) -> bool:
        """Its values are stored in the file."""
        return self.bytes > 0

    @property
    def is_quantized(self) -> bool:
        """Its integers stand for real numbers."""
        return len(self.scales) > 0


@dataclass(frozen=True)
class Operator:
    """kind: as of TFLite, 'CONV_2D'.  inputs, outputs: of the tensors; -1 where one is left out."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any


class TFLiteFile:
    """The main graph of a `.tflite`.  Raises ArtifactError where the bytes are none.

    is_whole: all constants are in the flatbuffer, as those of `model` are anyway.
    """

    def __init__(self, content: bytes, name: str = "the file") -> None:
        self.content = content
        self.is_whole = True
        try:
            self.model: Any = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
            self._graph = self.model.subgraphs[0]
            for buffer in self.model.buffers:
                if buffer.offset > 1:  # it may lie behind the flatbuffer; here it is a part of it
                    self.is_whole = False
                    buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
                    buffer.offset = buffer.size = 0
            self._check()
        except Exception as error:  # struct.error, IndexError, UnicodeDecodeError: whatever damaged bytes lead to
            raise ArtifactError(f"{name}: no TFLite model ({type(error).__name__}: {error})") from None

    def _check(self) -> None:
        """Raise whatever comes where the file names tensors that it does not have."""
        named = [index for one in self.operators for index in (*one.inputs, *one.outputs)]
        for index in (*named, *self.inputs, *self.outputs):
            if index != -1:
                self.tensors[index].shape  # noqa: B018

    @cached_property
    def tensors(self) -> tuple[Tensor, ...]:
        """All of the main graph, by index."""
        found = []
        for index, tensor in enumerate(self._graph.tensors):
            shape = tensor.shapeSignature if tensor.shapeSignature is not None else tensor.shape
            parameters = tensor.quantization
            scales = self._scales(parameters)
            zeros = parameters.zeroPoint if len(scales) and parameters.zeroPoint is not None else ()
            data = self.model.buffers[tensor.buffer].data
            found.append(
                Tensor(
                    index,
                    (tensor.name or b"").decode("utf-8", "replace"),
                    tuple(int(size) for size in shape) if shape is not None else (),
                    _DTYPES.get(tensor.type, str(tensor.type)),
                    scales,
                    np.asarray(zeros, np.int64),
                    0 if data is None else len(data),
                    0 if parameters is None else int(parameters.quantizedDimension),
                )
            )
        return tuple(found)

    def _scales(self, parameters: Any) -> np.ndarray:
        """float32, as of Tensor; those of blocks lie in a tensor of their own."""
        if parameters is None or parameters.detailsType != schema.QuantizationDetails.BlockwiseQuantization:
            scales = None if parameters is None else parameters.scale
            return np.asarray(() if scales is None else scales, np.float32)
        kept = self._graph.tensors[parameters.details.scales]
        data = np.asarray(self.model.buffers[kept.buffer].data, np.uint8)
        return np.asarray(data.view(np.dtype(_DTYPES[kept.type])).reshape(kept.shape), np.float32)

    @cached_property
    def operators(self) -> tuple[Operator, ...]:
        """In the order of execution."""
        codes = self.model.operatorCodes
        found = []
        for operator in self._graph.operators:
            code = codes[operator.opcodeIndex]
            number = builtin(self.model, operator)
            kind = _OPERATORS.get(number, str(number))
            if kind == "CUSTOM" and code.customCode:
                kind = code.customCode.decode("utf-8", "replace")
            found.append(Operator(kind, _indices(operator.inputs), _indices(operator.outputs), operator.builtinOptions))
        return tuple(found)

    @property
    def inputs(self) -> tuple[int, ...]:
        """Tensors that are given."""
        return _indices(self._graph.inputs)

    @property
    def outputs(self) -> tuple[int, ...]:
        """Tensors that are answered."""
        return _indices(self._graph.outputs)

    def activations(self) -> Iterator[Tensor]:
        """What is computed, and the inputs."""
        return (tensor for tensor in self.tensors if not tensor.is_constant)

    def weights(self, operator: Operator) -> Tensor | None:
        """What an operator of WEIGHTED multiplies by, as it is stored; None of others."""
        if operator.kind not in WEIGHTED:
            return None
        return self.stored(self.tensors[operator.inputs[1]])

    def stored(self, tensor: Tensor) -> Tensor | None:
        """The constant that a tensor is, or is dequantized from."""
        if tensor.is_constant:
            return tensor
        for operator in self.operators:
            if tensor.index in operator.outputs and operator.kind == "DEQUANTIZE":
                return self.stored(self.tensors[operator.inputs[0]])
        return None

    def values(self, tensor: Tensor) -> np.ndarray:
        """The integers or numbers of a constant, in its shape; of 2 and 4 bits as int8."""
        data = np.asarray(self.model.buffers[self._graph.tensors[tensor.index].buffer].data, np.uint8)
        if tensor.dtype in PACKED_BITS:
            return _unpacked(data, PACKED_BITS[tensor.dtype])[: int(np.prod(tensor.shape))].reshape(tensor.shape)
        return np.asarray(data.view(np.dtype(tensor.dtype)).reshape(tensor.shape), np.dtype(tensor.dtype))

    def float_operators(self) -> set[str]:
        """The kinds of the operators that compute in float32, those apart that go to integers or come from them."""
        tensors = self.tensors
        return {
            operator.kind
            for operator in self.operators
            if operator.kind not in ("QUANTIZE", "DEQUANTIZE")
            and any(tensors[index].dtype == "float32" for index in operator.outputs if index >= 0)
        }

    @property
    def is_float(self) -> bool:
        """No tensor of it is quantized."""
        return not any(tensor.is_quantized or tensor.dtype == "float16" for tensor in self.tensors)


def builtin(model: Any, operator: Any) -> int:
    """The number of an operator's kind, by the schema; old files have it in another place."""
    code = model.operatorCodes[operator.opcodeIndex]
    return max(int(code.builtinCode), int(code.deprecatedBuiltinCode))


def _indices(values: Any) -> tuple[int, ...]:
    return () if values is None else tuple(int(value) for value in values)


def _unpacked(data: np.ndarray, bits: int) -> np.ndarray:
    """Signed integers of 2 or 4 bits, the lowest first in each byte, as int8."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    values = ((data[:, None] >> shifts) & (2**bits - 1)).astype(np.int8).ravel()
    return np.asarray(np.where(values >= 2 ** (bits - 1), values - 2**bits, values), np.int8)

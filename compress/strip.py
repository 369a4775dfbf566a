"""A TFLite file without what no interpreter reads (the tensors' names, descriptions, metadata, signatures), and with
what is equal in it written once."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import flatbuffers
import numpy as np

from .tflite import TFLiteFile

IDENTIFIER = b"TFL3"


def strip(content: bytes) -> bytes:
    """The same model in fewer bytes: the same tensors, operators and constants, in the same order.

    Left out: names, descriptions, metadata, signatures, the ranges that were measured before quantization, buffers
    that hold nothing, and which sizes of the tensors in between are free (an interpreter works them out from the
    input's).  Written once, however many refer to it: equal shapes, scales, zero points, constants and options.
    """
    model: Any = TFLiteFile(content).model
    model.description = None
    model.metadata = model.metadataBuffer = model.signatureDefs = None
    shared: dict[Hashable, _Once] = {}
    place = _places(model)
    for graph in model.subgraphs:
        graph.name = None
        ends = {*graph.inputs, *graph.outputs}
        for index, tensor in enumerate(graph.tensors):
            tensor.name = None
            tensor.buffer = place[tensor.buffer]
            if index not in ends:
                tensor.shapeSignature = None
            quantization = tensor.quantization
            if quantization is not None:
                quantization.min = quantization.max = None
                given = quantization.scale is not None and len(quantization.scale)
                tensor.quantization = _once(quantization, shared) if given else None
        for operator in graph.operators:
            operator.builtinOptions = _once(operator.builtinOptions, shared)
    return packed(model, len(content), _SharingBuilder)


def whole(content: bytes) -> bytes:
    """The file with all constants in its flatbuffer.  ai-edge-quantizer puts those of a larger model behind it, where
    the interpreter for microcontrollers does not look."""
    file = TFLiteFile(content)
    return content if file.is_whole else packed(file.model, len(content))


def packed(model: Any, size: int, builder_class: type[flatbuffers.Builder] = flatbuffers.Builder) -> bytes:
    """The file of a model's objects, of about `size` bytes."""
    builder = builder_class(size)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def _places(model: Any) -> list[int]:
    """Leave out of the model's buffers those that are empty or not used; where each of them is now.

    The first one is the empty one by the format: all that hold nothing become it.
    """
    used = {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors}
    kept, places = [model.buffers[0]], []
    for index, buffer in enumerate(model.buffers):
        if index in used and buffer.data is not None and len(buffer.data):
            places.append(len(kept))
            kept.append(buffer)
        else:
            places.append(0)
    model.buffers = kept
    return places


def _once(part: Any, shared: dict[Hashable, _Once]) -> Any:
    """What stands for a part of the model and for all that are equal to it; the part itself where parts of its own
    make that hard to tell."""
    if part is None:
        return None
    fields = []
    for name, value in vars(part).items():
        if isinstance(value, np.ndarray):
            value = (value.dtype.str, value.tobytes())
        if not isinstance(value, bool | int | float | tuple | None):
            return part
        fields.append((name, value))
    return shared.setdefault((type(part), *fields), _Once(part))


class _Once:
    """A part of a model that is written where it is first met."""

    def __init__(self, part: Any) -> None:
        self._part = part
        self._offset: int | None = None

    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802 - as the schema's objects have it
        if self._offset is None:
            self._offset = self._part.Pack(builder)
        return self._offset


class _SharingBuilder(flatbuffers.Builder):
    """Writes equal vectors of numbers once.  Vectors of offsets are each written: an offset counts from its place."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._vectors: dict[tuple[int, bytes], int] = {}
        self._start: int | None = None  # the offset before the vector that is being written, if it may be shared

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> Any:  # noqa: N802, N803
        self._start, self._alignment = self.Offset(), alignment
        self._bytes = 4 + elemSize * numElems  # with its length
        return super().StartVector(elemSize, numElems, alignment)

    def PrependUOffsetTRelative(self, off: int) -> None:  # noqa: N802
        self._start = None
        super().PrependUOffsetTRelative(off)

    def EndVector(self, *arguments: Any) -> Any:  # noqa: N802
        offset, start = super().EndVector(*arguments), self._start
        self._start = None
        if start is None:
            return offset
        head = self.Head()
        first = self._vectors.setdefault((self._alignment, bytes(self.Bytes[head : head + self._bytes])), offset)
        if first != offset:
            self.head = len(self.Bytes) - start  # what was written since is overwritten
        return first

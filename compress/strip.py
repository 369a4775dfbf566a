"""A TFLite file without what no interpreter reads: the tensors' names, descriptions, metadata, signatures."""

from __future__ import annotations

from typing import Any

from .tflite import TFLiteFile

IDENTIFIER = b"TFL3"


def strip(content: bytes) -> bytes:
    """The same model in fewer bytes: the same tensors, operators and constants, in the same order.

    Left out: names, descriptions, metadata, signatures, the ranges that were measured before quantization, and
    buffers that nothing uses.
    """
    model: Any = TFLiteFile(content).model
    model.description = None
    model.metadata = model.metadataBuffer = model.signatureDefs = None
    used = {0}  # of the buffers, the first is the empty one by the format
    for graph in model.subgraphs:
        graph.name = None
        for tensor in graph.tensors:
            tensor.name = None
            used.add(tensor.buffer)
            if tensor.quantization is not None:
                tensor.quantization.min = tensor.quantization.max = None
                if tensor.quantization.scale is None or not len(tensor.quantization.scale):
                    tensor.quantization = None
    kept = sorted(used)
    place = {old: new for new, old in enumerate(kept)}
    model.buffers = [model.buffers[index] for index in kept]
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.buffer = place[tensor.buffer]
    return packed(model, len(content))


def packed(model: Any, size: int) -> bytes:
    """The file of a model's objects, of about `size` bytes."""
    import flatbuffers

    builder = flatbuffers.Builder(size)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())

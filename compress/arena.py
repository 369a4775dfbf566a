"""How much working memory TensorFlow Lite for Microcontrollers needs for a `.tflite`: an estimate without a device."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..runtime.errors import ArtifactError
from .tflite import WEIGHTED, TFLiteFile

ALIGNMENT = 16  # bytes: of the model, the arena and every tensor in it (kMicroBufferAlignment)
# what the interpreter keeps beside the activations, bytes on a 64-bit machine, measured with tflite-micro
# 0.dev20261023; a 32-bit microcontroller needs about half
PER_TENSOR = 24  # TfLiteEvalTensor
PER_OPERATOR = 128  # its node and its kernel's own data
PER_CHANNEL = 8  # multiplier and shift of a weighted operator's output channel
ALWAYS = 1024  # allocators, graph, the tensors of input and output


@dataclass(frozen=True)
class Arena:
    """Bytes.  activations: of the tensors that live at once, as they are planned.  kept: by the interpreter."""

    activations: int
    kept: int

    @property
    def bytes(self) -> int:
        """What to set aside, in whole KiB."""
        return -(-(self.activations + self.kept) // 1024) * 1024


def estimate_arena(file: TFLiteFile) -> Arena:
    """The arena of a model run on one image.  Raises ArtifactError where a size is open beside the batch's."""
    wanted, spans = [], []
    for index, (first, last) in _lifetimes(file).items():
        tensor = file.tensors[index]
        shape = tensor.shape[1:] if tensor.shape[:1] == (-1,) else tensor.shape  # an open batch is one image
        if -1 in shape:
            raise ArtifactError(f"{tensor.name}: its size is open; a microcontroller wants one that is fixed")
        wanted.append(math.prod(shape) * np.dtype(tensor.dtype).itemsize)
        spans.append((first, last))
    kept = PER_TENSOR * len(file.tensors) + PER_OPERATOR * len(file.operators) + ALWAYS
    for operator in file.operators:
        if operator.kind in WEIGHTED:
            kept += PER_CHANNEL * file.tensors[operator.outputs[0]].shape[-1]
    return Arena(plan(wanted, spans), kept)


def plan(sizes: list[int], spans: list[tuple[int, int]]) -> int:
    """Bytes of an arena in which buffers of `sizes` that live from one step to another, both included, do not overlap.

    The greedy planner of TensorFlow Lite for Microcontrollers (greedy_memory_planner.cc; Pisarchyk and Lee 2020,
    "greedy by size"): the largest first, each into the first gap among those that live when it does.
    """
    placed: list[tuple[int, int, tuple[int, int]]] = []  # begin, end, span
    for index in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
        size, (first, last) = -(-sizes[index] // ALIGNMENT) * ALIGNMENT, spans[index]
        begin = 0
        for other_begin, other_end, (other_first, other_last) in sorted(placed):
            if other_first > last or other_last < first:
                continue
            if other_begin - begin >= size:
                break
            begin = max(begin, other_end)
        placed.append((begin, begin + size, spans[index]))
    return max((end for _, end, _ in placed), default=0)


def _lifetimes(file: TFLiteFile) -> dict[int, tuple[int, int]]:
    """Of each activation the first and the last operator at which it is there."""
    spans = dict.fromkeys(file.inputs, (0, 0))
    for step, operator in enumerate(file.operators):
        for index in (*operator.inputs, *operator.outputs):
            if index >= 0 and not file.tensors[index].is_constant:
                spans[index] = (spans.get(index, (step, step))[0], step)
    return {**spans, **{index: (spans[index][0], len(file.operators)) for index in file.outputs if index in spans}}

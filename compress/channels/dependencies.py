"""Which channels must go together: an addition ties a channel of one branch to that of the other, a flattening spreads
one over many inputs of a dense layer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...train.graph import Call, calls, graph_of

# what a layer does to the channels, the last axis of its input
MAKES = ("Conv2D", "Conv2DTranspose", "Dense", "SeparableConv2D")  # new ones out of all
REPEATS = ("DepthwiseConv2D",)  # each becomes `depth_multiplier` of its own
PASSES = (
    "Activation", "AveragePooling2D", "BatchNormalization", "Cropping2D", "Dropout", "ELU", "GlobalAveragePooling2D",
    "GlobalMaxPooling2D", "LeakyReLU", "MaxPooling2D", "PReLU", "ReLU", "Rescaling", "SpatialDropout2D",
    "UpSampling2D", "ZeroPadding2D",
)  # fmt: skip
TIES = ("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract")  # those of all inputs, place by place


@dataclass(frozen=True)
class Unit:
    """Channels that only go together.  layers: names of the layers whose weights it has a part in."""

    identity: int
    layers: tuple[str, ...]


@dataclass(frozen=True)
class Dependencies:
    """A model's channels.

    inputs, outputs: of each layer with weights or a shape of its own, by name: the unit of each channel that it takes
    and that it gives, (channels,) int64; of a dense layer behind a flattening the same unit many times.
    """

    inputs: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]
    makers: frozenset[str]  # layers whose outputs are their own, not their input's
    frozen: frozenset[int]  # units that stay: the image's, the scores', and what is not understood

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """All that may be removed, in order of the layers that make them."""
        layers: dict[int, list[str]] = defaultdict(list)
        for name in self.outputs:
            for unit in np.unique(self.outputs[name]).tolist():
                layers[unit].append(name)
        for name in self.inputs:
            for unit in np.unique(self.inputs[name]).tolist():
                if name in self.makers:
                    layers[unit].append(f"→{name}")
        return tuple(Unit(unit, tuple(names)) for unit, names in layers.items() if unit not in self.frozen)

    @cached_property
    def groups(self) -> dict[tuple[str, ...], tuple[Unit, ...]]:
        """Units by the layers that they have a part in: a group's units may be removed one by one."""
        found: dict[tuple[str, ...], list[Unit]] = defaultdict(list)
        for unit in self.units:
            found[unit.layers].append(unit)
        return {layers: tuple(units) for layers, units in found.items()}

    def __str__(self) -> str:
        """A line a group: how many channels, of which layers, into which (→)."""
        return "\n".join(f"{len(units):>5} channels of {', '.join(layers)}" for layers, units in self.groups.items())


def trace(model: Any) -> Dependencies:
    """The dependencies of a Keras 3 Sequential or Functional model.

    Raises ConversionError where it has no graph.  A layer that is not understood keeps all of its channels.
    """
    tracer = _Tracer()
    for call in calls(model):
        tracer.visit(call)
    for tensor in graph_of(model).outputs:
        tracer.freeze(tracer.channels[id(tensor)])
    return tracer.result()


class _Tracer:
    """Follows the channels through the graph.  A channel is a number; what is tied is merged (union-find)."""

    def __init__(self) -> None:
        self.channels: dict[int, np.ndarray] = {}  # of each tensor's last axis
        self._parents: list[int] = []
        self._frozen: set[int] = set()
        self._inputs: dict[str, np.ndarray] = {}
        self._outputs: dict[str, np.ndarray] = {}
        self._makers: set[str] = set()

    def visit(self, call: Call) -> None:
        kind, layer = type(call.layer).__name__, call.layer
        ins = [self.channels[id(tensor)] for tensor in call.inputs if id(tensor) in self.channels]
        (out,) = call.outputs if len(call.outputs) == 1 else (None,)
        size = int(out.shape[-1]) if out is not None and out.shape[-1] else 0
        if call.is_input:
            made = self._new(size, frozen=True)
        elif kind in MAKES and getattr(layer, "groups", 1) == 1:
            made = self._new(size)
            self._makers.add(layer.name)
        elif kind in REPEATS:
            made = np.repeat(ins[0], layer.depth_multiplier)
        elif kind in PASSES:
            made = ins[0]
        elif kind in TIES and len({len(one) for one in ins}) == 1:
            made = ins[0]
            for other in ins[1:]:
                self._tie(made, other)
        elif kind == "Concatenate" and layer.axis in (-1, len(call.outputs[0].shape) - 1):
            made = np.concatenate(ins)
        elif kind in ("Flatten", "Reshape") and size % len(ins[0]) == 0 and _keeps_order(call):
            made = np.tile(ins[0], size // len(ins[0]))
        else:
            for one in ins:
                self.freeze(one)
            made = self._new(size, frozen=True)
        for tensor in call.outputs:
            self.channels[id(tensor)] = made if tensor is out else self._new(int(tensor.shape[-1]), frozen=True)
        if not call.is_input and (layer.weights or kind == "Reshape"):
            for known, here in ((self._inputs, ins[0]), (self._outputs, made)):
                if layer.name in known:  # a shared layer
                    self._tie(known[layer.name], here)
                else:
                    known[layer.name] = here

    def freeze(self, channels: Iterable[int]) -> None:
        self._frozen.update(int(channel) for channel in channels)

    def result(self) -> Dependencies:
        roots = np.array([self._root(channel) for channel in range(len(self._parents))], np.int64)
        return Dependencies(
            {name: roots[channels] for name, channels in self._inputs.items()},
            {name: roots[channels] for name, channels in self._outputs.items()},
            frozenset(self._makers),
            frozenset(int(roots[channel]) for channel in self._frozen),
        )

    def _new(self, count: int, frozen: bool = False) -> np.ndarray:
        made = np.arange(len(self._parents), len(self._parents) + count)
        self._parents += made.tolist()
        if frozen:
            self.freeze(made)
        return made

    def _tie(self, some: np.ndarray, others: np.ndarray) -> None:
        for a, b in zip(some.tolist(), others.tolist(), strict=True):
            self._parents[self._root(b)] = self._root(a)

    def _root(self, channel: int) -> int:
        while self._parents[channel] != channel:
            self._parents[channel] = self._parents[self._parents[channel]]
            channel = self._parents[channel]
        return channel


def _keeps_order(call: Call) -> bool:
    """Whether a flattening or reshaping keeps whole channels together: to one axis, or with the last one as it was."""
    before, after = call.inputs[0].shape[1:], call.outputs[0].shape[1:]
    return len(after) == 1 or after[-1] == before[-1]

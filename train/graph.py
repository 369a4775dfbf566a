"""A model's layer graph, walked in the order of its computation: of Keras 3, and of Keras 2 (`tf_keras`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ..runtime.errors import ConversionError
from .backend import keras


@dataclass(frozen=True)
class Call:
    """A layer called once.  args, kwargs: nested, with the tensors in them.  outputs: its tensors, flat."""

    layer: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: tuple[Any, ...]

    @property
    def inputs(self) -> list[Any]:
        """Its input tensors, flat."""
        flat = keras.tree.flatten((self.args, self.kwargs))
        return [value for value in flat if hasattr(value, "shape") and hasattr(value, "dtype")]

    @property
    def is_input(self) -> bool:
        """It is where the model's input comes in."""
        return type(self.layer).__name__ == "InputLayer"


def calls(model: Any) -> Iterator[Call]:
    """Every call of a Sequential or Functional model, inputs first.

    Raises ConversionError naming the model's kind where it has no graph.
    """
    functional = graph_of(model)
    depths = functional._nodes_by_depth
    for depth in sorted(depths, reverse=True):  # the deepest nodes are the inputs
        for node in depths[depth]:
            if hasattr(node, "operation"):  # Keras 3
                yield Call(node.operation, node.arguments.args, dict(node.arguments.kwargs), tuple(node.output_tensors))
            else:
                outputs = tuple(keras.tree.flatten(node.outputs))
                yield Call(node.layer, tuple(node.call_args or ()), dict(node.call_kwargs or {}), outputs)


def graph_of(model: Any) -> Any:
    """The functional graph of a model; a built Sequential of Keras 3 holds one.  Raises as `calls`."""
    functional = getattr(model, "_functional", None) or model
    if not getattr(functional, "_nodes_by_depth", None):
        raise ConversionError(f"{model.name}: a {type(model).__name__}; wanted a built Sequential or Functional model")
    return functional


def rebuilt(model: Any, make_input: Callable[[Any], Any], make: Callable[[Any], Any], model_class: Any) -> Any:
    """A model of other layers in the same graph, without weights.

    make_input: an input layer to a tensor.  make: a layer to what is called in its place, once for each layer, so that
    shared layers stay shared.
    """
    tensors: dict[int, Any] = {}
    made: dict[int, Any] = {}
    functional = graph_of(model)
    for call in calls(model):
        if call.is_input:
            outputs = make_input(call.layer)
        else:
            if id(call.layer) not in made:
                made[id(call.layer)] = make(call.layer)
            args, kwargs = keras.tree.map_structure(
                lambda value: tensors.get(id(value), value), (list(call.args), call.kwargs)
            )
            outputs = made[id(call.layer)](*args, **kwargs)
        for tensor, mapped in zip(call.outputs, keras.tree.flatten(outputs), strict=True):
            tensors[id(tensor)] = mapped
    ins, outs = ([tensors[id(tensor)] for tensor in side] for side in (functional.inputs, functional.outputs))
    single = [side[0] if len(side) == 1 else side for side in (ins, outs)]
    return model_class(*single, name=model.name)

"""A Keras model becomes a float TFLite or ONNX file, in a child process: the converter aborts its process on some
models.

python -m glyphlite.compress.convert MODEL FORM OUT
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ..runtime.errors import ConversionError
from ..runtime.files import replacing

ONNX_OPSET = 18
TIMEOUT_S = 900
QUANTIZED = "quantized"  # form: the TFLite file of a model that was trained with the roundings of int8


def convert(model: Path, form: str, out: Path) -> None:
    """Write a model's file as 'tflite', 'onnx' or QUANTIZED to `out`, whole or not at all.

    model: a `.keras` file of Keras 3; a SavedModel for QUANTIZED.
    Raises ConversionError with the line of the child process that says why.
    """
    with replacing(out) as temporary:
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"}
        command = [sys.executable, "-m", __name__, str(model), form, str(temporary)]
        try:
            child = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, timeout=TIMEOUT_S
            )
        except subprocess.TimeoutExpired:
            raise ConversionError(f"{model} as {form}: no end within {TIMEOUT_S} s") from None
        if child.returncode or not temporary.stat().st_size:
            said = [line.strip() for line in child.stderr.splitlines() if line.strip()]
            errors = [line for line in said if "error:" in line]  # MLIR's, of which the first names the operator
            reason = [*errors, *said[-1:], "it said nothing"][0]
            raise ConversionError(f"{model} as {form}: exit code {child.returncode}: {reason:.300}")


def _main(model: str, form: str, out: str) -> None:
    {"tflite": _write_tflite, "onnx": _write_onnx, QUANTIZED: _write_quantized}[form](model, out)


def _write_tflite(path: str, out: str) -> None:
    import keras
    import tensorflow as tf

    model = _loaded(path)
    if isinstance(model, keras.Model):
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
    else:  # the state of TFLite's LSTM is of one image
        function, _ = _function(model, 1)
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], model)
    Path(out).write_bytes(converter.convert())


def _write_onnx(path: str, out: str) -> None:
    import tf2onnx

    function, signature = _function(_loaded(path), None)
    model, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=ONNX_OPSET)
    Path(out).write_bytes(_in_order(model).SerializeToString(deterministic=True))


def _in_order(model: Any) -> Any:
    """The ONNX model with its constants in the order in which they are used, and the numbers in its names too: tf2onnx
    has both from where its objects lie in memory, so that the same network would be other bytes each time."""
    graph = model.graph
    if any(attribute.HasField("g") for node in graph.node for attribute in node.attribute):
        return model  # what is in a loop names what is outside
    used = [name for node in graph.node for name in node.input]
    place = {name: index for index, name in reversed(list(enumerate(used)))}
    constants = sorted(graph.initializer, key=lambda one: place.get(one.name, len(used)))
    del graph.initializer[:]
    graph.initializer.extend(constants)
    ends = {end.name for end in (*graph.input, *graph.output)}
    names: dict[str, str] = {}

    def renamed(name: str) -> str:
        if name not in names:
            stem, counted, number = name.rpartition("__")
            names[name] = f"{stem}__{len(names)}" if counted and number.isdigit() and name not in ends else name
        return names[name]

    for node in graph.node:
        node.input[:] = [renamed(name) for name in node.input]
        node.output[:] = [renamed(name) for name in node.output]
        node.name = renamed(node.name)
    for part in (*graph.initializer, *graph.value_info):
        part.name = renamed(part.name)
    return model


def _loaded(path: str) -> Any:
    """A Keras 3 model; where it has recurrent layers, the same one of Keras 2, whose LSTM becomes one operator: Keras
    3's becomes a loop of small ones."""
    import keras

    model = keras.models.load_model(path, compile=False)
    layers = model._flatten_layers()
    if any(isinstance(layer, keras.layers.RNN) for layer in layers):
        from .bridge import to_tf_keras

        return to_tf_keras(model)
    for layer in layers:
        if isinstance(layer, keras.layers.Flatten | keras.layers.Reshape):
            layer.call = partial(_reshaped, layer, layer.call)
    return model


def _reshaped(layer: Any, usual: Callable[[Any], Any], inputs: Any) -> Any:
    """What a Flatten or a Reshape of Keras 3 answers, by one operator: Keras's own asks for the number of images at run
    time, which takes three more, and in int8 a fourth."""
    import tensorflow as tf

    sizes = layer.compute_output_shape(inputs.shape)[1:]
    if None in sizes or getattr(layer, "data_format", "") == "channels_first":
        return usual(inputs)
    return tf.reshape(inputs, (-1, *sizes))


def _function(model: Any, count: int | None) -> tuple[Any, list[Any]]:
    """What a model computes of `count` images, None for any number, and its signature."""
    import tensorflow as tf

    signature = [tf.TensorSpec((count, *model.input_shape[1:]), tf.float32, name="image")]
    return tf.function(lambda image: model(image, training=False), input_signature=signature), signature


def _write_quantized(path: str, out: str) -> None:
    """The ranges are in the model; no example images are needed."""
    import tensorflow as tf

    from .scaling import without_scaling

    converter = tf.lite.TFLiteConverter.from_saved_model(path)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = tf.uint8  # a glyph's bytes go in as they are
    converter.inference_output_type = tf.float32  # a temperature can be applied
    Path(out).write_bytes(without_scaling(converter.convert()))


if __name__ == "__main__":
    _main(*sys.argv[1:])

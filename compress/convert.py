"""A Keras model becomes the bytes of an artifact, in a child process: the converter aborts its process on some models.

python -m glyphlite.compress.convert MODEL.keras SCHEME FORMAT OUT [CALIBRATION.npy]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from ..runtime.errors import ConversionError
from ..runtime.files import replacing

ONNX_OPSET = 18
TIMEOUT_S = 900


def convert(model: Path, scheme: str, file_format: str, out: Path, calibration: np.ndarray | None = None) -> None:
    """Write an artifact of a `.keras` file to `out`, whole or not at all.

    calibration: (N, H, W, C) float32 inputs in the model's own range, for a calibrated scheme.
    Raises ConversionError with the last line that the child process said.
    """
    with tempfile.TemporaryDirectory() as folder, replacing(out) as temporary:
        arguments = [str(model), scheme, file_format, str(temporary)]
        if calibration is not None:
            examples = Path(folder) / "calibration.npy"
            np.save(examples, calibration)
            arguments.append(str(examples))
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"}
        command = [sys.executable, "-m", __name__, *arguments]
        try:
            child = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, timeout=TIMEOUT_S
            )
        except subprocess.TimeoutExpired:
            raise ConversionError(f"{model} as {scheme} {file_format}: no end within {TIMEOUT_S} s") from None
        if child.returncode or not temporary.stat().st_size:
            said = [line.strip() for line in child.stderr.splitlines() if line.strip()]
            reason = said[-1] if said else "it said nothing"
            raise ConversionError(f"{model} as {scheme} {file_format}: exit code {child.returncode}: {reason:.300}")


def _main(model_path: str, scheme: str, file_format: str, out: str, calibration: str = "") -> None:
    import keras

    model = keras.models.load_model(model_path)
    examples = np.load(calibration) if calibration else None
    if file_format == "onnx":
        _write_onnx(model, out)
    else:
        Path(out).write_bytes(_tflite(model, scheme, examples))


def _tflite(model: object, scheme: str, examples: np.ndarray | None) -> bytes:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if scheme != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if scheme == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if scheme == "static_wi8_ai8":
        assert examples is not None
        converter.representative_dataset = lambda: ([example[None]] for example in examples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8  # a glyph's bytes go in as they are
        converter.inference_output_type = tf.float32  # a temperature can be applied
    return bytes(converter.convert())


def _write_onnx(model: object, out: str) -> None:
    import tensorflow as tf
    import tf2onnx

    signature = [tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="image")]  # type: ignore[attr-defined]
    function = tf.function(lambda image: model(image, training=False), input_signature=signature)  # type: ignore[operator]
    tf2onnx.convert.from_function(function, input_signature=signature, opset=ONNX_OPSET, output_path=out)


if __name__ == "__main__":
    _main(*sys.argv[1:])

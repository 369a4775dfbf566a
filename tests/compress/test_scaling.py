"""The multiplication that scales the input of a network that was trained for int8: taken out, the answers the same."""

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from glyphlite.compress.scaling import without_scaling
from glyphlite.compress.strip import strip
from glyphlite.compress.tflite import TFLiteFile
from glyphlite.runtime.bundle import shipped_models


def answers(content, images):
    interpreter = Interpreter(model_content=content)
    (image,), (output,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.resize_tensor_input(image["index"], images.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(image["index"], images)
    interpreter.invoke()
    return interpreter.get_tensor(output["index"])


def scaled(factor):
    """A quantized file that multiplies pixels by a factor, then convolves; the product's range is that of 1/255."""
    rng = np.random.default_rng(0)
    kernel = tf.constant(rng.normal(0, 0.5, (3, 3, 1, 4)).astype(np.float32))

    @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 1), tf.float32)])
    def network(image):
        image = tf.quantization.fake_quant_with_min_max_args(image, 0, 255)
        image = tf.quantization.fake_quant_with_min_max_args(image * factor, 0, 1)
        weights = tf.quantization.fake_quant_with_min_max_args(kernel, -1, 1, narrow_range=True)
        found = tf.nn.conv2d(image, weights, 1, "VALID")
        found = tf.quantization.fake_quant_with_min_max_args(found, -4, 4)
        return tf.quantization.fake_quant_with_min_max_args(tf.nn.relu(found), 0, 4)

    converter = tf.lite.TFLiteConverter.from_concrete_functions([network.get_concrete_function()])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = tf.uint8
    return converter.convert()


def kinds(content):
    return [operator.kind for operator in TFLiteFile(content).operators]


def test_the_answers_stay_and_the_operator_goes():
    before = scaled(1 / 255)
    after = without_scaling(before)
    assert "MUL" in kinds(before) and "MUL" not in kinds(after)
    images = np.random.default_rng(1).integers(0, 256, (5, 8, 8, 1), np.uint8)
    assert np.array_equal(answers(before, images), answers(after, images))
    assert len(strip(after)) < len(strip(before)) - 100


@pytest.mark.parametrize("factor", [1 / 400, 1 / 100], ids=["less than the range", "more than the range"])
def test_a_multiplication_that_changes_integers_stays(factor):
    before = scaled(factor)
    assert "MUL" in kinds(before)
    assert without_scaling(before) is before


def test_a_file_without_one_comes_back_as_it_is():
    content = (shipped_models()["digits-edge"] / "static_wi8_ai8_stripped.tflite").read_bytes()
    assert without_scaling(content) is content

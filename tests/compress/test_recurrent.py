"""A recurrent line reader's files: the same scores as the network, for strips of any width, in any order."""

import numpy as np
import pytest

from glyphlite.compress.convert import convert
from glyphlite.compress.onnx_quantize import quantize_onnx
from glyphlite.compress.quantize import quantize
from glyphlite.compress.recurrent import with_int8_recurrence
from glyphlite.compress.tflite import TFLiteFile
from glyphlite.runtime.engine import open_engine
from glyphlite.train.architectures import build
from glyphlite.train.backend import keras

CLASSES = 5
TOLERANCES = {"float32.tflite": 1e-4, "float32.onnx": 1e-4, "int8.tflite": 0.03, "int8.onnx": 0.03}  # of the scores


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return build("crnn", (32, -1, 1), CLASSES, width=0.4)


@pytest.fixture(scope="module")
def folder(network, tmp_path_factory):
    """Its files: float32 and dynamic int8."""
    made = tmp_path_factory.mktemp("recurrent")
    network.save(made / "model.keras")
    for form in ("tflite", "onnx"):
        convert(made / "model.keras", form, made / f"float32.{form}")
    (made / "int8.tflite").write_bytes(quantize((made / "float32.tflite").read_bytes(), "dynamic_wi8_afp32"))
    quantize_onnx(made / "float32.onnx", made / "int8.onnx", "dynamic_wi8_afp32")
    return made


@pytest.mark.parametrize("file", TOLERANCES)
def test_the_file_scores_as_the_network_whatever_came_before(network, folder, file):
    """An LSTM of TFLite keeps its state from call to call; several strips in one call are as many calls."""
    engine = open_engine(folder / file)
    rng = np.random.default_rng(0)
    for columns, count in ((96, 3), (32, 1), (160, 2), (96, 1)):
        strips = rng.integers(0, 256, (count, 32, columns, 1)).astype(np.uint8)
        wanted = np.asarray(network(strips.astype(np.float32), training=False))
        for _ in range(2):
            assert np.abs(engine.run(strips) - wanted).max() <= TOLERANCES[file] * max(1.0, np.abs(wanted).max())


def test_eight_bits_are_less_than_half_of_the_bytes_and_no_float_is_left_behind(folder):
    for form in ("tflite", "onnx"):
        assert (folder / f"int8.{form}").stat().st_size < 0.45 * (folder / f"float32.{form}").stat().st_size
    file = TFLiteFile((folder / "int8.tflite").read_bytes())
    gates = [operator for operator in file.operators if operator.kind == "UNIDIRECTIONAL_SEQUENCE_LSTM"]
    assert len(gates) == 2
    assert {file.tensors[index].dtype for one in gates for index in one.inputs[1:9]} == {"int8"}


def test_a_file_without_recurrence_stays_as_it_is(tiny_tflite):
    content = tiny_tflite["float32"].read_bytes()
    assert with_int8_recurrence(content) is content

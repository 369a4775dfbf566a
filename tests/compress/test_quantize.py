"""Each way to store the numbers, on the real quantizers: what is in the file, and that its answers are the float's."""

import re

import numpy as np
import pytest

from glyphlite.compress.convert import convert
from glyphlite.compress.onnx_quantize import quantize_onnx
from glyphlite.compress.quantize import quantize
from glyphlite.compress.ranges import METHODS, measure_ranges
from glyphlite.compress.recipes import SCHEMES
from glyphlite.compress.sources import scaled
from glyphlite.compress.steps import FloatModel
from glyphlite.compress.strip import strip
from glyphlite.compress.tflite import TFLiteFile
from glyphlite.runtime import ConversionError
from glyphlite.runtime.engine import open_engine
from glyphlite.train.architectures import build

SCHEMES_HERE = [
    "float16", "dynamic_wi8_afp32", "dynamic_wi4_afp32", "weight_only_wi8_afp32", "weight_only_wi4_afp32",
    "static_wi8_ai8", "static_wi8_ai16", "static_wi4_ai8",
]  # fmt: skip
BITS = {"float16": "float16", "wi8": "int8", "wi4": "int4"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("quantize")


@pytest.fixture(scope="module")
def model(source):
    return FloatModel(source.path, "keras", source.model)


@pytest.fixture(scope="module")
def content(model, folder):
    """Bytes of the float TFLite file."""
    return model.converted("tflite", folder).read_bytes()


@pytest.fixture(scope="module")
def images(examples):
    """(N, 20, 20, 1) float32."""
    return scaled(examples.calibration.images[:60], (0.0, 255.0))


@pytest.fixture(scope="module")
def ranges(content, images):
    return measure_ranges(content, images)


def agreement(path, content, examples):
    reference = path.with_name("reference.tflite")
    reference.write_bytes(content)
    pixels = examples.judged.images[..., None]
    return (open_engine(path).run(pixels).argmax(1) == open_engine(reference).run(pixels).argmax(1)).mean()


@pytest.mark.parametrize("scheme", SCHEMES_HERE)
def test_the_weights_are_stored_as_the_name_says(scheme, content, ranges, examples, tmp_path):
    path = tmp_path / "x.tflite"
    path.write_bytes(quantize(content, scheme, ranges))
    file = TFLiteFile(path.read_bytes())
    kinds = {file.weights(o).dtype for o in file.operators if o.kind in ("CONV_2D", "FULLY_CONNECTED")}
    assert kinds == {next(dtype for part, dtype in BITS.items() if part in scheme)}
    assert path.stat().st_size < len(content)
    assert agreement(path, content, examples) >= 0.95


def test_every_scheme_of_tflite_is_known_to_the_quantizer(content, ranges):
    for name, scheme in SCHEMES.items():
        if "tflite" in scheme.formats and not name.startswith("mixed"):
            try:
                assert quantize(content, name, ranges)
            except ConversionError as error:  # blocks do not fit so small a network: the quantizer itself says so
                assert re.search(r"b\d+_", name) and "ai-edge-quantizer" in str(error)


def test_a_static_file_takes_bytes_and_gives_floats(content, ranges):
    file = TFLiteFile(quantize(content, "static_wi8_ai8", ranges))
    assert [file.tensors[i].dtype for i in file.inputs] == ["uint8"]
    assert [file.tensors[i].dtype for i in file.outputs] == ["float32"]
    assert {t.dtype for t in file.activations() if t.index not in file.outputs} <= {"uint8", "int8"}


def test_one_layer_may_have_its_own_scheme(content, ranges):
    file = TFLiteFile(content)
    last = file.tensors[file.operators[-1].outputs[0]].name
    made = TFLiteFile(quantize(content, "dynamic_wi8_afp32", None, {last: "float32"}))
    kinds = [made.weights(o).dtype for o in made.operators if made.weights(o) is not None]
    assert kinds[-1] == "float32" and set(kinds[:-1]) == {"int8"}


def test_tensorwise_has_one_scale(content, ranges):
    file = TFLiteFile(quantize(content, "static_wi8_ai8", ranges, tensorwise=True))
    assert {len(file.weights(o).scales) for o in file.operators if o.kind == "CONV_2D"} == {1}


def test_a_static_scheme_without_images_and_an_unknown_one_are_named(content):
    with pytest.raises(ConversionError, match="wants the activations' ranges"):
        quantize(content, "static_wi8_ai8")
    with pytest.raises(ConversionError, match="no scheme of ai-edge-quantizer's"):
        quantize(content, "static_wi3_ai8")


# --- ranges ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_ranges_lie_within_what_was_seen(content, images, ranges, method):
    found = measure_ranges(content, images, method)
    assert set(found) == set(ranges)
    for name, (low, high) in found.items():
        assert low <= high
        slack = 1e-3 * (ranges[name][1] - ranges[name][0]) + 1e-6
        assert low >= min(ranges[name][0], 0) - slack and high <= max(ranges[name][1], 0) + slack


def test_a_rare_peak_widens_minmax_and_not_the_percentile(content, images):
    bright = np.concatenate([images, np.full_like(images[:1], 25_500)])
    name = TFLiteFile(content).tensors[TFLiteFile(content).inputs[0]].name
    assert measure_ranges(content, bright)[name][1] == 25_500
    assert measure_ranges(content, bright, "moving_average")[name][1] < 2_000
    assert measure_ranges(content, bright, "mse")[name][1] <= 25_500


def test_a_method_that_only_the_other_format_has_is_named(content, images):
    with pytest.raises(ConversionError, match="calibration 'entropy': a TFLite file's ranges have minmax, "):
        measure_ranges(content, images, "entropy")


def test_images_that_are_none_or_not_finite_are_refused(content, images):
    with pytest.raises(ConversionError, match="no images to calibrate with"):
        measure_ranges(content, images[:0])
    broken = images[:2].copy()
    broken[0, 0, 0] = np.nan
    with pytest.raises(ConversionError, match="not finite"):
        measure_ranges(content, broken)


# --- stripping -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["float32", "static_wi8_ai8", "dynamic_wi4_afp32"])
def test_a_stripped_file_is_smaller_and_answers_the_same(scheme, content, ranges, examples, tmp_path):
    whole = quantize(content, scheme, ranges)
    (tmp_path / "whole.tflite").write_bytes(whole)
    (tmp_path / "bare.tflite").write_bytes(strip(whole))
    assert len(strip(whole)) < len(whole) - 1000
    assert strip(strip(whole)) == strip(whole)
    engines = [open_engine(tmp_path / name) for name in ("whole.tflite", "bare.tflite")]
    for count in (1, 7, 2):  # no size but the input's is free in the file
        pixels = examples.judged.images[:count, ..., None]
        assert np.array_equal(*(engine.run(pixels) for engine in engines))


def test_what_is_equal_in_a_stripped_file_is_written_once(content, ranges):
    made = quantize(content, "static_wi8_ai8", ranges)
    whole, bare = TFLiteFile(made), TFLiteFile(strip(made))
    assert [one.shape[1:] for one in bare.tensors] == [one.shape[1:] for one in whole.tensors]
    assert [one.dtype for one in bare.tensors] == [one.dtype for one in whole.tensors]
    for one, other in zip(bare.tensors, whole.tensors, strict=True):
        assert np.array_equal(one.scales, other.scales) and np.array_equal(one.zero_points, other.zero_points)
        if one.is_constant:
            assert np.array_equal(bare.values(one), whole.values(other))
    for one, other in zip(bare.operators, whole.operators, strict=True):
        assert (one.kind, one.inputs, one.outputs) == (other.kind, other.inputs, other.outputs)
        assert one.options is other.options is None or vars(one.options) == vars(other.options)
    assert all(len(buffer.data) for buffer in bare.model.buffers[1:])
    channels = max(len(one.zero_points) for one in bare.tensors)
    zeros = np.zeros(channels, np.int64).tobytes()  # of a layer's weights and of its biases
    assert made.count(zeros) >= 2 and strip(made).count(zeros) == 1


# --- ONNX ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", [name for name, scheme in SCHEMES.items() if "onnx" in scheme.formats])
def test_onnx(scheme, model, folder, images, examples, tmp_path):
    floats, path = model.converted("onnx", folder), tmp_path / "x.onnx"
    quantize_onnx(floats, path, scheme, images)
    pixels = examples.judged.images[..., None]
    wanted = open_engine(floats).run(pixels).argmax(1)
    assert (open_engine(path).run(pixels).argmax(1) == wanted).mean() >= 0.95
    if scheme != "float32":
        assert path.stat().st_size < floats.stat().st_size


@pytest.mark.parametrize("method", ["percentile", "entropy", "moving_average"])
def test_onnx_calibration(method, model, folder, images, tmp_path):
    quantize_onnx(model.converted("onnx", folder), tmp_path / "x.onnx", "static_wi8_ai8", images, method)
    assert open_engine(tmp_path / "x.onnx").run(np.zeros((1, 20, 20, 1), np.uint8)).shape == (1, 4)


def test_onnx_without_images_or_with_a_method_that_it_lacks(model, folder, images, tmp_path):
    floats = model.converted("onnx", folder)
    with pytest.raises(ConversionError, match="wants images"):
        quantize_onnx(floats, tmp_path / "x.onnx", "static_wi8_ai8")
    with pytest.raises(ConversionError, match="calibration 'mse': ONNX Runtime has minmax"):
        quantize_onnx(floats, tmp_path / "x.onnx", "static_wi8_ai8", images, "mse")


def test_a_large_model_keeps_its_constants_in_the_flatbuffer(tmp_path):
    build("full", (28, 28, 1), 10).save(tmp_path / "full.keras")  # the quantizer puts its constants behind it
    convert(tmp_path / "full.keras", "tflite", tmp_path / "full.tflite")
    content = (tmp_path / "full.tflite").read_bytes()
    (tmp_path / "x.tflite").write_bytes(quantize(content, "dynamic_wi8_afp32"))
    assert TFLiteFile((tmp_path / "x.tflite").read_bytes()).is_whole
    images = np.random.default_rng(0).integers(0, 256, (8, 28, 28, 1), np.uint8)
    told, expected = (open_engine(tmp_path / name).run(images) for name in ("x.tflite", "full.tflite"))
    np.testing.assert_allclose(told, expected, atol=0.05 * np.abs(expected).max())

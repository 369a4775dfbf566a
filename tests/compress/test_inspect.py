"""What is in a file, and where a quantized one loses accuracy."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from glyphlite.compress.checks import weights_of
from glyphlite.compress.cli import compress as command
from glyphlite.compress.convert import convert
from glyphlite.compress.inspect import inspect, inspect_file
from glyphlite.compress.pack import compress
from glyphlite.compress.quantize import quantize
from glyphlite.compress.ranges import measure_ranges
from glyphlite.compress.recipes import parse_recipe
from glyphlite.compress.sources import scaled
from glyphlite.compress.strip import strip
from glyphlite.compress.tensors import tensor_errors
from glyphlite.compress.tflite import TFLiteFile
from glyphlite.runtime import ArtifactError, ConversionError, shipped_models
from glyphlite.train.backend import keras
from glyphlite.train.complexity import count_macs


@pytest.fixture(scope="module")
def bundle(source, examples, tmp_path_factory):
    out = tmp_path_factory.mktemp("inspect") / "b"
    recipes = [parse_recipe(name) for name in ("float32", "static_wi8_ai8", "weight_only_wi4_afp32")]
    compress(source, recipes, ["tflite", "onnx"], examples, out, say=lambda _: None)
    return out


@pytest.mark.parametrize("form", ["tflite", "onnx"])
def test_macs_and_bytes_add_up(bundle, source, form):
    contents = inspect_file(bundle / f"float32.{form}")
    assert contents.macs == count_macs(source.model)
    assert sum(row.bytes for row in contents.rows) + contents.other_bytes == contents.bytes
    assert contents.bytes == (bundle / f"float32.{form}").stat().st_size
    assert 4 * source.model.count_params() * 0.9 < sum(row.bytes for row in contents.rows) < contents.bytes


def test_an_int8_file(bundle):
    contents = inspect_file(bundle / "static_wi8_ai8.tflite")
    convolutions = [row for row in contents.rows if row.kind == "CONV_2D"]
    assert [row.weights.split()[0] for row in convolutions] == ["int8"] * 5
    assert all(row.scales == row.shape[-1] and row.scale > 0 and row.is_accelerated for row in convolutions)
    assert contents.inputs == ("uint8 ? × 20 × 20 × 1",)


def test_operators_without_fast_kernels_are_marked(bundle):
    rows = inspect_file(bundle / "weight_only_wi4_afp32.tflite").rows
    assert {row.is_accelerated for row in rows if row.kind == "CONV_2D"} == {False}


def test_the_command(bundle):
    result = CliRunner().invoke(inspect, [str(bundle / "static_wi8_ai8.tflite")])
    assert result.exit_code == 0
    assert "CONV_2D" in result.output and "MACs" in result.output.splitlines()[-1]
    assert CliRunner().invoke(inspect, [str(bundle)]).output == result.output  # its default
    content = json.loads(CliRunner().invoke(inspect, [str(bundle / "float32.onnx"), "--json"]).output)
    assert content["format"] == "onnx" and content["macs"] > 0


def test_shipped_files_can_be_read():
    for folder in shipped_models().values():
        for path in (*folder.glob("*.tflite"), *folder.glob("*.onnx")):
            assert inspect_file(path).macs > 10_000


def test_what_is_no_model_is_named(tmp_path):
    for name in ("x.tflite", "x.onnx", "x.txt"):
        (tmp_path / name).write_bytes(b"hello, this is no model at all")
        with pytest.raises(ArtifactError, match="x"):
            inspect_file(tmp_path / name)


def test_damaged_files_are_named(bundle, tmp_path):
    content = (bundle / "static_wi8_ai8.tflite").read_bytes()
    rng = np.random.default_rng(0)
    for trial in range(60):
        damaged = bytearray(content[: len(content) if trial % 2 else int(rng.integers(8, len(content)))])
        for at in rng.integers(8, len(damaged), 20):
            damaged[at] = int(rng.integers(256))
        (tmp_path / "x.tflite").write_bytes(damaged)
        try:
            inspect_file(tmp_path / "x.tflite")
        except ArtifactError as error:
            assert "x.tflite" in str(error)


# --- where accuracy is lost ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def images(examples):
    return scaled(examples.train.images[:20], (0.0, 255.0))


def test_a_better_file_has_less_noise_in_every_tensor(bundle, images):
    floats = (bundle / "float32.tflite").read_bytes()
    ranges = measure_ranges(floats, images)
    eight, four = (
        {e.name: e for e in tensor_errors(floats, quantize(floats, scheme, ranges), images)}
        for scheme in ("static_wi8_ai8", "static_wi4_ai8")
    )
    weights = [name for name, error in eight.items() if error.kind == "weights"]
    assert len(weights) == 7
    for name in weights:
        if "depthwise" not in name:  # for whose weights there is no kernel of 4 bits: they stay floats
            assert eight[name].sqnr_db > four[name].sqnr_db + 15
        assert eight[name].cosine > 0.999
        assert eight[name].holds_low <= eight[name].low and eight[name].high <= eight[name].holds_high * 1.01
    assert all(error.saturated == 0 for error in eight.values() if error.saturated is not None)


def test_a_range_that_is_too_narrow_shows(bundle, images):
    """As of a model in the field, whose last layer reaches -504 where its integers end at -214."""
    floats = (bundle / "float32.tflite").read_bytes()
    ranges = measure_ranges(floats, images)
    file = TFLiteFile(floats)
    name = next(file.tensors[o.outputs[0]].name for o in file.operators if o.kind == "CONV_2D")
    narrow = {**ranges, name: (0.0, ranges[name][1] / 4)}
    errors = {e.name: e for e in tensor_errors(floats, quantize(floats, "static_wi8_ai8", narrow), images)}
    assert errors[name].saturated > 0.05
    assert errors[name].sqnr_db < 20


@pytest.fixture(scope="module")
def of_colours(tmp_path_factory):
    """Bytes of a float file whose depthwise kernel is as wide as it has channels, with a dense layer of two blocks."""
    folder = tmp_path_factory.mktemp("colours")
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(64, 1)(keras.layers.DepthwiseConv2D(3, name="deep")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(4)(keras.layers.GlobalMaxPooling2D()(x)))
    model.get_layer("deep").set_weights([model.get_layer("deep").get_weights()[0] * [[1], [10], [100]], np.zeros(3)])
    model.save(folder / "model.keras")
    convert(folder / "model.keras", "tflite", folder / "model.tflite")
    return (folder / "model.tflite").read_bytes()


@pytest.mark.parametrize(("scheme", "layer", "decibels"), [("wi8", "depthwise", 40), ("wi4b32", "MatMul", 20)])
def test_scales_lie_along_their_own_axis_and_of_blocks_in_a_tensor_of_their_own(of_colours, scheme, layer, decibels):
    noise = np.random.default_rng(0).random((2, 8, 8, 3)).astype(np.float32)
    quantized = quantize(of_colours, f"dynamic_{scheme}_afp32")
    error = next(e for e in tensor_errors(of_colours, quantized, noise) if e.kind == "weights" and layer in e.name)
    assert error.sqnr_db > decibels
    assert error.holds_low <= error.low and error.high <= error.holds_high * 1.01
    assert (error.saturated, error.dtype) == (0, "int8" if scheme == "wi8" else "int4")


def test_weights_in_blocks_are_integers(of_colours, tmp_path):
    (tmp_path / "x.tflite").write_bytes(quantize(of_colours, "dynamic_wi4b32_afp32"))
    dense, convolutions = 64 * 4, 27 + 64 * 3  # for which there is no kernel of blocks
    assert weights_of(tmp_path / "x.tflite").integers == pytest.approx(dense / (dense + convolutions), abs=1e-4)
    assert max(row.scales for row in inspect_file(tmp_path / "x.tflite").rows) == 2 * 4


def test_files_that_share_no_names_are_told(bundle, images):
    floats = (bundle / "float32.tflite").read_bytes()
    with pytest.raises(ConversionError, match="share no tensors"):
        tensor_errors(floats, strip((bundle / "static_wi8_ai8.tflite").read_bytes()), images)


def test_files_of_other_sizes_are_told(tmp_path, images):
    files = []
    for channels in (3, 4):
        layers = [
            keras.Input((20, 20, 1)),
            keras.layers.Conv2D(channels, 3, name="c"),
            keras.layers.GlobalMaxPooling2D(),
        ]
        keras.Sequential(layers, name="same").save(tmp_path / "model.keras")
        convert(tmp_path / "model.keras", "tflite", tmp_path / f"{channels}.tflite")
        files.append((tmp_path / f"{channels}.tflite").read_bytes())
    with pytest.raises(ConversionError, match="has other sizes in the two files: channels were taken out"):
        tensor_errors(*files, images)


def test_a_report_takes_pixels_as_the_card_beside_the_files_says(bundle, shapes, tmp_path):
    files = [str(bundle / name) for name in ("float32.tflite", "static_wi8_ai8.tflite")]
    result = CliRunner().invoke(command, ["report", *files, "--data", str(shapes), "--scale", "0,1"])
    assert result.exit_code == 2 and "has a card, which says 0,255" in result.output
    for file in files:
        (tmp_path / Path(file).name).write_bytes(Path(file).read_bytes())
    bare = [str(tmp_path / Path(file).name) for file in files]
    told = [
        json.loads(CliRunner().invoke(command, ["report", *bare, "--data", str(shapes), *scale, "--json"]).output)
        for scale in ((), ("--scale", "0,1"))
    ]
    activations = [[row["high"] for row in rows if row["kind"] == "activation"] for rows in told]
    assert max(activations[0]) > 10 * max(activations[1])


def test_the_report_as_table_picture_and_json(bundle, shapes, tmp_path):
    files = [str(bundle / name) for name in ("float32.tflite", "static_wi8_ai8.tflite")]
    arguments = ["report", *files, "--data", str(shapes), "--images", "10"]
    result = CliRunner().invoke(command, [*arguments, "--plot", str(tmp_path / "x.png")])
    assert result.exit_code == 0, result.output
    assert "SQNR" in result.output and "weights" in result.output and "activation" in result.output
    assert (tmp_path / "x.png").stat().st_size > 5000
    rows = json.loads(CliRunner().invoke(command, [*arguments, "--json"]).output)
    assert {"name", "sqnr_db", "cosine", "saturated"} <= set(rows[0])

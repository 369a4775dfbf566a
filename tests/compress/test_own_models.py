"""Models that users bring: what they are like is taken as it is, or refused in one line that says why."""

import json

import cv2
import numpy as np
import pytest
import tf_keras
from click.testing import CliRunner

from glyphlite.benchmarks.contenders import open_contenders
from glyphlite.compress.cli import compress as command
from glyphlite.compress.examples import load_examples
from glyphlite.compress.inspect import inspect_file
from glyphlite.compress.pack import Options, compress
from glyphlite.compress.recipes import parse_recipe
from glyphlite.compress.sources import card_of, load_source
from glyphlite.runtime import CardError, ConversionError, EngineError, ModelError, Recognizer
from glyphlite.runtime.bundle import read_bundle
from glyphlite.runtime.engine import open_engine
from glyphlite.runtime.scale import IMAGENET
from glyphlite.train.backend import keras

onnx = pytest.importorskip("onnx")

SHAPE, CLASSES, COUNT = (12, 12, 3), 3, 240


@pytest.fixture(scope="module")
def colours(tmp_path_factory):
    """An .npz of RGB images of which one channel is the brightest: its number is the class."""
    rng = np.random.default_rng(0)
    images = rng.integers(20, 120, (COUNT, *SHAPE), dtype=np.uint8)
    labels = np.arange(COUNT) % CLASSES
    for image, label in zip(images, labels, strict=True):
        row, column = rng.integers(0, 6, 2)
        image[row : row + 6, column : column + 6, label] = rng.integers(170, 255)
    path = tmp_path_factory.mktemp("data") / "colours.npz"
    np.savez(path, images=images, labels=labels)
    return path


def pixels(colours):
    """(N, 12, 12, 3) RGB uint8."""
    return np.load(colours)["images"]


def weighted(library, model):
    """The model with weights that tell the colours apart: each channel against the mean of all."""
    kernel = 4 * (np.eye(3) - 1 / 3)
    for layer in model.layers:
        if type(layer).__name__ in ("Conv2D", "Dense"):
            layer.set_weights([kernel.reshape(layer.get_weights()[0].shape), np.zeros(3)])
    return model


def network(library=keras, out=None, dtype="float32"):
    """Input 0 to 255: a 1 × 1 convolution, the brightest pixel of each channel, scores; `out` has the last word."""
    layers = library.layers
    x = inputs = library.Input(SHAPE, dtype=dtype)
    x = layers.Conv2D(3, 1, activation="relu")(layers.Rescaling(1 / 255)(x))
    x = layers.Dense(3)(layers.GlobalMaxPooling2D()(x))
    return weighted(library, library.Model(inputs, out(x) if out else x))


def bundled(path, colours, out, *recipes, formats=("tflite",), **options):
    source = load_source(str(path))
    examples = load_examples(source, str(colours))
    return compress(source, [*map(parse_recipe, recipes)], formats, examples, out, Options(**options), lambda _: None)


# --- Keras -----------------------------------------------------------------------------------------------------------


def half_precision():
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        return network()
    finally:
        keras.mixed_precision.set_global_policy("float32")


def with_a_map():
    inputs = keras.Input(SHAPE)
    x = keras.layers.Conv2D(3, 1, activation="relu")(keras.layers.Rescaling(1 / 255)(inputs))
    x = keras.layers.Conv2D(3, 1)(keras.layers.GlobalMaxPooling2D(keepdims=True)(x))
    return weighted(keras, keras.Model(inputs, x))


def named_ends():
    plain = network()
    return keras.Model({"photo": plain.inputs[0]}, {"scores": plain.outputs[0]})


@pytest.mark.parametrize(
    ("file", "make"),
    [
        ("half.keras", half_precision),
        ("map.keras", with_a_map),
        ("named.keras", named_ends),
        ("old.h5", lambda: network(tf_keras)),
        ("old.keras", lambda: network(tf_keras)),
        ("old-saved-model", lambda: network(tf_keras)),
    ],
)
def test_models_of_many_kinds_become_artifacts_that_answer_right(file, make, colours, tmp_path):
    make().save(tmp_path / file)
    card = bundled(tmp_path / file, colours, tmp_path / "b", "float32", "static_wi8_ai8")
    assert [artifact.errors for artifact in card.artifacts] == [0, 0]


def test_onnx_is_made_of_a_saved_model_too(colours, tmp_path):
    network(tf_keras).save(tmp_path / "old")
    card = bundled(tmp_path / "old", colours, tmp_path / "b", "static_wi8_ai8", formats=("onnx",))
    assert card.artifacts[0].errors == 0


@pytest.mark.parametrize(
    ("file", "wrap", "reason"),
    [
        ("old.h5", lambda model: model, "layer 'squash': hard_sigmoid of Keras 2"),
        ("old.keras", lambda model: tf_keras.Sequential(model.layers), "layer 'squash': hard_sigmoid of Keras 2"),
        ("old.keras", lambda model: model, "activation 'hard_sigmoid' has no equal in Keras 3"),
    ],
)
def test_a_function_that_means_something_else_in_keras_3_is_refused(file, wrap, reason, tmp_path):
    wrap(network(tf_keras, tf_keras.layers.Activation("hard_sigmoid", name="squash"))).save(tmp_path / file)
    with pytest.raises(ConversionError, match=f"{file}: .*{reason}"):
        load_source(str(tmp_path / file))
    network(out=keras.layers.Activation("hard_sigmoid")).save(tmp_path / "new.keras")
    load_source(str(tmp_path / "new.keras"))


def two_outputs():
    plain = network()
    return keras.Model(plain.inputs, [plain.outputs[0], keras.layers.Dense(2)(plain.outputs[0])])


def of_shape(shape):
    inputs = keras.Input(shape)
    return keras.Model(inputs, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(inputs)))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: network(dtype="uint8"), "an input of uint8; wanted float32"),
        (two_outputs, r"outputs \[\(None, 3\), \(None, 2\)\]; wanted one image in, one row of scores out"),
        (lambda: of_shape((12, 12, 4)), "takes images of 4 channels; wanted 1 or 3"),
        (lambda: of_shape((None, None, 3)), "takes images of any size; wanted one of a fixed height and width"),
    ],
)
def test_what_cannot_be_taken_is_told(make, reason, tmp_path):
    make().save(tmp_path / "theirs.keras")
    with pytest.raises(ConversionError, match=rf"theirs.keras: .*{reason}"):
        load_source(str(tmp_path / "theirs.keras"))


@keras.saving.register_keras_serializable("theirs")
class Squared(keras.layers.Layer):
    def call(self, x):
        return x * x


def test_a_layer_that_keras_does_not_know_is_named(tmp_path, monkeypatch):
    network(out=Squared()).save(tmp_path / "theirs.keras")
    monkeypatch.delitem(keras.saving.get_custom_objects(), "theirs>Squared")
    monkeypatch.setattr(Squared, "__module__", "gone")
    with pytest.raises(ConversionError, match=r"theirs\.keras: no Keras model, or a damaged one \(.*'Squared'"):
        load_source(str(tmp_path / "theirs.keras"))


def greys(folder, names, count=6):
    """A labelled folder: class i is grey 20 × i, in as many images."""
    for index, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            cv2.imwrite(str(folder / name / f"{number}.png"), np.full((12, 12), 20 * index, np.uint8))
    return str(folder)


def test_folders_that_sort_otherwise_than_the_outputs_are_told(tmp_path):
    """0, 1, 10, 11, 2, … is how loaders sort them; a network whose labels were numbers counts."""
    levels = 20.0 * np.arange(12)
    inputs = keras.Input((12, 12, 1))
    model = keras.Model(inputs, keras.layers.Dense(12)(keras.layers.GlobalAveragePooling2D()(inputs)))
    model.layers[-1].set_weights([2 * levels[None], -(levels**2)])  # the nearest
    model.save(tmp_path / "levels.keras")
    counted = greys(tmp_path / "counted", [str(number) for number in range(12)])
    with pytest.raises(ConversionError, match=r"outputs are 0, 1, 10, 11, 2, …, .* 100\.0 % in the order"):
        bundled(tmp_path / "levels.keras", counted, tmp_path / "b", "float32")
    padded = greys(tmp_path / "padded", [f"{number:02}" for number in range(12)])
    card = bundled(tmp_path / "levels.keras", padded, tmp_path / "b", "float32")
    assert card.labels[:3] == ("00", "01", "02") and card.artifact().errors == 0


def test_a_saved_model_without_its_layers_is_told(tmp_path):
    network().export(str(tmp_path / "exported"), verbose=False)
    with pytest.raises(ConversionError, match=r"exported: a SavedModel without its Keras layers.*from_saved_model"):
        load_source(str(tmp_path / "exported"))


# --- ONNX ------------------------------------------------------------------------------------------------------------


def written(path, opset=17, listed=False, fixed=False, external=False):
    """The network as PyTorch writes it, (N, 3, H, W) of 0 to 1: of an old opset, with its numbers listed as inputs,
    with a Reshape to one row, with its numbers in a file of their own."""
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    kernel = (4 * (np.eye(3) - 1 / 3)).astype(np.float32)
    stored = {"a": kernel.reshape(3, 3, 1, 1), "b": kernel, "shape": np.array([1, 3])}
    numbers = [onnx.numpy_helper.from_array(value, name) for name, value in stored.items()]
    nodes = [
        helper.make_node("Conv", ["x", "a"], ["c"]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalMaxPool", ["r"], ["m"]),
        helper.make_node("Reshape", ["m", "shape"], ["f"]) if fixed else helper.make_node("Flatten", ["m"], ["f"]),
        helper.make_node("Gemm", ["f", "b"], ["y"]),
    ]
    listed_inputs = [helper.make_tensor_value_info("a", floats, [3, 3, 1, 1])] if listed else []
    graph = helper.make_graph(
        nodes,
        "theirs",
        [*listed_inputs, helper.make_tensor_value_info("x", floats, ["N", 3, 12, 12])],
        [helper.make_tensor_value_info("y", floats, ["N", 3])],
        numbers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=6 if opset < 13 else 8)
    aside = {"save_as_external_data": True, "location": "numbers.bin", "size_threshold": 0} if external else {}
    onnx.save(model, path, **aside)
    return path


@pytest.mark.parametrize(
    "kind", [{}, {"opset": 11}, {"opset": 12, "listed": True}, {"fixed": True}, {"external": True}], ids=str
)
def test_onnx_of_many_kinds_is_quantized(kind, colours, tmp_path):
    path = written(tmp_path / "theirs.onnx", **kind)
    recipes = ("float32", "dynamic_wi8_afp32", "static_wi8_ai8")
    card = bundled(path, colours, tmp_path / "b", *recipes, formats=("onnx",), scale=(0.0, 1.0))
    assert [artifact.errors for artifact in card.artifacts] == [0, 0, 0]
    assert (card.macs, card.parameters) == (144 * 9 + 9, None)
    path.unlink()  # nothing of the bundle lies beside the source
    for artifact in card.artifacts:
        labels = Recognizer.load(tmp_path / "b" / artifact.file).predict_batch(pixels(colours)).argmax(1)
        assert np.array_equal(labels, np.load(colours)["labels"])


def test_an_answer_does_not_hang_on_the_images_beside_it(colours, tmp_path):
    path = written(tmp_path / "theirs.onnx")
    bundled(path, colours, tmp_path / "b", "dynamic_wi8_afp32", formats=("onnx",), scale=(0.0, 1.0))
    engine = open_engine(tmp_path / "b" / "dynamic_wi8_afp32.onnx", (0.0, 1.0))
    images = pixels(colours)[:8]
    images[0] //= 16  # a dark one, which a range taken of all of them would leave a few levels
    assert not np.array_equal(engine._call(engine._feed(images))[:1], engine.run(images[:1]))
    assert np.array_equal(engine.run(images), np.concatenate([engine.run(one[None]) for one in images]))


def test_what_fails_in_onnx_is_told(tmp_path):
    path = written(tmp_path / "theirs.onnx", fixed=True)
    model = onnx.load(path)
    model.graph.initializer[2].CopyFrom(onnx.numpy_helper.from_array(np.array([2, -1]), "shape"))  # of two images
    onnx.save(model, path)
    with pytest.raises(EngineError, match=r"theirs\.onnx: failed"):
        open_engine(path).run(np.zeros((1, *SHAPE), np.uint8))


# --- what pixels are taken as ----------------------------------------------------------------------------------------


def test_a_scale_of_each_channel_goes_from_the_model_to_the_device(colours, tmp_path):
    inputs = keras.Input(SHAPE)
    x = keras.layers.Conv2D(3, 1)(inputs)  # undoes the normalization, then as `network`
    x = keras.layers.Dense(3)(keras.layers.GlobalMaxPooling2D()(keras.layers.Conv2D(3, 1, activation="relu")(x)))
    model = weighted(keras, keras.Model(inputs, x))
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    model.layers[1].set_weights([np.diag(deviation).reshape(1, 1, 3, 3), mean])
    model.save(tmp_path / "theirs.keras")
    formats = ("tflite", "onnx")
    recipes = ("float32", "static_wi8_ai8")
    card = bundled(tmp_path / "theirs.keras", colours, tmp_path / "b", *recipes, formats=formats, scale=IMAGENET)
    assert read_bundle(tmp_path / "b").card.value_range == IMAGENET
    images = pixels(colours)
    wanted = model.predict((images / 255 - mean) / deviation, verbose=0)
    for artifact in card.artifacts:
        got = Recognizer.load(tmp_path / "b" / artifact.file).engine.run(images)
        slack = 0.01 if artifact.recipe == "float32" else 0.2
        assert np.abs(got - wanted).max() < slack, artifact.file
    (tmp_path / "bare.tflite").write_bytes((tmp_path / "b" / "static_wi8_ai8.tflite").read_bytes())
    bare = Recognizer.load(tmp_path / "bare.tflite", value_range=IMAGENET)
    assert np.array_equal(bare.predict_batch(images).argmax(1), np.load(colours)["labels"])


def test_a_scale_by_which_few_more_are_right_is_told_too(colours, tmp_path):
    """The given one is nearly as good: 93 % right where another has all."""
    labels, images = np.load(colours)["labels"], pixels(colours).copy()
    images[::14] = images[::14] // 8 + 180  # so bright that a network of 0 to 1 sees white where it takes 0 to 255
    np.savez(tmp_path / "bright.npz", images=images, labels=labels)
    inputs = keras.Input(SHAPE)
    x = keras.layers.Conv2D(3, 1, activation=keras.layers.ReLU(max_value=500.0))(inputs)
    model = weighted(keras, keras.Model(inputs, keras.layers.GlobalMaxPooling2D()(x)))
    model.layers[1].set_weights([np.eye(3).reshape(1, 1, 3, 3) * 300, np.full(3, -50.0)])
    model.save(tmp_path / "theirs.keras")
    source = load_source(str(tmp_path / "theirs.keras"))
    data = load_examples(source, str(tmp_path / "bright.npz")).train
    with pytest.raises(ConversionError, match=r"\d+\.\d % of bright right with --scale 0,255, and \d+\.\d % with"):
        card_of(source, "x", data, None)


def test_a_bundle_is_of_one_scale(colours, tmp_path):
    network().save(tmp_path / "theirs.keras")
    bundled(tmp_path / "theirs.keras", colours, tmp_path / "b", "float32")
    before = (tmp_path / "b" / "card.json").read_bytes()
    with pytest.raises(ConversionError, match="b: holds a bundle of --scale 0,255, not 0,300; wanted a new folder"):
        bundled(tmp_path / "theirs.keras", colours, tmp_path / "b", "float16", scale=(0.0, 300.0))
    assert (tmp_path / "b" / "card.json").read_bytes() == before


# --- how an image becomes an input -----------------------------------------------------------------------------------


@pytest.fixture
def glyphs(tmp_path):
    """A model of 10 × 10 glyphs that tells left ink from right, and an .npz to judge it by."""
    inputs = keras.Input((10, 10, 1))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(inputs)))
    sides = np.zeros((10, 10, 2), np.float32)
    sides[:, :5, 0] = sides[:, 5:, 1] = 0.01
    model.layers[-1].set_weights([sides.reshape(100, 2), np.zeros(2)])
    model.save(tmp_path / "theirs.keras")
    labels = np.arange(80) % 2
    images = np.random.default_rng(0).integers(0, 60, (80, 10, 10), dtype=np.uint8)
    images[labels == 0, 2:8, 1:4] = images[labels == 1, 2:8, 6:9] = 255
    np.savez(tmp_path / "sides.npz", images=images, labels=labels)
    return tmp_path


def compressed(folder, *options, out="b"):
    given = ["--data", str(folder / "sides.npz"), "--recipe", "float32", "--out", str(folder / out), *options]
    return CliRunner().invoke(command, [str(folder / "theirs.keras"), *given])


def test_the_geometry_of_a_bare_model_is_told_and_can_be_given(glyphs):
    told = "theirs.keras: no card; images become inputs by --geometry"
    plain = compressed(glyphs)
    assert f"{told} stretch (the whole image), --scale 0,255; a model of glyphs wants --geometry mnist" in plain.output
    placed = compressed(glyphs, "--geometry", "mnist", "--scale", "0,255", out="c")
    assert f"{told} mnist (the ink, placed), --scale 0,255\n" in placed.output
    assert [read_bundle(glyphs / out).card.geometry for out in "bc"] == ["stretch", "mnist"]


def test_another_geometry_than_a_cards_is_refused(glyphs, run):
    compressed(glyphs, "--geometry", "mnist")
    for model in (run, glyphs / "b" / "float32.tflite"):
        source = load_source(str(model))
        with pytest.raises(ConversionError, match=f"--geometry fit: .* has a card, which says {source.card.geometry}"):
            card_of(source, "x", None, geometry="fit")
    with pytest.raises(ConversionError, match="b: holds a bundle of --geometry mnist, not stretch; wanted a new"):
        raise compressed(glyphs).exception


def test_a_geometry_of_glyphs_wants_a_square_of_one_channel(colours, tmp_path):
    network().save(tmp_path / "theirs.keras")
    with pytest.raises(CardError, match=r"input_shape \[12, 12, 3\]: geometry mnist wants a square of 1 channel"):
        bundled(tmp_path / "theirs.keras", colours, tmp_path / "b", "float32", geometry="mnist")


# --- what is told of them --------------------------------------------------------------------------------------------


def test_what_stays_in_float32_is_told(colours, tmp_path):
    network(out=keras.layers.PReLU()).save(tmp_path / "theirs.keras")
    network().save(tmp_path / "plain.keras")
    steps = [
        bundled(tmp_path / file, colours, tmp_path / file[:3], "static_wi8_ai8").artifacts[0].steps[-1]
        for file in ("theirs.keras", "plain.keras")
    ]
    assert "in float32: PRELU" in steps[0] and "integers only" not in steps[0]
    assert steps[1].endswith("integers only") or "in float32: REDUCE_MAX" in steps[1]


def test_a_budget_is_of_the_file_that_is_written(colours, tmp_path):
    network().save(tmp_path / "theirs.keras")
    recipe = "mixed_wi48_ai8_stripped"
    whole = bundled(tmp_path / "theirs.keras", colours, tmp_path / "a", "static_wi8_ai8_stripped").artifacts[0].bytes
    card = bundled(tmp_path / "theirs.keras", colours, tmp_path / "b", recipe, max_bytes=whole)
    assert card.artifacts[0].bytes <= whole
    assert json.loads((tmp_path / "b" / "card.json").read_text())["artifacts"][0]["bytes"] <= whole


# --- what a review found ---------------------------------------------------------------------------------------------


def test_a_scale_of_each_channel_wants_three(tmp_path, colours):
    inputs = keras.Input((12, 12, 1))
    keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(inputs))).save(tmp_path / "grey.keras")
    with pytest.raises(ModelError, match="scale imagenet: for each of 3 channels; the model takes 1"):
        bundled(tmp_path / "grey.keras", colours, tmp_path / "b", "float32", scale=IMAGENET)


def test_a_scale_beside_a_card_is_refused(run, colours):
    source = load_source(str(run))
    with pytest.raises(ConversionError, match=r"--scale 0,1: .*model.keras has a card, which says 0,255"):
        card_of(source, "x", load_examples(source, None).train, (0.0, 1.0))


def test_a_layer_may_be_called_what_it_likes(tmp_path):
    inputs = tf_keras.Input(SHAPE)
    x = tf_keras.layers.Conv2D(3, 1, activation="relu", name="hard_sigmoid")(inputs)
    tf_keras.Model(inputs, tf_keras.layers.GlobalMaxPooling2D()(x)).save(tmp_path / "old.h5")
    load_source(str(tmp_path / "old.h5"))


def test_a_layer_that_is_always_0_does_not_end_the_process(colours, tmp_path):
    inputs = keras.Input(SHAPE)
    dead = keras.layers.Conv2D(3, 1, activation="relu", bias_initializer=keras.initializers.Constant(-2000.0))
    x = keras.layers.GlobalMaxPooling2D()(keras.layers.LeakyReLU(0.2)(dead(inputs)))
    keras.Model(inputs, keras.layers.Dense(3)(x)).save(tmp_path / "theirs.keras")
    card = bundled(tmp_path / "theirs.keras", colours, tmp_path / "b", "static_wi8_ai8", calibration="mse")
    assert card.artifacts[0].errors == 80


def test_a_map_of_scores_in_onnx(colours, tmp_path):
    path = written(tmp_path / "theirs.onnx")
    model = onnx.load(path)
    flatten, last = model.graph.node[3], model.graph.node[4]
    flatten.output[0], flatten.input[0] = "y", "d"  # to the end
    last.CopyFrom(onnx.helper.make_node("Conv", ["m", "k"], ["d"]))
    kernel = (4 * (np.eye(3) - 1 / 3)).astype(np.float32).reshape(3, 3, 1, 1)
    model.graph.initializer.append(onnx.numpy_helper.from_array(kernel, "k"))
    del model.graph.node[3]  # the scores keep their map
    model.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info("d", onnx.TensorProto.FLOAT, ["N", 3, 1, 1]))
    onnx.checker.check_model(model)
    onnx.save(model, path)
    assert open_engine(path).classes == 3
    card = bundled(path, colours, tmp_path / "b", "static_wi8_ai8", formats=("onnx",), scale=(0.0, 1.0))
    assert card.artifacts[0].errors == 0


def test_a_file_of_a_bundle_comes_with_its_card(colours, tmp_path):
    path = written(tmp_path / "theirs.onnx")
    card = bundled(path, colours, tmp_path / "a", "float32", formats=("onnx",), scale=(0.0, 1.0))
    again = bundled(tmp_path / "a" / "float32.onnx", colours, tmp_path / "b", "static_wi8_ai8", formats=("onnx",))
    assert (again.value_range, again.temperature) == (card.value_range, card.temperature)
    assert again.artifacts[0].errors == 0
    with pytest.raises(ConversionError, match=r"--scale 0,255: .*float32.onnx has a card, which says 0,1"):
        bundled(tmp_path / "a" / "float32.onnx", colours, tmp_path / "c", "float32", scale=(0.0, 255.0))
    path.rename(tmp_path / "a" / "other.onnx")  # that the card does not name
    assert load_source(str(tmp_path / "a" / "other.onnx")).card is None


def test_the_numbers_beside_an_onnx_are_a_part_of_it(tmp_path):
    path = written(tmp_path / "theirs.onnx", external=True)
    numbers = tmp_path / "numbers.bin"
    assert inspect_file(path).bytes == path.stat().st_size + numbers.stat().st_size
    (measured,), _ = open_contenders([str(path)])
    assert measured.artifact.bytes == path.stat().st_size + numbers.stat().st_size
    before = load_source(str(path)).sha256
    numbers.write_bytes(bytes(numbers.stat().st_size))
    assert load_source(str(path)).sha256 != before
    numbers.unlink()
    with pytest.raises(ConversionError, match=r"theirs\.onnx: its numbers lie in a file beside it, which is not there"):
        load_source(str(path))


def test_the_other_name_of_onnx_own_operators(colours, tmp_path):
    path = written(tmp_path / "theirs.onnx")
    model = onnx.load(path)
    model.opset_import[0].domain = "ai.onnx"
    onnx.save(model, path)
    card = bundled(path, colours, tmp_path / "b", "static_wi8_ai8", formats=("onnx",), scale=(0.0, 1.0))
    assert card.artifacts[0].errors == 0

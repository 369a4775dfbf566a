"""What can be compressed: models of Keras 3 and 2, and float files whose training is lost."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import tf_keras

from glyphlite.compress.bridge import to_tf_keras
from glyphlite.compress.examples import load_examples
from glyphlite.compress.pack import Options, compress
from glyphlite.compress.recipes import parse_recipe
from glyphlite.compress.sources import card_of, load_source
from glyphlite.runtime import ConversionError, DatasetError, Recognizer, read_bundle
from glyphlite.runtime.bundle import CARD_FILE
from glyphlite.train.backend import keras
from glyphlite.train.keras_files import load_keras_model


def test_an_installed_model_is_found_by_its_name(run, tmp_path, monkeypatch):
    shutil.copytree(run, tmp_path / "mine")
    monkeypatch.setenv("GLYPHLITE_MODELS", str(tmp_path))
    assert load_source("mine").folder == tmp_path / "mine"


@pytest.fixture(scope="module")
def float_files(source, examples, tmp_path_factory):
    """Folder of float32.tflite and float32.onnx."""
    out = tmp_path_factory.mktemp("files") / "b"
    compress(source, [parse_recipe("float32")], ["tflite", "onnx"], examples, out, say=lambda _: None)
    (out / CARD_FILE).unlink()  # nobody knows where they come from
    return out


@pytest.mark.parametrize("form", ["tflite", "onnx"])
def test_a_float_file_without_its_training_is_quantized(float_files, shapes, form, tmp_path):
    source = load_source(str(float_files / f"float32.{form}"))
    assert (source.form, source.model, source.card) == (form, None, None)
    examples = load_examples(source, str(shapes))
    assert len(examples.train) == len(examples.judged) == 240  # the seeded halves of one set
    out, said = tmp_path / "mine", []
    recipes = [parse_recipe(name) for name in ("float32", "static_wi8_ai8", "prune50_static_wi8_ai8")]
    with pytest.raises(ConversionError, match="prune50 wants a Keras model with its layers"):
        compress(source, recipes, ["tflite", "onnx"], examples, out, say=said.append)
    assert len(read_bundle(out).card.artifacts) == 2  # those before it
    card = compress(source, recipes, ["tflite", "onnx"], examples, out, Options(skip=True), say=said.append)
    assert [artifact.file for artifact in card.artifacts] == [f"float32.{form}", f"static_wi8_ai8.{form}"]
    assert card.artifact(f"static_wi8_ai8.{form}").agreement >= 0.98
    assert any("left out" in line for line in said)
    answers = Recognizer.load(out / f"static_wi8_ai8.{form}").predict_batch(examples.judged.images).argmax(1)
    assert (answers != examples.judged.labels).mean() < 0.1


def test_litert_is_kept_quiet(float_files):
    code = "import pathlib, sys; from glyphlite.compress.sources import opened; opened(pathlib.Path(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(float_files / "float32.tflite")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "XNNPACK" not in done.stderr


def test_what_is_quantized_already_is_refused(source, examples, tmp_path):
    recipes = [parse_recipe("static_wi8_ai8")]
    compress(source, recipes, ["tflite", "onnx"], examples, tmp_path / "b", say=lambda _: None)
    for form in ("tflite", "onnx"):
        with pytest.raises(ConversionError, match="quantized already; wanted the float file"):
            load_source(str(tmp_path / "b" / f"static_wi8_ai8.{form}"))


@pytest.fixture(scope="module")
def older(run):
    """The run's model in Keras 2."""
    return to_tf_keras(load_keras_model(str(run))[1])


@pytest.mark.parametrize("name", ["old.h5", "old-saved-model"])
def test_models_of_keras_2_come_with_their_weights(older, name, tmp_path):
    older.save(tmp_path / name)
    source = load_source(str(tmp_path / name))
    assert len(source.sha256) == 64 and source.sha256 == load_source(str(tmp_path / name)).sha256
    x = np.random.default_rng(0).uniform(0, 255, (3, 20, 20, 1)).astype(np.float32)
    np.testing.assert_allclose(np.asarray(source.model(x)), older(x).numpy(), rtol=1e-4, atol=1e-4)


def test_a_layer_of_keras_2_that_cannot_cross_is_named(tmp_path):
    x = inputs = tf_keras.Input((8, 8, 1))
    x = tf_keras.layers.Flatten()(tf_keras.layers.LocallyConnected2D(2, 3, name="odd")(x))
    tf_keras.Model(inputs, tf_keras.layers.Dense(2)(x)).save(tmp_path / "odd.h5")
    with pytest.raises(ConversionError, match="odd"):
        load_source(str(tmp_path / "odd.h5"))


def test_files_that_hold_no_model_are_named(tmp_path):
    for name in ("text.h5", "text.tflite", "text.onnx"):
        (tmp_path / name).write_text("hello")
        with pytest.raises(ConversionError, match=name):
            load_source(str(tmp_path / name))
        with pytest.raises(ConversionError, match="not there"):
            load_source(str(tmp_path / f"no-{name}"))


def test_a_scale_that_is_not_the_models_is_told(examples, tmp_path):
    inputs = keras.Input((20, 20, 1))
    x = keras.layers.ReLU()(keras.layers.Rescaling(-1.0)(inputs))  # sees what is below 0: the paper
    x = keras.layers.Flatten()(keras.layers.AveragePooling2D(4)(x))
    model = keras.Model(inputs, keras.layers.Dense(4)(x))
    model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(examples.train.images[..., None] / 127.5 - 1, examples.train.labels, epochs=10, verbose=0)
    model.save(tmp_path / "theirs.keras")
    source = load_source(str(tmp_path / "theirs.keras"))
    with pytest.raises(ConversionError, match=r"answers \d+\.\d % of shapes right with --scale 0,255, .* --scale -1,1"):
        card_of(source, "x", examples.train, None)
    assert card_of(source, "x", examples.train, (-1.0, 1.0)).value_range == (-1.0, 1.0)
    assert card_of(source, "x", examples.train, (0.0, 255.0)).value_range == (0.0, 255.0)  # said, so it is taken


def test_data_of_other_classes_is_named(float_files, tmp_path):
    source = load_source(str(float_files / "float32.tflite"))
    np.savez(tmp_path / "two.npz", images=np.zeros((4, 20, 20), np.uint8), labels=np.array([0, 1, 0, 1]))
    with pytest.raises(DatasetError, match="2 classes"):
        load_examples(source, str(tmp_path / "two.npz"))
    with pytest.raises(DatasetError, match="--data"):
        load_examples(source, None)

"""Networks of keras.applications with a head of one's own, and what is kept of a run with other classes."""

import numpy as np
import pytest
from click.testing import CliRunner

from glyphlite.runtime import TrainingError
from glyphlite.runtime.cli import root
from glyphlite.train import training
from glyphlite.train.backbones import BACKBONES, build_backbone, prepared
from glyphlite.train.backend import keras
from glyphlite.train.config import TrainingConfig
from glyphlite.train.scores import keras_scores

NAME = "mobilenet_v3_small"  # the smallest


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    """Weights in the layout of the files that Keras fetches: Keras 2's HDF5, without the head; and the network."""
    import tf_keras

    tf_keras.utils.set_random_seed(3)
    body = tf_keras.applications.MobileNetV3Small(
        include_top=False, weights=None, input_shape=(84, 84, 3), pooling="avg"
    )
    path = tmp_path_factory.mktemp("weights") / "weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5"
    body.save_weights(path)
    return path, body


def test_weights_of_a_file_are_those_of_the_network(official):
    """A grey 28 × 28 is shown as 84 × 84 on three channels."""
    path, body = official
    model = build_backbone(NAME, (28, 28, 1), 7, str(path))
    images = np.random.default_rng(0).integers(0, 256, (4, 28, 28, 1)).astype(np.float32)
    features = keras.Model(model.input, model.layers[-1].input)(images)
    shown = keras.ops.image.resize(np.repeat(images, 3, 3), (84, 84))
    np.testing.assert_allclose(features, body(keras.ops.convert_to_numpy(shown)), atol=1e-4)
    assert model.output.shape == (None, 7)


def test_resnets_pixels_are_bgr_less_the_mean():
    inputs = keras.Input((64, 64, 3))
    seen = keras.Model(inputs, prepared(inputs, BACKBONES["resnet50"]))
    image = np.zeros((1, 64, 64, 3), np.float32)
    image[..., 0] = 255  # red
    np.testing.assert_allclose(seen(image)[0, 0, 0], [-103.939, -116.779, 255 - 123.68], rtol=1e-5)


def test_a_run_begins_with_the_files_weights_and_ends_without_it(official):
    """Its end builds the network anew and gives it what was trained: the file may be gone by then."""
    config = TrainingConfig(NAME, "shapes", weights=str(official[0]))
    model, _ = training.first_model(config, (20, 20, 1), 4)
    finished = training.build_model(config, (20, 20, 1), 4)
    finished.set_weights(model.get_weights())
    images = np.random.default_rng(1).integers(0, 256, (3, 20, 20), np.uint8)
    logits = keras_scores(model, images)
    np.testing.assert_allclose(keras_scores(finished, images), logits, atol=1e-4)
    with pytest.raises(TrainingError, match=r"width 0\.5: a backbone has the channels that it was trained with"):
        training.first_model(TrainingConfig(NAME, "shapes", width=0.5), (20, 20, 1), 4)


def test_an_architecture_or_a_backbone(tmp_path):
    done = CliRunner().invoke(
        root, ["train", "--backbone", NAME, "--arch", "edge", "--data", "x", "--out", str(tmp_path)]
    )
    assert done.exit_code == 2 and "--arch edge and --backbone mobilenet_v3_small; wanted one of them" in done.output


def test_weights_that_are_none_are_named(tmp_path):
    with pytest.raises(TrainingError, match=r"there\.h5: no such file; wanted a file, imagenet or none"):
        build_backbone(NAME, (32, 32, 3), 2, str(tmp_path / "there.h5"))
    (tmp_path / "page.weights.h5").write_text("<!DOCTYPE html>")
    with pytest.raises(TrainingError, match=f"{NAME}: weights .* are none of its own"):
        build_backbone(NAME, (32, 32, 3), 2, str(tmp_path / "page.weights.h5"))


def test_a_run_with_other_classes_gives_all_but_its_head(shapes, tmp_path):
    with np.load(shapes) as data:
        images, labels = data["images"], data["labels"]
    np.savez(tmp_path / "two.npz", images=images[labels < 2], labels=labels[labels < 2])
    settings = {"width": 0.5, "epochs": 1, "batch_size": 32, "learning_rate": 1e-7, "ema": 0.0}
    training.train(TrainingConfig("edge", str(shapes), **settings), tmp_path / "four", say=lambda _: None)
    config = TrainingConfig("edge", str(tmp_path / "two.npz"), start=str(tmp_path / "four"), **settings)
    card = training.train(config, tmp_path / "two", say=lambda _: None)
    assert card.labels == ("0", "1")
    before, after = (keras.models.load_model(tmp_path / name / "model.keras") for name in ("four", "two"))
    assert after.output.shape[1] == 2
    np.testing.assert_allclose(before.layers[2].get_weights()[0], after.layers[2].get_weights()[0], atol=1e-4)
    with pytest.raises(TrainingError, match="same architecture"):  # a mean of several needs the same head
        two = TrainingConfig(
            "edge", str(tmp_path / "two.npz"), start=f"{tmp_path / 'four'},{tmp_path / 'four'}", **settings
        )
        training.train(two, tmp_path / "mean", say=lambda _: None)

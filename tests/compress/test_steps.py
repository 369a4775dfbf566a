"""The steps that change weights, on the real libraries: each ends in an artifact whose integers are checked."""

import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from glyphlite.compress.channels import IMPORTANCES, prune_channels, trace, without_units
from glyphlite.compress.checks import weights_of
from glyphlite.compress.convert import convert
from glyphlite.compress.examples import load_examples
from glyphlite.compress.lowrank import factorise
from glyphlite.compress.mixed import divergence_from
from glyphlite.compress.pack import Options, compress
from glyphlite.compress.pruning import prune_2_of_4
from glyphlite.compress.recipes import STRIPPED, parse_recipe
from glyphlite.compress.sources import card_of, load_source, probabilities
from glyphlite.compress.steps import Workshop
from glyphlite.compress.tflite import TFLiteFile
from glyphlite.compress.tuning import tuning_of
from glyphlite.runtime import BudgetError, ConversionError, read_bundle
from glyphlite.runtime.files import sha256_file
from glyphlite.train.backend import keras
from glyphlite.train.complexity import count_macs

layers = keras.layers


@pytest.fixture(scope="module")
def made(source, examples, tmp_path_factory):
    """Folder and card of a bundle with every kind of step."""
    out = tmp_path_factory.mktemp("steps") / "b"
    names = (
        "prune80_static_wi8_ai8", "sparse2of4_static_wi8_ai8", "cluster16_static_wi8_ai8", "qat_static_wi8_ai8",
        "prune50_cluster16_qat_static_wi8_ai8_stripped", "channels50_distill_static_wi8_ai8",
        "channels50_distill_prune50_cluster16_qat_static_wi8_ai8", "mixed_wi48_afp32", "mixed_wi48_ai8",
    )  # fmt: skip
    recipes = [parse_recipe(name) for name in names]
    card = compress(source, recipes, ["tflite"], examples, out, Options(epochs=3), say=lambda _: None)
    return out, card


def artifact(made, recipe):
    out, card = made
    return out / f"{recipe}.tflite", card.artifact(f"{recipe}.tflite")


def test_each_still_answers(made):
    for one in made[1].artifacts:
        assert one.errors <= 0.1 * one.test_images, one.file
        assert one.integers == 1.0, one.file


def test_pruned(made):
    assert artifact(made, "prune80_static_wi8_ai8")[1].zeros >= 0.75


def test_two_of_four_in_a_row_are_zero(made):
    path, _ = artifact(made, "sparse2of4_static_wi8_ai8")
    file = TFLiteFile(path.read_bytes())
    rows = 0
    for operator in file.operators:
        tensor = file.weights(operator)
        if tensor is None or tensor.shape[-1] % 4 or operator.kind == "DEPTHWISE_CONV_2D":
            continue
        fours = file.values(tensor).reshape(-1, 4)
        assert ((fours == 0).sum(1) >= 2).all(), tensor.name
        rows += len(fours)
    assert rows > 50


def test_two_of_four_want_a_layer_of_a_multiple_of_four_channels(source, examples):
    inputs = keras.Input((12, 12, 3))
    x = layers.Conv2D(6, 3)(inputs)
    odd = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    tuning = tuning_of(card_of(source, "x", examples.holdout, None), examples, 1)
    with pytest.raises(ConversionError, match="Dense whose input channels are a multiple of 4"):
        prune_2_of_4(odd, tuning)


def test_clustered(made):
    assert artifact(made, "cluster16_static_wi8_ai8")[1].values <= 16


def test_trained_for_int8(made):
    path, one = artifact(made, "qat_static_wi8_ai8")
    file = TFLiteFile(path.read_bytes())
    assert [file.tensors[i].dtype for i in (*file.inputs, *file.outputs)] == ["uint8", "float32"]
    assert not [o.kind for o in file.operators if "BATCH" in o.kind]
    floats = {o.kind for o in file.operators if "float32" in {file.tensors[i].dtype for i in o.outputs}}
    assert floats == {"DEQUANTIZE"}  # normalization is in the weights: int8 to the end
    assert one.steps == ("trained with the roundings of int8",)


def test_pruned_clustered_and_trained_for_int8_keeps_zeros_and_clusters(made):
    _, one = artifact(made, "prune50_cluster16_qat_static_wi8_ai8_stripped")
    assert one.zeros >= 0.45 and one.values <= 17  # the centroids, and zero
    assert one.steps[-1] == STRIPPED


def test_every_kind_of_step_after_the_other(made):
    _, one = artifact(made, "channels50_distill_prune50_cluster16_qat_static_wi8_ai8")
    assert one.zeros >= 0.45 and one.values <= 17
    assert len(one.steps) == 5
    assert one.bytes < artifact(made, "prune80_static_wi8_ai8")[1].bytes


def test_what_begins_with_distill_leaves_its_teacher_as_it_was(source, examples, tmp_path):
    before = source.model.get_weights()
    card = card_of(source, "x", examples.holdout, None)
    taught = Workshop(source, card, examples, 1, tmp_path / "kept", lambda line: None).run(
        parse_recipe("distill_float32").steps
    )
    assert all(np.array_equal(a, b) for a, b in zip(before, source.model.get_weights(), strict=True))
    assert any(not np.array_equal(a, b) for a, b in zip(before, taught.model.get_weights(), strict=True))


def test_a_file_of_its_own_numbers_moves_no_answer(source, examples, tmp_path):
    card = replace(card_of(source, "x", examples.holdout, None), temperature=2.5)
    images = examples.calibration.images
    reference = probabilities(card, source.scores(images, card.value_range))
    convert(source.path, "tflite", tmp_path / "same.tflite")
    divergence = divergence_from(reference, images, card, tmp_path)
    assert abs(divergence((tmp_path / "same.tflite").read_bytes())) < 1e-5


def test_mixed_is_within_its_budget(made, source, examples, tmp_path):
    _, one = artifact(made, "mixed_wi48_afp32")
    assert "layers with 8 bits" in one.steps[-1]
    tight = Options(max_bytes=one.bytes // 3)
    with pytest.raises(BudgetError, match="with 4 bits wherever it goes; wanted") as raised:
        compress(source, [parse_recipe("mixed_wi48_afp32")], ["tflite"], examples, tmp_path / "b", tight)
    assert raised.value.exit_code == 3


def test_fewer_channels_are_fewer_bytes(made):
    path, one = artifact(made, "channels50_distill_static_wi8_ai8")
    assert one.steps[0] == "whole channels removed until 50% of the multiplications are gone"
    assert path.stat().st_size < artifact(made, "prune80_static_wi8_ai8")[0].stat().st_size


# --- resuming --------------------------------------------------------------------------------------------------------


def test_a_step_that_is_done_is_not_done_again(source, examples, tmp_path):
    card = card_of(source, "x", examples.holdout, None)
    steps = parse_recipe("prune50_qat_static_wi8_ai8").steps
    said: list[str] = []
    for _ in range(2):
        workshop = Workshop(source, card, examples, 1, tmp_path / "kept", said.append)
        model = workshop.run(steps)
    assert [line.split(":")[0] for line in said] == ["prune50", "prune50_qat", "prune50", model.path.name]
    assert "taken from" in said[2] and "taken from" in said[3]
    scores = model.scores(source, examples.judged.images, card.value_range)
    assert (scores.argmax(1) == examples.judged.labels).mean() > 0.8
    other = Workshop(source, card, examples, 2, tmp_path / "kept", said.append)
    other.run(steps[:1])
    assert "taken from" not in said[-1]  # other epochs are another step


def test_killed_in_a_step_nothing_is_half_and_what_was_whole_is_kept(run, tmp_path):
    """SIGKILL in the first step and in the second; the same command goes on."""
    out = tmp_path / "bundle"
    program = "from glyphlite.runtime.cli import main; main()"
    recipe = ["--recipe", "prune50_qat_static_wi8_ai8", "--epochs", "1"]
    command = [sys.executable, "-c", program, "compress", str(run), *recipe, "--out", str(out)]
    for moment in ("prune50:", "prune50_qat:", None):
        said = []
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            for line in process.stdout:
                said.append(line)
                if moment and line.startswith(moment) and "taken from" not in line:
                    process.kill()
        assert process.returncode == (-signal.SIGKILL if moment else 0)
        assert out.exists() == (moment is None)
    assert [line.split(":")[0] for line in said if "taken from" in line] == ["prune50"]
    artifact = read_bundle(out).card.artifact("prune50_qat_static_wi8_ai8.tflite")
    assert sha256_file(out / artifact.file) == artifact.sha256 and artifact.errors <= 0.2 * artifact.test_images
    assert list(tmp_path.iterdir()) == [out]  # neither kept steps nor temporary files


# --- channels --------------------------------------------------------------------------------------------------------


def branched(classes=4):
    """Every way in which channels depend on each other."""
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(12, 3, padding="same", name="stem")(inputs)
    left = layers.ReLU()(layers.BatchNormalization(name="bn")(layers.Conv2D(10, 3, padding="same", name="left")(x)))
    left = layers.Conv2D(12, 1, name="back")(left)
    x = layers.Add(name="add")([x, left])
    gate = layers.Dense(6, activation="relu", name="squeeze")(layers.GlobalAveragePooling2D()(x))
    gate = layers.Dense(12, activation="sigmoid", name="excite")(gate)
    x = layers.Multiply()([x, layers.Reshape((1, 1, 12))(gate)])
    y = layers.DepthwiseConv2D(3, depth_multiplier=2, strides=2, padding="same", name="deep")(x)
    z = layers.SeparableConv2D(8, 3, strides=2, padding="same", name="separable")(x)
    x = layers.PReLU(shared_axes=[1, 2])(layers.Concatenate()([y, z]))
    x = layers.Conv2DTranspose(5, 2, strides=2, name="up")(x)
    x = layers.MaxPooling2D(4)(x)
    return keras.Model(inputs, layers.Dense(classes, name="scores")(layers.Flatten()(x)))


def test_the_groups_of_a_branched_model():
    dependencies = trace(branched())
    sizes = {layers_[0]: len(units) for layers_, units in dependencies.groups.items()}
    assert sizes == {"stem": 12, "left": 10, "squeeze": 6, "separable": 8, "up": 5}
    tied = next(layers_ for layers_ in dependencies.groups if layers_[0] == "stem")
    assert {"stem", "back", "excite", "deep", "→left", "→squeeze", "→separable", "→up"} <= set(tied)
    assert "5 channels of up, →scores" in str(dependencies)


def test_a_model_without_channels_that_do_nothing_answers_the_same():
    """Weights that make a channel are set to zero; without the channel nothing changes."""
    model = branched()
    rng = np.random.default_rng(0)
    for weight in model.trainable_variables:
        weight.assign(rng.uniform(0.1, 1, weight.shape) * 0.3)
    dependencies = trace(model)
    gone = set()
    for name in ("left", "squeeze", "separable", "up"):
        unit = int(dependencies.outputs[name][1])
        gone.add(unit)
        *_, kernel, bias = layer_weights(model.get_layer(name))
        kernel[..., 1, :] = 0 if name == "up" else kernel[..., 1, :]
        if name != "up":
            kernel[..., 1] = 0
        bias[1] = 0
        set_last(model.get_layer(name), kernel, bias)
    scale = model.get_layer("bn").get_weights()
    scale[1][1] = 0  # and its shift
    model.get_layer("bn").set_weights(scale)
    smaller = without_units(model, dependencies, gone)
    assert smaller.count_params() < model.count_params()
    x = rng.normal(size=(3, 16, 16, 3)).astype(np.float32)
    np.testing.assert_allclose(np.asarray(smaller(x)), np.asarray(model(x)), rtol=1e-3, atol=1e-3)


def layer_weights(layer):
    return [weight.copy() for weight in layer.get_weights()]


def set_last(layer, kernel, bias):
    layer.set_weights([*layer.get_weights()[:-2], kernel, bias])


def test_a_tied_channel_goes_from_all_of_its_layers():
    model = branched()
    dependencies = trace(model)
    smaller = without_units(model, dependencies, {int(dependencies.outputs["stem"][0])})
    assert [smaller.get_layer(name).output.shape[-1] for name in ("stem", "back", "excite", "deep")] == [11, 11, 11, 22]
    assert np.asarray(smaller(np.zeros((1, 16, 16, 3), np.float32))).shape == (1, 4)


@pytest.mark.parametrize("importance", IMPORTANCES)
def test_a_budget_of_multiplications_is_met(importance, source, examples):
    card = card_of(source, "x", examples.holdout, None)
    tuning = tuning_of(card, examples, 1)
    smaller = prune_channels(source.model, 0.6, tuning, lambda _: None, importance)
    assert count_macs(smaller) <= 0.4 * count_macs(source.model)
    assert smaller.output_shape == source.model.output_shape


def test_a_budget_that_cannot_be_met(source, examples):
    tuning = tuning_of(card_of(source, "x", examples.holdout, None), examples, 1)
    with pytest.raises(BudgetError, match="MACs with the fewest channels; wanted"):
        prune_channels(source.model, 0.999, tuning, lambda _: None, "l1")


def test_a_layer_that_is_not_understood_keeps_its_channels():
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(6, 3, name="first")(inputs)
    x = layers.Conv2D(5, 3, name="second")(layers.LayerNormalization(name="odd")(x))
    dependencies = trace(keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x))))
    assert [group[0] for group in dependencies.groups] == ["second"]


# --- low rank --------------------------------------------------------------------------------------------------------


def test_a_layer_of_low_rank_becomes_two_that_answer_the_same():
    rng = np.random.default_rng(0)
    inputs = keras.Input((4, 4, 16))
    x = layers.Conv2D(24, 1, activation="relu", name="pointwise")(inputs)
    model = keras.Model(inputs, layers.Dense(10, name="dense")(layers.Flatten()(x)))
    model.get_layer("pointwise").kernel.assign(
        (rng.normal(size=(16, 3)) @ rng.normal(size=(3, 24)))[None, None].astype(np.float32)
    )
    model.get_layer("dense").kernel.assign((rng.normal(size=(384, 2)) @ rng.normal(size=(2, 10))).astype(np.float32))
    smaller = factorise(model, 0.99999)
    assert smaller.get_layer("pointwise_in").kernel.shape == (1, 1, 16, 3)
    assert smaller.get_layer("dense_in").kernel.shape == (384, 2)
    x = rng.normal(size=(2, 4, 4, 16)).astype(np.float32)
    np.testing.assert_allclose(np.asarray(smaller(x)), np.asarray(model(x)), rtol=1e-3, atol=1e-2)
    assert smaller.count_params() < model.count_params() / 3


def test_a_model_that_gets_no_smaller_is_told(source):
    with pytest.raises(ConversionError, match="no dense or 1×1 layer is smaller"):
        factorise(source.model, 0.9999)


# --- other models' habits ---------------------------------------------------------------------------------------------


def test_a_colour_model_of_probabilities_in_0_to_1_is_pruned(tmp_path):
    """Not 28 × 28, not grey, not logits, not [0, 255]."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 240)
    images = rng.integers(0, 80, (240, 12, 10, 3)).astype(np.uint8)
    images[np.arange(240), :, :, labels] += 150  # which colour shines
    np.savez(tmp_path / "colours.npz", images=images, labels=labels)
    inputs = keras.Input((12, 10, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3, activation="relu")(inputs))
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(x))
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    model.fit(images / 255.0, labels, epochs=15, verbose=0)
    model.save(tmp_path / "theirs.keras")
    source = load_source(str(tmp_path / "theirs.keras"))
    examples = load_examples(source, str(tmp_path / "colours.npz"))
    recipes = [parse_recipe(name) for name in ("channels30_distill_static_wi8_ai8", "prune50_static_wi8_ai8")]
    options = Options(scale=(0.0, 1.0), epochs=6)
    card = compress(source, recipes, ["tflite"], examples, tmp_path / "b", options, say=lambda _: None)
    assert card.output == "probabilities"
    assert [one.errors for one in card.artifacts] == [0, 0]
    assert weights_of(tmp_path / "b" / "prune50_static_wi8_ai8.tflite").zeros >= 0.45

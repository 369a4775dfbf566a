"""A line reader from training to the device, as small as it can be: run, resumption, artifacts, reading."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from glyphlite.compress.lines import compress_lines, lines_of
from glyphlite.compress.pack import Options
from glyphlite.compress.recipes import parse_recipe
from glyphlite.compress.sources import load_source
from glyphlite.runtime import ConversionError, DatasetError, RecipeError, Recognizer, TrainingError
from glyphlite.runtime.bundle import read_bundle
from glyphlite.runtime.strip import padded
from glyphlite.train.architectures import build
from glyphlite.train.backend import keras
from glyphlite.train.complexity import count_macs
from glyphlite.train.config import TrainingConfig
from glyphlite.train.datasets import Dataset
from glyphlite.train.line_training import ctc_loss, fit_line_temperature, line_logits
from glyphlite.train.lines import load_lines, make_lines, save_lines
from glyphlite.train.mixture import DIGITS
from glyphlite.train.strokes import digit_glyphs
from glyphlite.train.training import train


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """96 lines of drawn digits, 8 of them held out."""
    images, labels = digit_glyphs(600, np.random.default_rng(0))
    path = tmp_path_factory.mktemp("lines") / "few.npz"
    save_lines(path, *zip(*make_lines(Dataset("drawn", "train", images, labels, DIGITS), 96, 0, 1), strict=True))
    return path


@pytest.fixture(scope="module")
def config(file):
    return TrainingConfig("line_cnn", str(file), width=0.2, epochs=2, batch_size=16, augment="mild")


@pytest.fixture(scope="module")
def run(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "lines"
    train(config, folder, say=lambda line: None)
    return folder


@pytest.fixture(scope="module")
def bundle(run, tmp_path_factory):
    """float32 and int8 as TFLite, float32 as ONNX."""
    source = load_source(str(run))
    out = tmp_path_factory.mktemp("bundle") / "reader"
    recipes = [parse_recipe(name) for name in ("float32", "static_wi8_ai8")]
    compress_lines(source, recipes, ["tflite"], lines_of(source, None), out, Options(), lambda line: None)
    options = Options(partner="digits-edge", skip=True)
    recipes = [recipes[0], parse_recipe("mixed_wi48_ai8")]  # the second is left out
    compress_lines(source, recipes, ["onnx"], lines_of(source, None), out, options, lambda line: None)
    return out


def test_a_bundle_keeps_its_partner(run, tmp_path):
    source = load_source(str(run))
    for asked, recipe in (("digits-edge", "float32"), (None, "float16")):
        options = Options(partner=asked)
        lines = lines_of(source, None)
        card = compress_lines(source, [parse_recipe(recipe)], ["tflite"], lines, tmp_path / "b", options, str)
        assert (card.partner, card.default) == ("digits-edge", "float32.tflite")
    with pytest.raises(ConversionError, match=r"--scale 0,1: .*model\.keras has a card, which says 0,255"):
        compress_lines(source, [], [], lines, tmp_path / "c", Options(scale=(0.0, 1.0)))


def weights_of(folder):
    return keras.models.load_model(folder / "model.keras", compile=False).get_weights()


def test_the_loss_falls_and_the_card_tells_what_was_done(run):
    rows = (run / "history.csv").read_text().splitlines()
    assert rows[0] == "epoch,loss,val_accuracy,seconds"
    losses = [float(row.split(",")[1]) for row in rows[1:]]
    assert losses[1] < losses[0]
    card = read_bundle(run).card
    assert (card.geometry, card.input_shape) == ("line", (32, -1, 1))
    assert set(card.labels) >= set("0123456789") and card.parameters > 1000 and card.macs > 100_000
    assert card.training.test_images == 8 and card.training.images == 88
    assert (run / "curves.png").stat().st_size > 1000


def test_a_run_that_was_cut_off_goes_on_to_the_same_network(config, run, tmp_path):
    class Cut(Exception):
        pass

    def cut(line):
        if line.startswith("line_cnn:"):
            raise Cut

    with pytest.raises(Cut):
        train(config, tmp_path / "again", say=cut)
    train(config, tmp_path / "again", resume=True, say=lambda line: None)
    weights, again = weights_of(run), weights_of(tmp_path / "again")
    for one, other in zip(weights, again, strict=True):
        assert np.allclose(one, other, atol=1e-4)


def test_fewer_lines_than_a_batch_holds_are_learned_too(config, tmp_path):
    """Each epoch stretches them otherwise, so that their one batch would have another width."""
    few = replace(config, batch_size=128, limit=24, augment="strong", epochs=3)
    assert train(few, tmp_path / "few", say=lambda line: None).training.images == 24


@pytest.mark.parametrize(
    "option", [{"drawn": 0.5}, {"outliers": 0.5}, {"shape": "32,64,1"}, {"teacher": "x"}, {"add_data": "x"}]
)
def test_options_of_classifiers_have_no_meaning(config, tmp_path, option):
    with pytest.raises(TrainingError, match="has no meaning for lines"):
        train(replace(config, **option), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_file_of_lines_says_itself_what_is_held_out(config, tmp_path):
    with pytest.raises(TrainingError, match=r"holdout 0\.5: a file of lines says itself which are held out"):
        train(replace(config, holdout=0.5), tmp_path / "run", say=lambda line: None)


def test_a_distortion_that_is_not_for_lines_is_named(config, tmp_path):
    with pytest.raises(TrainingError, match="augment 'harsh': lines have none, "):
        train(replace(config, augment="harsh"), tmp_path / "run")


def test_what_holds_no_lines_is_refused(config, tmp_path):
    np.savez(tmp_path / "digits.npz", images=np.zeros((2, 28, 28), np.uint8), labels=np.zeros(2, np.int64))
    with pytest.raises(DatasetError, match="no file of lines"):
        train(replace(config, data=str(tmp_path / "digits.npz")), tmp_path / "run")


@pytest.mark.parametrize("arch", ["line_cnn", "crnn"])
def test_networks_give_a_row_for_every_four_columns_of_any_strip(arch):
    model = build(arch, (32, -1, 1), 12, width=0.2)
    for columns in (32, 96, 160):
        logits = np.asarray(model(np.zeros((2, 32, columns, 1), np.float32)))
        assert logits.reshape(2, -1, 12).shape == (2, columns // 4, 12)
    assert count_macs(build(arch, (32, 128, 1), 12)) > 5_000_000


def test_where_all_lines_are_right_the_temperature_is_1(file):
    """By the likelihood it would be the lowest of the grid."""
    lines, _ = load_lines(file, 0.1, 0)
    few = lines.subset(np.arange(4))
    frames = 2 * max(map(len, few.texts)) + 1
    logits = []
    for text in few.texts:
        one = np.zeros((frames, 1 + len(few.classes)), np.float32)
        one[:, 0] = 4
        for place, label in enumerate(text):
            one[2 * place + 1, 1 + few.classes.index(label)] = 8
        logits.append(one)
    assert fit_line_temperature(logits, few) == 1
    logits[0] = logits[0][:, ::-1]
    assert fit_line_temperature(logits, few) != 1


def test_the_loss_is_that_of_ctc():
    logits = np.random.default_rng(0).normal(0, 1, (1, 1, 6, 4)).astype(np.float32)
    from glyphlite.runtime.ctc import log_likelihood, log_softmax

    loss = float(ctc_loss(np.array([[1, 1, 3, 0]]), keras.ops.convert_to_tensor(logits))[0])
    assert loss == pytest.approx(-log_likelihood(log_softmax(logits[0, 0]), (1, 1, 3)), rel=1e-4)


def test_every_artifact_reads_strips_of_any_width_as_the_network_does(bundle, run):
    card = read_bundle(bundle).card
    assert [a.file for a in card.artifacts] == ["float32.tflite", "static_wi8_ai8.tflite", "float32.onnx"]
    train_lines, _ = lines_of(load_source(str(run)), None)
    strips = train_lines.subset(range(20))
    wanted = line_logits(keras.models.load_model(run / "model.keras", compile=False), strips)
    for artifact, atol in (("float32.tflite", 1e-3), ("float32.onnx", 1e-3), ("static_wi8_ai8.tflite", 1.0)):
        engine = Recognizer.load(bundle / artifact).engine
        for strip, logits in zip(strips.strips, wanted, strict=True):
            got = engine.run(padded([strip]))[0][: len(logits)]
            assert np.abs(got - logits).max() < atol
    for artifact in card.artifacts[::2]:
        assert artifact.agreement >= 0.98 and artifact.test_images == 8


def test_the_bundle_reads_and_a_bare_file_is_refused(bundle, tmp_path):
    recognizer = Recognizer.load(bundle)
    image = np.full((120, 300), 255, np.uint8)
    image[40:90, 60:70] = image[40:90, 120:130] = 0
    reading = recognizer.read(image, min_confidence=0.0)
    assert reading.text == "" or set(reading.text) <= set("0123456789")
    assert recognizer.partner.card.name == read_bundle(bundle).card.partner == "digits-edge"
    bare = tmp_path / "bare.tflite"
    bare.write_bytes((bundle / "float32.tflite").read_bytes())
    with pytest.raises(Exception, match="reads lines, and no card"):
        Recognizer.load(bare)


def test_recipes_with_steps_are_for_classifiers(run, tmp_path):
    source = load_source(str(run))
    with pytest.raises(RecipeError, match="takes the schemes that store numbers only"):
        compress_lines(
            source, [parse_recipe("prune50_static_wi8_ai8")], ["tflite"], lines_of(source, None), tmp_path, Options()
        )


def test_what_a_line_reader_has_no_form_for_is_left_out_or_named(run, tmp_path):
    source = load_source(str(run))
    lines, only_onnx = lines_of(source, None), [parse_recipe("static_wi8_ai8_qoperator")]
    with pytest.raises(RecipeError, match="no recipe here has a form in tflite"):
        compress_lines(source, only_onnx, ["tflite"], lines, tmp_path / "a", Options(), lambda line: None)
    assert not (tmp_path / "a").exists()


def test_training_goes_on_from_another_run(config, run, tmp_path):
    more = replace(config, epochs=1, start=str(run), learning_rate=1e-6, ema=0.0)
    train(more, tmp_path / "more", say=lambda line: None)
    card = json.loads((tmp_path / "more" / "card.json").read_text())
    assert card["training"]["settings"]["start"] == "lines"
    assert card["partner"] is None
    shutil.copytree(run, tmp_path / "joint")
    (tmp_path / "joint" / "card.json").write_text(json.dumps({**card, "partner": "digits-edge"}))
    train(replace(more, start=str(tmp_path / "joint")), tmp_path / "on", say=lambda line: None)
    assert json.loads((tmp_path / "on" / "card.json").read_text())["partner"] == "digits-edge"
    before, after = weights_of(run), weights_of(tmp_path / "more")
    assert np.abs(before[0] - after[0]).max() < 1e-3  # the first layer's kernel

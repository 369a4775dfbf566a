"""Load and predict: an image goes in, an answer comes out, and it is the answer of this model."""

import shutil
import sys
import threading
from dataclasses import replace

import cv2
import numpy as np
import pytest
from drawn import LINES, LOOSE_FIVE, draw

from glyphlite.runtime import (
    ArtifactError,
    EngineError,
    ImageError,
    ModelError,
    Recognizer,
    UnknownModel,
    UnsupportedImage,
    read_bundle,
    shipped_models,
)
from glyphlite.runtime.bundle import Artifact, Card, write_card
from glyphlite.runtime.cores import usable_cores
from glyphlite.runtime.engine import open_engine
from glyphlite.runtime.files import sha256_file
from glyphlite.runtime.recognizer import NO_CHARACTER, softmax

# --- predict ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("digit", LINES)
def test_a_digit_is_read(model, digit):
    answer = model.predict(draw(digit))
    assert answer.label == digit
    assert 0.5 < answer.confidence <= 1
    assert answer.reason is None
    assert answer.top[0] == (answer.label, answer.confidence)
    assert answer.glyph.shape == model.card.input_shape[:2]
    assert answer.glyph.dtype == np.uint8


@pytest.mark.parametrize("digit", LINES)
def test_neither_place_scale_polarity_shadow_nor_pen_changes_the_answer(model, digit):
    plain = draw(digit)
    light = np.linspace(210, 60, 400) / 255
    for image in (
        draw(digit, height=40, pen=4, shape=(300, 500), corner=(430, 20)),
        draw(digit, height=700, pen=45, shape=(900, 1000), corner=(60, 100)),
        255 - plain,
        cv2.cvtColor(plain, cv2.COLOR_GRAY2BGR),
        (draw(digit, shape=(300, 400), ink=80) * light).astype(np.uint8),
        draw(digit, height=1000, pen=4, shape=(1600, 1200)),
        draw(digit, ink=185, paper=235),
    ):
        assert model.predict(image).label == digit


def test_paths_bytes_and_arrays_give_one_answer(model, tmp_path):
    image = draw("4")
    path = tmp_path / "four.png"
    cv2.imwrite(str(path), image)
    answers = [model.predict(source) for source in (image, path, str(path), path.read_bytes(), image[..., None])]
    assert {(answer.label, answer.confidence, answer.box) for answer in answers} == {
        ("4", answers[0].confidence, answers[0].box)
    }


def test_the_loose_bar_of_a_5_and_a_frame(model):
    assert model.predict(draw(LOOSE_FIVE)).label == "5"
    framed = draw("5")
    cv2.rectangle(framed, (0, 0), (199, 199), 0, 8)
    assert model.predict(framed).label == "5"


def test_where_nothing_runs_the_default_another_format_is_run(monkeypatch):
    """Debian Trixie on 32-bit ARM has ONNX Runtime alone."""
    pytest.importorskip("onnxruntime")
    for module in ("ai_edge_litert.interpreter", "tflite_runtime.interpreter"):
        monkeypatch.setitem(sys.modules, module, None)
    for name in ("digits-edge", "digits-line"):
        loaded = Recognizer.load(name)
        assert (loaded.artifact.file, loaded.engine.name) == ("float32.onnx", "onnxruntime")
    assert loaded.partner.artifact.file == "float32.onnx"
    assert Recognizer.load("digits-edge").predict(draw("5")).label == "5"
    with pytest.raises(EngineError, match=r"static_wi8_ai8_stripped\.tflite: no engine runs a \.tflite here"):
        Recognizer.load(shipped_models()["digits-edge"] / "static_wi8_ai8_stripped.tflite")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(EngineError, match=r"no engine runs a \.tflite here"):
        Recognizer.load("digits-edge")


def test_the_box_is_where_the_character_is(model):
    x, y, width, height = model.predict(draw("8", height=80, pen=8, shape=(300, 400), corner=(250, 40))).box
    assert 245 <= x <= 255
    assert 34 <= y <= 42
    assert 40 <= width <= 70
    assert 80 <= height <= 96


def test_the_box_of_a_jpeg_decoded_at_half_scale_is_in_the_files_pixels(model):
    image = draw("8", height=800, pen=80, shape=(3000, 4000), corner=(2500, 400))
    data = cv2.imencode(".jpg", image)[1].tobytes()
    answer = model.predict(data)
    assert answer.label == "8"
    assert np.allclose(answer.box, model.predict(image).box, atol=12)
    assert 2440 <= answer.box[0] <= 2560


def test_top_gives_the_best_first(model):
    for count in (1, 3, 10, 99):
        top = model.predict(draw("7"), top=count).top
        shares = [share for _, share in top]
        assert len(top) == min(count, len(model.card.labels))
        assert shares == sorted(shares, reverse=True)
        assert len(dict(top)) == len(top)
    assert 0.99 < sum(shares) <= 1 + 1e-5  # what is left is that it is no character


@pytest.mark.parametrize(
    "image",
    [
        np.full((200, 200), 240, np.uint8),
        np.zeros((28, 28), np.uint8),
        np.zeros((1, 1), np.uint8),
        np.tile(np.linspace(210, 60, 300).astype(np.uint8), (200, 1)),
        np.zeros((50, 50, 4), np.uint8),
    ],
    ids=["blank", "black", "one pixel", "shadow", "transparent"],
)
def test_an_image_without_a_character_is_refused_without_an_exception(model, image):
    answer = model.predict(image)
    assert (answer.label, answer.confidence, answer.reason) == (None, 0.0, NO_CHARACTER)
    assert answer.top == ()
    assert answer.glyph is None


def test_an_answer_that_is_not_sure_enough_is_refused_with_what_it_would_have_been(model):
    image = np.minimum(draw("3"), draw("1", pen=14))
    sure = model.predict(image)
    doubtful = model.predict(image, min_confidence=min(1.0, sure.confidence + 1e-4))
    if sure.confidence == 1:
        pytest.skip("the model is sure of a 3 under a 1")
    assert doubtful.label is None
    assert doubtful.top == sure.top
    assert doubtful.confidence == sure.confidence
    best, share = sure.top[0]
    assert f"{100 * share:.1f} % for {best}, wanted" in doubtful.reason
    assert model.predict(image, min_confidence=sure.confidence).label == best


def test_what_cannot_be_read_is_an_error(model, tmp_path):
    with pytest.raises(ImageError, match="cannot be read"):
        model.predict(tmp_path / "missing.png")
    with pytest.raises(UnsupportedImage):
        model.predict(b"%PDF-1.4")
    with pytest.raises(ImageError, match="float64"):
        model.predict(np.zeros((28, 28)))


def test_a_prediction_prints_on_one_line(model):
    assert "\n" not in repr(model.predict(draw("2")))


# --- predict_batch ---------------------------------------------------------------------------------------------------


def glyphs_of_digits(model):
    return np.stack([model.predict(draw(digit)).glyph for digit in LINES])


def test_a_batch_of_glyphs(model):
    glyphs = glyphs_of_digits(model)
    probabilities = model.predict_batch(glyphs)
    assert probabilities.dtype == np.float32
    assert probabilities.shape == (10, len(model.card.labels))
    assert [model.card.labels[index] for index in probabilities.argmax(1)] == list(LINES)
    assert np.allclose(probabilities.sum(1), 1, atol=1e-5)
    assert np.array_equal(model.predict_batch(glyphs[..., None]), probabilities)


@pytest.mark.parametrize("count", [1, 31, 32, 33, 100])
def test_rows_do_not_depend_on_the_batch_that_they_came_in(model, count):
    glyphs = np.resize(glyphs_of_digits(model), (count, *model.card.input_shape[:2]))
    rows = np.concatenate([model.predict_batch(glyph[None]) for glyph in glyphs])
    assert np.allclose(model.predict_batch(glyphs), rows, atol=2e-3)


def test_no_glyphs_no_rows(model):
    assert model.predict_batch(np.empty((0, *model.card.input_shape[:2]), np.uint8)).shape == (
        0,
        len(model.card.labels),
    )


def test_glyphs_of_other_shapes_and_dtypes_are_refused(model):
    side = model.card.input_shape[0]
    for dtype, shape in (
        (np.float32, (1, side, side)),
        (bool, (1, side, side)),
        (np.uint8, (side, side)),
        (np.uint8, (1, side, side + 1)),
        (np.uint8, (1, side, side, 3)),
        (np.uint8, (side * side,)),
        (np.uint8, (1, side * side)),
        (np.uint8, ()),
    ):
        with pytest.raises(ImageError, match=rf"wanted uint8 \(N, {side}, {side}\) or \(N, {side}, {side}, 1\)"):
            model.predict_batch(np.zeros(shape, dtype))


def test_8_threads_share_a_recognizer(model):
    images = {digit: draw(digit) for digit in LINES}
    expected = {digit: model.predict(image) for digit, image in images.items()}
    wrong = []

    def ask(start):
        for call in range(50):
            digit = str((start + call) % 10)
            if model.predict(images[digit]) != expected[digit]:
                wrong.append(digit)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# --- softmax ---------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("count", [1, 5])
def test_softmax_of_any_logits_is_probabilities(count):
    """Whatever their size: the largest is taken off first.  One row goes a shorter way to the same numbers."""
    rng = np.random.default_rng(0)
    for size in (0.0, 1.0, 50.0, 1e4, 1e30):
        logits = (rng.normal(size=(count, 10)) * size).astype(np.float32)
        given = logits.copy()
        probabilities = softmax(logits, 0.7)
        exact = np.exp(0.7 * (logits.astype(float) - logits.max(1, keepdims=True)))
        assert np.allclose(probabilities, exact / exact.sum(1, keepdims=True), atol=1e-4 if size < 1e4 else 1)
        assert np.allclose(probabilities.sum(1), 1, atol=1e-5)
        assert np.array_equal(logits, given)


# --- load ------------------------------------------------------------------------------------------------------------


def make_bundle(folder, source, **changes):
    """A bundle of one tiny artifact; changes go into its card."""
    folder.mkdir(parents=True)
    path = folder / "float32.tflite"
    shutil.copy(source, path)
    artifact = Artifact(path.name, "tflite", "float32", path.stat().st_size, sha256_file(path))
    card = Card("tiny", ("a", "b", "c", "d"), (12, 8, 3), "stretch", default=path.name, artifacts=(artifact,))
    write_card(folder, replace(card, **changes))
    return folder


def test_a_temperature_cools_the_probabilities_and_keeps_their_order(tiny_tflite, tiny_images, tmp_path):
    hot = Recognizer.load(make_bundle(tmp_path / "hot", tiny_tflite["float32"], temperature=9.0))
    cold = Recognizer.load(make_bundle(tmp_path / "cold", tiny_tflite["float32"]))
    logits = cold.engine.run(tiny_images)
    assert np.allclose(cold.predict_batch(tiny_images), softmax(logits), atol=1e-5)
    assert np.allclose(hot.predict_batch(tiny_images), softmax(logits / 9), atol=1e-5)
    assert hot.predict_batch(tiny_images).max(1).mean() < cold.predict_batch(tiny_images).max(1).mean()


def test_colour_reaches_the_network_as_rgb(tiny_tflite, tiny_images):
    """Images come as BGR, as OpenCV reads them; glyphs are RGB, as networks are trained."""
    recognizer = Recognizer.load(tiny_tflite["float32"])
    rgb = tiny_images[0]
    answer = recognizer.predict(rgb[..., ::-1])
    assert np.array_equal(answer.glyph, rgb)
    assert answer.box == (0, 0, 8, 12)
    assert answer.confidence == pytest.approx(recognizer.predict_batch(rgb[None]).max(), abs=1e-6)


def test_a_grey_image_is_spread_over_three_channels(tiny_tflite):
    answer = Recognizer.load(tiny_tflite["float32"]).predict(np.full((40, 50), 99, np.uint8))
    assert (answer.glyph == 99).all()
    assert answer.glyph.shape == (12, 8, 3)


def test_a_bare_file_is_numbered_stretched_and_a_classifier_of_logits(tiny_tflite):
    card = Recognizer.load(tiny_tflite["float32"]).card
    assert card.name == "float32"
    assert card.labels == ("0", "1", "2", "3")
    assert (card.geometry, card.value_range, card.output, card.temperature) == ("stretch", (0, 255), "logits", 1)
    assert card.artifact().sha256 == sha256_file(tiny_tflite["float32"])


def test_a_bare_files_range_is_what_the_caller_says(tiny_tflite, tiny_images):
    loud, quiet = (Recognizer.load(tiny_tflite["float32"], value_range=given) for given in (None, (0, 1)))
    assert np.allclose(quiet.engine.run(tiny_images) * 255, loud.engine.run(tiny_images), atol=1e-2)


def test_a_range_beside_a_card_that_says_another_is_refused(model_name):
    assert Recognizer.load(model_name, value_range=(0, 255)).card.name == model_name
    with pytest.raises(ModelError, match=f"scale 0,1: {model_name} has a card, which says 0,255"):
        Recognizer.load(model_name, value_range=(0, 1))


def test_probabilities_are_not_softmaxed_twice(tiny_tflite, tiny_images):
    ready = Recognizer.load(tiny_tflite["probabilities"])
    logits = Recognizer.load(tiny_tflite["float32"])
    assert ready.card.output == "probabilities"
    assert np.allclose(ready.predict_batch(tiny_images), logits.predict_batch(tiny_images), atol=1e-4)


def test_a_bare_file_of_open_size_is_refused(tiny_tflite):
    with pytest.raises(ArtifactError, match="wanted a fixed size and 1 or 3 channels"):
        Recognizer.load(tiny_tflite["open_size"])


def test_a_bare_file_of_one_score_is_refused(tiny_tflite, monkeypatch):
    engine = open_engine(tiny_tflite["float32"])
    monkeypatch.setattr(engine, "run", lambda images: np.full((len(images), 1), 0.4, np.float32))
    with pytest.raises(ArtifactError, match="wanted a score for each"):
        Recognizer.of_bare_file(tiny_tflite["float32"], engine)


def test_a_file_inside_a_bundle_takes_its_card(tiny_tflite, tmp_path):
    folder = make_bundle(tmp_path / "tiny", tiny_tflite["float32"])
    assert Recognizer.load(folder / "float32.tflite").card == read_bundle(folder).card
    assert Recognizer.load(str(folder)).card.labels == ("a", "b", "c", "d")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ArtifactError, match=r"missing\.onnx: no such file"):
        Recognizer.load(tmp_path / "missing.onnx")


def test_more_threads_than_cores_do_no_harm(model_name, model):
    eager = Recognizer.load(model_name, threads=64 * usable_cores())
    assert eager.predict(draw("6")).label == model.predict(draw("6")).label == "6"


def test_the_real_photos(model, data_root):
    """20 phone photos of one digit each, of other people's hands, pens and paper."""
    import csv

    with (data_root / "photos" / "labels.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["file"].startswith("digits/")]
    right = sum(model.predict(data_root / "photos" / row["file"]).label == row["text"] for row in rows)
    assert len(rows) == 20
    assert right >= 17


def test_it_says_what_it_is(model):
    said = f"<Recognizer {model.card.name}: {model.artifact.file} by {model.engine.name}>"
    assert repr(model) == said


def test_what_is_no_model_and_no_image_is_told_what_was_wanted(model):
    for wrong in (3, None):
        with pytest.raises(UnknownModel, match=f"{wrong}: no model; wanted a name, a bundle's folder"):
            Recognizer.load(wrong)
        with pytest.raises(ImageError, match=f"{wrong}: no image; wanted a path, a file's bytes or a uint8 array"):
            model.predict(wrong)
        with pytest.raises(ImageError, match=r"glyphs of (int|NoneType) \(\); wanted uint8 \(N, 28, 28\)"):
            model.predict_batch(wrong)

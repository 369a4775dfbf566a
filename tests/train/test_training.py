"""Training runs: what they leave, that they can be resumed to the same result, and what they refuse."""

import csv
import gzip
import json
import shutil
import zipfile
from dataclasses import asdict

import cv2
import numpy as np
import pytest

from glyphlite.runtime import CardError, ConversionError, DatasetError, TrainingError, read_bundle
from glyphlite.runtime.bundle import Card, write_card
from glyphlite.train import training
from glyphlite.train.backend import keras
from glyphlite.train.config import TrainingConfig
from glyphlite.train.distillation import load_teachers
from glyphlite.train.keras_files import load_keras_model
from glyphlite.train.report import write_report
from glyphlite.train.scores import keras_scores
from glyphlite.train.strokes import digit_glyphs

RUN_FILES = {"config.json", "checkpoint.keras", "history.csv", "model.keras", "card.json", "curves.png"}
RUN_FILES |= {"confusion.png", "most_wrong.png"}


def config(data, **changes):
    settings = {"arch": "edge", "width": 0.5, "epochs": 4, "batch_size": 32, "learning_rate": 0.01, **changes}
    return TrainingConfig(data=str(data), **settings)


@pytest.fixture(scope="module")
def run(shapes, tmp_path_factory):
    """Folder of a finished run."""
    folder = tmp_path_factory.mktemp("runs") / "shapes"
    training.train(config(shapes), folder, say=lambda _: None)
    return folder


def test_a_run_leaves_a_model_that_has_learned_and_says_so(run, shapes):
    assert {path.name for path in run.iterdir()} == RUN_FILES
    card = read_bundle(run).card
    assert card.training.errors < 0.1 * card.training.test_images
    assert card.training.test_set == "shapes hold-out"  # an .npz has no test part
    assert (card.geometry, card.input_shape, card.labels) == ("stretch", (20, 20, 1), tuple("0123"))
    assert 0.05 < card.temperature < 20
    with np.load(shapes) as data:
        model = keras.models.load_model(run / "model.keras")
        answers = keras_scores(model, data["images"]).argmax(1)
        assert (answers == data["labels"]).mean() > 0.9


def test_the_history_has_a_row_an_epoch(run):
    rows = training.read_history(run / "history.csv")
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert {"val_accuracy", "val_loss", "seconds"} <= set(rows[0])


class Interrupted(keras.callbacks.Callback):
    """Ctrl-C in the middle of the third epoch."""

    def on_train_batch_begin(self, batch, logs=None):
        if self.epoch == 2 and batch == 3:
            raise KeyboardInterrupt

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch


def test_an_interrupted_run_is_resumed_to_the_same_result(shapes, run, tmp_path, monkeypatch):
    fit = keras.Model.fit

    def interrupted_fit(self, *args, callbacks, **options):
        return fit(self, *args, callbacks=[*callbacks, Interrupted()], **options)

    monkeypatch.setattr(keras.Model, "fit", interrupted_fit)
    with pytest.raises(KeyboardInterrupt):
        training.train(config(shapes), tmp_path / "run", say=lambda _: None)
    monkeypatch.undo()
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"config.json", "checkpoint.keras", "history.csv"}
    said = []
    training.train(config(shapes), tmp_path / "run", resume=True, say=said.append)
    assert any("resuming after epoch 2 of 4" in line for line in said)
    whole, resumed = (keras.models.load_model(folder / "model.keras") for folder in (run, tmp_path / "run"))
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)


def test_resuming_a_finished_run_only_writes_its_end_again(run, shapes):
    before = keras.models.load_model(run / "model.keras").get_weights()
    training.train(config(shapes), run, resume=True, say=lambda _: None)
    after = keras.models.load_model(run / "model.keras").get_weights()
    assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(before, after, strict=True))


def test_a_checkpoint_that_does_not_say_its_epoch_tells_it_by_its_steps(run, shapes, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    with (
        zipfile.ZipFile(run / "checkpoint.keras") as whole,
        zipfile.ZipFile(tmp_path / "run" / "checkpoint.keras", "w") as older,
    ):
        for name in set(whole.namelist()) - {training.EPOCHS}:
            older.writestr(name, whole.read(name))
    said = []
    training.train(config(shapes), tmp_path / "run", resume=True, say=said.append)
    assert "resuming after epoch 4 of 4" in said


def assert_equal_when_interrupted(settings, folder, monkeypatch):
    """A run that is stopped after its first epoch and resumed ends as the run in `folder / "a"` did."""
    on_epoch_end = training.Checkpoint.on_epoch_end

    def stop(self, epoch, logs=None):
        on_epoch_end(self, epoch, logs)
        raise KeyboardInterrupt

    monkeypatch.setattr(training.Checkpoint, "on_epoch_end", stop)
    with pytest.raises(KeyboardInterrupt):
        training.train(settings, folder / "b", say=lambda _: None)
    monkeypatch.undo()
    training.train(settings, folder / "b", resume=True, say=lambda _: None)
    a, b = (keras.models.load_model(folder / name / "model.keras").get_weights() for name in "ab")
    assert all(np.allclose(x, y, atol=1e-5) for x, y in zip(a, b, strict=True))


def test_dropout_resumes_too(shapes, tmp_path, monkeypatch):
    """`full` has dropout, whose generator no checkpoint holds."""
    settings = {"arch": "full", "width": 0.1, "epochs": 2, "limit": 160}
    training.train(config(shapes, **settings), tmp_path / "a", say=lambda _: None)
    assert_equal_when_interrupted(config(shapes, **settings), tmp_path, monkeypatch)


def test_a_folder_that_holds_something_else_is_left_alone(run, shapes, tmp_path):
    with pytest.raises(TrainingError, match="--resume goes on"):
        training.train(config(shapes), run)
    with pytest.raises(TrainingError, match="begun with epochs 4, not 5"):
        training.train(config(shapes, epochs=5), run, resume=True)
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(TrainingError, match="no training run"):
        training.train(config(shapes), tmp_path)
    assert (tmp_path / "letter.txt").read_text() == "dear"


@pytest.fixture(scope="module")
def half(shapes, tmp_path_factory):
    """Folder that holds a run `a` in float16, the first of whose steps overflow and are skipped."""
    folder = tmp_path_factory.mktemp("half")
    training.train(config(shapes, epochs=2, precision="mixed_float16"), folder / "a", say=lambda _: None)
    return folder


def test_half_precision_resumes_too(half, shapes, monkeypatch):
    assert_equal_when_interrupted(config(shapes, epochs=2, precision="mixed_float16"), half, monkeypatch)


def test_a_finished_run_of_half_precision_keeps_its_averaged_weights(half, shapes):
    before = keras.models.load_model(half / "a" / "model.keras").get_weights()
    said = []
    training.train(config(shapes, epochs=2, precision="mixed_float16"), half / "a", resume=True, say=said.append)
    after = keras.models.load_model(half / "a" / "model.keras").get_weights()
    assert "resuming after epoch 2 of 2" in said
    assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(before, after, strict=True))


def test_a_run_is_not_resumed_on_other_data(shapes, tmp_path):
    """One more image parts the set anew: what was held out would have been trained on."""
    with np.load(shapes) as data:
        images, labels = data["images"], data["labels"]
    path = tmp_path / "own.npz"
    np.savez(path, images=images[:80], labels=labels[:80])
    training.train(config(path, epochs=1), tmp_path / "run", say=lambda _: None)
    before = (tmp_path / "run" / "card.json").read_bytes()
    np.savez(path, images=images[:81], labels=labels[:81])
    with pytest.raises(TrainingError, match=r"was begun with other data than .*own\.npz holds now"):
        training.train(config(path, epochs=1), tmp_path / "run", resume=True, say=lambda _: None)
    assert (tmp_path / "run" / "card.json").read_bytes() == before


def test_the_geometry_is_that_of_what_is_trained_on(tmp_path, monkeypatch):
    """`fit` leaves the wide pictures' shape, here a square, as the runtime will."""
    rng = np.random.default_rng(0)
    for label, at in (("left", 10), ("right", 40)):
        (tmp_path / "wide" / label).mkdir(parents=True)
        for number in range(12):
            image = np.full((20, 60), 200 + number, np.uint8)
            image[4:14, at : at + 10] = rng.integers(0, 40)
            cv2.imwrite(str(tmp_path / "wide" / label / f"{number}.png"), image)
    learned = []
    monkeypatch.setattr(training, "mixed_batches", lambda part, *_: learned.append(part.images) or 1 / 0)
    for geometry in ("fit", "stretch"):
        with pytest.raises(ZeroDivisionError):
            training.train(config(tmp_path / "wide", shape="30,30,1", geometry=geometry), tmp_path / geometry)
    heights = [(one < 100).any(2).sum(1) for one in learned]
    assert (heights[0] == 5).all() and (heights[1] == 15).all()


def write_idx(folder, parts):
    """A folder of IDX files; parts: name to images and labels."""
    from glyphlite.train.idx import idx_bytes

    folder.mkdir()
    for name, (images, labels) in parts.items():
        (folder / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(images)))
        (folder / f"{name}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(labels.astype(np.uint8))))


def test_what_could_not_end_does_not_begin(shapes, tmp_path):
    with np.load(shapes) as data:
        images, labels = data["images"][:60], data["labels"][:60]
    write_idx(tmp_path / "alone", {"train": (images, labels)})
    with pytest.raises(DatasetError, match="no IDX file of test images"):
        training.train(config(tmp_path / "alone"), tmp_path / "a", say=lambda _: None)
    write_idx(tmp_path / "more", {"train": (images, np.minimum(labels, 2)), "t10k": (images, labels)})
    with pytest.raises(DatasetError, match=r"more: 4 classes .*; the model has 3"):
        training.train(config(tmp_path / "more"), tmp_path / "b", say=lambda _: None)
    with pytest.raises(CardError, match="geometry mnist wants a square of 1 channel"):
        training.train(config(shapes, shape="20,16,1", geometry="mnist"), tmp_path / "c", say=lambda _: None)
    assert not any((tmp_path / name).exists() for name in "abc")


def test_a_test_part_may_lack_the_last_class(shapes, tmp_path):
    with np.load(shapes) as data:
        images, labels = data["images"], data["labels"]
    few = labels < 3
    write_idx(tmp_path / "less", {"train": (images, labels), "t10k": (images[few], labels[few])})
    card = training.train(config(tmp_path / "less", geometry="stretch", epochs=1), tmp_path / "run", say=lambda _: None)
    assert len(card.labels) == 4 and card.training.test_images == few.sum()
    assert (tmp_path / "run" / "confusion.png").exists()


def test_a_damaged_checkpoint_is_named(shapes, tmp_path):
    (tmp_path / "checkpoint.keras").write_bytes(b"half")
    (tmp_path / "config.json").write_text(json.dumps(asdict(config(shapes))))
    training.write_history(tmp_path / "history.csv", [{"epoch": 1, "loss": 1.0}])
    with pytest.raises(TrainingError, match=r"checkpoint\.keras: cannot be read"):
        training.train(config(shapes), tmp_path, resume=True, say=lambda _: None)


@pytest.mark.parametrize(("file", "content"), [("config.json", "{"), ("config.json", "[]"), ("history.csv", None)])
def test_a_damaged_run_is_named(run, shapes, tmp_path, file, content):
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / file).unlink()
    if content:
        (tmp_path / "run" / file).write_text(content)
    with pytest.raises(TrainingError, match=f"{file}: cannot be read"):
        training.train(config(shapes), tmp_path / "run", resume=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"augment": "wild"}, "none, mild, medium, strong"),
        ({"epochs": 0}, "epochs 0; wanted 1 to"),
        ({"holdout": 0.0}, "holdout 0.0"),
        ({"shape": "28x28"}, "HEIGHT,WIDTH,CHANNELS"),
        ({"shape": "28,28,2"}, "1 or 3 channels"),
        ({"precision": "float8"}, "mixed_bfloat16"),
        ({"geometry": "polar"}, "mnist, emnist"),
    ],
)
def test_settings_out_of_range_are_named(shapes, changes, message):
    with pytest.raises(TrainingError, match=message):
        config(shapes, **changes)


def test_colour_images_of_another_shape_train_as_well(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 120, (60, 24, 16, 3), np.uint8)
    labels = np.arange(60) % 3
    for index, label in enumerate(labels):
        images[index, ..., label] += 100  # the class is the brightest channel
    np.savez(tmp_path / "colours.npz", images=images, labels=labels)
    settings = {"epochs": 8, "batch_size": 8, "augment": "none"}
    card = training.train(config(tmp_path / "colours.npz", **settings), tmp_path / "run", say=lambda _: None)
    assert card.input_shape == (24, 16, 3)
    assert card.training.errors == 0


def test_a_student_learns_from_a_teacher_and_resumes(run, shapes, tmp_path, monkeypatch):
    one = {"width": 0.25, "epochs": 1, "teacher": str(run), "distill_views": 12}
    training.train(config(shapes, **one), tmp_path / "one", say=lambda _: None)
    assert np.load(tmp_path / "one" / "teacher_logits.npy").shape == (1, 440, 4)  # no more views than epochs
    settings = {"width": 0.25, "epochs": 3, "teacher": str(run), "distill_views": 2}
    card = training.train(config(shapes, **settings), tmp_path / "a", say=lambda _: None)
    assert card.training.errors < 0.25 * card.training.test_images
    assert np.load(tmp_path / "a" / "teacher_logits.npy").shape == (2, 440, 4)
    assert_equal_when_interrupted(config(shapes, **settings), tmp_path, monkeypatch)


def test_a_teacher_may_end_in_probabilities_and_take_another_range(tmp_path):
    inputs = keras.Input((4, 4, 1))
    outputs = keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, outputs)
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 1)).astype(np.float32)
    model.save(tmp_path / "bare.keras")
    (bare,) = load_teachers(str(tmp_path / "bare.keras"), (4, 4, 1), "abc")
    expected = np.log(np.maximum(np.asarray(model(images)), 1e-7))
    np.testing.assert_allclose(bare.logits(images), expected, rtol=1e-4)
    with pytest.raises(TrainingError, match="teacher_scale '7'; wanted two numbers"):
        config(tmp_path, teacher_scale="7")
    (told,) = load_teachers(
        str(tmp_path / "bare.keras"), (4, 4, 1), "abc", config(tmp_path, teacher_scale="0,1").teacher_range
    )
    np.testing.assert_allclose(told.logits(images), np.log(np.asarray(model(images / 255))), rtol=1e-4)
    softmax = keras.Model(inputs, keras.layers.Softmax()(model.layers[-1](model.layers[1](inputs))))
    softmax.save(tmp_path / "layer.keras")  # which has no activation to be asked
    assert load_teachers(str(tmp_path / "layer.keras"), (4, 4, 1), "abc")[0].is_probable
    card = Card("b", tuple("abc"), (4, 4, 1), "stretch", value_range=(0.0, 1.0), output="probabilities")
    (tmp_path / "bundle").mkdir()
    model.save(tmp_path / "bundle" / "model.keras")
    write_card(tmp_path / "bundle", card)
    (teacher,) = load_teachers(str(tmp_path / "bundle"), (4, 4, 1), "abc")
    np.testing.assert_allclose(teacher.logits(images), np.log(np.asarray(model(images / 255))), rtol=1e-4)
    with pytest.raises(TrainingError, match=r"teacher_scale 0,255: .*model\.keras has a card, which says 0,1"):
        load_teachers(str(tmp_path / "bundle"), (4, 4, 1), "abc", config(tmp_path, teacher_scale="0,255").teacher_range)


def test_a_teacher_of_the_same_classes_in_another_order_is_refused(run):
    turned = read_bundle(run).card.labels[::-1]
    with pytest.raises(TrainingError, match=f"knows {', '.join(turned[::-1])}; the data has {', '.join(turned)}"):
        load_teachers(str(run), (20, 20, 1), turned)


def test_a_teacher_of_other_images_is_refused(run, tmp_path):
    images = np.zeros((40, 16, 16), np.uint8)
    np.savez(tmp_path / "small.npz", images=images, labels=np.arange(40) % 4)
    with pytest.raises(TrainingError, match=r"takes \(20, 20, 1\) to 4 classes; the data has \(16, 16, 1\)"):
        training.train(config(tmp_path / "small.npz", teacher=str(run)), tmp_path / "run", say=lambda _: None)


def test_images_without_labels_are_learned_as_the_teacher_names_them(run, shapes, tmp_path):
    """Of a folder however deep, or of an .npz; the labels that an .npz may have are not looked at."""
    with np.load(shapes) as archive:
        images, labels = archive["images"][:30], archive["labels"][:30]
    (tmp_path / "photos" / "deep").mkdir(parents=True)
    for number, image in enumerate(images):
        cv2.imwrite(str(tmp_path / "photos" / "deep" / f"{number}.png"), image)
    np.savez(tmp_path / "more.npz", images=images, labels=(labels + 1) % 4)
    student = {"width": 0.25, "epochs": 1, "teacher": str(run), "distill_views": 1}
    told = []
    for source in (tmp_path / "photos", tmp_path / "more.npz"):
        said = []
        settings = config(shapes, **student, unlabelled=str(source))
        card = training.train(settings, tmp_path / f"of-{source.stem}", say=said.append)
        assert card.training.images == 440 + 30 and card.training.settings["unlabelled"] == source.name
        told += [line.split(": ")[1] for line in said if line.startswith(str(source))]
    assert told[0] == told[1] and told[0].startswith("30 images, which the teacher names ")
    counts = [int(part.split(" × ")[0].split()[-1]) for part in told[0].split(", which")[1].split(", ")]
    assert np.abs(np.array(counts) - np.bincount(labels, minlength=4)).sum() <= 6  # the teacher is nearly always right


def test_images_without_labels_want_a_teacher_and_its_shape(run, shapes, tmp_path):
    with pytest.raises(TrainingError, match="wanted a teacher to name its images"):
        training.train(config(shapes, unlabelled=str(tmp_path)), tmp_path / "run", say=lambda _: None)
    with pytest.raises(DatasetError, match="no images; wanted some of"):
        training.train(config(shapes, teacher=str(run), unlabelled=str(tmp_path)), tmp_path / "run")
    np.savez(tmp_path / "large.npz", images=np.zeros((3, 9, 9), np.uint8))
    np.savez(tmp_path / "none.npz", images=np.zeros((0, 20, 20), np.uint8))
    with pytest.raises(DatasetError, match=r"none\.npz: no images"):
        training.train(config(shapes, teacher=str(run), unlabelled=str(tmp_path / "none.npz")), tmp_path / "run")
    with pytest.raises(DatasetError, match=r"images of shape \(9, 9, 1\); wanted \(20, 20, 1\)"):
        training.train(config(shapes, teacher=str(run), unlabelled=str(tmp_path / "large.npz")), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_starts_from_another_runs_weights(run, shapes, tmp_path):
    """One epoch at a tiny learning rate stays where it started; another architecture is refused."""
    settings = {"start": str(run), "epochs": 1, "learning_rate": 1e-7, "ema": 0.0}
    training.train(config(shapes, **settings), tmp_path / "a", say=lambda _: None)
    first, then = (keras.models.load_model(folder / "model.keras") for folder in (run, tmp_path / "a"))
    assert np.allclose(first.layers[-1].get_weights()[0], then.layers[-1].get_weights()[0], atol=1e-4)
    with pytest.raises(TrainingError, match="same architecture"):
        training.train(config(shapes, start=str(run), width=1.0), tmp_path / "b", say=lambda _: None)
    with pytest.raises(TrainingError, match=r"weights 'x\.h5': of a --backbone; --from starts edge from a run"):
        training.train(config(shapes, weights="x.h5"), tmp_path / "b", say=lambda _: None)


def test_of_a_run_with_as_many_other_classes_the_head_is_left(run, shapes, tmp_path):
    with np.load(shapes) as data:
        np.savez(tmp_path / "renamed.npz", **{**data, "classes": list("wxyz")})
    settings = {"start": str(run), "epochs": 1, "learning_rate": 1e-7, "ema": 0.0}
    training.train(config(tmp_path / "renamed.npz", **settings), tmp_path / "a", say=lambda _: None)
    first, then = (keras.models.load_model(folder / "model.keras") for folder in (run, tmp_path / "a"))
    assert not np.allclose(first.layers[-1].get_weights()[0], then.layers[-1].get_weights()[0], atol=1e-2)
    kernels = [next(layer for layer in one.layers if isinstance(layer, keras.layers.Conv2D)) for one in (first, then)]
    assert np.allclose(*(kernel.get_weights()[0] for kernel in kernels), atol=1e-4)


def test_the_curves_of_a_short_run_are_of_what_it_learned(run):
    """Normalization's moving averages follow: by Keras's own momentum it would be at chance to the end."""
    with (run / "history.csv").open() as file:
        last = [*csv.DictReader(file)][-1]
    assert float(last["val_accuracy"]) > 0.7


def test_what_is_not_finished_is_told(run, tmp_path):
    (tmp_path / "cut").mkdir()
    for name in ("config.json", "history.csv", "checkpoint.keras", "model.keras"):  # the card comes last
        shutil.copy(run / name, tmp_path / "cut")
        with pytest.raises(
            ConversionError, match="cut: a training run that is not finished; `glyphlite train --resume"
        ):
            load_keras_model(str(tmp_path / "cut"))
    with pytest.raises(TrainingError, match="cut: is not finished"):
        write_report(tmp_path / "cut", tmp_path / "report.html")


def test_a_run_with_outliers_learns_to_refuse(tmp_path):
    images, labels = digit_glyphs(900, np.random.default_rng(0))
    np.savez(tmp_path / "digits.npz", images=images, labels=labels)
    settings = config(tmp_path / "digits.npz", epochs=6, outliers=0.5, drawn=0.2, geometry="mnist")
    card = training.train(settings, tmp_path / "run", say=lambda _: None)
    assert card.refusal.others_refused > 0.3
    assert card.refusal.characters_refused == pytest.approx(0.01, abs=0.01)
    assert card.training.settings["outliers"] == 0.5


def test_added_images_are_trained_on_and_do_not_judge(shapes, tmp_path):
    added = tmp_path / "kept" / "3"
    added.mkdir(parents=True)
    cv2.imwrite(str(added / "a.png"), np.full((20, 20), 9, np.uint8))
    said = []
    card = training.train(
        config(shapes, epochs=1, add_data=str(tmp_path / "kept"), add_times=5), tmp_path / "run", say=said.append
    )
    assert card.training.images == 440 + 5 and card.training.holdout_images == 40
    assert card.training.settings["add_data"] == "kept" and any("5 images added" in line for line in said)


def test_a_run_that_is_older_than_an_option_can_be_resumed(shapes, tmp_path):
    before = asdict(config(shapes))
    del before["add_data"], before["add_times"]
    (tmp_path / "config.json").write_text(json.dumps(before))
    assert training.check_folder(config(shapes), tmp_path, resume=True) == []
    with pytest.raises(TrainingError, match="begun with add_times 1, not 3"):
        training.check_folder(config(shapes, add_times=3), tmp_path, resume=True)


def test_emnists_47_classes_end_to_end(tmp_path):
    """The official archive's layout: transposed images, a mapping of merged classes, splits of its own."""
    from glyphlite.train.idx import idx_bytes

    characters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"
    rng = np.random.default_rng(0)
    patterns = rng.integers(0, 2, (47, 7, 7), np.uint8).repeat(4, 1).repeat(4, 2) * 200  # no class is its own transpose
    folder = tmp_path / "emnist"
    folder.mkdir()
    (folder / "emnist-balanced-mapping.txt").write_text("".join(f"{i} {ord(c)}\n" for i, c in enumerate(characters)))
    for split, each in (("train", 16), ("test", 4)):
        labels = np.tile(np.arange(47), each)
        images = patterns[labels] + rng.integers(0, 40, (len(labels), 28, 28), np.uint8)
        for kind, array in (("images-idx3", images.transpose(0, 2, 1)), ("labels-idx1", labels.astype(np.uint8))):
            content = gzip.compress(idx_bytes(np.ascontiguousarray(array)), 1)
            (folder / f"emnist-balanced-{split}-{kind}-ubyte.gz").write_bytes(content)
    card = training.train(
        config(folder, arch="lenet5", width=1.0, epochs=3, augment="none", ema=0.0),
        tmp_path / "run",
        say=lambda _: None,
    )
    assert (card.labels, card.geometry) == (tuple(characters), "emnist")
    assert card.training.test_set == "emnist-balanced test" and card.training.test_images == 188
    assert card.training.errors < 0.2 * 188
    upright = keras_scores(keras.models.load_model(tmp_path / "run" / "model.keras"), patterns)
    assert (upright.argmax(1) == np.arange(47)).mean() > 0.8

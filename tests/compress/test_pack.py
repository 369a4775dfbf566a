"""From a run to a bundle, with the real converters."""

import json

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from click.testing import CliRunner

from glyphlite.compress import pack, parse_recipe
from glyphlite.compress.checks import Comparison, compare, weights_of
from glyphlite.compress.cli import compress as command
from glyphlite.compress.convert import convert
from glyphlite.compress.examples import load_examples
from glyphlite.compress.pack import Options
from glyphlite.compress.sources import load_source
from glyphlite.runtime import ArtifactError, ConversionError, DatasetError, RecipeError, Recognizer, read_bundle
from glyphlite.runtime.bundle import Artifact, Card, Refusal, write_card
from glyphlite.runtime.engine import open_engine
from glyphlite.runtime.files import sha256_file
from glyphlite.train.backend import keras
from glyphlite.train.strokes import digit_glyphs

RECIPES = ("float32", "float16", "dynamic_wi8_afp32", "static_wi8_ai8")
BOTH = ["tflite", "onnx"]


def make(source, names, formats, examples, out, **options):
    """Compress without a word."""
    recipes = [parse_recipe(name) for name in names]
    return pack.compress(source, recipes, formats, examples, out, Options(**options), say=lambda _: None)


@pytest.fixture(scope="module")
def bundle(source, examples, tmp_path_factory):
    """Folder of a bundle with every scheme, in both formats."""
    out = tmp_path_factory.mktemp("bundles") / "shapes"
    make(source, RECIPES, BOTH, examples, out)
    return out


def test_the_card_vouches_for_every_artifact(bundle):
    card = read_bundle(bundle).card
    assert {a.file for a in card.artifacts} == {f"{recipe}.{form}" for recipe in RECIPES for form in BOTH}
    for artifact in card.artifacts:
        path = bundle / artifact.file
        assert (artifact.bytes, artifact.sha256) == (path.stat().st_size, sha256_file(path))
        assert artifact.agreement >= 0.98
        assert artifact.test_set.startswith("shapes hold-out (")
        assert artifact.gzip_bytes < artifact.bytes
        assert artifact.errors <= 0.1 * artifact.test_images
    assert card.default == "static_wi8_ai8.tflite"
    assert card.artifact("float32.tflite").max_difference < 1e-4
    assert card.artifact("static_wi8_ai8.tflite").integers == 1.0
    assert card.artifact("static_wi8_ai8.tflite").as_other_format is None  # made first
    assert card.artifact("static_wi8_ai8.onnx").as_other_format >= 0.95
    assert card.artifact("float32.onnx").steps == ("as trained; opset 18",)
    assert card.artifact("static_wi8_ai8.tflite").steps[-1].endswith("calibration images, minmax; integers only")
    assert card.compression.source == "model.keras"
    assert card.compression.calibration > 0


def test_the_bundle_answers_as_its_card_says(bundle, examples):
    for artifact in read_bundle(bundle).card.artifacts:
        recognizer = Recognizer.load(bundle / artifact.file)
        answers = recognizer.predict_batch(examples.judged.images).argmax(1)
        assert (answers != examples.judged.labels).sum() == artifact.errors


def test_int8_is_integer_inside_takes_bytes_and_gives_logits(bundle):
    interpreter = Interpreter(str(bundle / "static_wi8_ai8.tflite"))
    interpreter.allocate_tensors()
    given, got = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    assert given["dtype"] == np.uint8
    assert given["quantization"] == (pytest.approx(1.0, rel=1e-6), 0)
    assert got["dtype"] == np.float32
    floats = [d["name"] for d in interpreter.get_tensor_details() if d["dtype"] == np.float32]
    assert floats == [got["name"]]
    per_channel = [
        d["quantization_parameters"]["scales"].size
        for d in interpreter.get_tensor_details()
        if d["dtype"] == np.int8 and len(d["shape"]) == 4 and d["quantization_parameters"]["scales"].size > 1
    ]
    assert len(per_channel) == 6  # each convolution


def test_smaller_schemes_are_smaller(bundle):
    size = {a.file: a.bytes for a in read_bundle(bundle).card.artifacts}
    assert size["static_wi8_ai8.tflite"] < size["float16.tflite"] < size["float32.tflite"]


def test_a_bundle_keeps_the_run_beside_its_artifacts(bundle, run):
    assert (bundle / "model.keras").read_bytes() == (run / "model.keras").read_bytes()
    assert {"history.csv", "curves.png", "confusion.png"} <= {path.name for path in bundle.iterdir()}
    assert not [path.name for path in bundle.iterdir() if path.name.startswith(".")]


def test_the_same_input_gives_the_same_bytes(bundle, source, examples, tmp_path):
    make(source, ["static_wi8_ai8", "float32"], BOTH, examples, tmp_path / "again")
    for artifact in read_bundle(tmp_path / "again").card.artifacts:
        assert artifact.sha256 == read_bundle(bundle).card.artifact(artifact.file).sha256, artifact.file


def test_pruning_zeroes_half_of_the_weights_and_is_added_to_the_bundle(bundle, examples):
    """From the bundle's own model.keras: a bundle can be compressed further."""
    source = load_source(str(bundle))
    card = make(source, ["prune50_static_wi8_ai8"], ["tflite"], examples, bundle, epochs=3)
    artifact = card.artifact("prune50_static_wi8_ai8.tflite")
    assert artifact.zeros >= 0.45
    assert artifact.zeros == weights_of(bundle / artifact.file).zeros
    assert weights_of(bundle / "static_wi8_ai8.tflite").zeros < 0.2
    assert len(read_bundle(bundle).card.artifacts) == 9
    assert artifact.errors <= 0.1 * artifact.test_images
    assert not [path for path in bundle.parent.iterdir() if path.name.endswith(".steps")]


def test_what_is_left_out_is_told_without_the_folder_that_it_was_made_in(source, tmp_path):
    def one(recipe, form):
        if recipe.name == "float16":
            raise ArtifactError(f"{tmp_path}/float16.tflite: computed NaN or infinity")
        return Artifact("float32.tflite", form, "float32", 9, "", gzip_bytes=9, errors=1, test_images=20, test_set="x")

    card, said = Card("x", ("a", "b"), (20, 20, 1), "stretch"), []
    recipes = [parse_recipe(name) for name in ("float16", "float32")]
    pack.make_artifacts(source, card, recipes, ["tflite"], one, tmp_path, Options(skip=True), said.append)
    assert said[0] == "float16.tflite: left out: computed NaN or infinity"
    assert said[1].startswith("float32.tflite: 9 bytes (9 gzip), 1 error of 20 (x)")
    with pytest.raises(ArtifactError, match=r"^float16\.tflite: computed NaN"):
        pack.make_artifacts(source, card, recipes, ["tflite"], one, tmp_path, Options(), said.append)
    asked = Options(skip=True, default="float16.tflite")  # what was asked for is not left out
    made, failure = pack.make_artifacts(source, card, recipes[::-1], ["tflite"], one, tmp_path, asked, said.append)
    assert [*made] == ["float32.tflite"] and isinstance(failure, ArtifactError)


def test_what_was_made_before_a_failure_is_written(source, examples, tmp_path, monkeypatch):
    def made(self, recipe, form, model):
        if recipe.steps:
            raise ConversionError("layer 'mine' (Mine) has no equal in tf_keras")
        return whole(self, recipe, form, model)

    whole = pack.Maker.made
    monkeypatch.setattr(pack.Maker, "made", made)
    monkeypatch.setattr(pack.Workshop, "_changed", lambda self, steps, model: model)
    file = "prune50_static_wi8_ai8.tflite"
    with pytest.raises(ConversionError, match=f"^{file}: layer 'mine'"):
        make(source, [file.removesuffix(".tflite")], ["tflite"], examples, tmp_path / "b")
    assert not (tmp_path / "b").exists()
    with pytest.raises(ConversionError, match=f"^{file}: layer 'mine'"):
        names = ["float32", file.removesuffix(".tflite"), "float16"]
        make(source, names, ["tflite"], examples, tmp_path / "b", default=file)
    card = read_bundle(tmp_path / "b").card
    assert [artifact.file for artifact in card.artifacts] == [card.default] == ["float32.tflite"]
    assert Recognizer.load(tmp_path / "b").predict_batch(examples.judged.images[:1]).shape == (1, 4)


def test_a_limit_of_mixed_schemes_wants_one(tmp_path):
    given = ["theirs.keras", "--max-bytes", "10", "--out", str(tmp_path / "b"), "--recipe"]
    told = CliRunner().invoke(command, [*given, "float32,static_wi8_ai8"])
    assert told.exit_code == 2
    assert "--max-bytes 10: float32,static_wi8_ai8 has no mixed scheme; wanted mixed_wi48_afp32 or" in told.output
    for names in ("all", "float32,mixed_wi48_ai8"):
        told = CliRunner().invoke(command, [*given, names])
        assert "not there" in str(told.exception)  # the model, which is looked for afterwards


def test_a_bundle_keeps_its_default_unless_another_is_asked_for(source, examples, tmp_path):
    out = tmp_path / "b"
    for asked, recipe, default in (
        ("float16.tflite", "float16", "float16.tflite"),
        (None, "static_wi8_ai8", "float16.tflite"),
        ("static_wi8_ai8.tflite", "float16", "static_wi8_ai8.tflite"),
    ):
        make(source, [recipe], ["tflite"], examples, out, default=asked)
        assert read_bundle(out).card.default == default


def test_a_default_that_is_not_to_be_made_is_told_before_anything_is(source, examples, tmp_path, monkeypatch):
    monkeypatch.setattr(pack.Workshop, "run", lambda *_: pytest.fail("something was made"))
    with pytest.raises(RecipeError, match=r"default 'float23.tflite' is not among float32.tflite, float32.onnx"):
        make(source, ["float32"], BOTH, examples, tmp_path / "b", default="float23.tflite")


def test_what_a_bundle_refuses_is_measured_of_its_default_artifact(tmp_path):
    images, labels = digit_glyphs(400, np.random.default_rng(0))
    np.savez(tmp_path / "digits.npz", images=images, labels=labels)
    inputs = keras.Input((28, 28, 1))
    model = keras.Model(inputs, keras.layers.Dense(10, kernel_initializer="zeros")(keras.layers.Flatten()(inputs)))
    model.save(tmp_path / "model.keras")
    refusal = Refusal(0.5, 7, 0.0, 7, 1.0)
    write_card(tmp_path, Card("digits", tuple("0123456789"), (28, 28, 1), "mnist", refusal=refusal))
    source = load_source(str(tmp_path))
    examples = load_examples(source, str(tmp_path / "digits.npz"))
    card = make(source, ["float32"], ["tflite"], examples, tmp_path / "b")
    count = len(examples.holdout)
    assert card.refusal == Refusal(0.5, count, 1.0, count, 1.0)  # each answer has a probability of 1 in 11


def test_a_bare_model_gets_a_card_of_its_own(run, shapes, tmp_path):
    (tmp_path / "mine.keras").write_bytes((run / "model.keras").read_bytes())
    source = load_source(str(tmp_path / "mine.keras"))
    with pytest.raises(DatasetError, match="--data"):
        load_examples(source, None)
    examples = load_examples(source, str(shapes))
    card = make(source, ["float32"], ["tflite"], examples, tmp_path / "b")
    assert card.training is None
    assert card.temperature == 1.0  # all that it was fitted by are right
    assert card.labels == tuple("0123")


def test_a_model_that_takes_0_to_1_and_ends_in_softmax(examples, tmp_path):
    """Somebody else's habits: the scale goes through calibration and runtime, and nothing is softmaxed twice."""
    inputs = keras.Input((20, 20, 1))
    x = keras.layers.Flatten()(keras.layers.MaxPooling2D(4)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(4, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(examples.train.images[..., None] / 255.0, examples.train.labels, epochs=20, verbose=0)
    model.save(tmp_path / "theirs.keras")
    source = load_source(str(tmp_path / "theirs.keras"))
    out = tmp_path / "b"
    card = make(source, ["float32", "static_wi8_ai8"], BOTH, examples, out, scale=(0.0, 1.0))
    assert card.output == "probabilities"
    want = model.predict(examples.judged.images[..., None] / 255.0, verbose=0)
    for artifact in card.artifacts:
        got = Recognizer.load(out / artifact.file).predict_batch(examples.judged.images)
        difference = np.abs(got - want)
        if artifact.file == "static_wi8_ai8.onnx":  # products of 8 bits saturate there on a CPU without VNNI
            assert difference.mean() < 0.05
        else:
            assert difference.max() < 0.05, artifact.file


def test_a_lossless_conversion_that_disagrees_is_refused_and_a_quantized_one_marked(bundle, examples):
    images = examples.judged.images[..., None]
    engine, card = open_engine(bundle / "float32.tflite"), read_bundle(bundle).card
    wrong = np.roll(engine.run(images), 1, axis=1)  # another model's logits
    with pytest.raises(ConversionError, match=r"agrees with the float model on \d+\.\d % of"):
        compare(parse_recipe("float32"), "float32.tflite", card, engine, images, wrong)
    assert compare(parse_recipe("static_wi8_ai8"), "x.tflite", card, engine, images, wrong).degraded
    assert not Comparison(0.98, 0.5).degraded


def test_a_refused_conversion_writes_nothing(source, examples, tmp_path, monkeypatch):
    monkeypatch.setattr("glyphlite.compress.checks.MIN_AGREEMENT", 1.01)
    with pytest.raises(ConversionError):
        make(source, ["static_wi8_ai8", "float32"], ["tflite"], examples, tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_a_converter_that_dies_is_reported_with_its_last_words(tmp_path):
    (tmp_path / "x.keras").write_bytes(b"nothing")
    with pytest.raises(ConversionError, match="exit code 1: "):
        convert(tmp_path / "x.keras", "tflite", tmp_path / "x.tflite")
    assert [path.name for path in tmp_path.iterdir()] == ["x.keras"]


def test_what_is_no_model_or_not_this_bundle_is_named(source, examples, bundle, shapes, tmp_path):
    (tmp_path / "text.keras").write_text("hello")
    with pytest.raises(ConversionError, match="no Keras model"):
        load_source(str(tmp_path / "text.keras"))
    with pytest.raises(ConversionError, match="not there"):
        load_source(str(tmp_path / "missing.keras"))
    with pytest.raises(ConversionError, match=r"no model\.keras"):
        load_source(str(tmp_path))
    with pytest.raises(ConversionError, match="is no bundle"):
        make(source, ["float32"], ["tflite"], examples, tmp_path)
    content = json.loads((bundle / "card.json").read_text())
    content["labels"] = list("abcd")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "card.json").write_text(json.dumps(content))
    with pytest.raises(ConversionError, match="another model"):
        make(source, ["float32"], ["tflite"], examples, tmp_path / "other")
    with pytest.raises(RecipeError, match="no recipe here has a form in onnx"):
        make(source, ["static_wi8_ai16"], ["onnx"], examples, tmp_path / "new")
    np.savez(tmp_path / "two.npz", images=np.zeros((4, 20, 20), np.uint8), labels=np.array([0, 1, 0, 1]))
    with pytest.raises(DatasetError, match="2 classes"):
        load_examples(source, str(tmp_path / "two.npz"))

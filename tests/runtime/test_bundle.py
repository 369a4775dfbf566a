"""Bundles: a card says what is wrong with it, and an artifact that is not what its card says is refused."""

import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glyphlite.runtime import (
    Artifact,
    ArtifactError,
    Card,
    CardError,
    Recognizer,
    Training,
    UnknownModel,
    find_bundle,
    read_bundle,
)
from glyphlite.runtime import bundle as bundles
from glyphlite.runtime.bundle import CARD_SCHEMA, parse_card, write_card
from glyphlite.runtime.files import sha256_file

TRAINING = Training("mnist", "ab" * 32, 54_000, 6_000, "edge", 1, 40, 3600, "mnist", 10_000, 42, 0.004, {"width": 1.0})
ARTIFACT = Artifact(
    "float32.tflite", "tflite", "float32", 6660, "cd" * 32, agreement=1.0, errors=42, test_images=10_000
)
CARD = Card(
    "tiny", ("a", "b", "c", "d"), (12, 8, 3), "stretch", 1.3, parameters=1152, training=TRAINING, artifacts=(ARTIFACT,)
)
CONTENT = json.loads(json.dumps({"schema": 2, **asdict(CARD)}))


@pytest.fixture
def bundle(tiny_tflite, tmp_path):
    """A bundle's folder with one artifact that is what its card says."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    path = folder / "float32.tflite"
    path.write_bytes(tiny_tflite["float32"].read_bytes())
    artifact = replace(ARTIFACT, bytes=path.stat().st_size, sha256=sha256_file(path))
    write_card(folder, replace(CARD, artifacts=(artifact,), default="float32.tflite"))
    return folder


def test_a_card_is_read_as_it_was_written(bundle):
    card = read_bundle(bundle).card
    assert card.training == TRAINING
    assert card.labels == ("a", "b", "c", "d")
    assert card == replace(CARD, artifacts=card.artifacts, default="float32.tflite")
    assert json.loads((bundle / "card.json").read_text())["schema"] == CARD_SCHEMA


def test_what_is_left_out_has_its_default():
    wanted = {"schema", "name", "labels", "input_shape", "geometry"}
    card = parse_card({key: value for key, value in CONTENT.items() if key in wanted}, "card")
    assert (card.temperature, card.value_range, card.output, card.artifacts) == (1.0, (0.0, 255.0), "logits", ())


def test_a_folder_without_a_card(tmp_path):
    with pytest.raises(CardError, match=r"no card\.json; wanted a bundle"):
        read_bundle(tmp_path)
    with pytest.raises(CardError):
        read_bundle(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "text",
    ["", "{", "null\0", '{"schema": 1,}', "<html>", "[" * 100_000, '{"schema": ' + "9" * 5000 + "}"],
    ids=str.__len__,
)
def test_a_malformed_card(tmp_path, text):
    (tmp_path / "card.json").write_text(text)
    with pytest.raises(CardError, match=r"card\.json: cannot be read"):
        read_bundle(tmp_path)


def test_a_card_that_is_no_text(tmp_path):
    (tmp_path / "card.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CardError, match="cannot be read"):
        read_bundle(tmp_path)


@pytest.mark.parametrize("content", [None, 1, [], "card", {}, {"schema": "1"}, {"schema": True}, {"schema": None}])
def test_what_is_no_card(content):
    with pytest.raises(CardError, match="no card; wanted an object with a `schema` number"):
        parse_card(content, "card")


def test_an_older_schema_is_read():
    old = {key: value for key, value in CONTENT.items() if key != "refusal"}
    assert parse_card({**old, "schema": 1}, "card").refusal is None


def test_a_refusal_is_a_probability_and_of_logits():
    refusal = {"min_confidence": 0.6, "characters": 9, "characters_refused": 0.0, "others": 9, "others_refused": 1.0}
    assert parse_card({**CONTENT, "refusal": refusal}, "card").refusal.min_confidence == 0.6
    with pytest.raises(CardError, match="min_confidence: wanted a probability"):
        parse_card({**CONTENT, "refusal": {**refusal, "min_confidence": 1.2}}, "card")
    with pytest.raises(CardError, match="wants output logits"):
        parse_card({**CONTENT, "refusal": refusal, "output": "probabilities"}, "card")


def test_errors_are_of_so_many_images():
    told = {"file": "a.tflite", "format": "tflite", "recipe": "float32", "bytes": 1, "sha256": "0" * 64, "errors": 3}
    with pytest.raises(CardError, match="artifacts: errors, but no test_images"):
        parse_card({**CONTENT, "artifacts": [told], "default": None}, "card")
    parse_card({**CONTENT, "artifacts": [{**told, "test_images": 10}], "default": None}, "card")


def test_a_newer_schema_is_refused_by_its_number():
    wanted = f"schema {CARD_SCHEMA + 1}; this glyphlite reads up to {CARD_SCHEMA}: upgrade it"
    with pytest.raises(CardError, match=wanted):
        parse_card({**CONTENT, "schema": CARD_SCHEMA + 1, "something": "new"}, "card")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("colour", "red", "unknown field 'colour'"),
        ("name", 7, "name: 7; wanted str"),
        ("labels", "abcd", "labels: 'abcd'; wanted a list"),
        ("labels", ["a", 1], "labels: 1; wanted str"),
        ("labels", ["a"], "labels: wanted at least two, all different"),
        ("labels", ["a", "a"], "labels: wanted at least two, all different"),
        ("input_shape", [28.5, 28, 1], "input_shape: 28.5; wanted int"),
        ("input_shape", [28, 28], "wanted height, width and 1 or 3 channels"),
        ("input_shape", [28, 28, 4], "wanted height, width and 1 or 3 channels"),
        ("input_shape", [0, 28, 1], "wanted height, width and 1 or 3 channels"),
        ("geometry", "squash", "geometry 'squash': wanted one of mnist, emnist, stretch, fit, crop"),
        ("geometry", "mnist", "geometry mnist wants a square of 1 channel"),
        ("temperature", 0, "temperature 0.0: wanted a positive number"),
        ("temperature", float("nan"), "temperature nan: wanted a positive number"),
        ("temperature", float("inf"), "temperature inf: wanted a positive number"),
        pytest.param("temperature", 10**400, "temperature: 10+; wanted float", id="too large for a float"),
        ("temperature", "warm", "temperature: 'warm'; wanted float"),
        ("temperature", True, "temperature: True; wanted float"),
        ("value_range", [0], "value_range .* wanted two different numbers"),
        ("value_range", [3, 3], "value_range .* wanted two different numbers"),
        ("value_range", [0, 1, 0, 1], "value_range .* wanted two different numbers, or as many of each channel"),
        ("output", "odds", "output 'odds': wanted logits or probabilities"),
        ("training", [], "training: .*; wanted an object"),
        ("training", {"dataset": "mnist"}, "training: field 'dataset_sha256' is missing"),
        ("artifacts", [{**CONTENT["artifacts"][0], "bytes": "6660"}], "artifacts: bytes: '6660'; wanted int"),
        ("artifacts", [{**CONTENT["artifacts"][0], "file": "../other/float32.tflite"}], "a file outside of the bundle"),
        ("artifacts", [{**CONTENT["artifacts"][0], "file": "/etc/passwd"}], "a file outside of the bundle"),
    ],
)
def test_a_wrong_field_is_named(field, value, message):
    with pytest.raises(CardError, match=message) as raised:
        parse_card({**CONTENT, field: value}, "models/tiny/card.json")
    assert str(raised.value).startswith("models/tiny/card.json: ")


@pytest.mark.parametrize("field", ["name", "labels", "input_shape", "geometry"])
def test_a_missing_field_is_named(field):
    with pytest.raises(CardError, match=f"field '{field}' is missing"):
        parse_card({key: value for key, value in CONTENT.items() if key != field}, "card")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.just(10**400),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*CONTENT, "file", "bytes"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(list(CONTENT)), json_values, max_size=3))
def test_whatever_a_card_holds_it_is_read_or_refused(changes):
    try:
        card = parse_card({**CONTENT, **changes}, "card")
    except CardError as error:
        assert str(error).startswith("card: ")
    else:
        assert len(card.labels) >= 2


# --- artifacts -------------------------------------------------------------------------------------------------------


def test_one_flipped_bit_is_found(bundle):
    path = bundle / "float32.tflite"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match=r"float32\.tflite: damaged: sha256 .* its card says"):
        Recognizer.load(bundle)


def test_a_wrong_length_is_found(bundle):
    path = bundle / "float32.tflite"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match=r"float32\.tflite: \d+ bytes; its card says \d+"):
        Recognizer.load(bundle)


def test_a_missing_artifact(bundle):
    (bundle / "float32.tflite").unlink()
    with pytest.raises(ArtifactError, match="missing, though the card names it"):
        Recognizer.load(bundle)


def test_an_artifact_that_the_card_does_not_name(bundle):
    with pytest.raises(ArtifactError, match=r"tiny: no artifact 'float16.tflite'; it has float32.tflite"):
        read_bundle(bundle).card.artifact("float16.tflite")
    (bundle / "mine.tflite").write_bytes((bundle / "float32.tflite").read_bytes())
    with pytest.raises(ArtifactError, match=r"no artifact 'mine\.tflite'"):
        Recognizer.load(bundle / "mine.tflite")


def test_an_artifact_of_other_classes_than_the_card_says(bundle):
    card = read_bundle(bundle).card
    write_card(bundle, replace(card, labels=("a", "b")))
    with pytest.raises(ArtifactError, match=r"takes \(12, 8, 3\) to 4 classes; its card says \(12, 8, 3\) to 2"):
        Recognizer.load(bundle)


# --- finding ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def shipped(bundle, monkeypatch):
    """A folder of shipped models with two bundles in it, and something else."""
    folder = bundle.parent / "shipped"
    for name in ("letters-edge", "digits-edge"):
        (folder / name).mkdir(parents=True)
        for path in bundle.iterdir():
            (folder / name / path.name).write_bytes(path.read_bytes())
    (folder / "samples").mkdir()
    monkeypatch.setattr(bundles, "shipped_folder", lambda: folder)
    return folder


def test_shipped_models_are_found_by_name(shipped):
    assert list(bundles.shipped_models()) == ["digits-edge", "letters-edge"]
    assert find_bundle("digits-edge").folder == shipped / "digits-edge"


def test_a_bundle_is_found_by_its_folder(bundle):
    assert find_bundle(bundle).card.name == "tiny"
    assert find_bundle(str(bundle)).card.name == "tiny"


def test_an_unknown_model_lists_the_names_that_exist_and_the_closest(shipped):
    with pytest.raises(UnknownModel, match=r"mean digits-edge\? There are: digits-edge, letters-edge; or name a"):
        find_bundle("digit-edge")
    with pytest.raises(UnknownModel, match=r"^whale: no such model\. There are: digits-edge, letters-edge"):
        find_bundle("whale")


@pytest.mark.parametrize("name", ["", "x" * 5000, "nul\0", "../../..", "x" * 5000 + ".tflite", "nul\0.onnx"])
def test_a_name_that_is_no_path_either(shipped, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((UnknownModel, CardError, ArtifactError)):
        Recognizer.load(name)

"""The API, version 1: answers, and problems as RFC 9457 has them."""

import base64
import io
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest

from glyphlite.runtime import find_bundle, shipped_models
from glyphlite.runtime.bundle import write_card
from glyphlite.webapp import create_app


def test_a_form_and_a_raw_body_get_the_same_answer(client, draw):
    form = client.post("/api/v1/predict", data={"file": (io.BytesIO(draw(7)), "seven.png")})
    raw = client.post("/api/v1/predict", data=draw(7), content_type="image/png")
    assert form.status_code == raw.status_code == 200
    assert form.json == raw.json
    assert raw.json["label"] == "7"
    box = raw.json["box"]
    assert 40 < box["x"] < 60 and 25 < box["y"] < 45 and box["height"] > box["width"] > 80


def test_the_bytes_decide_not_the_declared_type(client, draw):
    assert client.post("/api/v1/predict", data=draw(1, suffix=".jpg"), content_type="image/heic").json["label"] == "1"


def test_bad_images_are_problems(client, bad_image):
    data, _, status, kind, words = bad_image
    answer = client.post("/api/v1/predict", data=data, content_type="image/png")
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert answer.json["type"] == f"/problems/{kind}" and answer.json["status"] == status
    assert answer.json["title"] and words in answer.json["detail"]


@pytest.mark.parametrize("content_type", ["application/xml", "text/plain", None])
def test_another_content_type_is_refused(client, content_type):
    answer = client.post("/api/v1/predict", data=b"{}", content_type=content_type)
    assert answer.status_code == 415
    assert answer.json["type"] == "/problems/unsupported-media-type" and "image/*" in answer.json["detail"]


def test_a_form_without_the_field(client):
    answer = client.post("/api/v1/predict", data={"image": (io.BytesIO(b"x"), "a.png")})
    assert answer.status_code == 400 and answer.json["type"] == "/problems/bad-request"


def test_a_raw_body_over_the_limit(client):
    answer = client.post("/api/v1/predict", data=bytes(9 * 2**20), content_type="image/png")
    assert answer.status_code == 413 and answer.json["type"] == "/problems/body-too-large"


def number(draw_of, digits=(7, 1, 0)):
    """A PNG's bytes: digits side by side."""
    pictures = [cv2.imdecode(np.frombuffer(draw_of(digit), np.uint8), cv2.IMREAD_GRAYSCALE) for digit in digits]
    return cv2.imencode(".png", np.concatenate(pictures, 1))[1].tobytes()


def test_a_number_is_read_with_its_characters_boxes(client, draw):
    answer = client.post("/api/v1/read", data=number(draw), content_type="image/png")
    assert answer.status_code == 200 and answer.json["text"] == "710"
    (line,) = answer.json["lines"]
    assert line["text"] == "710" and 0.5 < line["probability"] <= 1 and line["alternatives"] == []
    assert [one["label"] for one in line["characters"]] == list("710")
    lefts = [one["box"]["x"] for one in line["characters"]]
    assert lefts == sorted(lefts) and 200 < lefts[1] < 400
    form = client.post("/api/v1/read", data={"file": (io.BytesIO(number(draw)), "n.png")})
    assert form.json == answer.json


def test_what_is_expected_and_alternatives(client, draw):
    ask = {"data": number(draw), "content_type": "image/png"}
    answer = client.post("/api/v1/read?expect=7\\d0&alternatives=2", **ask).json
    assert answer["text"] == "710" and len(answer["lines"][0]["alternatives"]) == 2
    nothing = client.post("/api/v1/read?expect=\\d{9}", **ask)
    assert nothing.status_code == 422 and "nothing that was expected" in nothing.json["detail"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("expect=(", "a '(' is not closed"),
        ("expect=" + "(" * 99, "more than 20 groups in one another"),
        ("expect=" + "1" * 101, "expect of 101 characters; wanted at most 100"),
        ("alternatives=-1", "wanted 0 to 20"),
        ("alternatives=many", "wanted 0 to 20"),
        ("alternatives=00000000050", "wanted 0 to 20"),
        ("alternatives=" + "0" * 5000, "wanted 0 to 20"),
        ("separators=yes", "separators=yes; wanted 0 or 1"),
        ("expected=7", "expected: no such query parameter; wanted expect, separators, any_rotation, alternatives"),
    ],
)
def test_queries_that_cannot_be_understood(client, draw, query, words):
    answer = client.post(f"/api/v1/read?{query}", data=number(draw), content_type="image/png")
    assert answer.status_code == 400 and answer.mimetype == "application/problem+json"
    assert words in answer.json["detail"]


def test_a_batch_answers_each_file_in_order(client, draw, bad_image):
    files = [(io.BytesIO(draw(7)), "a.png"), (io.BytesIO(bad_image[0]), "b.png"), (io.BytesIO(draw(1)), "c.png")]
    answer = client.post("/api/v1/batch", data={"file": files})
    assert answer.status_code == 200
    first, second, third = answer.json["results"]
    assert (first["file"], first["answer"]["label"]) == ("a.png", "7")
    assert second["problem"]["status"] == bad_image[2] and second["problem"]["type"] == f"/problems/{bad_image[3]}"
    assert third["answer"]["label"] == "1" and "problem" not in third


def test_a_batch_of_none_and_of_too_many(client, draw):
    assert (
        client.post("/api/v1/batch", data={}).json["detail"] == "0 named files in the form field `file`; wanted 1 to 64"
    )
    many = [(io.BytesIO(b"x"), f"{n}.png") for n in range(65)]
    assert client.post("/api/v1/batch", data={"file": many}).status_code == 400


def test_the_pixels_of_a_batch_are_counted_before_they_are_decoded(client, draw, png_header):
    def ask(*pictures):
        files = [(io.BytesIO(data), f"{n}.png") for n, data in enumerate(pictures)]
        return client.post("/api/v1/batch", data={"file": files})

    large, too_large = png_header(7000, 7000), png_header(30_000, 30_000)
    answer = ask(draw(7), large, large, large)
    assert (answer.status_code, answer.json["type"]) == (413, "/problems/image-too-large")
    assert answer.json["detail"] == "4 images of 147,040,000 pixels together; wanted at most 100 million in a request"
    text = base64.b64encode(large).decode()
    assert client.post("/api/v1/batch", json={"images": [text] * 3}).status_code == 413
    alone, kept = ask(too_large, draw(7)).json["results"]  # what is refused by itself costs the others nothing
    assert alone["problem"]["status"] == 413 and kept["answer"]["label"] == "7"


def test_a_query_is_refused_where_none_is_taken(client):
    assert client.get("/api/v1/models?model=x").json["detail"] == "model: no such query parameter; wanted none"


def test_models_are_described(app, client):
    answer = client.get("/api/v1/models").json
    card = app.extensions["glyphlite"].recognizer.card
    assert answer["loaded"]["name"] == card.name and answer["loaded"]["labels"] == list(card.labels)
    assert answer["loaded"]["artifact"]["bytes"] > 0 and answer["loaded"]["engine"]
    assert [model["name"] for model in answer["shipped"]] == list(shipped_models())


def test_an_artifact_served_by_its_file_is_the_one_described(model):
    bundle = find_bundle(model)
    artifact = bundle.card.artifacts[-1]
    answer = create_app({"MODEL": bundle.path(artifact)}).test_client().get("/api/v1/models").json
    assert answer["loaded"]["artifact"]["file"] == artifact.file


# --- JSON and glyphs --------------------------------------------------------------------------------------------------


def test_json_with_base64_is_answered_as_the_form_is(client, draw):
    raw = client.post("/api/v1/predict", data=draw(7), content_type="image/png").json
    text = base64.b64encode(draw(7)).decode()
    assert client.post("/api/v1/predict", json={"image": text}).json == raw
    assert client.post("/api/v1/predict", json={"image": f"data:image/png;base64,{text}"}).json == raw
    assert client.post("/api/v1/read", json={"image": text}).json["text"] == "7"
    batch = client.post("/api/v1/batch", json={"images": [text, ""]}).json["results"]
    assert batch[0] == {"answer": raw} and batch[1]["problem"]["type"] == "/problems/unreadable-image"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "no JSON"),
        ('{"image": NaN}', "NaN is no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "wanted a JSON object with `image` alone"),
        ("{}", "wanted a JSON object with `image` alone"),
        ('{"image": "", "more": 1}', "the keys image, more"),
        ('{"image": 7}', "image 7; wanted text in base64"),
        ('{"image": "%%%"}', "no base64"),
        ('{"image": "é"}', "no base64"),
        (b"\xff\xfe", "no JSON"),
    ],
)
def test_json_that_is_not_what_was_wanted(client, content, words):
    answer = client.post("/api/v1/predict", data=content, content_type="application/json")
    assert (answer.status_code, answer.json["type"]) == (400, "/problems/bad-request")
    assert words in answer.json["detail"]


@pytest.mark.parametrize("images", [[], "x", ["x"] * 65, None])
def test_a_json_batch_has_a_list_of_images(client, images):
    answer = client.post("/api/v1/batch", json={"images": images})
    assert answer.status_code == 400 and "wanted a list of 1 to 64 texts" in answer.json["detail"]


@pytest.fixture
def glyphs(app, draw):
    """(3, 28, 28) uint8: a 7, a 1 and a 0 as the network sees them."""
    recognizer = app.extensions["glyphlite"].recognizer
    return np.stack([recognizer.predict(draw(digit)).glyph for digit in (7, 1, 0)])


def npz(compress=True, **arrays):
    stream = io.BytesIO()
    (np.savez_compressed if compress else np.savez)(stream, **arrays)
    return stream.getvalue()


@pytest.mark.parametrize("form", ["raw", "npz", "npz of four axes", "npz as zip"])
def test_glyphs_in_one_body(app, client, glyphs, form):
    data, kind = glyphs.tobytes(), "application/octet-stream"
    if form != "raw":
        data = npz(images=glyphs[..., None] if "four" in form else glyphs, labels=[7, 1, 0])
        kind = "application/zip" if "zip" in form else "application/octet-stream"
    answers = client.post("/api/v1/batch?glyph=1", data=data, content_type=kind).json["results"]
    assert [one["answer"]["label"] for one in answers] == ["7", "1", "0"]
    shares = app.extensions["glyphlite"].recognizer.predict_batch(glyphs)
    assert [one["answer"]["confidence"] for one in answers] == pytest.approx(shares.max(1).tolist(), abs=1e-6)
    assert answers[0]["answer"]["box"] is None and len(answers[0]["answer"]["top"]) == 5
    png = np.frombuffer(base64.b64decode(answers[1]["answer"]["glyph"]), np.uint8)
    np.testing.assert_array_equal(cv2.imdecode(png, cv2.IMREAD_UNCHANGED), glyphs[1])


BOMB = npz(images=np.zeros((20_000, 28, 28), np.uint8))  # 15.7 MB in 16 kB


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "0 bytes; wanted an .npz, or glyphs of 784 bytes each"),
        (bytes(785), "785 bytes"),
        (bytes(784 * 5000), "5000 glyphs; wanted 1 to 4096"),
        (npz(images=np.zeros((0, 28, 28), np.uint8)), "0 glyphs; wanted 1 to 4096"),
        (npz(images=np.zeros((2, 28, 28), np.float32)), "float32 (2, 28, 28)"),
        (npz(images=np.zeros((2, 28, 27), np.uint8)), "(2, 28, 27)"),
        (npz(images=np.asfortranarray(np.zeros((2, 28, 28), np.uint8))), "in columns"),
        (npz(images=np.array([{}], object)), "object (1,)"),
        (npz(pictures=np.zeros(3)), "an .npz with pictures.npy; wanted an .npz with `images`"),
        (npz(images=np.zeros((2, 28, 28), np.uint8))[:-30], "a damaged .npz"),
        (BOMB, "bytes; wanted at most 4096 glyphs"),
    ],
)
def test_glyphs_that_are_none(client, data, words):
    answer = client.post("/api/v1/batch", data=data, content_type="application/octet-stream")
    assert (answer.status_code, answer.json["type"]) == (400, "/problems/bad-request")
    assert words in answer.json["detail"]


@pytest.mark.parametrize("path", ["predict", "read", "batch"])
def test_another_model_than_the_loaded_one(app, client, draw, path):
    loaded = app.extensions["glyphlite"]
    name = (loaded.reader if path == "read" else loaded.recognizer).card.name
    ask = {"data": {"file": (io.BytesIO(draw(7)), "seven.png")}}
    answer = client.post(f"/api/v1/{path}?model=digits-huge", **ask)
    assert (answer.status_code, answer.json["type"]) == (404, "/problems/unknown-model")
    assert f"wanted {name}" in answer.json["detail"]
    ask = {"data": {"file": (io.BytesIO(draw(7)), "seven.png")}}
    assert client.post(f"/api/v1/{path}?model={name}", **ask).status_code == 200


@pytest.mark.parametrize("path", ["predict", "read", "batch"])
@pytest.mark.parametrize("content_type", ["text/plain", "application/xml"])
def test_a_content_type_that_no_route_takes(client, path, content_type):
    answer = client.post(f"/api/v1/{path}", data=b"x", content_type=content_type)
    assert answer.status_code == 415 and "application/json" in answer.json["detail"]


def test_a_model_of_whole_images_reads_no_lines(tmp_path, draw):
    bundle = find_bundle("digits-edge")
    artifact = bundle.card.artifact()
    shutil.copy(bundle.path(artifact), tmp_path)
    write_card(tmp_path, replace(bundle.card, geometry="stretch", artifacts=(artifact,)))
    client = create_app({"MODEL": tmp_path}).test_client()
    answer = client.post("/api/v1/read", data=draw(7), content_type="image/png")
    assert answer.status_code == 404 and "no reader of lines is loaded" in answer.json["detail"]


def test_a_reader_of_its_own_reads(model, draw):
    client = create_app({"MODEL": model, "READER": "digits-line"}).test_client()
    answer = client.post("/api/v1/read", data=number(draw), content_type="image/png")
    assert answer.json["model"] == "digits-line" and answer.json["text"].startswith("7")

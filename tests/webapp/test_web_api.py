"""The API, version 1: answers, and problems as RFC 9457 has them."""

import io

import cv2
import numpy as np
import pytest

from glyphlite.runtime import find_bundle, shipped_models
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
        ("alternatives=-1", "wanted 0 to 20"),
        ("alternatives=many", "wanted 0 to 20"),
        ("separators=yes", "separators=yes; wanted 0 or 1"),
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

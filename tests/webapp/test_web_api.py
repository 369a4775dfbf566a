"""The API, version 1: answers, and problems as RFC 9457 has them."""

import io

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


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", None])
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

"""`POST /predict`: the replaced app's contract."""

import base64
import io

import cv2
import numpy as np
import pytest


def post(client, data, name="photo.png", url="/predict"):
    return client.post(url, data={"file": (io.BytesIO(data), name)})


@pytest.mark.parametrize("digit", [0, 1, 7])
def test_a_clear_digit_is_an_integer(client, draw, digit):
    answer = post(client, draw(digit))
    assert answer.status_code == 200
    assert answer.json["prediction"] == digit and type(answer.json["prediction"]) is int
    assert answer.json["top"][0] == {"label": str(digit), "confidence": answer.json["confidence"]}
    shares = [choice["confidence"] for choice in answer.json["top"]]
    assert shares == sorted(shares, reverse=True) and 0 < sum(shares) <= 1.0001
    assert "glyph" not in answer.json


def test_the_glyph_comes_when_asked_for(app, client, draw):
    answer = post(client, draw(7), url="/predict?glyph=1").json
    glyph = cv2.imdecode(np.frombuffer(base64.b64decode(answer["glyph"]), np.uint8), cv2.IMREAD_UNCHANGED)
    expected = app.extensions["glyphlite"].recognizer.predict(draw(7)).glyph
    np.testing.assert_array_equal(glyph, expected)


def test_bad_images_say_what_was_wanted(client, bad_image):
    data, status, _, _, words = bad_image
    answer = post(client, data)
    assert (answer.status_code, list(answer.json)) == (status, ["error"])
    assert words in answer.json["error"]


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"data": {"image": (io.BytesIO(b"x"), "a.png")}},
        {"data": {"file": "a field that is no file"}, "content_type": "multipart/form-data"},
        {"data": b"\x89PNG", "content_type": "image/png"},
        {"data": b"--x\r\ngarbage", "content_type": "multipart/form-data; boundary=x"},
    ],
    ids=["nothing", "another field", "a text field", "a raw body", "a broken form"],
)
def test_a_missing_field_is_named(client, request_):
    answer = client.post("/predict", **request_)
    assert answer.status_code == 400 and "`file`" in answer.json["error"]


def test_what_curl_sends_by_itself_is_named(client, draw):
    """`curl --data-binary @seven.png`."""
    kind = "application/x-www-form-urlencoded"
    for path, status in (("/predict", 400), ("/api/v1/predict", 415)):
        answer = client.post(path, data=draw(7), content_type=kind)
        seen = f"a body of type {kind}, as curl calls all that it is not told the type of; wanted multipart/form-data"
        assert answer.status_code == status and seen in answer.text


def test_an_empty_file_name_is_no_choice(client, multipart):
    body, content_type = multipart(b"", name="")
    answer = client.post("/predict", data=body, content_type=content_type)
    assert answer.status_code == 400 and "none was chosen" in answer.json["error"]


def test_a_damaged_form_is_no_missing_file(client, draw, multipart):
    body, content_type = multipart(draw(7), name="für.png")
    for damaged, words in ((body[:-20], "cut short"), (body.replace("ü".encode(), b"\xfc"), "no UTF-8")):
        for path in ("/predict", "/api/v1/batch"):
            answer = client.post(path, data=damaged, content_type=content_type)
            assert answer.status_code == 400 and words in answer.text
    assert client.post("/predict", data=body, content_type=content_type).json["prediction"] == 7


def test_a_body_over_the_limit(client):
    answer = post(client, bytes(9 * 2**20))
    assert answer.status_code == 413 and "8 MiB" in answer.json["error"]


def test_a_form_of_ten_thousand_parts(client):
    part = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    answer = client.post("/predict", data=part * 10_000 + b"--x--\r\n", content_type="multipart/form-data; boundary=x")
    assert answer.status_code == 413 and "fields" in answer.json["error"]

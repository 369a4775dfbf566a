"""The page: works as a plain form, shows what the network saw, and needs nothing from elsewhere."""

import io
import re

import cv2
import numpy as np


def post(client, data):
    return client.post("/", data={"file": (io.BytesIO(data), "photo.png")})


def test_the_form_takes_a_photo_or_a_file(client):
    text = client.get("/").text
    assert 'method="post"' in text and 'enctype="multipart/form-data"' in text
    assert 'accept="image/*"' in text and 'capture="environment"' in text
    assert 'name="viewport"' in text


def test_nothing_comes_from_elsewhere(client, draw):
    for text in (client.get("/").text, post(client, draw(7)).text):
        links = re.findall(r'(?:src|href|action)="([^"]*)"', text)
        assert links and all(link.startswith("/") for link in links)
        assert "style=" not in text and "onclick" not in text and not re.search(r"<script(?![^>]*src=)", text)
        for link in links:
            assert client.get(link).status_code == 200


def test_the_answer_the_bars_and_the_glyph(client, draw):
    answer = post(client, draw(7))
    assert answer.status_code == 200
    assert '<p class="label">7</p>' in answer.text and "% sure" in answer.text
    assert answer.text.count('class="bar"') == 5
    lit = re.findall(r'<rect x="(\d+)" y="(\d+)" width="1" height="1" fill="#[0-9a-f]{6}"/>', answer.text)
    assert 30 < len(lit) < 28 * 28 / 2 and all(int(x) < 28 and int(y) < 28 for x, y in lit)


def test_an_input_left_empty_beside_the_chosen_one(client, draw):
    files = [(io.BytesIO(b""), ""), (io.BytesIO(draw(1)), "one.png")]
    assert '<p class="label">1</p>' in client.post("/", data={"file": files}).text


def test_what_was_wrong_is_said_on_the_page(client, bad_image):
    data, _, status, _, words = bad_image
    answer = post(client, data)
    assert (answer.status_code, answer.mimetype) == (status, "text/html")
    assert words in answer.text and 'class="complaint"' in answer.text and "<form" in answer.text


def test_nothing_chosen_and_too_much_chosen(client):
    assert client.post("/").status_code == 400
    answer = post(client, bytes(9 * 2**20))
    assert answer.status_code == 413 and "8 MiB" in answer.text and "<form" in answer.text


def test_a_number_is_read_where_there_is_more_than_one_character(client, draw):
    pictures = [cv2.imdecode(np.frombuffer(draw(digit), np.uint8), cv2.IMREAD_GRAYSCALE) for digit in (7, 1, 0)]
    answer = post(client, cv2.imencode(".png", np.concatenate(pictures, 1))[1].tobytes())
    assert answer.status_code == 200 and "<title>710 – glyphlite</title>" in answer.text
    assert '<p class="label number">710</p>' in answer.text and answer.text.count('class="bar"') == 3

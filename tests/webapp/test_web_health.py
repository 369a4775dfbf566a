"""Health, readiness and metrics."""

import io

import cv2
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from glyphlite.runtime import EngineError, read_bundle, shipped_models
from glyphlite.train.scribbles import scribbles
from glyphlite.train.strokes import digit_glyphs
from glyphlite.webapp import create_app
from glyphlite.webapp.drift import WINDOW, Drift


@pytest.fixture
def fresh(model):
    """An app whose counters nobody else moves."""
    return create_app({"MODEL": model})


def samples(client):
    text = client.get("/metrics").text
    families = text_string_to_metric_families(text)
    return {(s.name, *sorted(s.labels.values())): s.value for family in families for s in family.samples}


def test_healthy_and_ready(client):
    assert client.get("/healthz").json == {"status": "ok"}
    assert client.get("/readyz").json["status"] == "ok"


def test_not_ready_where_the_model_fails(fresh, monkeypatch):
    def fail(*_, **__):
        raise EngineError("/somewhere/model.tflite: computed NaN")

    monkeypatch.setattr(fresh.extensions["glyphlite"].recognizer, "predict", fail)
    answer = fresh.test_client().get("/readyz")
    assert answer.status_code == 503 and answer.json["status"] == "failed" and "somewhere" not in answer.text
    assert fresh.test_client().get("/healthz").status_code == 200


def test_metrics_count_requests_refusals_and_name_the_model(fresh, draw, bad_image):
    client = fresh.test_client()
    client.post("/predict", data={"file": (io.BytesIO(draw(7)), "seven.png")})
    data, status, _, kind, _ = bad_image
    client.post("/predict", data={"file": (io.BytesIO(data), "bad.png")})
    client.get("/a/path/of/the/client's/own")
    found = samples(client)
    assert found["glyphlite_requests_total", "/predict", "200"] == 1
    assert found["glyphlite_requests_total", "/predict", str(status)] == 1
    assert found["glyphlite_requests_total", "404", "unmatched"] == 1
    assert found["glyphlite_request_seconds_count", "/predict"] == 2
    assert found["glyphlite_refusals_total",] == (1 if kind == "no-character" else 0)
    card = fresh.extensions["glyphlite"].recognizer.card
    assert any(key[0] == "glyphlite_model_info" and card.name in key for key in found)


def test_drift_is_what_the_last_answers_were_beside_the_card(fresh, draw):
    client, card = fresh.test_client(), fresh.extensions["glyphlite"].recognizer.card
    assert samples(client)["glyphlite_window_answers", card.name] == 0
    blank = np.full((200, 200), 240, np.uint8)
    for data in (draw(7), draw(7), draw(1), cv2.imencode(".png", blank)[1].tobytes()):
        client.post("/api/v1/predict", data=data, content_type="image/png")
    found = samples(client)
    assert found["glyphlite_window_answers", card.name] == 4
    assert found["glyphlite_window_refusal_rate", card.name] == 0.25
    assert 0.5 < found["glyphlite_window_confidence", card.name] <= 1
    shares = [found["glyphlite_window_class_share", *sorted((card.name, label))] for label in card.labels]
    assert sum(shares) == pytest.approx(1) and shares[card.labels.index("7")] == pytest.approx(2 / 3)
    assert found["glyphlite_card_accuracy", card.name] == pytest.approx(0.9951, abs=0.01)
    client.post("/api/v1/read", data=draw(1), content_type="image/png")  # what is read counts for who reads
    reader = fresh.extensions["glyphlite"].reader.card
    assert samples(client)["glyphlite_window_answers", reader.name] == 1


def test_several_characters_that_the_page_reads_are_no_refusal(fresh, draw):
    client = fresh.test_client()
    before = samples(client)["glyphlite_refusals_total",]
    both = np.concatenate([cv2.imdecode(np.frombuffer(draw(d), np.uint8), cv2.IMREAD_GRAYSCALE) for d in (7, 1)], 1)
    answer = client.post("/look", data=cv2.imencode(".png", both)[1].tobytes(), content_type="image/png")
    assert answer.status_code == 200 and answer.json["text"] == "71"
    assert samples(client)["glyphlite_refusals_total",] == before


def number(text, gap):
    """A PNG of digits drawn with a pen, so many pixels apart."""
    drawn = digit_glyphs(400, np.random.default_rng(8))
    parts = []
    for one in text:
        glyph = drawn[0][list(drawn[1]).index(int(one))]
        columns = np.flatnonzero(glyph.max(0))
        parts += [glyph[:, columns[0] : columns[-1] + 1], np.zeros((28, gap), np.uint8)]
    ink = cv2.resize(np.pad(np.concatenate(parts, 1), 12), None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    return cv2.imencode(".png", 255 - ink)[1].tobytes()


@pytest.mark.parametrize("text", ["27", "305", "86420"])
def test_digits_that_stand_close_are_read_by_the_page(fresh, text):
    """They are one piece of writing to `predict`, and no character."""
    client = fresh.test_client()
    refused = client.post("/api/v1/predict", data=number(text, 3), content_type="image/png")
    assert refused.status_code == 422 and "`read`" in refused.json["detail"]
    before = samples(client)["glyphlite_refusals_total",]
    answer = client.post("/look", data=number(text, 3), content_type="image/png")
    assert answer.status_code == 200 and answer.json["text"] == text
    assert samples(client)["glyphlite_refusals_total",] == before


def test_what_is_refused_as_one_character_is_not_answered_as_one(fresh):
    """And what the page is told is what is counted."""
    client, given = fresh.test_client(), {"answers": 0, "refusals": 0}
    for star in scribbles(8, np.random.default_rng(3), ["star"]):
        page = cv2.copyMakeBorder(255 - star, 30, 30, 30, 30, cv2.BORDER_CONSTANT, value=255)
        answer = client.post("/look", data=cv2.imencode(".png", page)[1].tobytes(), content_type="image/png")
        assert len(answer.json["text"]) > 1 if answer.status_code == 200 else "`read`" not in answer.json["detail"]
        given["answers"] += len(answer.json["text"]) if answer.status_code == 200 else 1
        given["refusals"] += answer.status_code == 422
    found = samples(client)
    assert given["refusals"] and found["glyphlite_refusals_total",] == given["refusals"]
    assert sum(v for key, v in found.items() if key[0] == "glyphlite_window_answers") == given["answers"]


def test_the_window_slides():
    card = read_bundle(shipped_models()["digits-edge"]).card
    drift = Drift(card, card.artifact())
    for _ in range(WINDOW):
        drift.add("1", 0.9)
    for _ in range(WINDOW // 2):
        drift.add(None, 0.1)
    values = {name: value for name, _, labels, value in drift.gauges() if "label" not in labels}
    assert values["glyphlite_window_answers"] == WINDOW and values["glyphlite_window_refusal_rate"] == 0.5


def test_requests_in_flight(fresh):
    assert samples(fresh.test_client())["glyphlite_in_flight",] == 1  # the one that asks
    fresh.test_client().get("/nothing")
    assert samples(fresh.test_client())["glyphlite_in_flight",] == 1

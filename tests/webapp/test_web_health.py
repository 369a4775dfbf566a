"""Health, readiness and metrics."""

import io

import pytest
from prometheus_client.parser import text_string_to_metric_families

from glyphlite.runtime import EngineError
from glyphlite.webapp import create_app


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

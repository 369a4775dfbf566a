"""The factory: what it takes, what every answer carries, and what a defect looks like from outside."""

import io
import logging

import pytest

import glyphlite.webapp
from glyphlite.runtime import UnknownModel
from glyphlite.webapp import create_app


def test_exported_names():
    assert glyphlite.webapp.__all__ == ["create_app"]


def test_unknown_model_is_named():
    with pytest.raises(UnknownModel, match="no-such-model"):
        create_app({"MODEL": "no-such-model"})


def test_two_apps_in_one_process_count_apart(app, model):
    other = create_app({"MODEL": model}).test_client()
    other.get("/healthz")
    assert 'glyphlite_requests_total{route="/healthz",status="200"} 1.0' in other.get("/metrics").text


@pytest.mark.parametrize("path", ["/", "/healthz", "/api/v1/nothing", "/static/app.js", "/predict"])
def test_security_headers_on_every_answer(client, path):
    headers = client.get(path).headers
    policy = headers["Content-Security-Policy"].replace("script-src 'self' 'wasm-unsafe-eval'", "")  # of the page only
    assert "default-src 'self'" in policy and "unsafe" not in policy and "http" not in policy and "data:" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/api/v1/nothing", 404), ("PUT", "/api/v1/predict", 405)]
)
def test_api_errors_of_routing_are_problems(client, method, path, status):
    answer = client.open(path, method=method)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert answer.json["status"] == status
    assert status != 405 or "POST" in answer.headers["Allow"]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("GET", "/predict", 405)])
def test_other_errors_of_routing_are_json_too(client, method, path, status):
    answer = client.open(path, method=method)
    assert (answer.status_code, list(answer.json)) == (status, ["error"])


@pytest.mark.parametrize(("path", "type_"), [("/predict", "application/json"), ("/", "text/html"),
                                             ("/api/v1/predict", "application/problem+json")])  # fmt: skip
def test_a_defect_answers_500_and_tells_only_the_log(model, draw, monkeypatch, caplog, path, type_):
    app = create_app({"MODEL": model})
    recognizer = app.extensions["glyphlite"].recognizer
    monkeypatch.setattr(recognizer, "predict", lambda *_, **__: 1 / 0)
    with caplog.at_level(logging.ERROR):
        answer = app.test_client().post(path, data={"file": (io.BytesIO(draw(1)), "one.png")})
    assert (answer.status_code, answer.mimetype) == (500, type_)
    assert "ZeroDivision" not in answer.text and "Traceback" not in answer.text
    assert "ZeroDivisionError" in caplog.text and path in caplog.text

"""Request ids and the log."""

import io
import json
import logging

import pytest

from glyphlite.webapp.logs import _Format, _Json


@pytest.fixture(params=[_Json, _Format])
def written(request):
    """The lines of a log in each format."""
    stream, logger = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(request.param())
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.INFO)
    yield lambda: stream.getvalue().splitlines()
    logger.setLevel(level)
    logger.removeHandler(handler)


@pytest.mark.parametrize("path", ["/", "/predict", "/api/v1/predict", "/healthz", "/static/style.css", "/nothing"])
def test_an_id_in_every_answer_and_its_line(client, written, path):
    first, again = (client.post(path) if "predict" in path else client.get(path) for _ in range(2))
    names = [answer.headers["X-Request-Id"] for answer in (first, again)]
    assert names[0] != names[1]
    assert [name in line and path in line for name, line in zip(names, written(), strict=True)] == [True, True]


def test_a_clients_id_is_kept_where_it_is_one(client):
    assert client.get("/healthz", headers={"X-Request-Id": "trace-7.b"}).headers["X-Request-Id"] == "trace-7.b"
    for forged in ("a b", "x" * 65, "", 'a"'):
        assert client.get("/healthz", headers={"X-Request-Id": forged}).headers["X-Request-Id"] != forged


def test_no_image_and_no_query_in_the_log(client, draw, written):
    client.post("/api/v1/read?expect=secret", data=draw(7), content_type="image/png")
    client.post("/api/v1/predict", json={"image": "c2VjcmV0"})
    text = "\n".join(written())
    assert (
        len(written()) == 2
        and "/api/v1/predict" in text
        and "secret" not in text
        and "c2VjcmV0" not in text
        and "PNG" not in text
    )


def test_a_path_cannot_forge_a_line(client, written):
    client.get("/a%0aforged%20line")
    assert len(written()) == 1


def test_a_json_line_can_be_read_by_programs(client, app):
    stream, logger = io.StringIO(), logging.getLogger("glyphlite.requests")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Json())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        client.get("/healthz")
        try:
            raise ValueError("why")
        except ValueError:
            logger.exception("failed")
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert (first["method"], first["path"], first["status"], first["client"]) == ("GET", "/healthz", 200, "127.0.0.1")
    assert first["ms"] >= 0 and first["time"].endswith("Z")
    assert second["level"] == "error" and "ValueError: why" in second["exception"]

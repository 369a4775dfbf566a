"""The OpenAPI document is true to the code: its routes, methods, statuses, media types and schemas."""

import io
import re

import pytest

from glyphlite.webapp.api import QUERIES

KINDS = {"string": str, "integer": int, "number": (int, float), "array": list, "object": dict, "null": type(None)}

OF_THE_PAGE = (
    "static",
    "looking",
    "offline",
    "corrections",
)  # what its script asks for: no API, and may change with it


@pytest.fixture(scope="module")
def document(app):
    return app.test_client().get("/openapi.json").json


def check(schema, value, document):
    """Assert that a value is of a schema, as far as this document uses JSON Schema."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:  # of what may be null
        check(schema["anyOf"][value is None], value, document)
        return
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    assert isinstance(value, tuple(k for kind in kinds for k in _flat(KINDS[kind]))), (schema, value)
    assert "enum" not in schema or value in schema["enum"], (schema, value)
    if isinstance(value, dict) and "properties" in schema:
        assert set(schema["required"]) <= set(value) <= set(schema["properties"]), (schema, value)
        for name, inner in value.items():
            check(schema["properties"][name], inner, document)
    if isinstance(value, list) and "items" in schema:
        for inner in value:
            check(schema["items"], inner, document)
    if isinstance(value, (int, float)):
        assert schema.get("minimum", value) <= value <= schema.get("maximum", value), (schema, value)


def _flat(kind):
    return kind if isinstance(kind, tuple) else (kind,)


def test_paths_and_methods_are_the_apps(app, document):
    assert document["openapi"].startswith("3.1")
    routes = {
        (re.sub("<([^>]+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.endpoint.partition(".")[0] not in OF_THE_PAGE
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert routes == {(path, method) for path, item in document["paths"].items() for method in item}


def test_references_lead_somewhere(document):
    for name in re.findall(r"#/components/schemas/(\w+)", str(document)):
        assert name in document["components"]["schemas"]


def test_the_query_parameters_are_those_that_are_taken(document):
    told = {
        operation["operationId"].removesuffix("V1"): {one["name"] for one in operation.get("parameters", ())}
        for path, item in document["paths"].items()
        for operation in item.values()
        if path.startswith("/api/")
    }
    taken = {name.partition("_")[2]: set(names) for name, names in QUERIES.items()}
    assert taken == {name.replace("getModels", "models"): names for name, names in told.items()}


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/openapi.json", "/api/v1/models", "/"])
def test_answers_to_get(client, document, path):
    answer = client.get(path)
    content = document["paths"][path]["get"]["responses"][str(answer.status_code)]["content"]
    assert list(content) == [answer.mimetype]
    if answer.is_json:
        check(content[answer.mimetype]["schema"], answer.json, document)


@pytest.mark.parametrize(
    "path", ["/predict?glyph=1", "/api/v1/predict?glyph=1", "/api/v1/read", "/api/v1/batch?glyph=1", "/"]
)
def test_answers_to_post(client, document, draw, bad_image, path):
    for data in (draw(7), bad_image[0], bytes(9 * 2**20)):
        answer = client.post(path, data={"file": (io.BytesIO(data), "photo")})
        content = document["paths"][path.partition("?")[0]]["post"]["responses"][str(answer.status_code)]["content"]
        assert list(content) == [answer.mimetype]
        if answer.mimetype != "text/html":
            check(content[answer.mimetype]["schema"], answer.json, document)

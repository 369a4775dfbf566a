"""`GET /openapi.json`: what the routes beside this file take and answer (OpenAPI 3.1)."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from flask import Blueprint

from .api import MAX_ALTERNATIVES, MAX_BATCH
from .problems import PROBLEM_JSON, TITLES
from .uploads import BODY_LIMIT, FIELD

openapi = Blueprint("openapi", __name__)

JSON = "application/json"
TEXT = {"type": "string"}
COUNT = {"type": "integer", "minimum": 0}
SHARE = {"type": "number", "minimum": 0, "maximum": 1}
PNG = {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required)}


def _list(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _maybe(kind: str) -> dict[str, Any]:
    return {"type": [kind, "null"]}


def _answer(description: str, media_type: str, schema: Any) -> dict[str, Any]:
    return {"description": description, "content": {media_type: {"schema": schema}}}


def _problem(description: str) -> dict[str, Any]:
    return _answer(description, PROBLEM_JSON, _ref("Problem"))


def _switch(name: str, description: str) -> dict[str, Any]:
    schema = {"type": "string", "enum": ["0", "1"], "default": "0"}
    return {"name": name, "in": "query", "description": description, "schema": schema}


FORM = {"multipart/form-data": {"schema": _object({FIELD: {"type": "string", "contentMediaType": "image/*"}})}}
FILES = {
    "multipart/form-data": {
        "schema": _object({FIELD: {**_list({"type": "string", "contentMediaType": "image/*"}), "maxItems": MAX_BATCH}})
    }
}
IMAGE: dict[str, Any] = {"image/*": {}, "application/octet-stream": {}}
GLYPH = _switch("glyph", "1: the answer holds the glyph that the network saw.")


READ_OPTIONS = [
    {
        "name": "expect",
        "in": "query",
        "description": "What each line says: a pattern like \\d{4}, [0-3]?\\d/\\d+, (?luhn)\\d{16}.",
        "schema": TEXT,
    },
    _switch("separators", "1: points, commas, dashes and colons are kept."),
    _switch("any_rotation", "1: quarter turns are tried, and the surest is answered."),
    {
        "name": "alternatives",
        "in": "query",
        "description": "How many other texts each line gets.",
        "schema": {"type": "integer", "minimum": 0, "maximum": MAX_ALTERNATIVES, "default": 0},
    },
]
BOX = _object({"x": COUNT, "y": COUNT, "width": COUNT, "height": COUNT})

SCHEMAS = {
    "Choice": _object({"label": TEXT, "confidence": SHARE}),
    "Prediction": _object(
        {"prediction": {"type": ["integer", "string"]}, "confidence": SHARE, "top": _list(_ref("Choice"))},
        {"glyph": PNG},
    ),
    "Error": _object({"error": TEXT}),
    "Answer": _object(
        {
            "label": TEXT,
            "confidence": SHARE,
            "top": _list(_ref("Choice")),
            "box": BOX,
            "model": TEXT,
        },
        {"glyph": PNG},
    ),
    "Character": _object({"label": TEXT, "confidence": SHARE, "top": _list(_ref("Choice")), "box": BOX}),
    "Line": _object(
        {
            "text": TEXT,
            "probability": SHARE,
            "characters": _list(_ref("Character")),
            "alternatives": _list(_object({"text": TEXT, "probability": SHARE})),
        }
    ),
    "Reading": _object(
        {
            "text": TEXT,
            "lines": _list(_ref("Line")),
            "rotation": {"type": "integer", "enum": [0, 90, 180, 270]},
            "model": TEXT,
        }
    ),
    "Batch": _object(
        {"results": _list(_object({"file": TEXT}, {"answer": _ref("Answer"), "problem": _ref("Problem")}))}
    ),
    "Problem": _object(
        {
            "type": {"type": "string", "enum": [*(f"/problems/{kind}" for kind in TITLES), "about:blank"]},
            "title": TEXT,
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": TEXT,
        }
    ),
    "Artifact": _object(
        {
            "file": TEXT,
            "format": TEXT,
            "recipe": TEXT,
            "bytes": COUNT,
            "errors": _maybe("integer"),
            "test_images": _maybe("integer"),
            "test_set": _maybe("string"),
        }
    ),
    "Model": _object(
        {
            "name": TEXT,
            "labels": _list(TEXT),
            "input_shape": _list({"type": "integer", "minimum": -1}),  # -1: any width
            "geometry": TEXT,
            "parameters": _maybe("integer"),
            "macs": _maybe("integer"),
            "artifact": _ref("Artifact"),
        },
        {"engine": TEXT},
    ),
    "Models": _object({"loaded": _ref("Model"), "reader": _ref("Model"), "shipped": _list(_ref("Model"))}),
    "Health": _object({"status": {"type": "string", "enum": ["ok", "failed"]}}, {"model": TEXT, "error": TEXT}),
}

PAGE = _answer("The page.", "text/html", TEXT)
PAGES = {
    "get": {"operationId": "getPage", "summary": "The page, waiting for an image", "responses": {"200": PAGE}},
    "post": {
        "operationId": "postPage",
        "summary": "The page with the answer, or with what was wrong",
        "requestBody": {"required": True, "content": FORM},
        "responses": dict.fromkeys(("200", "400", "413", "415", "422", "500"), PAGE),
    },
}
PREDICT: dict[str, Any] = {
    "post": {
        "operationId": "predict",
        "summary": "The character in an image; an integer where its label is made of digits",
        "parameters": [GLYPH],
        "requestBody": {"required": True, "content": FORM},
        "responses": {
            "200": _answer("The answer.", JSON, _ref("Prediction")),
            "400": _answer("No image, a damaged one, or one without a character.", JSON, _ref("Error")),
            "413": _answer(f"A body over {BODY_LIMIT} bytes, or too many pixels.", JSON, _ref("Error")),
            "415": _answer("An image of a format that is not read.", JSON, _ref("Error")),
            "500": _answer("The server failed.", JSON, _ref("Error")),
        },
    }
}
API_PREDICT: dict[str, Any] = {
    "post": {
        "operationId": "predictV1",
        "summary": "The character in an image",
        "parameters": [GLYPH],
        "requestBody": {"required": True, "content": {**FORM, **IMAGE}},
        "responses": {
            "200": _answer("The answer.", JSON, _ref("Answer")),
            "400": _problem("No image, or a damaged one."),
            "413": _problem(f"A body over {BODY_LIMIT} bytes, or too many pixels."),
            "415": _problem("A format that is not read, or another Content-Type."),
            "422": _problem("An image without a character."),
            "500": _problem("The server failed."),
        },
    }
}
API_READ = {
    "post": {
        "operationId": "readV1",
        "summary": "All writing in an image, line by line",
        "parameters": READ_OPTIONS,
        "requestBody": {"required": True, "content": {**FORM, **IMAGE}},
        "responses": {**API_PREDICT["post"]["responses"], "200": _answer("The text.", JSON, _ref("Reading"))},
    }
}
API_BATCH = {
    "post": {
        "operationId": "batchV1",
        "summary": f"The character in each of up to {MAX_BATCH} images, in their order",
        "parameters": [GLYPH],
        "requestBody": {"required": True, "content": FILES},
        "responses": {
            "200": _answer("An answer or a problem for each file.", JSON, _ref("Batch")),
            "400": _problem("No file, or too many."),
            "413": _problem(f"A body over {BODY_LIMIT} bytes."),
            "500": _problem("The server failed."),
        },
    }
}
API_MODELS = {
    "get": {
        "operationId": "getModels",
        "summary": "The model that answers, and the shipped ones",
        "responses": {
            "200": _answer("Their cards in brief.", JSON, _ref("Models")),
            "500": _problem("The server failed."),
        },
    }
}
HEALTHZ = {
    "get": {
        "operationId": "getHealthz",
        "summary": "The process answers",
        "responses": {"200": _answer("It does.", JSON, _ref("Health"))},
    }
}
READYZ = {
    "get": {
        "operationId": "getReadyz",
        "summary": "The model answers a stroke drawn for it",
        "responses": {
            "200": _answer("It does.", JSON, _ref("Health")),
            "503": _answer("It does not.", JSON, _ref("Health")),
        },
    }
}
METRICS = {
    "get": {
        "operationId": "getMetrics",
        "summary": "Metrics for Prometheus",
        "responses": {"200": _answer("Prometheus's text format.", "text/plain", TEXT)},
    }
}
OPENAPI = {
    "get": {
        "operationId": "getOpenapi",
        "summary": "This document",
        "responses": {"200": _answer("OpenAPI 3.1.", JSON, {"type": "object"})},
    }
}


def document() -> dict[str, Any]:
    """The whole OpenAPI document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "glyphlite",
            "version": version("glyphlite"),
            "summary": "Handwritten characters, recognised.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {
            "/": PAGES,
            "/predict": PREDICT,
            "/api/v1/predict": API_PREDICT,
            "/api/v1/read": API_READ,
            "/api/v1/batch": API_BATCH,
            "/api/v1/models": API_MODELS,
            "/healthz": HEALTHZ,
            "/readyz": READYZ,
            "/metrics": METRICS,
            "/openapi.json": OPENAPI,
        },
        "components": {"schemas": SCHEMAS},
    }


def get_openapi() -> Any:
    """The document as JSON."""
    return document()


openapi.add_url_rule("/openapi.json", view_func=get_openapi)

"""`GET /openapi.json`: what the routes beside this file take and answer (OpenAPI 3.1)."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from flask import Blueprint

from .api import MAX_ALTERNATIVES, MAX_BATCH, MAX_EXPECT
from .problems import PROBLEM_JSON, TITLES
from .uploads import BODY_LIMIT, BYTES, FIELD, GLYPH_LIMIT, GLYPH_TYPES, JSON, PIXEL_LIMIT

openapi = Blueprint("openapi", __name__)

TEXT = {"type": "string"}
COUNT = {"type": "integer", "minimum": 0}
SHARE = {"type": "number", "minimum": 0, "maximum": 1}
IMAGE = {"type": "string", "contentEncoding": "base64", "description": "An image file, or a canvas's data: URL."}
PNG = {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required)}


def _closed(required: dict[str, Any]) -> dict[str, Any]:
    return {**_object(required), "additionalProperties": False}


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


FILE = {"type": "string", "format": "binary", "contentMediaType": "image/*"}
FORM: dict[str, Any] = {"multipart/form-data": {"schema": _object({FIELD: FILE})}}
ONE: dict[str, Any] = {**FORM, "image/*": {}, BYTES: {}, JSON: {"schema": _closed({"image": IMAGE})}}
MANY: dict[str, Any] = {
    "multipart/form-data": {"schema": _object({FIELD: {**_list(FILE), "minItems": 1, "maxItems": MAX_BATCH}})},
    JSON: {"schema": _closed({"images": {**_list(IMAGE), "minItems": 1, "maxItems": MAX_BATCH}})},
    **{kind: {} for kind in GLYPH_TYPES},
}
GLYPH = _switch("glyph", "1: the answer holds the glyph that the network saw.")
MODEL = {
    "name": "model",
    "in": "query",
    "description": "The model that is wanted; 404 where another one answers here.",
    "schema": TEXT,
}

READ_OPTIONS = [
    {
        "name": "expect",
        "in": "query",
        "description": "What each line says: a pattern like \\d{4}, [0-3]?\\d/\\d+, (?luhn)\\d{16}.",
        "schema": {**TEXT, "maxLength": MAX_EXPECT},
    },
    _switch("separators", "1: points, commas, dashes and colons are kept; always where `expect` names one."),
    _switch("any_rotation", "1: quarter turns are tried, and the surest is answered."),
    {
        "name": "alternatives",
        "in": "query",
        "description": "How many other texts each line gets.",
        "schema": {"type": "integer", "minimum": 0, "maximum": MAX_ALTERNATIVES, "default": 0},
    },
    MODEL,
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
            "box": {**BOX, "type": ["object", "null"]},  # null: of a glyph, which somebody else found
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
        {"results": _list(_object({}, {"file": TEXT, "answer": _ref("Answer"), "problem": _ref("Problem")}))}
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
    "Models": _object(
        {
            "loaded": _ref("Model"),
            "reader": {"anyOf": [_ref("Model"), {"type": "null"}]},
            "shipped": _list(_ref("Model")),
        }
    ),
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
NO_MODEL = _problem("Another model is asked for than the one that answers.")
API_PREDICT: dict[str, Any] = {
    "post": {
        "operationId": "predictV1",
        "summary": "The character in an image",
        "parameters": [GLYPH, MODEL],
        "requestBody": {"required": True, "content": ONE},
        "responses": {
            "200": _answer("The answer.", JSON, _ref("Answer")),
            "400": _problem("No image, a damaged one, or a query that is not understood."),
            "404": NO_MODEL,
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
        "requestBody": {"required": True, "content": ONE},
        "responses": {
            **API_PREDICT["post"]["responses"],
            "200": _answer("The text.", JSON, _ref("Reading")),
            "404": _problem("Another model is asked for than the one that reads, or none that reads is loaded."),
        },
    }
}
API_BATCH = {
    "post": {
        "operationId": "batchV1",
        "summary": f"The character in each of up to {MAX_BATCH} images or {GLYPH_LIMIT} glyphs, in their order",
        "description": (
            "Glyphs come as an .npz with `images`, (N, H, W) uint8 of the model's input_shape, bright ink on black, or "
            "as such bytes one after the other; they are taken to be characters."
        ),
        "parameters": [GLYPH, MODEL],
        "requestBody": {"required": True, "content": MANY},
        "responses": {
            "200": _answer("An answer or a problem for each file.", JSON, _ref("Batch")),
            "400": _problem("No image, too many, or a query that is not understood."),
            "404": NO_MODEL,
            "413": _problem(f"A body over {BODY_LIMIT} bytes, or over {PIXEL_LIMIT:,} pixels in all images together."),
            "415": _problem("Another Content-Type."),
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
            "400": _problem("A query, where none is wanted."),
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
DOCS = {
    "get": {
        "operationId": "getDocs",
        "summary": "This document as a page",
        "responses": {"200": _answer("The page.", "text/html", TEXT)},
    }
}
PROBLEM = {
    "get": {
        "operationId": "getProblem",
        "summary": "What the type of a problem means",
        "parameters": [
            {"name": "kind", "in": "path", "required": True, "schema": {"type": "string", "enum": list(TITLES)}}
        ],
        "responses": {
            "302": {"description": "Its place on the page of documentation."},
            "404": _answer("No such problem.", JSON, _ref("Error")),
        },
    }
}
OPENAPI = {
    "get": {
        "operationId": "getOpenapi",
        "summary": "This document",
        "responses": {"200": _answer("OpenAPI 3.1.", JSON, {"type": "object"})},
    }
}


GUARDED = (
    "Every answer has an X-Request-Id. Beside the answers listed, any request may get 400 where it is no HTTP, 401 "
    "without the token that the server was given, 403 from another site's page, 421 where the Host is no name of the "
    "server, 429 above the rate limit, and 503 where too many large requests arrive at once."
)


def document() -> dict[str, Any]:
    """The whole OpenAPI document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "glyphlite",
            "version": version("glyphlite"),
            "summary": "Handwritten characters, recognised.",
            "description": GUARDED,
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
            "/docs": DOCS,
            "/problems/{kind}": PROBLEM,
        },
        "components": {"schemas": SCHEMAS, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{}, {"token": []}],  # where the server was given a token
    }


def get_openapi() -> Any:
    """The document as JSON."""
    return document()


openapi.add_url_rule("/openapi.json", view_func=get_openapi)

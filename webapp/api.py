"""The API, version 1: `POST /api/v1/predict`, `read` and `batch`, and `GET /api/v1/models`."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from werkzeug.exceptions import BadRequest

from ..runtime import GlyphliteError, Prediction, read_bundle, shipped_models
from . import answers
from .problems import Problem, answer_problem, describe, problem_json
from .service import service
from .uploads import form_file_or_body, form_files, switch

MAX_BATCH = 64  # files of a batch
MAX_ALTERNATIVES = 20

api = Blueprint("api", __name__, url_prefix="/api/v1")


def post_predict() -> Any:
    """The character in a form's file or a raw body; 422 where the image holds none.  `?glyph=1` adds the glyph."""
    current = service()
    prediction = current.predict(form_file_or_body())
    if prediction.label is None:
        return answer_problem(Problem(422, "no-character", prediction.reason or ""))
    return _answer(prediction)


def _answer(prediction: Prediction) -> dict[str, Any]:
    answer = {
        "label": prediction.label,
        "confidence": round(prediction.confidence, answers.SHARE_DIGITS),
        "top": answers.top(prediction),
        "box": answers.box(prediction),
        "model": service().recognizer.card.name,
    }
    if switch("glyph") and prediction.glyph is not None:
        answer["glyph"] = answers.glyph_png(prediction.glyph)
    return answer


def post_read() -> Any:
    """All writing in a form's file or a raw body, line by line; 422 where the image holds none, or nothing that is
    expected.  Query: `expect`, `separators`, `any_rotation`, `alternatives`."""
    alternatives = request.args.get("alternatives", "0")
    if not (alternatives.isascii() and alternatives.isdigit() and int(alternatives) <= MAX_ALTERNATIVES):
        raise BadRequest(f"alternatives={alternatives}; wanted 0 to {MAX_ALTERNATIVES}")
    options = {
        "expect": request.args.get("expect"),
        "separators": switch("separators"),
        "any_rotation": switch("any_rotation"),
        "alternatives": int(alternatives),
    }
    current = service()
    reading = current.read(form_file_or_body(), options)
    if not reading.lines:
        return answer_problem(Problem(422, "no-character", reading.reason or ""))
    return {**answers.reading(reading), "model": current.reader.card.name}


def post_batch() -> Any:
    """The character in each of a form's files, in their order: an answer as of `predict`, or a problem."""
    current = service()
    found: list[dict[str, Any]] = []
    for name, data in form_files(MAX_BATCH):
        try:
            prediction = current.predict(data)
        except GlyphliteError as error:
            found.append({"file": name, "problem": problem_json(describe(error))})
            continue
        if prediction.label is None:
            problem = problem_json(Problem(422, "no-character", prediction.reason or ""))
            found.append({"file": name, "problem": problem})
        else:
            found.append({"file": name, "answer": _answer(prediction)})
    return {"results": found}


def get_models() -> Any:
    """The cards of the models that answer, and those of the shipped models with their default artifacts."""
    current = service()
    shipped = [read_bundle(folder).card for folder in shipped_models().values()]
    return {
        "loaded": {
            **answers.card(current.recognizer.card, current.recognizer.artifact),
            "engine": current.recognizer.engine.name,
        },
        "reader": {
            **answers.card(current.reader.card, current.reader.artifact),
            "engine": current.reader.engine.name,
        },
        "shipped": [answers.card(card, card.artifact()) for card in shipped],
    }


api.add_url_rule("/predict", view_func=post_predict, methods=["POST"])
api.add_url_rule("/read", view_func=post_read, methods=["POST"])
api.add_url_rule("/batch", view_func=post_batch, methods=["POST"])
api.add_url_rule("/models", view_func=get_models)

"""The API, version 1: `POST /api/v1/predict` and `GET /api/v1/models`."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request

from ..runtime import read_bundle, shipped_models
from . import answers
from .problems import Problem, answer_problem
from .service import service
from .uploads import form_file_or_body

api = Blueprint("api", __name__, url_prefix="/api/v1")


def post_predict() -> Any:
    """The character in a form's file or a raw body; 422 where the image holds none.  `?glyph=1` adds the glyph."""
    current = service()
    prediction = current.predict(form_file_or_body())
    if prediction.label is None:
        return answer_problem(Problem(422, "no-character", prediction.reason or ""))
    answer = {
        "label": prediction.label,
        "confidence": round(prediction.confidence, answers.SHARE_DIGITS),
        "top": answers.top(prediction),
        "box": answers.box(prediction),
        "model": current.recognizer.card.name,
    }
    if request.args.get("glyph") == "1" and prediction.glyph is not None:
        answer["glyph"] = answers.glyph_png(prediction.glyph)
    return answer


def get_models() -> Any:
    """The card of the model that answers, and those of the shipped models with their default artifacts."""
    current = service()
    shipped = [read_bundle(folder).card for folder in shipped_models().values()]
    return {
        "loaded": {
            **answers.card(current.recognizer.card, current.recognizer.artifact),
            "engine": current.recognizer.engine.name,
        },
        "shipped": [answers.card(card, card.artifact()) for card in shipped],
    }


api.add_url_rule("/predict", view_func=post_predict, methods=["POST"])
api.add_url_rule("/models", view_func=get_models)

"""The API, version 1: `POST /api/v1/predict`, `read` and `batch`, and `GET /api/v1/models`."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, request
from werkzeug.exceptions import BadRequest, NotFound

from ..runtime import GlyphliteError, Prediction, read_bundle, shipped_models
from . import answers
from .problems import Problem, answer_problem, describe, problem_json
from .service import TOP, Service, service
from .uploads import GLYPH_TYPES, check_query, form_file_or_body, glyphs, images, switch

MAX_BATCH = 64  # files of a batch
MAX_ALTERNATIVES = 20
MAX_EXPECT = 100  # characters of a pattern

QUERIES = {  # what each route takes
    "api.post_predict": ("glyph", "model"),
    "api.post_read": ("expect", "separators", "any_rotation", "alternatives", "model"),
    "api.post_batch": ("glyph", "model"),
    "api.get_models": (),
}

api = Blueprint("api", __name__, url_prefix="/api/v1")


@api.before_request
def check() -> None:
    """Raises BadRequest for a query parameter that the route does not take."""
    check_query(*QUERIES[request.endpoint or ""])


def post_predict() -> Any:
    """The character in an image; 422 where it holds none.  Query: `glyph`=1 adds the glyph; `model`."""
    current = service()
    current.check_asked_for(request.args.get("model"), current.recognizer)
    with_glyph = switch("glyph")
    prediction = current.predict(form_file_or_body())
    if prediction.label is None:
        return answer_problem(_refused(prediction.reason))
    return answers.prediction(prediction, current.recognizer.card.name, with_glyph)


def post_read() -> Any:
    """All writing in an image, line by line; 422 where it holds none, or nothing that is expected.

    Query: `expect`, `separators`, `any_rotation`, `alternatives`, `model`.
    """
    current = service()
    current.check_asked_for(request.args.get("model"), current.reader)
    if current.reader.reader is None:
        raise NotFound(f"{current.reader.card.name} takes whole images, and no reader of lines is loaded")
    alternatives = request.args.get("alternatives", "0")
    if not (re.fullmatch("[0-9]{1,2}", alternatives) and int(alternatives) <= MAX_ALTERNATIVES):
        raise BadRequest(f"alternatives={alternatives:.60}; wanted 0 to {MAX_ALTERNATIVES}")
    expect = request.args.get("expect")
    if expect is not None and len(expect) > MAX_EXPECT:
        raise BadRequest(f"expect of {len(expect)} characters; wanted at most {MAX_EXPECT}")
    options = {
        "expect": expect,
        "separators": switch("separators"),
        "any_rotation": switch("any_rotation"),
        "alternatives": int(alternatives),
    }
    reading = current.read(form_file_or_body(), options)
    if not reading.lines:
        return answer_problem(_refused(reading.reason))
    return {**answers.reading(reading), "model": current.reader.card.name}


def post_batch() -> Any:
    """The character in each of many images or glyphs, in their order: an answer as of `predict`, or a problem."""
    current = service()
    current.check_asked_for(request.args.get("model"), current.recognizer)
    with_glyph = switch("glyph")
    if request.mimetype in GLYPH_TYPES:
        return {"results": _answer_glyphs(current, with_glyph)}
    name = current.recognizer.card.name
    found: list[dict[str, Any]] = []
    for file, data in images(MAX_BATCH):
        entry = {} if file is None else {"file": file}
        try:
            prediction = current.predict(data)
        except GlyphliteError as error:
            found.append({**entry, "problem": problem_json(describe(error))})
            continue
        if prediction.label is None:
            found.append({**entry, "problem": problem_json(_refused(prediction.reason))})
        else:
            found.append({**entry, "answer": answers.prediction(prediction, name, with_glyph)})
    return {"results": found}


def _answer_glyphs(current: Service, with_glyph: bool) -> list[dict[str, Any]]:
    """Glyphs are taken to be characters: they were found by whoever sent them."""
    card = current.recognizer.card
    batch = glyphs(card.input_shape)
    found = []
    for glyph, shares in zip(batch, current.predict_glyphs(batch), strict=True):
        order = (-shares).argsort(kind="stable")[:TOP]
        best = tuple((card.labels[index], float(shares[index])) for index in order)
        one = Prediction(*best[0], top=best, glyph=glyph if glyph.shape[2] == 3 else glyph[..., 0])
        found.append({"answer": answers.prediction(one, card.name, with_glyph)})
    return found


def _refused(reason: str | None) -> Problem:
    return Problem(422, "no-character", reason or "")


def get_models() -> Any:
    """The cards of the models that answer, and those of the shipped models with their default artifacts."""
    current = service()
    shipped = [read_bundle(folder).card for folder in shipped_models().values()]
    return {
        "loaded": {
            **answers.card(current.recognizer.card, current.recognizer.artifact),
            "engine": current.recognizer.engine.name,
        },
        "reader": None
        if current.reader.reader is None
        else {
            **answers.card(current.reader.card, current.reader.artifact),
            "engine": current.reader.engine.name,
        },
        "shipped": [answers.card(card, card.artifact()) for card in shipped],
    }


api.add_url_rule("/predict", view_func=post_predict, methods=["POST"])
api.add_url_rule("/read", view_func=post_read, methods=["POST"])
api.add_url_rule("/batch", view_func=post_batch, methods=["POST"])
api.add_url_rule("/models", view_func=get_models)

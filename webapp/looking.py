"""What the page shows of an image: its character or its lines with their glyphs, and a picture of every stage.

`POST /look` and `POST /look/stages` are the page's own, and may change with it; programs use `/api/v1`.
"""

from __future__ import annotations

import base64
import time
from dataclasses import replace
from typing import Any

import cv2
from flask import Blueprint
from werkzeug.exceptions import NotFound

from ..runtime import Card, Prediction, Reading, Recognizer, TextLine
from ..runtime.answers import Trace
from ..runtime.explain import stages
from ..runtime.geometry import IMAGE_GEOMETRIES
from ..runtime.glyph import resample
from ..runtime.image import Pixels, read_header, read_image
from ..runtime.recognizer import CLOSE, SEVERAL, character_side, may_be_several
from ..runtime.rules import written_ink
from . import answers
from .problems import Problem, answer_problem, describe
from .service import TOP, Service, service
from .uploads import check_query, form_file_or_body

STAGE_SIDE = 1000  # pixels of the longer side that a stage's picture is sent with at most
GLYPH_SCALE = 8  # times that a glyph is enlarged there

looking = Blueprint("looking", __name__, url_prefix="/look")


def look(image: bytes) -> tuple[Reading, Card]:
    """The one character of an image file's bytes, as a line; or the lines, where there are several; and the card of the
    model that read them.  It is counted.

    Raises ImageError.
    """
    current = service()
    found = _answer(current, image)
    if isinstance(found, Trace):
        return current.counted_reading(found.reading), current.reader.card
    current.counted_prediction(found)
    lines = (TextLine((found,)),) if found.label is not None else ()
    return Reading(lines, found.reason), current.recognizer.card


def post_look() -> Any:
    """What was read, each character with its glyph, the upright image's size, and whether a model of whole images
    answered; 422 where there is nothing."""
    check_query()
    image = form_file_or_body()
    start = time.perf_counter()
    reading, card = look(image)
    spent = time.perf_counter() - start
    if not reading.lines:
        return answer_problem(Problem(422, "no-character", reading.reason or ""))
    answer = answers.reading(reading)
    for line, shown in zip(reading.lines, answer["lines"], strict=True):
        for one, character in zip(line.characters, shown["characters"], strict=True):
            character["glyph"] = None if one.glyph is None else answers.glyph_png(one.glyph)
    header = read_header(image)
    width, height = (header.width, header.height)[:: -1 if header.orientation > 4 else 1]
    return {
        **answer,
        "width": width,
        "height": height,
        "model": card.name,
        "whole": card.geometry in IMAGE_GEOMETRIES,
        "milliseconds": round(1000 * spent, 1),
    }


def post_stages() -> Any:
    """A PNG in base64 of every stage that led to what `/look` answers; 404 where a model of whole images does."""
    current, image = service(), form_file_or_body()
    found = _answer(current, image)
    pictures = stages(found) if isinstance(found, Trace) else _stages_of_one(current.recognizer, image, found)
    return [{"name": name, "picture": _png(_shrunk(picture))} for name, picture in pictures.items()]


def complain(error: Exception) -> Any:
    """A problem, as of the API."""
    return answer_problem(describe(error))


def _answer(current: Service, image: bytes) -> Prediction | Trace:
    """What the model of characters says, or how the reader read it where there are several.  What `predict` refuses is
    not taken for a single character by `read` either."""
    one = current.recognizer.predict(image, top=TOP)
    if current.reader.reader is None or not may_be_several(one):
        return one
    trace = current.reader.trace(image, top=TOP, separators=True)
    if one.reason == SEVERAL or len(trace.reading.text) > 1:
        return trace
    return replace(one, reason=(one.reason or "").removesuffix(CLOSE))  # it was tried


def _stages_of_one(recognizer: Recognizer, image: bytes, one: Prediction) -> dict[str, Pixels]:
    """The image, its ink, and the glyph, enlarged."""
    if recognizer.card.geometry in IMAGE_GEOMETRIES:
        raise NotFound(f"{recognizer.card.name} takes whole images: it has no stages")
    pixels, reduction = read_image(image)
    ink = written_ink(pixels, recognizer.steps, character_side(pixels))
    pictures = stages(Trace(pixels, reduction, ink, (), Reading(())))
    if one.glyph is not None:
        pictures["3-glyph"] = one.glyph.repeat(GLYPH_SCALE, 0).repeat(GLYPH_SCALE, 1)
    return pictures


def _shrunk(picture: Pixels) -> Pixels:
    scale = STAGE_SIDE / max(picture.shape[:2])
    size = [max(1, round(side * scale)) for side in picture.shape[1::-1]]
    return resample(picture, size) if scale < 1 else picture


def _png(picture: Pixels) -> str:
    return base64.b64encode(cv2.imencode(".png", picture)[1].tobytes()).decode("ascii")


looking.add_url_rule("", view_func=post_look, methods=["POST"])
looking.add_url_rule("/stages", view_func=post_stages, methods=["POST"])
looking.register_error_handler(Exception, complain)

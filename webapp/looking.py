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

from ..runtime import Reading, TextLine
from ..runtime.explain import stages
from ..runtime.glyph import resample
from ..runtime.image import Pixels, read_header
from ..runtime.recognizer import CLOSE, SEVERAL, may_be_several
from . import answers
from .problems import Problem, answer_problem, describe
from .service import TOP, service
from .uploads import check_query, form_file_or_body

STAGE_SIDE = 1000  # pixels of the longer side that a stage's picture is sent with at most

looking = Blueprint("looking", __name__, url_prefix="/look")


def look(image: bytes) -> tuple[Reading, str]:
    """The one character of an image file's bytes, as a line; or the lines, where there are several; and who read them.
    What `predict` refuses is not taken for a single character by `read` either.

    Raises ImageError.
    """
    current = service()
    one = current.recognizer.predict(image, top=TOP)
    if current.reader.reader is not None and may_be_several(one):
        reading = current.reader.read(image, top=TOP, separators=True)
        if one.reason == SEVERAL or len(reading.text) > 1:
            return current.counted_reading(reading), current.reader.card.name
        one = replace(one, reason=(one.reason or "").removesuffix(CLOSE))  # it was tried
    current.counted_prediction(one)
    lines = (TextLine((one,)),) if one.label is not None else ()
    return Reading(lines, one.reason), current.recognizer.card.name


def post_look() -> Any:
    """What was read, each character with its glyph, and the upright image's size; 422 where there is nothing."""
    check_query()
    image = form_file_or_body()
    start = time.perf_counter()
    reading, model = look(image)
    spent = time.perf_counter() - start
    if not reading.lines:
        return answer_problem(Problem(422, "no-character", reading.reason or ""))
    answer = answers.reading(reading)
    for line, shown in zip(reading.lines, answer["lines"], strict=True):
        for one, character in zip(line.characters, shown["characters"], strict=True):
            character["glyph"] = None if one.glyph is None else answers.glyph_png(one.glyph)
    header = read_header(image)
    width, height = (header.width, header.height)[:: -1 if header.orientation > 4 else 1]
    return {**answer, "width": width, "height": height, "model": model, "milliseconds": round(1000 * spent, 1)}


def post_stages() -> Any:
    """A PNG in base64 of every stage that a line passes."""
    reader = service().reader
    if reader.reader is None:
        raise NotFound(f"{reader.card.name} takes whole images: it has no stages")
    trace = reader.trace(form_file_or_body(), separators=True)
    return [{"name": name, "picture": _png(_shrunk(picture))} for name, picture in stages(trace).items()]


def complain(error: Exception) -> Any:
    """A problem, as of the API."""
    return answer_problem(describe(error))


def _shrunk(picture: Pixels) -> Pixels:
    scale = STAGE_SIDE / max(picture.shape[:2])
    size = [max(1, round(side * scale)) for side in picture.shape[1::-1]]
    return resample(picture, size) if scale < 1 else picture


def _png(picture: Pixels) -> str:
    return base64.b64encode(cv2.imencode(".png", picture)[1].tobytes()).decode("ascii")


looking.add_url_rule("", view_func=post_look, methods=["POST"])
looking.add_url_rule("/stages", view_func=post_stages, methods=["POST"])
looking.register_error_handler(Exception, complain)

"""`/`: the page.  Its form posts to itself and works without JavaScript; the script only spares the reload."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template

from ..runtime import Prediction, Reading
from ..runtime.recognizer import SEVERAL
from . import answers
from .problems import describe
from .service import service
from .uploads import BODY_LIMIT, form_file

page = Blueprint("page", __name__)


def get_page() -> str:
    """The page, waiting for an image."""
    return _render()


def post_page() -> Any:
    """The page with the answer for the form's file: its character, or what is read where there are several."""
    data = form_file()
    prediction = service().predict(data)
    if prediction.label is not None:
        return _render(prediction)
    if prediction.reason == SEVERAL:
        reading = service().read(data, {"separators": True})
        if reading.lines:
            return _render(reading=reading)
    return _render(complaint=prediction.reason), 422


def complain(error: Exception) -> Any:
    """The page with what was wrong, for a person who sent the form."""
    problem = describe(error)
    return _render(complaint=problem.detail), problem.status


def _render(prediction: Prediction | None = None, reading: Reading | None = None, complaint: str | None = None) -> str:
    glyph = prediction.glyph if prediction else None
    text: str = render_template(
        "index.html",
        card=service().recognizer.card,
        answer=prediction,
        reading=reading,
        glyph=None if glyph is None else answers.glyph_squares(glyph),
        complaint=complaint,
        body_limit=BODY_LIMIT,
    )
    return text


page.add_url_rule("/", view_func=get_page, methods=["GET"])
page.add_url_rule("/", view_func=post_page, methods=["POST"])
page.register_error_handler(Exception, complain)

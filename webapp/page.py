"""`/`: the page.  Its form posts to itself and works without JavaScript; the script adds the rest."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Blueprint, current_app, render_template, request

from ..runtime import Reading
from . import answers, strings
from .looking import look
from .offline import page_version, runs_on_device
from .problems import describe
from .service import service
from .uploads import BODY_LIMIT, form_file

page = Blueprint("page", __name__)


def get_page() -> Any:
    """The page, waiting for an image."""
    return _render()


def post_page() -> Any:
    """The page with the answer for the form's file: its character, or what is read where there are several."""
    reading, _ = look(form_file())
    if reading.lines:
        return _render(reading)
    return _render(complaint=reading.reason), 422


def complain(error: Exception) -> Any:
    """The page with what was wrong, for a person who sent the form."""
    problem = describe(error)
    return _render(complaint=problem.detail), problem.status


def _render(reading: Reading | None = None, complaint: str | None = None) -> Any:
    current = service()
    card = current.recognizer.card
    language = strings.choose(request.args.get("lang"), request.accept_languages)
    alone = reading.lines[0].characters if reading and len(reading.lines) == 1 else ()
    glyph = alone[0].glyph if len(alone) == 1 else None
    text = render_template(
        "index.html",
        card=card,
        language=language,
        languages=strings.LANGUAGES,
        words=strings.LANGUAGES[language],
        share=partial(strings.share, language),
        reading=reading,
        alone=alone[0] if len(alone) == 1 else None,
        glyph=None if glyph is None else answers.glyph_squares(glyph),
        complaint=complaint,
        settings={
            "language": language,
            "strings": strings.LANGUAGES[language],
            "bodyLimit": BODY_LIMIT,
            "labels": card.labels,
            "model": card.name,
            "corrections": "corrections" in current_app.extensions,
            "version": page_version(),
            "device": runs_on_device(),
        },
    )
    response = current_app.make_response(text)
    response.vary.add("Accept-Language")
    return response


page.add_url_rule("/", view_func=get_page, methods=["GET"])
page.add_url_rule("/", view_func=post_page, methods=["POST"])
page.register_error_handler(Exception, complain)

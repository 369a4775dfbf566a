"""`/docs`: the OpenAPI document as a page, made here, so that it needs neither a network nor a script."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, url_for
from werkzeug.exceptions import NotFound

from .openapi import document
from .problems import TITLES

docs = Blueprint("docs", __name__)


def get_docs() -> str:
    """The page."""
    text: str = render_template("docs.html", api=document(), problems=TITLES)
    return text


def get_problem(kind: str) -> Any:
    """What a problem's `type` leads to: its line on the page."""
    if kind not in TITLES:
        raise NotFound(f"{kind:.60}: no such problem; wanted one of {', '.join(TITLES)}")
    return redirect(url_for("docs.get_docs", _anchor=kind))


docs.add_url_rule("/docs", view_func=get_docs)
docs.add_url_rule("/problems/<kind>", view_func=get_problem)

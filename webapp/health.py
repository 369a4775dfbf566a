"""What watches the app asks: is it up, does its model answer, how has it been doing."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app

from ..runtime import GlyphliteError
from .metrics import CONTENT_TYPE
from .service import service

health = Blueprint("health", __name__)


def get_healthz() -> Any:
    """The process answers."""
    return {"status": "ok"}


def get_readyz() -> Any:
    """The model answers a stroke drawn for it; else 503."""
    try:
        prediction = service().self_test()
    except GlyphliteError:
        current_app.logger.exception("the self-test failed")
        return {"status": "failed", "error": "the model does not answer; the server's log says why"}, 503
    if prediction.label is None:
        return {"status": "failed", "error": f"the model refuses a clear stroke: {prediction.reason}"}, 503
    return {"status": "ok", "model": service().recognizer.card.name}


def get_metrics() -> Any:
    """Prometheus's text format."""
    return current_app.response_class(service().metrics.exposition(), content_type=CONTENT_TYPE)


health.add_url_rule("/healthz", view_func=get_healthz)
health.add_url_rule("/readyz", view_func=get_readyz)
health.add_url_rule("/metrics", view_func=get_metrics)

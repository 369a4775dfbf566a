"""The application factory: one model, one registry of metrics, and the routes over them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flask import Flask, g, request

from .api import api
from .config import Config, configure, from_environment
from .corrections import Corrections, corrections
from .docs import docs
from .guard import guard
from .health import health
from .logs import ID_HEADER, log_request, request_id
from .looking import looking
from .offline import browser_runtime, offline
from .openapi import openapi
from .page import page
from .predict import predict
from .problems import answer_error
from .service import EXTENSION, Service
from .uploads import BODY_LIMIT, MemoryRequest

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
RUNTIME_POLICY = "; script-src 'self' 'wasm-unsafe-eval'"  # added where the page can run the model


def create_app(config: Mapping[str, Any] | Config | None = None) -> Flask:
    """The app, its model loaded and ready.

    config: the keys of config.py, and any of Flask's own; None: what the environment's `GLYPHLITE_…` variables say.
    Raises GlyphliteError where a key or its value is wrong or the folder of corrections cannot be written;
    UnknownModel, CardError, ArtifactError or EngineError where the model cannot be used.
    """
    given = from_environment() if config is None else {} if isinstance(config, Config) else config
    of_flask = {key: value for key, value in given.items() if key in Flask.default_config}
    ours = {key: value for key, value in given.items() if key not in of_flask}
    settings = config if isinstance(config, Config) else configure(ours)
    # instance_path: Flask's search for one fails in a namespace that is mapped to folders; nothing is kept there
    app = Flask(__name__, instance_path=str(Path(__file__).resolve().parent))
    app.request_class = MemoryRequest
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of Flask's own provider
    app.config.from_mapping({key.upper(): value for key, value in asdict(settings).items() if key != "token"})
    app.config.from_mapping({"MAX_CONTENT_LENGTH": BODY_LIMIT, **of_flask})
    service = Service.open(settings.model, settings.reader, settings.scale)
    app.extensions[EXTENSION] = service
    metrics = service.metrics
    if settings.corrections:
        app.extensions["corrections"] = Corrections(Path(settings.corrections))

    def start_clock() -> None:
        g.start = time.perf_counter()
        metrics.in_flight.inc()

    def finish(response: Any) -> Any:
        seconds = time.perf_counter() - g.start
        for name, value in SECURITY_HEADERS.items():
            response.headers[name] = value
        if response.mimetype == "text/html" and browser_runtime():
            response.headers["Content-Security-Policy"] += RUNTIME_POLICY
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers[ID_HEADER] = request_id()
        # the rule, not the path: whoever asks for a million paths shall not make a million time series
        metrics.count(request.url_rule.rule if request.url_rule else "unmatched", response.status_code, seconds)
        log_request(response.status_code, seconds)
        return response

    app.before_request(start_clock)
    app.teardown_request(lambda _: metrics.in_flight.dec())
    app.after_request(finish)
    guard(app, settings)
    for blueprint in (page, looking, corrections, offline, predict, api, openapi, docs, health):
        app.register_blueprint(blueprint)
    app.register_error_handler(Exception, answer_error)
    return app

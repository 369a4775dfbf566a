"""The application factory: one model, one registry of metrics, and the routes over them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask, g, request

from ..runtime.bundle import DEFAULT_MODEL
from .api import api
from .corrections import Corrections, corrections
from .health import health
from .looking import looking
from .offline import browser_runtime, offline
from .openapi import openapi
from .page import page
from .predict import predict
from .problems import answer_error
from .service import Service
from .uploads import BODY_LIMIT, MemoryRequest

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
RUNTIME_POLICY = "; script-src 'self' 'wasm-unsafe-eval'"  # added where the page can run the model


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """The app, its model loaded and ready.

    config: `MODEL`, a shipped name, a bundle's folder, or a `.tflite` or `.onnx` file (default digits-edge); `READER`,
    what reads lines, likewise (default: MODEL does); `CORRECTIONS`, a folder for glyphs that were read
    wrongly (default: none are kept); and any of Flask's own keys.
    Raises UnknownModel, CardError, ArtifactError or EngineError where the model cannot be used.
    """
    # instance_path: Flask's search for one fails in a namespace that is mapped to folders; nothing is kept there
    app = Flask(__name__, instance_path=str(Path(__file__).resolve().parent))
    app.request_class = MemoryRequest
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of Flask's own provider
    app.config.from_mapping(MODEL=DEFAULT_MODEL, READER="", CORRECTIONS="", MAX_CONTENT_LENGTH=BODY_LIMIT)
    app.config.from_mapping(config or {})
    app.extensions["glyphlite"] = service = Service.open(app.config["MODEL"], app.config["READER"])

    if app.config["CORRECTIONS"]:
        app.extensions["corrections"] = Corrections(Path(app.config["CORRECTIONS"]))

    for blueprint in (page, looking, corrections, offline, predict, api, openapi, health):
        app.register_blueprint(blueprint)
    app.register_error_handler(Exception, answer_error)

    def start_clock() -> None:
        g.start = time.perf_counter()

    def finish(response: Any) -> Any:
        for name, value in SECURITY_HEADERS.items():
            response.headers[name] = value
        if response.mimetype == "text/html" and browser_runtime():
            response.headers["Content-Security-Policy"] += RUNTIME_POLICY
        response.headers.setdefault("Cache-Control", "no-store")
        # the rule, not the path: whoever asks for a million paths shall not make a million time series
        route = request.url_rule.rule if request.url_rule else "unmatched"
        service.metrics.count(route, response.status_code, time.perf_counter() - g.start)
        return response

    app.before_request(start_clock)
    app.after_request(finish)
    return app

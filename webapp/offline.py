"""What lets the page work without the server: its service worker and manifest, the model, and what runs it there.

What runs it is LiteRT's build for browsers, which `make browser` fetches; without it the page does not offer that.
"""

from __future__ import annotations

import gzip
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Blueprint, abort, current_app, json, request

from ..runtime import ModelError, find_bundle
from ..runtime.bundle import ARTIFACT_SUFFIXES
from .service import service
from .strings import ENGLISH

FOLDER = Path(__file__).resolve().parent
RUNTIME_FOLDER = FOLDER / "browser" / "dist"
RUNTIME_FILES = {  # served from <name>.gz
    "litert.js": "text/javascript",
    "wasm-utils.js": "text/javascript",
    "litert_wasm_compat_internal.js": "text/javascript",
    "litert_wasm_compat_internal.wasm": "application/wasm",
}
MODEL_FILE = "model.tflite"
DEVICE_GEOMETRIES = ("mnist",)  # those that static/ink.js makes glyphs in
FOR_GOOD = "public, max-age=31536000, immutable"  # of an address that names its content

offline = Blueprint("offline", __name__)


def browser_runtime() -> str | None:
    """The hash of what runs a model in a browser; None where it was not fetched."""
    paths = [RUNTIME_FOLDER / f"{name}.gz" for name in RUNTIME_FILES]
    if not all(path.is_file() for path in paths):
        return None
    return _hash(tuple(paths), max(path.stat().st_mtime_ns for path in paths))


def runs_on_device() -> bool:
    """Whether a browser can run the model that answers here."""
    recognizer = service().recognizer
    fits = recognizer.card.geometry in DEVICE_GEOMETRIES and recognizer.artifact.format == "tflite"
    return fits and browser_runtime() is not None


def page_version() -> str:
    """A hash of all that the page is made of; another one makes a browser fetch it anew."""
    own = sorted(path for part in ("static", "templates") for path in (FOLDER / part).iterdir())
    paths = (*own, FOLDER / "strings.py")
    page = _hash(paths, max(path.stat().st_mtime_ns for path in paths))
    parts = (page, service().recognizer.artifact.sha256, browser_runtime() or "")
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:16]


@lru_cache(maxsize=8)
def _hash(paths: tuple[Path, ...], newest: int) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def get_service_worker() -> Any:
    """static/sw.js with the page's version and files, from the root, so that it may answer for the whole page."""
    files = sorted(f"/static/{path.name}" for path in (FOLDER / "static").iterdir() if path.name != "sw.js")
    head = f"const VERSION = {json.dumps(page_version())};\nconst FILES = {json.dumps(files)};\n"
    script = (FOLDER / "static" / "sw.js").read_text("utf-8")
    return current_app.response_class(head + script, mimetype="text/javascript", headers={"Cache-Control": "no-cache"})


def get_manifest() -> Any:
    """What makes the page one that can be installed."""
    manifest = {
        "name": "glyphlite",
        "description": ENGLISH["tagline"],
        "start_url": "/",
        "display": "standalone",
        "background_color": "#131417",
        "theme_color": "#131417",
        "icons": [
            {"src": "/static/icon.svg", "sizes": "any", "type": "image/svg+xml"},
            {"src": "/static/icon.png", "sizes": "192x192", "type": "image/png"},
        ],
    }
    return current_app.response_class(json.dumps(manifest), mimetype="application/manifest+json")


def get_device() -> Any:
    """Where a browser finds the model and what runs it, and what the card says of the model's answers."""
    if not runs_on_device():
        abort(404, "no model here runs in a browser; `make browser` fetches what runs one")
    recognizer = service().recognizer
    card, refusal = recognizer.card, recognizer.card.refusal
    return {
        "name": card.name,
        "labels": card.labels,
        "side": card.input_shape[0],
        "temperature": card.temperature,
        "output": card.output,
        "valueRange": card.value_range,
        "minConfidence": refusal.min_confidence if refusal else None,
        "model": f"/device/{recognizer.artifact.sha256[:16]}/{MODEL_FILE}",
        "runtime": [f"/device/{browser_runtime()}/{name}" for name in RUNTIME_FILES],
    }


def get_device_file(version: str, name: str) -> Any:
    """The model, or a file of what runs it."""
    if name == MODEL_FILE and version == service().recognizer.artifact.sha256[:16]:
        data, kind, packed = _model_bytes(), "application/octet-stream", False
    elif name in RUNTIME_FILES and version == browser_runtime():
        data, kind, packed = (RUNTIME_FOLDER / f"{name}.gz").read_bytes(), RUNTIME_FILES[name], True
    else:
        abort(404)
    if packed and request.accept_encodings.quality("gzip") == 0:
        data, packed = gzip.decompress(data), False
    response = current_app.response_class(data, mimetype=kind, headers={"Cache-Control": FOR_GOOD})
    response.vary.add("Accept-Encoding")
    if packed:
        response.content_encoding = "gzip"
    return response


def _model_bytes() -> bytes:
    """The bytes of the model that answers; 404 where another one lies in its place since it was loaded."""
    model, artifact = Path(current_app.config["MODEL"]), service().recognizer.artifact
    is_file = model.suffix in ARTIFACT_SUFFIXES and model.is_file()
    try:
        data = (model if is_file else find_bundle(model).folder / artifact.file).read_bytes()
    except (OSError, ModelError):
        data = b""
    if hashlib.sha256(data).hexdigest() != artifact.sha256:
        abort(404, "the model's file was exchanged after it was loaded; wanted it loaded again (SIGHUP, or a restart)")
    return data


offline.add_url_rule("/sw.js", view_func=get_service_worker)
offline.add_url_rule("/manifest.webmanifest", view_func=get_manifest)
offline.add_url_rule("/device/model.json", view_func=get_device)
offline.add_url_rule("/device/<version>/<name>", view_func=get_device_file)

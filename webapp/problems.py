"""Every error as an answer: problem+json (RFC 9457) under /api/, `{"error": …}` elsewhere, never a traceback."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import current_app, json, jsonify, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from ..runtime import GlyphliteError, ImageError, ImageTooLarge, UnknownModel, UnsupportedImage
from .uploads import BODY_LIMIT

PROBLEM_JSON = "application/problem+json"

# the last part of a problem's `type`, which stays as it is for good: its title
TITLES = {
    "bad-request": "The request is not what was wanted",
    "unreadable-image": "The image cannot be read",
    "unsupported-image": "The image's format is not read",
    "image-too-large": "The image has too many pixels",
    "no-character": "No character was found in the image",
    "unknown-model": "No such model is loaded",
    "not-found": "There is nothing at this address",
    "method-not-allowed": "This address does not take this method",
    "body-too-large": "The request's body is too large",
    "unsupported-media-type": "The body's Content-Type is not taken",
    "unauthorized": "The request brings no token, or another one",
    "forbidden": "Another site's page may not ask",
    "misdirected": "This server is not called by that name",
    "too-many-requests": "This address has asked too often",
    "internal-error": "The server failed",
}
HTTP_KINDS = {
    400: "bad-request",
    401: "unauthorized",
    403: "forbidden",
    404: "not-found",
    415: "unsupported-media-type",
    421: "misdirected",
    429: "too-many-requests",
}


@dataclass(frozen=True)
class Problem:
    """What went wrong, for the one who asked.  kind: a key of TITLES, or '' for a status that needs no more words."""

    status: int
    kind: str
    detail: str


def describe(error: Exception) -> Problem:
    """The problem that an exception is.  A defect or a failing model is logged, and told without its particulars."""
    if isinstance(error, RequestEntityTooLarge):
        limit = (request.max_content_length or BODY_LIMIT) // 2**20
        return Problem(413, "body-too-large", f"too large a body, or too many fields in it; wanted at most {limit} MiB")
    if isinstance(error, NotFound) and request.url_rule is None:
        return Problem(404, "not-found", f"{request.path:.200}: nothing is here; /openapi.json lists what is")
    if isinstance(error, MethodNotAllowed):
        return Problem(405, "method-not-allowed", f"{request.method}; wanted {' or '.join(_allowed(error))}")
    if isinstance(error, HTTPException) and error.code is not None and error.code < 500:
        return Problem(error.code, HTTP_KINDS.get(error.code, ""), error.description or error.name)
    if isinstance(error, GlyphliteError) and error.http_status < 500:
        return Problem(error.http_status, _kind(error), str(error))
    current_app.logger.error("%s %r failed", request.method, request.path, exc_info=error)
    return Problem(500, "internal-error", "the server failed; its log says why")


def _kind(error: GlyphliteError) -> str:
    if isinstance(error, UnknownModel):
        return "unknown-model"
    if isinstance(error, UnsupportedImage):
        return "unsupported-image"
    if isinstance(error, ImageTooLarge):
        return "image-too-large"
    return "unreadable-image" if isinstance(error, ImageError) else "bad-request"


def problem_json(problem: Problem) -> dict[str, Any]:
    """A problem in RFC 9457's form.  Its `type` is a path of this server, stable, and need not be fetched."""
    title = TITLES.get(problem.kind, problem.detail)
    kind = f"/problems/{problem.kind}" if problem.kind else "about:blank"
    return {"type": kind, "title": title, "status": problem.status, "detail": problem.detail}


def answer_problem(problem: Problem) -> Any:
    """The response that a problem is."""
    body = json.dumps(problem_json(problem)) + "\n"
    return current_app.response_class(body, problem.status, mimetype=PROBLEM_JSON)


def answer_error(error: Exception) -> Any:
    """The app's error handler."""
    problem = describe(error)
    if request.path.startswith("/api/"):
        response = answer_problem(problem)
    else:
        response = jsonify(error=problem.detail)
        response.status_code = problem.status
    if isinstance(error, HTTPException):
        for name, value in error.get_headers(request.environ):  # Allow, Retry-After
            if name != "Content-Type":
                response.headers[name] = value
    return response


def _allowed(error: MethodNotAllowed) -> list[str]:
    return sorted(error.valid_methods or ())

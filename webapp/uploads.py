"""How an image comes in: as a form's file or as a raw body, always in memory and never larger than BODY_LIMIT."""

from __future__ import annotations

from io import BytesIO
from typing import IO

from flask import Request, request
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

BODY_LIMIT = 8 * 1024 * 1024  # bytes of a request's body
FIELD = "file"  # the form's field


class MemoryRequest(Request):
    """A request whose uploads stay in memory; Werkzeug would spool those over 500 kB to a temporary file."""

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        return BytesIO()


def form_file() -> bytes:
    """The bytes of the form's first named file in FIELD.

    The first named one, because a page's form sends a nameless part for each file input that was left empty.
    Raises BadRequest where there is none, RequestEntityTooLarge for a body over the limit.
    """
    files = request.files.getlist(FIELD)
    for file in files:
        if file.filename:
            content: bytes = file.read()
            return content
    if files:
        raise BadRequest(f"the file in the form field `{FIELD}` has no name: none was chosen; wanted an image file")
    raise BadRequest(f"no file in the form field `{FIELD}`; wanted multipart/form-data with an image file in it")


def form_files(most: int) -> list[tuple[str, bytes]]:
    """(name, bytes) of all named files in the form's FIELD.  Raises BadRequest where there is none, or over `most`."""
    files = [(file.filename, file.read()) for file in request.files.getlist(FIELD) if file.filename]
    if not 1 <= len(files) <= most:
        raise BadRequest(f"{len(files)} named files in the form field `{FIELD}`; wanted 1 to {most}")
    return files


def switch(name: str) -> bool:
    """A query parameter of '1' or '0'; '0' where it is absent.  Raises BadRequest for anything else."""
    value = request.args.get(name, "0")
    if value not in ("0", "1"):
        raise BadRequest(f"{name}={value}; wanted 0 or 1")
    return value == "1"


def form_file_or_body() -> bytes:
    """The form's file as `form_file`, or the body where its type says that it is the image itself.

    The declared type only tells a form from a body; what the image is, its bytes say.
    Raises as `form_file`, and UnsupportedMediaType for a body of another type.
    """
    kind = request.mimetype
    if kind == "multipart/form-data":
        return form_file()
    if kind.startswith("image/") or kind == "application/octet-stream":
        body: bytes = request.get_data(cache=False)
        return body
    seen = f"a body of type {kind}" if kind else "no Content-Type"
    raise UnsupportedMediaType(f"{seen}; wanted multipart/form-data with the field `{FIELD}`, or image/*")

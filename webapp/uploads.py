"""How images come in: a form's files, a raw body, base64 in JSON, or glyphs; in memory, never over BODY_LIMIT."""

from __future__ import annotations

import base64
import binascii
import io
import json
import math
import zipfile
from io import BytesIO
from typing import IO, Any, NoReturn

import numpy as np
from flask import Request, request
from numpy.typing import NDArray
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import BadRequest, UnsupportedMediaType
from werkzeug.formparser import FormDataParser

from ..runtime import ImageError, ImageTooLarge
from ..runtime.image import MAX_PIXELS, read_header

BODY_LIMIT = 8 * 1024 * 1024  # bytes of a request's body
FIELD = "file"  # the form's field
PIXEL_LIMIT = 2 * MAX_PIXELS  # of all images of a request: photos of BODY_LIMIT bytes have fewer
GLYPH_LIMIT = 4096  # glyphs of a request
ARRAY_NAMES = ("images", "glyphs")  # of an .npz, as data sets have them
ZIP = b"PK\x03\x04"
JSON = "application/json"
FORM = "multipart/form-data"
BYTES = "application/octet-stream"
GLYPH_TYPES = (BYTES, "application/zip", "application/x-npz")


class MemoryRequest(Request):
    """A request whose uploads stay in memory; Werkzeug would spool those over 500 kB to a temporary file.  Its
    form raises ValueError where it is damaged; Werkzeug would give an empty one."""

    def make_form_data_parser(self) -> FormDataParser:
        parser = super().make_form_data_parser()
        parser.silent = False
        return parser

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        return BytesIO()


def check_query(*known: str) -> None:
    """Raises BadRequest for a query parameter that would be ignored."""
    for name in request.args:
        if name not in known:
            raise BadRequest(f"{name:.60}: no such query parameter; wanted {', '.join(known) or 'none'}")


def switch(name: str) -> bool:
    """A query parameter of '1' or '0'; '0' where it is absent.  Raises BadRequest for anything else."""
    value = request.args.get(name, "0")
    if value not in ("0", "1"):
        raise BadRequest(f"{name}={value:.60}; wanted 0 or 1")
    return value == "1"


def form_file() -> bytes:
    """The bytes of the form's first named file in FIELD.

    The first named one, because a page's form sends a nameless part for each file input that was left empty.
    Raises BadRequest where there is none or the form is damaged, RequestEntityTooLarge for a body over the limit.
    """
    if request.mimetype not in (FORM, ""):
        raise BadRequest(f"{_seen_type()}; wanted {FORM} with an image file in the field `{FIELD}`")
    files = _files()
    for file in files:
        if file.filename:
            content: bytes = file.read()
            return content
    if files:
        raise BadRequest(f"the file in the form field `{FIELD}` has no name: none was chosen; wanted an image file")
    raise BadRequest(f"no file in the form field `{FIELD}`; wanted {FORM} with an image file in it")


def form_file_or_body() -> bytes:
    """The image that the request is about: the form's file as `form_file`; `image` of a JSON object, in base64; or the
    body where its type says that it is the image itself.

    The declared type only tells a form from a body; what the image is, its bytes say.
    Raises as `form_file`, and UnsupportedMediaType for a body of another type.
    """
    kind = request.mimetype
    if kind == FORM:
        return form_file()
    if kind == JSON:
        return _base64(_json_object("image"), "image")
    if kind.startswith("image/") or kind == BYTES:
        return _body()
    raise _unsupported(f"{FORM} with the field `{FIELD}`, {JSON} with `image`, or image/*")


def images(most: int) -> list[tuple[str | None, bytes]]:
    """(name, bytes) of all named files in the form's FIELD, or of `images` in a JSON object, which have no names.

    Raises BadRequest where there is none, or over `most`, or the form is damaged; ImageTooLarge over PIXEL_LIMIT.
    """
    found = _images(most)
    pixels = sum(_pixels(data) for _, data in found)
    if pixels > PIXEL_LIMIT:
        seen = f"{len(found)} images of {pixels:,} pixels together"
        raise ImageTooLarge(f"{seen}; wanted at most {PIXEL_LIMIT // 1_000_000} million in a request")
    return found


def _images(most: int) -> list[tuple[str | None, bytes]]:
    if request.mimetype == JSON:
        values = _json_object("images")
        if not isinstance(values, list) or not 1 <= len(values) <= most:
            seen = f"{len(values)} images" if isinstance(values, list) else f"images {values!r:.40}"
            raise BadRequest(f"{seen}; wanted a list of 1 to {most} texts in base64")
        return [(None, _base64(value, f"images[{index}]")) for index, value in enumerate(values)]
    if request.mimetype not in (FORM, ""):
        raise _unsupported(f"{FORM} with the field `{FIELD}`, {JSON} with `images`, {BYTES} or an .npz")
    files: list[tuple[str | None, bytes]] = [(file.filename, file.read()) for file in _files() if file.filename]
    if not 1 <= len(files) <= most:
        raise BadRequest(f"{len(files)} named files in the form field `{FIELD}`; wanted 1 to {most}")
    return files


def _pixels(data: bytes) -> int:
    """The pixels that an image file's header promises; 0 where it is refused by itself before it is decoded."""
    try:
        header = read_header(data)
    except ImageError:
        return 0
    pixels = header.width * header.height
    return pixels if pixels <= MAX_PIXELS else 0


def glyphs(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """(N, H, W, C) glyphs of a body of one of GLYPH_TYPES: an `.npz` with `images`, or their bytes one after the other.

    shape: (H, W, C) of a glyph.  Raises BadRequest where they are none, or over GLYPH_LIMIT.
    """
    data = _body()
    size = math.prod(shape)
    if data.startswith(ZIP):
        data = _npz_member(data, shape)
    elif not data or len(data) % size:
        raise BadRequest(f"{len(data)} bytes; wanted an .npz, or glyphs of {size} bytes each, {shape} uint8")
    count = len(data) // size
    if not 1 <= count <= GLYPH_LIMIT:
        raise BadRequest(f"{count} glyphs; wanted 1 to {GLYPH_LIMIT}")
    return np.frombuffer(data, np.uint8).reshape(count, *shape)


def _npz_member(data: bytes, shape: tuple[int, ...]) -> bytes:
    """The pixels of an `.npz`'s array of glyphs.  Its sizes are looked at before anything is unpacked."""
    wanted = f"wanted an .npz with `{ARRAY_NAMES[0]}`, (N, {', '.join(map(str, shape))}) uint8"
    most = GLYPH_LIMIT * math.prod(shape)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist()}
            name = next((f"{name}.npy" for name in ARRAY_NAMES if f"{name}.npy" in sizes), None)
            if name is None:
                raise BadRequest(f"an .npz with {', '.join(sorted(sizes))[:80] or 'nothing'}; {wanted}")
            if sizes[name] > most + 1024:  # the header of an .npy is shorter
                raise BadRequest(f"{name} of {sizes[name]} bytes; wanted at most {GLYPH_LIMIT} glyphs")
            with archive.open(name) as member:
                version = np.lib.format.read_magic(member)
                if version not in ((1, 0), (2, 0)):
                    raise BadRequest(f"{name}: .npy version {version}; {wanted}")
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                found, columns_first, dtype = read(member)
                if (
                    dtype != np.uint8
                    or columns_first
                    or found[1:] not in (shape, shape[:2] if shape[2] == 1 else shape)
                ):
                    raise BadRequest(f"{name}: {dtype} {found}{' in columns' if columns_first else ''}; {wanted}")
                pixels = member.read(most + 1)
    except BadRequest:
        raise
    except Exception as error:  # zipfile and numpy raise a dozen kinds for damaged files
        raise BadRequest(f"a damaged .npz ({' '.join(str(error).split()):.80}); {wanted}") from None
    if len(pixels) != math.prod(found):
        raise BadRequest(f"{name}: {len(pixels)} bytes of {found}; {wanted}")
    return pixels


def _files() -> list[FileStorage]:
    try:
        files: list[FileStorage] = request.files.getlist(FIELD)
    except ValueError as error:
        reason = "a name in it is no UTF-8" if isinstance(error, UnicodeDecodeError) else "it is cut short or damaged"
        wanted = f"wanted {FORM} with an image file in the field `{FIELD}`"
        raise BadRequest(f"the form cannot be read: {reason}; {wanted}") from None
    return files


def _body() -> bytes:
    body: bytes = request.get_data(cache=False)
    return body


def _unsupported(wanted: str) -> UnsupportedMediaType:
    return UnsupportedMediaType(f"{_seen_type()}; wanted {wanted}")


def _seen_type() -> str:
    kind = request.mimetype
    asked = ", as curl calls all that it is not told the type of" if kind == "application/x-www-form-urlencoded" else ""
    return f"a body of type {kind:.60}{asked}" if kind else "no Content-Type"


def _json_object(key: str) -> Any:
    """The value of the one key of a JSON object.  Raises BadRequest for anything else."""

    def no_number(name: str) -> NoReturn:
        raise ValueError(f"{name} is no JSON")

    try:
        content = json.loads(_body(), parse_constant=no_number)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"no JSON ({error!s:.80}); wanted an object with `{key}`") from None
    if not isinstance(content, dict) or list(content) != [key]:
        seen = f"the keys {', '.join(content)[:60] or '–'}" if isinstance(content, dict) else f"{content!r:.40}"
        raise BadRequest(f"{seen}; wanted a JSON object with `{key}` alone")
    return content[key]


def _base64(value: Any, name: str) -> bytes:
    """The bytes of base64, or of a data: URL as a canvas makes it."""
    if not isinstance(value, str):
        raise BadRequest(f"{name} {value!r:.40}; wanted text in base64")
    text = value.partition(";base64,")[2] if value.startswith("data:") else value
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest(f"{name}: no base64 ({error}); wanted an image file in it") from None

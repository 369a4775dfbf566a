"""`POST /corrections`: a glyph that was read wrongly, with its right label, into a folder that training can use.

The folder, `FOLDER/LABEL/HASH.png`, is a labelled one as `glyphlite train --add-data` takes it.  It is off unless the
app is told a folder, and holds no more than MAX_FILES files of MAX_BYTES in all.
"""

from __future__ import annotations

import hashlib
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from flask import Blueprint, abort, current_app, request
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from ..runtime import GlyphliteError
from ..runtime.files import write_bytes
from ..runtime.image import Pixels, load_image
from .problems import Problem, answer_problem, describe
from .service import service

MAX_FILES = 10_000
MAX_BYTES = 20 * 2**20  # of all files: a glyph's PNG has about 400
SAFE_LABEL = 64  # characters of a label that can be a folder's name, at most

corrections = Blueprint("corrections", __name__)


class FolderFull(GlyphliteError):
    """The folder of corrections holds as much as it may."""


@dataclass
class Corrections:
    """A labelled folder of bounded size.  It may be shared between threads.

    Raises GlyphliteError where the folder cannot be made or written.
    """

    folder: Path
    max_files: int = MAX_FILES
    max_bytes: int = MAX_BYTES
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            wanted = "wanted a folder for corrections"
            raise GlyphliteError(f"{self.folder}: cannot be written ({error.strerror}); {wanted}") from None

    def add(self, glyph: Pixels, label: str) -> Path:
        """Write a glyph, (H, W) or RGB (H, W, 3) uint8, under its label; the same one is kept once, under the label
        that it was given last.

        Raises BadRequest where the label cannot be a folder's name, FolderFull where no more is taken, OSError where it
        cannot be written.
        """
        if label != Path(label).name or label.startswith(".") or len(label) > SAFE_LABEL or not label.isprintable():
            raise BadRequest(f"label {label!r}: cannot be a folder's name")
        data = cv2.imencode(".png", glyph if glyph.ndim == 2 else glyph[..., ::-1])[1].tobytes()
        path = self.folder / label / f"{hashlib.sha256(data).hexdigest()[:24]}.png"
        with self._lock:
            if not path.exists():
                sizes = [found.stat().st_size for found in self.folder.glob("*/*.png")]
                if len(sizes) >= self.max_files or sum(sizes) + len(data) > self.max_bytes:
                    raise FolderFull(f"{len(sizes)} corrections of {sum(sizes)} bytes are kept; no more are taken")
                write_bytes(path, data)
            for other in self.folder.glob(f"*/{path.name}"):
                if other != path:
                    other.unlink(missing_ok=True)
        return path


def post_correction() -> Any:
    """Keep the glyph in a PNG body as `?label=`.  404 where no folder was given, 507 where it or its disk is full.

    Only a body of type image/png is taken: a page of elsewhere cannot send one without being allowed to.
    """
    kept: Corrections | None = current_app.extensions.get("corrections")
    if kept is None:
        abort(404, "corrections are not kept here; `glyphlite serve --corrections DIR` keeps them")
    if request.mimetype != "image/png":
        raise UnsupportedMediaType(f"a body of type {request.mimetype or 'none'}; wanted image/png")
    card, label = service().recognizer.card, request.args.get("label", "")
    if label not in card.labels:
        raise BadRequest(f"label {label!r}; wanted one of {' '.join(card.labels[:62])}")
    glyph = load_image(request.get_data(cache=False))
    if glyph.ndim == 3:  # a browser's canvas writes grey as colour
        is_grey = card.input_shape[2] == 1 and not np.ptp(glyph, axis=2).any()
        glyph = np.ascontiguousarray(glyph[..., 0] if is_grey else glyph[..., ::-1])
    if glyph.shape not in (card.input_shape, card.input_shape[:2]):
        raise BadRequest(f"a glyph of {'×'.join(map(str, glyph.shape))}; wanted {card.input_shape}")
    try:
        kept.add(glyph, label)
    except FolderFull as error:
        return answer_problem(Problem(507, "", str(error)))
    except OSError as error:
        current_app.logger.error("%s: a correction was not kept (%s)", kept.folder, error.strerror)
        return answer_problem(Problem(507, "", f"the correction was not kept ({error.strerror})"))
    return {"label": label}, 201


def complain(error: Exception) -> Any:
    """A problem, as of the API."""
    return answer_problem(describe(error))


corrections.add_url_rule("/corrections", view_func=post_correction, methods=["POST"])
corrections.register_error_handler(Exception, complain)

"""A prediction or a reading as JSON, and a glyph as something that a page can show."""

from __future__ import annotations

import base64
from typing import Any

import cv2
import numpy as np

from ..runtime import Artifact, Card, Prediction, Reading, TextLine
from ..runtime.image import Pixels

SHARE_DIGITS = 6  # decimals of a probability; a float32 has no more to say
SHOWN_SIDE = 64  # pixels of the longer side that a glyph is drawn on the page with at most


def top(prediction: Prediction) -> list[dict[str, Any]]:
    """The best answers, best first."""
    return [{"label": label, "confidence": round(share, SHARE_DIGITS)} for label, share in prediction.top]


def number_or_text(label: str) -> int | str:
    """An integer where the label is made of digits: what the replaced app answered."""
    return int(label) if label.isascii() and label.isdigit() else label


def box(prediction: Prediction) -> dict[str, int] | None:
    """Where the character is in the upright image, pixels."""
    return None if prediction.box is None else dict(zip(("x", "y", "width", "height"), prediction.box, strict=True))


def prediction(found: Prediction, model: str, with_glyph: bool) -> dict[str, Any]:
    """An answer for one image, of `model`; its box is null where it was found by somebody else."""
    answer = {
        "label": found.label,
        "confidence": round(found.confidence, SHARE_DIGITS),
        "top": top(found),
        "box": box(found),
        "model": model,
    }
    if with_glyph and found.glyph is not None:
        answer["glyph"] = glyph_png(found.glyph)
    return answer


def reading(found: Reading) -> dict[str, Any]:
    """A reading: its text, and each line with its characters and alternatives."""
    return {"text": found.text, "lines": [_line(line) for line in found.lines], "rotation": found.rotation}


def _line(line: TextLine) -> dict[str, Any]:
    return {
        "text": line.text,
        "probability": round(line.probability, SHARE_DIGITS),
        "characters": [
            {
                "label": one.label,
                "confidence": round(one.confidence, SHARE_DIGITS),
                "top": top(one),
                "box": box(one),
            }
            for one in line.characters
        ],
        "alternatives": [
            {"text": text, "probability": round(probability, SHARE_DIGITS)} for text, probability in line.alternatives
        ],
    }


def glyph_png(glyph: Pixels) -> str:
    """A glyph, (H, W) or RGB (H, W, 3) uint8, as a PNG in base64."""
    _, data = cv2.imencode(".png", glyph if glyph.ndim == 2 else glyph[..., ::-1])
    return base64.b64encode(data.tobytes()).decode("ascii")


def glyph_squares(glyph: Pixels) -> dict[str, Any]:
    """A glyph as coloured unit squares for an SVG, its black ground left out.

    Squares, not an image in a data: URL, because the page's policy allows nothing but its own files.
    """
    scale = SHOWN_SIDE / max(glyph.shape[:2])
    if scale < 1:
        size = tuple(max(1, round(side * scale)) for side in glyph.shape[1::-1])
        glyph = np.asarray(cv2.resize(glyph, size, interpolation=cv2.INTER_AREA), np.uint8)
    height, width = glyph.shape[:2]
    colour = np.broadcast_to(glyph.reshape(height, width, -1), (height, width, 3))
    lit = zip(*np.nonzero(colour.any(axis=2)), strict=True)
    squares = [(int(x), int(y), "#" + bytes(colour[y, x]).hex()) for y, x in lit]
    return {"width": width, "height": height, "squares": squares}


def card(card: Card, artifact: Artifact) -> dict[str, Any]:
    """A model's card in brief, with one of its artifacts."""
    return {
        "name": card.name,
        "labels": list(card.labels),
        "input_shape": list(card.input_shape),
        "geometry": card.geometry,
        "parameters": card.parameters,
        "macs": card.macs,
        "artifact": {
            "file": artifact.file,
            "format": artifact.format,
            "recipe": artifact.recipe,
            "bytes": artifact.bytes,
            "errors": artifact.errors,
            "test_images": artifact.test_images,
            "test_set": artifact.test_set,
        },
    }

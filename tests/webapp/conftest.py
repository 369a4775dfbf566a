"""The app under test, and images drawn for it."""

import os
import struct
import zlib

import cv2
import numpy as np
import pytest

from glyphlite.webapp import create_app

STROKES = {
    0: [(100 + 45 * np.cos(turn), 100 + 65 * np.sin(turn)) for turn in np.linspace(0, 2 * np.pi, 40)],
    1: [(100, 35), (100, 165)],
    7: [(55, 40), (145, 40), (90, 165)],
}


def encode(pixels, suffix=".png"):
    return cv2.imencode(suffix, pixels)[1].tobytes()


def draw(digit, *, thickness=14, shift=(0, 0), suffix=".png"):
    """An image file's bytes: a digit drawn with a pen on white paper, 200 × 200."""
    paper = np.full((200, 200), 255, np.uint8)
    points = np.rint(np.array(STROKES[digit]) + shift).astype(np.int32)
    return encode(cv2.polylines(paper, [points], False, 20, thickness, cv2.LINE_AA), suffix)


def png_header(width, height):
    """A PNG that promises so many pixels and holds none of them."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(100)))]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in [*chunks, (b"IEND", b"")]
    )
    return b"\x89PNG\r\n\x1a\n" + body


# name: (bytes, status at /predict, status and problem at /api/v1/predict, words in the answer)
BAD_IMAGES = {
    "empty": (b"", 400, 400, "unreadable-image", "0 bytes"),
    "text": (b"this is no image", 400, 400, "unreadable-image", "no image"),
    "half a JPEG": (draw(7, suffix=".jpg")[:1500], 400, 400, "unreadable-image", "JPEG"),
    "half a PNG": (draw(7)[:300], 400, 400, "unreadable-image", "PNG"),
    "blank paper": (encode(np.full((200, 200), 240, np.uint8)), 400, 422, "no-character", "no character"),
    "HEIC": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500), 415, 415, "unsupported-image", "HEIC"),
    "bomb": (png_header(30_000, 30_000), 413, 413, "image-too-large", "30000"),
}


@pytest.fixture(scope="session")
def model():
    """The model that the app serves: a shipped name, a bundle's folder or a file."""
    return os.environ.get("GLYPHLITE_TEST_MODEL", "digits-edge")


@pytest.fixture(scope="session")
def app(model):
    return create_app({"MODEL": model})


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture(name="draw")
def draw_fixture():
    return draw


@pytest.fixture(name="png_header")
def png_header_fixture():
    return png_header


@pytest.fixture(params=BAD_IMAGES)
def bad_image(request):
    return BAD_IMAGES[request.param]


@pytest.fixture
def multipart():
    """(body, Content-Type) of a form with one file, as a browser sends it."""

    def build(data, field="file", name="photo.png"):
        head = f'--glyph\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'
        return head.encode() + data + b"\r\n--glyph--\r\n", "multipart/form-data; boundary=glyph"

    return build

"""Bytes to pixels: the format is sniffed, the size limit read from the header before anything is decoded, EXIF
orientation obeyed, transparency laid on white, 16 bits scaled to 8.

A large page is reduced: a JPEG while it is decoded (the decoder's own DCT scaling), which is both faster and smaller,
any other image right after that.
"""

from __future__ import annotations

import os
import struct
import threading
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import ImageError, ImageTooLarge, UnsupportedImage

Pixels = NDArray[np.uint8]
ImageSource = str | os.PathLike[str] | bytes | bytearray | memoryview | NDArray[Any]

MAX_PIXELS = 50_000_000  # of the header's width × height: a 48-megapixel phone photo passes, a bomb does not
MAX_DECODED = 3 * MAX_PIXELS  # bytes of an image that is decoded whole
ALONE = 16_000_000  # bytes from which on images are decoded one at a time, whatever the number of threads
REDUCED_SIDE = 800  # pixels: an image is taken at the smallest scale (1/2, 1/4, 1/8) that keeps its longer side above
READ_FORMATS = "JPEG, PNG, WebP, BMP, TIFF or GIF"
NO_IMAGE = "no image"

_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
)
_FOREIGN = (  # formats that people send by mistake, named in the refusal
    (b"%PDF", "PDF"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"PK\x03\x04", "ZIP"),
    (b"8BPS", "Photoshop"),
    (b"\x1f\x8b", "gzip"),
)
_HEIF_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"}
_JPEG_REDUCTIONS = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4,
                    8: cv2.IMREAD_REDUCED_COLOR_8}  # fmt: skip


@dataclass(frozen=True)
class Header:
    """What an image's bytes say of it before decoding."""

    format: str
    width: int
    height: int
    orientation: int  # EXIF's 1 to 8; 1 is upright
    depth: int = 3  # bytes of a decoded pixel


def load_image(source: ImageSource) -> Pixels:
    """Pixels of an image, upright: (H, W) grey or (H, W, 3) BGR, uint8; of a file beyond REDUCED_SIDE, reduced.

    source: a path, the bytes of a file, or a uint8 array (H, W), (H, W, 1), (H, W, 3) BGR or (H, W, 4) BGRA, which is
    taken as it is but for its transparency.
    Raises ImageError naming the file and what was wanted: UnsupportedImage for a format that is not read, ImageTooLarge
    beyond MAX_PIXELS or MAX_DECODED.
    """
    return read_image(source)[0]


def read_image(source: ImageSource) -> tuple[Pixels, int]:
    """`load_image`, and how many pixels of the file each of its pixels stands for along a side: 1, or of a large one 2,
    4 or 8."""
    if isinstance(source, np.ndarray):
        return _from_array(source), 1
    if isinstance(source, (bytes, bytearray, memoryview)):
        return decode(bytes(source), "the bytes")
    if not isinstance(source, str | os.PathLike):
        raise ImageError(f"{source!r:.60}: no image; wanted a path, a file's bytes or a uint8 array")
    name = os.fspath(source)
    path = Path(name)
    try:
        if path.is_dir():
            raise ImageError(f"{name}: a folder; wanted an image file ({READ_FORMATS})")
        if not path.is_file() and path.exists():
            raise ImageError(f"{name}: no ordinary file; wanted an image file ({READ_FORMATS})")
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{name}: cannot be read ({reason}); wanted an image file ({READ_FORMATS})") from None
    return decode(data, name)


def decode(data: bytes, name: str, full: bool = False) -> tuple[Pixels, int]:
    """As `read_image`, of an image file's bytes; `name` is what errors call it.  full: it is not reduced."""
    header = read_header(data, name)
    size = f"{header.width} × {header.height} pixels"
    if header.width * header.height > MAX_PIXELS:
        raise ImageTooLarge(f"{name}: {size}; wanted at most {MAX_PIXELS // 1_000_000} million")
    reduction = 1 if full else _reduction(max(header.width, header.height))
    flags, decoded = cv2.IMREAD_UNCHANGED, header.width * header.height * header.depth
    if header.format == "JPEG":
        flags, decoded = _JPEG_REDUCTIONS[reduction] | cv2.IMREAD_IGNORE_ORIENTATION, decoded // reduction**2
    if decoded > MAX_DECODED:
        raise ImageTooLarge(
            f"{name}: {size} of {header.depth} bytes; wanted at most {MAX_DECODED // 1_000_000} million bytes"
        )
    with _alone if decoded >= ALONE else nullcontext():
        try:
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        except cv2.error as error:
            raise ImageError(f"{name}: damaged {header.format} ({error.err or 'not decodable'})") from None
        if pixels is None or pixels.size == 0:
            kind = f"damaged {header.format}, or of a kind that OpenCV {cv2.__version__} does not read"
            raise ImageError(f"{name}: {kind}")
        if header.format != "JPEG" and reduction > 1:
            height, width = pixels.shape[:2]
            pixels = cv2.resize(pixels, (-(-width // reduction), -(-height // reduction)), interpolation=cv2.INTER_AREA)
        return orient(_to_8_bit(np.asarray(pixels), name), header.orientation), reduction


_alone = threading.Lock()


def _reduction(side: int) -> int:
    return next(factor for factor in (8, 4, 2, 1) if side // factor >= REDUCED_SIDE or factor == 1)


def _from_array(array: NDArray[Any]) -> Pixels:
    if array.dtype != np.uint8:
        raise ImageError(f"an array of {array.dtype}; wanted uint8 in [0, 255]")
    if array.ndim not in (2, 3) or array.size == 0 or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise ImageError(f"an array of shape {array.shape}; wanted (H, W), (H, W, 3) BGR or (H, W, 4) BGRA")
    if array.shape[0] * array.shape[1] > MAX_PIXELS:
        raise ImageTooLarge(f"an array of shape {array.shape}; wanted at most {MAX_PIXELS // 1_000_000} million pixels")
    return _to_8_bit(array, "array")


def _to_8_bit(pixels: NDArray[Any], name: str) -> Pixels:
    """Any decoded array as uint8 grey or BGR."""
    if pixels.dtype == np.uint16:
        pixels = np.asarray(cv2.convertScaleAbs(pixels, alpha=1 / 257), np.uint8)
    elif pixels.dtype != np.uint8:
        raise ImageError(f"{name}: pixels of {pixels.dtype}; wanted 8 or 16 bits a channel")
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    elif pixels.ndim == 3 and pixels.shape[2] == 4:
        pixels = _flatten(pixels[..., :3], pixels[..., 3])
    return np.ascontiguousarray(pixels)


def _flatten(colour: Pixels, alpha: Pixels) -> Pixels:
    """Composite on white; on black where white would swallow everything (white ink on a transparent canvas)."""
    if alpha.min() == 255:
        return colour
    cover = np.asarray(cv2.cvtColor(alpha, cv2.COLOR_GRAY2BGR), np.uint8)
    on_black = np.asarray(cv2.multiply(colour, cover, scale=1 / 255), np.uint8)
    on_white = np.asarray(cv2.add(on_black, 255 - cover), np.uint8)
    return on_white if on_white.min() < 250 or alpha.max() == 0 else on_black


def orient(pixels: Pixels, orientation: int) -> Pixels:
    """Undo an EXIF orientation, 1 to 8 (Exif 2.32, table 4, tag 0x0112)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


# --- headers ---------------------------------------------------------------------------------------------------------


def read_header(data: bytes, name: str = "image") -> Header:
    """Format, size and orientation from an image file's bytes; nothing is decoded.

    Raises ImageError where the bytes are empty, cut short or no image, UnsupportedImage where they are of a format that
    is not read.
    """
    if not data:
        raise ImageError(f"{name}: empty (0 bytes); wanted an image file ({READ_FORMATS})")
    kind = _sniff(data)
    if kind == NO_IMAGE:
        raise ImageError(f"{name}: no image; wanted {READ_FORMATS}")
    if kind not in _READERS:
        raise UnsupportedImage(f"{name}: {kind}; wanted {READ_FORMATS}")
    try:
        width, height, orientation, whole = _READERS[kind](data)
        depth = _depth(kind, data)
    except (struct.error, LookupError, ValueError, OverflowError):  # the last: an offset over 2 GB, of 32-bit Python
        raise ImageError(f"{name}: damaged or cut-short {kind} (its header cannot be read)") from None
    if width < 1 or height < 1:
        raise ImageError(f"{name}: {kind} of {width} × {height} pixels; wanted at least 1 × 1")
    if not whole and width * height <= MAX_PIXELS:
        raise ImageError(f"{name}: cut-short {kind} ({len(data)} bytes hold only part of it)")
    return Header(kind, width, height, orientation if 1 <= orientation <= 8 else 1, depth)


def _sniff(data: bytes) -> str:
    for signature, kind in _SIGNATURES:
        if data.startswith(signature):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:8] == b"ftyp":
        brand = data[8:12]
        return "HEIC" if brand in _HEIF_BRANDS else "AVIF" if brand in (b"avif", b"avis") else "a video or audio file"
    for signature, kind in _FOREIGN:
        if data.startswith(signature):
            return kind
    start = data[:256].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(b"<svg") or (start.startswith(b"<?xml") and b"<svg" in data[:1024]):
        return "SVG"
    if start.startswith((b"<!doctype html", b"<html")):
        return "HTML"
    return NO_IMAGE


Found = tuple[int, int, int, bool]  # width, height, orientation, all bytes are there


def _read_jpeg(data: bytes) -> Found:
    orientation, width, height, at = 1, 0, 0, 2
    while True:
        if data[at] != 0xFF:
            raise ValueError("no marker")
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # no length follows
            at += 2
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        body = data[at + 4 : at + 2 + length]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", body, 1)
        elif marker == 0xE1 and body.startswith(b"Exif\0\0"):
            orientation = _exif_orientation(body[6:])
        elif marker == 0xDA:  # the scan: in it 0xFF is always followed by 0 or a restart marker
            return width, height, orientation, data.find(b"\xff\xd9", at) >= 0
        at += 2 + length


def _read_png(data: bytes) -> Found:
    width, height = struct.unpack_from(">II", data, 16)
    orientation, at = 1, 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        if kind == b"eXIf":
            orientation = _exif_orientation(data[at + 8 : at + 8 + length])
        if kind == b"IEND":
            return width, height, orientation, True
        at += 12 + length
    return width, height, orientation, False


def _read_webp(data: bytes) -> Found:
    (riff,) = struct.unpack_from("<I", data, 4)
    orientation, kind = 1, data[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[i : i + 3], "little") + 1 for i in (24, 27))
        at = 12
        while at + 8 <= len(data):
            (length,) = struct.unpack_from("<I", data, at + 4)
            if data[at : at + 4] == b"EXIF":
                orientation = _exif_orientation(data[at + 8 : at + 8 + length].removeprefix(b"Exif\0\0"))
            at += 8 + length + length % 2
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (size & 0x3FFF for size in struct.unpack_from("<HH", data, 26))
    else:
        raise ValueError("no frame")
    return width, height, orientation, len(data) >= riff + 8


def _read_bmp(data: bytes) -> Found:
    (size,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if size == 12 else "<ii", data, 18)
    (offset,) = struct.unpack_from("<I", data, 10)
    return abs(width), abs(height), 1, len(data) > offset


def _read_gif(data: bytes) -> Found:
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height, 1, len(data) > 13


def _read_tiff(data: bytes) -> Found:
    tags = _tiff_tags(data, (256, 257, 322, 323))  # width and height of the image, and of its tiles
    if tags.get(322, 1) * tags.get(323, 1) > MAX_PIXELS:
        raise ValueError("a tile beyond the limit")
    return tags[256], tags[257], 1, True  # OpenCV's TIFF reader turns the image upright by itself


_READERS = {
    "JPEG": _read_jpeg,
    "PNG": _read_png,
    "WebP": _read_webp,
    "BMP": _read_bmp,
    "GIF": _read_gif,
    "TIFF": _read_tiff,
}


def _depth(kind: str, data: bytes) -> int:
    """Bytes of a pixel as OpenCV decodes it, transparency with it."""
    if kind == "PNG":
        bits, colour = data[24], data[25]
        return {0: 1, 2: 3}.get(colour, 4) * (2 if bits == 16 else 1)
    if kind == "TIFF":
        tags = _tiff_tags(data, (258, 277))  # bits of a sample, samples of a pixel
        return max(1, tags.get(277, 1) * -(-tags.get(258, 1) // 8))
    if kind == "BMP":
        return 4 if data[28:29] == b" " else 3  # 32 bits
    return 3 if kind == "JPEG" else 4


def _exif_orientation(tiff: bytes) -> int:
    try:
        return _tiff_tags(tiff, (0x0112,)).get(0x0112, 1)
    except (struct.error, ValueError, OverflowError):
        return 1  # damaged metadata is no reason to refuse the pixels


def _tiff_tags(data: bytes, wanted: tuple[int, ...]) -> dict[int, int]:
    """Integer tags of a TIFF's first directory (TIFF 6.0, section 2): of several values, and of a tag that comes twice,
    the first one."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        raise ValueError("no byte order")
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, at)
    found: dict[int, int] = {}
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind, values = struct.unpack_from(f"{order}HHI", data, entry)
        if tag in wanted and tag not in found:
            if kind not in (3, 4):
                raise ValueError("neither SHORT nor LONG")
            form, place = order + ("H" if kind == 3 else "I"), entry + 8
            if values * struct.calcsize(form) > 4:
                (place,) = struct.unpack_from(f"{order}I", data, place)
            (found[tag],) = struct.unpack_from(form, data, place)
    return found

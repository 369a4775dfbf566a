"""Bytes to pixels: what is read, what is refused, and that nothing else ever happens."""

import io
import random
import struct
import zlib

import cv2
import numpy as np
import pytest
from drawn import draw
from PIL import Image

from glyphlite.runtime import ImageError, ImageTooLarge, UnsupportedImage, load_image
from glyphlite.runtime.image import MAX_PIXELS, decode, orient, read_header, read_image

# A picture with no symmetry: white, a black bar at the upper left, a blue block at the lower right (BGR).
PICTURE = np.full((40, 60, 3), 255, np.uint8)
PICTURE[5:15, 5:25] = 0
PICTURE[30:, 50:] = (200, 0, 0)
INK = draw("5", height=30, pen=3, shape=(40, 60))  # black on white, grey


def encode(pixels, form, **options):
    """Bytes of an image file by Pillow; a BGR array, a grey one, or a Pillow image."""
    if isinstance(pixels, np.ndarray):
        pixels = Image.fromarray(np.ascontiguousarray(pixels[..., ::-1] if pixels.ndim == 3 else pixels))
    file = io.BytesIO()
    pixels.save(file, form, **options)
    return file.getvalue()


def with_orientation(value):
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width, height, depth, colour, rows):
    """A PNG of any depth and colour type (PNG specification, 11.2.2); rows: the packed bytes of each."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + header + body + chunk(b"IEND", b"")


def tiff(tags, content=b""):
    """A TIFF of one directory: tags are (number, type, value); content follows the directory."""
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", 0) + content


def differ(a, b):
    """Largest difference of two images of one shape."""
    assert a.shape == b.shape
    return int(np.abs(a.astype(int) - b.astype(int)).max())


def is_ink_on_white(pixels):
    """Whether it is INK, give or take what a palette or an anti-aliased edge loses."""
    grey = pixels if pixels.ndim == 2 else pixels.mean(2)
    return grey[0, 0] > 250 and float(np.abs(grey - INK).mean()) < 3


# --- what is read ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "options", "tolerance"),
    [
        ("PNG", {}, 0),
        ("BMP", {}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("WebP", {"lossless": True}, 0),
        ("GIF", {}, 10),
        ("JPEG", {"quality": 98, "subsampling": 0}, 20),
        ("JPEG", {"quality": 98, "subsampling": 0, "progressive": True}, 20),
    ],
)
def test_every_format_gives_the_same_upright_bgr(form, options, tolerance):
    data = encode(PICTURE, form, **options)
    assert read_header(data).format.lower() == form.lower()
    assert differ(load_image(data), PICTURE) <= tolerance


@pytest.mark.parametrize("name", ["photo.JPG", "photo", "photo.heic", "photo.txt"])
def test_content_counts_and_the_name_does_not(name, tmp_path):
    (tmp_path / name).write_bytes(encode(PICTURE, "PNG"))
    assert differ(load_image(tmp_path / name), PICTURE) == 0
    assert differ(load_image(str(tmp_path / name)), PICTURE) == 0


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_the_bytes_of_a_file_are_taken(kind):
    assert differ(load_image(kind(encode(PICTURE, "PNG"))), PICTURE) == 0


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WebP", "TIFF"])
def test_all_exif_orientations_give_one_upright_image(form, orientation):
    """The camera turned the picture before saving; whoever opens it turns it back."""
    turn = {5: 5, 6: 8, 8: 6}.get(orientation, orientation)  # the inverse of each turn
    options = {"lossless": True} if form == "WebP" else {"quality": 98} if form == "JPEG" else {}
    data = encode(orient(PICTURE, turn), form, exif=with_orientation(orientation), **options)
    assert float(np.abs(load_image(data).astype(int) - PICTURE).mean()) < 2


@pytest.mark.parametrize("orientation", [0, 9, 60000])
def test_an_orientation_that_does_not_exist_is_upright(orientation):
    assert differ(load_image(encode(PICTURE, "PNG", exif=with_orientation(orientation))), PICTURE) == 0


def test_a_damaged_exif_block_does_not_cost_the_picture():
    data = encode(PICTURE, "JPEG", exif=with_orientation(6))
    at = data.index(b"Exif\0\0") + 6
    broken = data[:at] + b"??" + data[at + 2 :]
    assert load_image(broken).shape == PICTURE.shape


def transparent(ink):
    """RGBA of INK's strokes in one grey on nothing at all."""
    alpha = Image.fromarray(255 - INK)
    image = Image.new("RGBA", alpha.size, (ink, ink, ink, 0))
    image.putalpha(alpha)
    return image


@pytest.mark.parametrize("form", ["PNG", "WebP", "TIFF"])
def test_ink_that_is_only_in_alpha_lies_on_white(form):
    options = {"lossless": True, "exact": True} if form == "WebP" else {}
    assert is_ink_on_white(load_image(encode(transparent(0), form, **options)))


def test_grey_with_alpha_lies_on_white():
    assert is_ink_on_white(load_image(encode(transparent(0).convert("LA"), "PNG")))


@pytest.mark.parametrize("form", ["PNG", "GIF"])
def test_a_palette_with_a_transparent_entry_lies_on_white(form):
    """Both entries are black: only their transparency tells the ink."""
    drawing = Image.fromarray((INK < 128).astype(np.uint8), "P")
    drawing.putpalette([0, 0, 0, 0, 0, 0])
    pixels = load_image(encode(drawing, form, transparency=0))
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert np.array_equal(pixels[..., 0] == 0, INK < 128)


@pytest.mark.parametrize("form", ["PNG", "WebP"])
def test_white_ink_on_nothing_lies_on_black(form):
    options = {"lossless": True, "exact": True} if form == "WebP" else {}
    pixels = load_image(encode(transparent(255), form, **options))
    assert differ(pixels[..., 0], 255 - INK) <= 1


def test_a_fully_transparent_image_is_blank_paper():
    assert load_image(np.zeros((5, 5, 4), np.uint8)).min() == 255


def test_half_transparent_ink_is_mixed_with_the_paper():
    image = np.zeros((4, 4, 4), np.uint8)
    image[..., 3] = 51  # a fifth
    assert load_image(image)[0, 0].tolist() == [204, 204, 204]


def test_16_bit_grey_is_scaled_not_clipped():
    values = np.array([[0, 128, 257, 32768, 65534, 65535]], ">u2")
    assert load_image(png(6, 1, 16, 0, [values.tobytes()])).tolist() == [[0, 0, 1, 128, 255, 255]]


def test_16_bit_colour_is_scaled_and_becomes_bgr():
    assert load_image(png(1, 1, 16, 2, [struct.pack(">HHH", 65535, 257 * 7, 0)])).tolist() == [[[0, 7, 255]]]


def test_16_bit_transparency():
    rows = [struct.pack(">HHHH", 0, 0, 0, 65535) + struct.pack(">HHHH", 0, 0, 0, 0)]
    assert load_image(png(2, 1, 16, 6, rows))[0, :, 0].tolist() == [0, 255]


def test_1_and_2_bit_png_reach_black_and_white():
    assert load_image(png(8, 1, 1, 0, [b"\b"])).tolist() == [[0, 0, 0, 0, 255, 0, 0, 0]]
    assert load_image(png(4, 1, 2, 0, [b"\x1b"])).tolist() == [[0, 85, 170, 255]]


def test_palette_png_gives_colours_not_indices():
    picture = Image.fromarray(PICTURE[..., ::-1]).quantize(8)
    assert differ(load_image(encode(picture, "PNG")), PICTURE) < 10


def test_cmyk_jpeg():
    data = encode(Image.fromarray(PICTURE[..., ::-1]).convert("CMYK"), "JPEG", quality=98)
    assert float(np.abs(load_image(data).astype(int) - PICTURE).mean()) < 6


def test_a_32_bit_bmp_without_alpha_is_opaque():
    """Its fourth byte is reserved and 0 (BITMAPINFOHEADER, BI_RGB)."""
    pixels = np.concatenate([PICTURE[::-1], np.zeros((40, 60, 1), np.uint8)], 2).tobytes()
    header = struct.pack("<IiiHHIIiiII", 40, 60, 40, 1, 32, 0, len(pixels), 0, 0, 0, 0)
    data = b"BM" + struct.pack("<IHHI", 54 + len(pixels), 0, 0, 54) + header + pixels
    assert differ(load_image(data), PICTURE) == 0


@pytest.mark.parametrize("form", ["GIF", "WebP", "PNG", "TIFF"])
def test_of_several_frames_the_first_is_taken(form):
    frames = [Image.fromarray(INK), Image.new("L", (60, 40), 0)]
    options = {"lossless": True} if form == "WebP" else {}
    assert is_ink_on_white(load_image(encode(frames[0], form, save_all=True, append_images=frames[1:], **options)))


@pytest.mark.parametrize(
    ("size", "expected"), [((1500, 700), (700, 1500)), ((6400, 3200), (400, 800)), ((1601, 40), (20, 801))]
)
def test_a_large_jpeg_is_decoded_reduced(size, expected):
    assert load_image(encode(Image.new("L", size, 200), "JPEG")).shape == (*expected, 3)


def test_a_large_jpeg_is_turned_after_it_was_reduced():
    image = Image.new("L", (4000, 3000), 255)
    image.paste(0, (0, 0, 2000, 1500))
    pixels = load_image(encode(image, "JPEG", exif=with_orientation(6)))
    assert pixels.shape == (1000, 750, 3)
    assert pixels[100, -100, 0] == 0  # the upper left corner has gone to the right
    assert pixels[100, 100, 0] == 255


def test_a_48_megapixel_photo_passes():
    assert load_image(encode(Image.new("L", (8000, 6000), 200), "JPEG")).shape == (750, 1000, 3)


@pytest.mark.parametrize("form", ["PNG", "WebP", "TIFF", "BMP"])
def test_a_large_image_of_another_format_is_reduced_as_a_jpeg_is(form):
    large = cv2.resize(PICTURE, (2003, 1001), interpolation=cv2.INTER_NEAREST)
    data = encode(large, form, **({"lossless": True} if form == "WebP" else {}))
    pixels, reduction = read_image(data)
    assert (pixels.shape, reduction) == ((501, 1002, 3), 2)
    assert differ(decode(data, "whole", full=True)[0], large) == 0


@pytest.mark.parametrize(
    ("data", "depth"),
    [
        (encode(PICTURE, "PNG"), 3),
        (encode(INK, "PNG"), 1),
        (encode(np.dstack([PICTURE, INK]), "PNG"), 4),
        (cv2.imencode(".png", PICTURE.astype(np.uint16))[1].tobytes(), 6),
        (cv2.imencode(".tif", PICTURE.astype(np.uint16))[1].tobytes(), 6),
        (encode(PICTURE, "TIFF"), 3),
        (encode(PICTURE, "BMP"), 3),
        (encode(PICTURE, "JPEG"), 3),
    ],
)
def test_the_header_tells_how_many_bytes_a_decoded_pixel_has(data, depth):
    assert read_header(data).depth == depth
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded.itemsize * (decoded.shape[2] if decoded.ndim == 3 else 1) == depth


def test_bytes_after_the_end_of_a_jpeg_do_no_harm():
    data = encode(PICTURE, "JPEG")
    assert np.array_equal(load_image(data + b"maker's notes" * 50), load_image(data))


# --- arrays ----------------------------------------------------------------------------------------------------------


def test_arrays_are_taken_as_they_are():
    assert load_image(INK) is INK
    assert np.array_equal(load_image(INK[..., None]), INK)
    assert np.array_equal(load_image(PICTURE), PICTURE)
    assert np.array_equal(load_image(PICTURE[:, ::-1]), PICTURE[:, ::-1])
    opaque = np.dstack([PICTURE, np.full(INK.shape, 255, np.uint8)])
    assert np.array_equal(load_image(opaque), PICTURE)


@pytest.mark.parametrize("dtype", [np.float32, np.int64, bool, np.uint16, object])
def test_arrays_of_other_dtypes_are_refused(dtype):
    with pytest.raises(ImageError, match=r"array of \w+; wanted uint8"):
        load_image(np.zeros((8, 8), dtype))


@pytest.mark.parametrize("shape", [(), (8,), (0, 8), (8, 0, 3), (8, 8, 2), (8, 8, 5), (1, 8, 8, 3)])
def test_arrays_of_other_shapes_are_refused(shape):
    with pytest.raises(ImageError, match=r"wanted \(H, W\)"):
        load_image(np.zeros(shape, np.uint8))


def test_an_array_beyond_the_limit_is_refused():
    with pytest.raises(ImageTooLarge):
        load_image(np.broadcast_to(np.uint8(0), (MAX_PIXELS // 1000 + 1, 1000)))


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100), "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(100), "HEIC"),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1" + bytes(100), "AVIF"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + bytes(100), "a video"),
        (b"%PDF-1.7\n%\xe2\xe3", "PDF"),
        (b"\n <!DOCTYPE HTML><html>", "HTML"),
        (b"<html><body>404", "HTML"),
        (b'<?xml version="1.0"?>\n<!-- drawn -->\n<svg xmlns="http://www.w3.org/2000/svg">', "SVG"),
        (b"<svg width='1'/>", "SVG"),
        (b"\xff\x0a\xfa\x7f", "JPEG XL"),
        (b"PK\x03\x04" + bytes(40), "ZIP"),
    ],
)
def test_foreign_formats_are_named(data, name):
    with pytest.raises(UnsupportedImage, match=rf"^the bytes: {name}.*; wanted JPEG, PNG, WebP, BMP, TIFF or GIF$"):
        load_image(data)


@pytest.mark.parametrize("data", [b"not an image\n", bytes(1000)])
def test_what_is_no_image_at_all_is_no_unsupported_one(data):
    with pytest.raises(ImageError, match=r"^the bytes: no image; wanted JPEG") as caught:
        load_image(data)
    assert not isinstance(caught.value, UnsupportedImage)


def test_a_jpg_that_holds_heic_is_unsupported_by_its_name(tmp_path):
    (tmp_path / "IMG_0001.JPG").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    with pytest.raises(UnsupportedImage, match=r"IMG_0001\.JPG: HEIC"):
        load_image(tmp_path / "IMG_0001.JPG")


@pytest.mark.parametrize("name", ["missing.png", "folder", "empty.png", "", "nul\0.png", "long" * 2000, "/dev/null"])
def test_what_is_no_file_is_named(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.png").touch()
    with pytest.raises(ImageError, match="wanted an image file") as raised:
        load_image(name)
    assert str(raised.value).startswith(f"{name}: ")


def test_no_bytes():
    with pytest.raises(ImageError, match="empty"):
        load_image(b"")


WHOLE = {
    "JPEG": encode(PICTURE, "JPEG", exif=with_orientation(6)),
    "progressive JPEG": encode(PICTURE, "JPEG", progressive=True),
    "PNG": encode(PICTURE, "PNG", exif=with_orientation(6)),
    "palette PNG": encode(Image.fromarray(PICTURE[..., ::-1]).quantize(8), "PNG", transparency=3),
    "WebP": encode(PICTURE, "WebP", exif=with_orientation(6)),
    "lossless WebP": encode(PICTURE, "WebP", lossless=True),
    "BMP": encode(PICTURE, "BMP"),
    "palette BMP": encode(Image.fromarray(PICTURE[..., ::-1]).quantize(8), "BMP"),
    "GIF": encode(PICTURE, "GIF"),
    "TIFF": encode(PICTURE, "TIFF", exif=with_orientation(6)),
    "LZW TIFF": encode(PICTURE, "TIFF", compression="tiff_lzw"),
}


@pytest.mark.parametrize("form", WHOLE)
def test_a_cut_file_is_refused_wherever_it_is_cut(form):
    data = WHOLE[form]
    assert load_image(data).size
    for kept in np.linspace(12, len(data) - 1, 40).astype(int):
        with pytest.raises(ImageError, match=r"cut-short|damaged"):
            load_image(data[:kept])


def test_a_cut_jpeg_is_refused_though_its_thumbnail_is_whole():
    """The thumbnail in the EXIF block has an end-of-image marker of its own."""
    thumbnail = b"Exif\0\0" + encode(PICTURE[::2, ::2], "JPEG")
    data = encode(PICTURE, "JPEG")
    data = data[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(thumbnail)) + thumbnail + data[2:]
    assert load_image(data).shape == PICTURE.shape
    with pytest.raises(ImageError, match="cut-short"):
        load_image(data[:-100])


def test_a_png_whose_rows_are_missing_is_refused():
    with pytest.raises(ImageError, match="damaged PNG"):
        load_image(png(60, 400, 8, 0, [bytes(60)] * 200))


def test_a_tiff_without_a_width_is_refused():
    with pytest.raises(ImageError, match="header"):
        load_image(tiff([(257, 4, 40)]))


@pytest.mark.parametrize("tags", [{256: 0, 257: 40}, {256: 40, 257: 0}])
def test_no_pixels_at_all(tags):
    with pytest.raises(ImageError, match="wanted at least 1 × 1"):
        load_image(tiff([(tag, 4, value) for tag, value in tags.items()]))


BOMB = png(30_000, 30_000, 8, 0, [bytes(30_000)] * 3000)  # a tenth of its rows: nobody gets as far as to miss the rest
GIF = encode(PICTURE, "GIF")
EXTENDED_WEBP = b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(4) + (29_999).to_bytes(3, "little") * 2 + bytes(8)


@pytest.mark.parametrize(
    "data",
    [
        BOMB,
        b"\xff\xd8\xff\xc0\0\x11\x08" + struct.pack(">HH", 30_000, 30_000) + b"\x03" + bytes(9) + b"\xff\xda\0\x02",
        b"BM" + bytes(8) + struct.pack("<IIii", 54, 40, 30_000, -30_000) + bytes(40),
        b"BM" + bytes(8) + struct.pack("<IIHH", 26, 12, 60_000, 60_000) + bytes(40),
        GIF[:6] + struct.pack("<HH", 30_000, 30_000) + GIF[10:],
        EXTENDED_WEBP,
        b"RIFF\x1e\0\0\0WEBPVP8L\x0a\0\0\0\x2f" + struct.pack("<I", 16_000 << 14 | 16_000) + bytes(20),
        b"RIFF\x1e\0\0\0WEBPVP8 \x0a\0\0\0"
        + bytes(3)
        + b"\x9d\x01\x2a"
        + struct.pack("<HH", 16_000, 16_000)
        + bytes(20),
        tiff([(256, 4, 30_000), (257, 4, 30_000)]),
        tiff([(256, 3, 60_000), (257, 4, 2**32 - 1)]),
    ],
    ids=["PNG", "JPEG", "BMP", "BMP of OS/2", "GIF", "WebP", "lossless WebP", "lossy WebP", "TIFF", "TIFF of shorts"],
)
def test_a_header_beyond_the_limit_is_refused_before_decoding(data, monkeypatch):
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(ImageTooLarge, match=r"× \d+ pixels; wanted at most 50 million"):
        load_image(data)


def test_what_would_decode_to_too_many_bytes_is_refused_before_decoding(monkeypatch):
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    data = bytearray(encode(PICTURE, "PNG"))
    data[16:26] = struct.pack(">IIBB", 7000, 7000, 16, 6)  # RGBA of 16 bits each
    with pytest.raises(ImageTooLarge, match="7000 × 7000 pixels of 8 bytes; wanted at most 150 million bytes"):
        load_image(bytes(data))


def test_the_bomb_is_small():
    assert len(BOMB) < 150_000


def test_a_gif_whose_frame_is_larger_than_its_screen_is_refused():
    frame = GIF.index(b",", 13)
    with pytest.raises(ImageError, match="damaged GIF"):
        load_image(GIF[: frame + 5] + struct.pack("<HH", 60_000, 60_000) + GIF[frame + 9 :])


@pytest.mark.parametrize(
    "tags",
    [
        [(256, 4, 30_000), (256, 4, 40), (257, 4, 30_000), (257, 4, 40)],  # libtiff believes the first of two
        [(256, 9, 30_000), (256, 4, 40), (257, 9, 30_000), (257, 4, 40)],  # SLONG, which libtiff reads as well
        [(256, 4, 40), (257, 4, 40), (322, 4, 30_000), (323, 4, 30_000)],  # a tile is decoded whole
    ],
    ids=["twice", "signed", "tile"],
)
def test_a_tiff_cannot_hide_its_size(tags, monkeypatch):
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(ImageError):
        load_image(tiff(tags))


# --- anything at all -------------------------------------------------------------------------------------------------


def mutate(data, chance):
    """The file cut, with bytes changed (often in its header), or with a piece lost or replaced."""
    data = bytearray(data)
    kind = chance.randrange(4)
    if kind == 0:
        del data[chance.randrange(len(data)) :]
    elif kind == 1:
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
    elif kind == 2:
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(min(len(data), 90))] = chance.choice([0, 1, 127, 128, 254, 255])
    else:
        at, length = chance.randrange(len(data)), chance.randrange(1, 40)
        data[at : at + length] = b"" if chance.random() < 0.5 else chance.randbytes(length)
    return bytes(data)


@pytest.mark.parametrize("form", WHOLE)
def test_whatever_the_bytes_only_an_image_error_escapes(form):
    chance = random.Random(form)
    answers = {True: 0, False: 0}
    for _ in range(300):
        try:
            pixels = load_image(mutate(WHOLE[form], chance))
        except ImageError as error:
            assert str(error).startswith("the bytes: ")
            answers[False] += 1
        else:
            assert pixels.dtype == np.uint8
            assert pixels.ndim == 2 or pixels.shape[2:] == (3,)
            answers[True] += 1
    assert min(answers.values()) > 0, "the mutations are too gentle or too rough to show anything"

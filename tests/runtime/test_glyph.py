"""A region to a glyph: each geometry keeps the promises that its training images were made with."""

import cv2
import numpy as np
import pytest
from drawn import LINES, draw

from glyphlite.runtime.geometry import GEOMETRIES, INK_GEOMETRIES
from glyphlite.runtime.glyph import FROM_INK, emnist, fit_to_shape, mnist
from glyphlite.runtime.ink import find_ink
from glyphlite.runtime.layout import main_characters


def glyph_of(image, geometry=mnist, side=28):
    (character,) = main_characters(find_ink(image))
    return geometry(character.soft, side, character.stroke)


def extent(glyph):
    """Height and width of what is lit."""
    rows, columns = np.nonzero(glyph)
    return rows.max() - rows.min() + 1, columns.max() - columns.min() + 1


def centre_of_mass(glyph):
    rows, columns = np.indices(glyph.shape)
    return np.array([(rows * glyph).sum(), (columns * glyph).sum()], float) / glyph.sum() + 0.5


def similar(a, b):
    return np.corrcoef(a.ravel(), b.ravel())[0, 1]


def one_pixel_about(glyph):
    """The glyph, and it shifted by a pixel each way: where its centre of mass falls between two, either is right."""
    return [np.roll(glyph, (down, across), (0, 1)) for down in (-1, 0, 1) for across in (-1, 0, 1)]


# --- mnist -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [28, 16, 32])
@pytest.mark.parametrize("digit", LINES)
def test_mnist_is_a_box_of_20_with_its_mass_at_the_centre(digit, side):
    glyph = glyph_of(draw(digit), side=side)
    assert glyph.shape == (side, side)
    assert glyph.dtype == np.uint8
    assert max(extent(glyph)) == round(side * 20 / 28)
    assert np.abs(centre_of_mass(glyph) - side / 2).max() <= 1
    assert glyph.max() == 255


@pytest.mark.parametrize("digit", LINES)
@pytest.mark.parametrize(
    ("height", "shape", "corner"),
    [(60, (200, 300), (10, 12)), (240, (400, 400), None), (900, (1200, 1600), (900, 200))],
)
def test_a_drawing_gives_the_same_glyph_at_any_place_and_scale(digit, height, shape, corner):
    reference = glyph_of(draw(digit, height=120, pen=12))
    glyph = glyph_of(draw(digit, height=height, pen=height // 10, shape=shape, corner=corner))
    assert max(similar(reference, shifted) for shifted in one_pixel_about(glyph)) > 0.9


@pytest.mark.parametrize("digit", LINES)
def test_a_thin_pen_is_kept(digit):
    """A line of 3 pixels in a page of 1,600: squeezed straight to 28×28 it would be a tenth as dark."""
    glyph = glyph_of(draw(digit, height=1000, pen=3, shape=(1600, 1600)))
    assert (glyph > 200).sum() >= 20
    assert max(extent(glyph)) == 20


def test_a_straight_thin_line_is_thickened_too():
    """Its crop holds nothing but ink."""
    image = np.full((400, 400), 255, np.uint8)
    image[50:350, 199:202] = 0
    glyph = glyph_of(image)
    assert extent(glyph)[0] == 20
    assert (glyph[14] > 0).sum() >= 2


def test_pencil_becomes_as_bright_as_marker():
    pencil, marker = glyph_of(draw("3", ink=190, paper=230)), glyph_of(draw("3", ink=0))
    assert np.abs(pencil.astype(int) - marker).mean() < 4


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (500, 500), (3, 2)])
@pytest.mark.parametrize("geometry", [mnist, emnist])
def test_ink_of_any_shape_becomes_a_glyph(geometry, shape):
    for stroke in (0.0, 1.0, 400.0):
        glyph = geometry(np.full(shape, 255, np.uint8), 28, stroke)
        assert glyph.shape == (28, 28)
        assert glyph.max() == 255


@pytest.mark.parametrize("geometry", [mnist, emnist])
def test_no_ink_is_a_black_glyph(geometry):
    assert not geometry(np.zeros((40, 30), np.uint8), 28).any()


# --- emnist ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("digit", LINES)
def test_emnist_fills_all_but_its_border(digit):
    """Cohen et al. 2017, section II: centred by its box, aspect kept, 2 pixels of border."""
    glyph = glyph_of(draw(digit), emnist)
    assert glyph.shape == (28, 28)
    assert glyph.dtype == np.uint8
    assert not glyph[:2].any()
    assert not glyph[-2:].any()
    assert not glyph[:, :2].any()
    assert not glyph[:, -2:].any()
    assert extent(glyph)[0] == 24
    assert glyph.max() == 255


def test_emnist_keeps_the_aspect():
    (character,) = main_characters(find_ink(draw("1")))
    height, width = extent(emnist(character.soft, 28, character.stroke))
    expected = 24 * character.soft.shape[1] / character.soft.shape[0]
    assert height == 24
    assert width == pytest.approx(expected, abs=2)


# --- the whole image -------------------------------------------------------------------------------------------------

WIDE = np.zeros((10, 40), np.uint8)
WIDE[:, :20] = 200  # its left half is bright


def test_stretch_fills_the_size():
    assert fit_to_shape(WIDE, (4, 4, 1)).tolist() == [[200, 200, 0, 0]] * 4


def test_fit_keeps_the_aspect_and_repeats_the_edge():
    image = WIDE.copy()
    image[0] = 90
    fitted = fit_to_shape(image, (40, 40, 1), "fit")
    assert fitted.shape == (40, 40)
    assert (fitted[:16] == 90).all()
    assert (fitted[17:, 20:] == 0).all()


def test_crop_takes_the_middle():
    image = np.zeros((10, 40), np.uint8)
    image[:, 15:25] = 200
    assert (fit_to_shape(image, (6, 6, 1), "crop") == 200).all()
    assert (fit_to_shape(image.T, (6, 6, 1), "crop") == 200).all()


@pytest.mark.parametrize("geometry", ["stretch", "fit", "crop"])
@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (33, 20), (300, 200, 3)])
@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 20, 3), (1, 1, 1), (7, 90, 3)])
def test_whole_images_of_any_size_fit_any_shape(geometry, size, shape):
    fitted = fit_to_shape(np.full(size, 77, np.uint8), shape, geometry)
    assert fitted.shape == (shape if shape[2] == 3 else shape[:2])
    assert (fitted == 77).all()


def test_grey_and_colour_are_converted_as_the_shape_wants():
    red = np.full((4, 4, 3), (0, 0, 255), np.uint8)
    assert fit_to_shape(red, (2, 2, 3)).tolist() == [[[0, 0, 255]] * 2] * 2
    assert fit_to_shape(red, (2, 2, 1)).tolist() == [[76, 76]] * 2  # Rec. 601 luma of red
    assert fit_to_shape(WIDE, (2, 2, 3)).shape == (2, 2, 3)


def test_shrinking_averages_so_that_a_thin_line_survives():
    image = np.zeros((200, 200), np.uint8)
    cv2.line(image, (100, 0), (100, 199), 255, 2)
    assert fit_to_shape(image, (20, 20, 1)).max() >= 40


def test_the_names_of_the_geometries():
    assert GEOMETRIES == ("mnist", "emnist", "stretch", "fit", "crop")
    assert tuple(FROM_INK) == INK_GEOMETRIES

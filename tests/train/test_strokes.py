"""Written digits: every style is drawn, in MNIST's geometry and look, the same for the same seed."""

import numpy as np
import pytest

from glyphlite.train.scribbles import KINDS, scribbles
from glyphlite.train.strokes import GLYPH_STEPS, MNIST_HAND, Hand, digit_glyphs, draw, glyphs_of, styles, trace, write
from glyphlite.train.styles import RARE, STROKES

STEADY = Hand(jitter=0, bend=0, slant=(0, 0), rotation=0, aspect=0, pen=(0.1, 0), pressure=0)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_every_digit_has_several_styles():
    drawn = styles()
    assert sorted(drawn) == list("0123456789")
    assert all(len(names) >= 3 for names in drawn.values())
    assert {(label, name) for label, names in drawn.items() for name in names} == set(STROKES) > RARE


@pytest.mark.parametrize("pair", STROKES, ids="-".join)
def test_a_steady_hand_passes_through_the_control_points(pair):
    writing = write(STROKES[pair], 1, rng(), STEADY)
    control = np.array([point[:2] for path in STROKES[pair] for point in path])
    # undo the placement: one scale, one shift; the outermost control points may lie inside the curve's extent
    pen = writing.points[0].astype(float)
    ends = [index for line in writing.lines for index in (line.start, line.stop - 1)]
    tips = np.cumsum([0, *map(len, STROKES[pair])])
    tips = np.sort(np.concatenate([tips[:-1], tips[1:] - 1]))
    assert np.all(np.diff([line.start for line in writing.lines]) > 0)
    scale = np.ptp(pen[ends], axis=0).max() / np.ptp(control[tips], axis=0).max()
    placed = (control - control[tips[0]]) * scale + pen[ends[0]]
    nearest = np.linalg.norm(placed[:, None] - pen[None], axis=-1).min(1)
    assert nearest.max() < 0.02


def test_ink_fills_its_box_and_touches_every_side():
    for size in (20, 97, 300):
        ink = draw("5", "barred", rng(), size)
        assert ink.dtype == np.uint8
        assert abs(max(ink.shape) - size) <= 1
        assert all(side.max() > 60 for side in (ink[0], ink[-1], ink[:, 0], ink[:, -1]))


def test_the_pen_is_as_wide_as_was_asked():
    ink = draw("1", "plain", rng(), 400, STEADY) > 127
    assert np.median(ink[100:300].sum(1)) == pytest.approx(0.1 * 400, rel=0.12)


def test_unknown_style_names_those_that_exist():
    with pytest.raises(KeyError, match=r"'slanted' of '7'.*crossed"):
        draw("7", "slanted", rng())
    with pytest.raises(KeyError, match="crossed"):
        digit_glyphs(2, rng(), [("7", "slanted")])


def test_glyphs_have_mnist_geometry_and_look():
    images, labels = digit_glyphs(2000, rng())
    assert images.shape == (2000, 28, 28) and images.dtype == np.uint8
    assert labels.shape == (2000,) and labels.dtype == np.int64
    assert np.bincount(labels, minlength=10).min() > 140
    # MNIST: mean 33.3 (its training set), a 20-pixel box, centre of mass at the centre
    assert 28 < images.mean() < 39
    weights = images.astype(float)
    place = np.arange(28) - 13.5
    mass = weights.sum((1, 2))
    assert np.abs((weights.sum(1) * place).sum(1) / mass).max() < 1.1
    assert np.abs((weights.sum(2) * place).sum(1) / mass).max() < 1.1
    extent = [np.ptp(np.argwhere(image), axis=0).max() + 1 for image in images]
    assert min(extent) >= 19 and max(extent) <= 20
    soft = ((images > 30) & (images < 225)).sum() / (images > 30).sum()
    assert 0.2 < soft < 0.6


def test_seed_decides_and_hands_differ():
    first, labels = digit_glyphs(50, rng(3), [("7", "crossed")])
    again, _ = digit_glyphs(50, rng(3), [("7", "crossed")])
    other, _ = digit_glyphs(50, rng(4), [("7", "crossed")])
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert set(labels) == {7}
    assert len(np.unique(first, axis=0)) == 50
    assert digit_glyphs(0, rng())[0].shape == (0, 28, 28)


def test_styles_of_a_digit_look_different():
    mean = {pair: digit_glyphs(60, rng(), [pair])[0].mean(0) for pair in STROKES if pair[0] == "7"}
    assert mean["7", "crossed"][13:17].sum() > 1.1 * mean["7", "plain"][13:17].sum()


def test_free_lines_and_single_hand():
    corner = trace([np.array([[0, 0], [0, 1]]), np.array([[0, 1], [1, 1]])], rng(), STEADY)
    assert len(corner.lines) == 2
    glyph = glyphs_of(corner)[0]
    assert glyph[:, 20:].sum() > 0 and glyph.max() == 255
    writing = write(STROKES["8", "circles"], 7, rng(), MNIST_HAND, GLYPH_STEPS)
    assert writing.points.shape[0] == len(writing.widths) == len(writing.sizes) == 7
    assert np.allclose(writing.sizes.max(1), 1, atol=1e-5)
    low, high = writing.points.min(1), writing.points.max(1)
    assert (low >= 0).all() and (high <= writing.sizes).all()


@pytest.mark.parametrize("kind", KINDS)
def test_scribbles(kind):
    images = scribbles(30, rng(), [kind])
    assert images.shape == (30, 28, 28) and images.dtype == np.uint8
    assert np.array_equal(images, scribbles(30, rng(), [kind]))
    assert (images.max((1, 2)) > 200).all()
    assert len(np.unique(images, axis=0)) == 30


def test_scribbles_mix_all_kinds_and_refuse_others():
    assert scribbles(100, rng()).shape == (100, 28, 28)
    assert len(scribbles(0, rng())) == 0
    with pytest.raises(KeyError, match="doodle"):
        scribbles(1, rng(), ["doodle"])

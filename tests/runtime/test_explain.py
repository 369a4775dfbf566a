"""Pictures of the stages: they are written, and show what was read."""

import cv2
import numpy as np
import pytest
from drawn import write

from glyphlite.runtime.explain import annotated, explain


def test_a_picture_of_every_stage(model, tmp_path):
    image = np.vstack([write("1070", shape=(120, 300)), write("47", shape=(120, 300))])
    trace = model.trace(image)
    paths = explain(trace, tmp_path / "why")
    assert [path.stem for path in paths] == [
        "1-image", "2-ink", "3-line-1-cuts", "4-line-1-candidates", "3-line-2-cuts", "4-line-2-candidates",
    ]  # fmt: skip
    for path in paths:
        picture = cv2.imread(str(path))
        assert picture is not None and picture.std() > 5
    green = np.all(cv2.imread(str(paths[3])) == (60, 160, 40), axis=2)
    assert green.any()  # what was chosen is framed


def test_boxes_and_labels_on_the_photo(model):
    image = write("4071")
    picture = annotated(model.trace(image))
    assert picture.shape == (*image.shape, 3)
    changed = (picture != image[..., None]).any(2)
    for character in model.read(image).lines[0].characters:
        x, y, _, height = character.box
        assert changed[y : y + height + 1, x].mean() > 0.9


def test_boxes_on_a_large_jpeg_that_was_read_reduced(model):
    image = write("4071", height=900, pen=90)
    trace = model.trace(cv2.imencode(".jpg", image)[1].tobytes())
    assert trace.reduction > 1 and trace.reading.text == "4071"
    picture = annotated(trace)
    assert picture.shape[0] == image.shape[0] // trace.reduction
    last = trace.reading.lines[0].characters[-1].box
    assert last[0] + last[2] > picture.shape[1]  # in the file's pixels


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_the_command_writes_them(tmp_path, suffix):
    from click.testing import CliRunner

    from glyphlite.runtime.cli import root

    cv2.imwrite(str(tmp_path / "number.png"), write("4071"))
    out = tmp_path / f"boxes{suffix}"
    arguments = ["read", str(tmp_path / "number.png"), "--annotate", str(out), "--explain", str(tmp_path / "why")]
    done = CliRunner().invoke(root, arguments)
    assert done.exit_code == 0, done.output
    assert out.read_bytes()[:2] == (b"\x89P" if suffix == ".png" else b"\xff\xd8")
    assert len(list((tmp_path / "why").iterdir())) == 6
    cv2.imwrite(str(tmp_path / "number.png"), np.full((60, 60), 255, np.uint8))  # of the image before nothing is left
    CliRunner().invoke(root, arguments)
    assert sorted(path.name for path in (tmp_path / "why").iterdir()) == ["1-image.png", "2-ink.png"]
    done = CliRunner().invoke(root, [*arguments, str(tmp_path / "number.png")])
    assert done.exit_code == 2 and "one image; got 2" in done.output

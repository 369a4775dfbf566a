"""The shipped sample images are what the committed command draws."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

import glyphlite.models
from glyphlite.train.samples import SAMPLES, sample_images, save_samples

SHIPPED = Path(next(iter(glyphlite.models.__path__))) / "samples"


@pytest.fixture(scope="module")
def images():
    return sample_images()


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "labels.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_all_ten_digits_are_there():
    assert len(SAMPLES) >= 12
    assert {sample.label for sample in SAMPLES.values()} == set("0123456789")
    assert all(name.startswith(sample.label + "-") for name, sample in SAMPLES.items())


def test_the_shipped_files_are_the_drawn_ones(images):
    assert {path.stem for path in SHIPPED.glob("*.png")} == set(images)
    assert {row["file"]: row["text"] for row in rows(SHIPPED)} == {
        f"{name}.png": sample.label for name, sample in SAMPLES.items()
    }
    for name, image in images.items():
        shipped = cv2.imread(str(SHIPPED / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        assert shipped is not None and shipped.shape == image.shape, name
        # not to the bit: OpenCV's blur rounds differently from version to version and CPU to CPU
        assert np.abs(shipped.astype(int) - image).mean() < 0.5, name


def test_the_command_writes_the_same_bytes_every_time(tmp_path):
    first, second = save_samples(tmp_path / "a"), save_samples(tmp_path / "b")
    assert [path.name for path in first] == [path.name for path in second]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(first, second, strict=True))
    assert rows(tmp_path / "a") == rows(SHIPPED)


def test_small_enough_to_ship():
    sizes = [path.stat().st_size for path in SHIPPED.glob("*.png")]
    assert max(sizes) <= 60_000 and sum(sizes) <= 500_000


def test_one_sample_is_ink_in_alpha_only(images):
    clear = [image for image in images.values() if image.shape[2] == 4]
    assert clear
    for image in clear:
        assert len(np.unique(image[..., :3].reshape(-1, 3), axis=0)) == 1
        assert image[..., 3].min() == 0 and image[..., 3].max() > 240

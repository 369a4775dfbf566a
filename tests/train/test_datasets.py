"""Data sets by name, folder and .npz; EMNIST's official layout; the split."""

import gzip

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from glyphlite.runtime import DatasetError
from glyphlite.train.cli import data
from glyphlite.train.datasets import (
    Dataset,
    load_dataset,
    match_classes,
    natural_geometry,
    part_training_set,
    stratified_split,
    with_added,
)
from glyphlite.train.idx import idx_bytes


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def write_mnist(folder, images, labels, test_images, test_labels):
    folder.mkdir(parents=True)
    for name, array in (
        ("train-images-idx3-ubyte", images),
        ("train-labels-idx1-ubyte", labels),
        ("t10k-images-idx3-ubyte", test_images),
        ("t10k-labels-idx1-ubyte", test_labels),
    ):
        (folder / f"{name}.gz").write_bytes(gzip.compress(idx_bytes(array)))


def write_emnist(folder, name, images, labels, mapping):
    """The official archive's layout; `images` upright, which the files are not."""
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "test"):
        for kind, array in (("images-idx3", images.transpose(0, 2, 1)), ("labels-idx1", labels)):
            (folder / f"{name}-{split}-{kind}-ubyte.gz").write_bytes(gzip.compress(idx_bytes(array)))
    (folder / f"{name}-mapping.txt").write_text(mapping)


def test_a_name_is_looked_up_in_the_data_folder(tmp_path, monkeypatch, rng):
    monkeypatch.setenv("GLYPHLITE_DATA", str(tmp_path))
    images = rng.integers(0, 256, (12, 28, 28), np.uint8)
    labels = np.arange(12, dtype=np.uint8) % 10
    write_mnist(tmp_path / "mnist", images, labels, images[:10], labels[:10])
    train, test = load_dataset("mnist"), load_dataset("mnist", "test")
    assert (len(train), len(test)) == (12, 10)
    assert train.classes == tuple("0123456789")
    assert train.input_shape == (28, 28, 1)
    assert natural_geometry(train) == "mnist"
    assert np.array_equal(train.images, images)


def test_an_unknown_name_tells_where_it_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("GLYPHLITE_DATA", str(tmp_path))
    with pytest.raises(DatasetError, match=f"{tmp_path}.*data fetch"):
        load_dataset("emnist-digits")


def test_emnist_is_transposed_back_once_and_mapped(tmp_path, monkeypatch, rng):
    """Letters: labels 1 to 26 in the file, classes A to Z here; the image stands as it was written."""
    monkeypatch.setenv("GLYPHLITE_DATA", str(tmp_path))
    images = rng.integers(0, 256, (26, 28, 28), np.uint8)
    mapping = "\n".join(f"{i} {64 + i} {96 + i}" for i in range(1, 27))
    write_emnist(tmp_path / "emnist" / "gzip", "emnist-letters", images, np.arange(1, 27, dtype=np.uint8), mapping)
    dataset = load_dataset("emnist-letters", "test")
    assert dataset.classes == tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert np.array_equal(dataset.labels, np.arange(26))
    assert np.array_equal(dataset.images, images)
    assert natural_geometry(dataset) == "emnist"


def test_a_folder_of_one_emnist_set_needs_no_name(tmp_path, rng):
    images = rng.integers(0, 256, (4, 28, 28), np.uint8)
    write_emnist(tmp_path / "x", "emnist-digits", images, np.array([0, 1, 0, 1], np.uint8), "0 48\n1 49\n")
    assert load_dataset(tmp_path / "x").classes == ("0", "1")
    write_emnist(tmp_path / "x", "emnist-mnist", images, np.array([0, 1, 0, 1], np.uint8), "0 48\n1 49\n")
    with pytest.raises(DatasetError, match="emnist-digits, emnist-mnist; name one"):
        load_dataset(tmp_path / "x")


@pytest.mark.parametrize("mapping", ["", "0 forty-eight\n", "0\n1\n", "0 48\n"])
def test_a_damaged_mapping_is_named(tmp_path, rng, mapping):
    images = rng.integers(0, 256, (4, 28, 28), np.uint8)
    write_emnist(tmp_path / "x", "emnist-digits", images, np.array([0, 1, 0, 1], np.uint8), mapping)
    with pytest.raises(DatasetError, match=r"mapping\.txt"):
        load_dataset(tmp_path / "x")


def test_a_cut_idx_file_is_named(tmp_path, rng):
    images = rng.integers(0, 256, (4, 28, 28), np.uint8)
    labels = np.array([0, 1, 0, 1], np.uint8)
    write_mnist(tmp_path / "m", images, labels, images, labels)
    (tmp_path / "m" / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(images)[:-100]))
    with pytest.raises(DatasetError, match=r"t10k-images.*cut short"):
        load_dataset(tmp_path / "m", "test")
    (tmp_path / "m" / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(images[:3])))
    with pytest.raises(DatasetError, match="3 test images but 4 labels"):
        load_dataset(tmp_path / "m", "test")


def write_folder(folder, sizes):
    for label, size in sizes.items():
        (folder / label).mkdir(parents=True)
        for index in range(3):
            picture = np.full((*size, 3), 40 * index, np.uint8)
            picture[..., 2] = 250  # red, in BGR
            cv2.imwrite(str(folder / label / f"{index}.png"), picture)


def test_a_labelled_folder_takes_any_classes_and_sizes(tmp_path):
    write_folder(tmp_path / "signs", {"stop": (20, 30), "go": (40, 10), "none": (8, 8)})
    dataset = load_dataset(tmp_path / "signs", shape=(16, 12, 3))
    assert dataset.classes == ("go", "none", "stop")
    assert dataset.split == "all"
    assert dataset.images.shape == (9, 16, 12, 3)
    assert natural_geometry(dataset) == "stretch"
    assert (dataset.images[..., 2] == 250).all()
    with pytest.raises(DatasetError, match=r"3 sizes, \(8, 8\) to \(40, 10\)"):
        load_dataset(tmp_path / "signs")


def test_what_a_labelled_folder_holds_beside_its_images_is_told(tmp_path):
    for label in "ab":
        (tmp_path / "set" / label / "more").mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "set" / label / "1.png"), np.zeros((8, 8), np.uint8))
        cv2.imwrite(str(tmp_path / "set" / label / "more" / "2.png"), np.zeros((8, 8), np.uint8))
        (tmp_path / "set" / label / ".hidden").touch()
    (tmp_path / "set" / "a" / "3.HEIC").touch()
    (tmp_path / "set" / "c").mkdir()
    found = load_dataset(tmp_path / "set", "train")
    assert len(found) == 2 and [told.partition("set: ")[2] for told in found.unused] == [
        "not used: 2 images in folders below its classes",
        "not used: 1 .heic",
        "no images of c",
    ]
    done = CliRunner().invoke(data, ["info", str(tmp_path / "set")])
    assert done.output.splitlines()[-3:] == list(found.unused)


def test_lines_are_told_from_images_of_single_classes(tmp_path):
    np.savez(tmp_path / "lines.npz", pixels=np.zeros((32, 9), np.uint8), ends=[9], texts=["1"], held_out=[False])
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "labels.csv").write_text("file,text\n1.png,12\n")
    for name in ("lines.npz", "pages"):
        with pytest.raises(DatasetError, match=f"{name}: holds lines, which --arch line_cnn or crnn learns"):
            load_dataset(tmp_path / name, "train")


def test_folders_that_cannot_train_anything_are_refused(tmp_path):
    write_folder(tmp_path / "one", {"a": (8, 8)})
    (tmp_path / "empty").mkdir()
    (tmp_path / "bare" / "a").mkdir(parents=True)
    (tmp_path / "damaged" / "a").mkdir(parents=True)
    (tmp_path / "damaged" / "a" / "x.png").write_bytes(b"no image")
    for name, message in (
        ("one", "1 class"),
        ("empty", "one folder per class"),
        ("bare", "no images"),
        ("damaged", r"x\.png: no image"),
        ("missing", "not there"),
    ):
        with pytest.raises(DatasetError, match=message):
            load_dataset(tmp_path / name)


def test_an_npz_holds_rgb_and_a_dataset_bgr(tmp_path):
    images = np.zeros((2, 4, 4, 3), np.uint8)
    images[..., 0] = 255
    np.savez(tmp_path / "x.npz", images=images, labels=np.array([0, 1]))
    dataset = load_dataset(tmp_path / "x.npz")
    assert dataset.images[0, 0, 0].tolist() == [0, 0, 255]
    assert dataset.classes == ("0", "1")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": np.zeros((2, 4, 4), np.uint8)}, "labels"),
        ({"images": np.zeros((2, 4, 4), np.float32), "labels": np.array([0, 1])}, r"float32 in \[0, 0\]; wanted uint8"),
        ({"images": np.zeros((2, 4, 4), np.uint8), "labels": np.array([0, 1, 0])}, "wanted 2 class indices"),
        ({"images": np.zeros((2, 4, 4), np.uint8), "labels": np.array([0, -1])}, "class indices"),
        ({"images": np.zeros((2, 4, 4), np.uint8), "labels": np.array([0.0, 1.0])}, "class indices"),
        ({"images": np.full((2, 4, 4), "a"), "labels": np.array([0, 1])}, "images of <U1; wanted uint8"),
        ({"images": np.zeros((2, 4, 4), np.uint8), "labels": np.array([0, 2**63], np.uint64)}, "indices of 0 to 65535"),
        ({"images": np.zeros((2, 4, 4, 2), np.uint8), "labels": np.array([0, 1])}, "wanted .N, H, W."),
        ({"images": np.zeros((2, 4, 4), np.uint8), "labels": np.array([0, 0])}, "1 class"),
        (
            {"images": np.zeros((2, 4, 4), np.uint8), "labels": np.array([0, 1]), "classes": np.array(["a", "a"])},
            "two classes are called 'a'",
        ),
    ],
)
def test_a_wrong_npz_is_named(tmp_path, arrays, message):
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(DatasetError, match=message):
        load_dataset(tmp_path / "x.npz")


def test_a_damaged_npz_is_named(tmp_path):
    np.savez(tmp_path / "whole.npz", images=np.zeros((9, 4, 4), np.uint8), labels=np.arange(9))
    content = (tmp_path / "whole.npz").read_bytes()
    np.save(tmp_path / "single.npy", np.zeros(4))
    for name, damaged in (("cut", content[: len(content) // 2]), ("single", (tmp_path / "single.npy").read_bytes())):
        (tmp_path / f"{name}.npz").write_bytes(damaged)
        with pytest.raises(DatasetError, match=f"{name}.npz: .*; wanted an .npz with `images` and `labels`"):
            load_dataset(tmp_path / f"{name}.npz")


def test_the_hold_out_is_stratified_seeded_and_apart():
    labels = np.repeat([0, 1, 2], [100, 60, 1])
    train, held = stratified_split(labels, 0.1, seed=3)
    assert np.bincount(labels[held]).tolist() == [10, 6]
    assert np.array_equal(np.sort(np.concatenate([train, held])), np.arange(161))
    assert np.array_equal(held, stratified_split(labels, 0.1, seed=3)[1])
    assert not np.array_equal(held, stratified_split(labels, 0.1, seed=4)[1])


def test_limit_keeps_the_balance(tmp_path):
    images = np.zeros((400, 4, 4), np.uint8)
    np.savez(tmp_path / "x.npz", images=images, labels=np.repeat([0, 1], [300, 100]))
    train, held = part_training_set(load_dataset(tmp_path / "x.npz"), holdout=0.25, limit=80, seed=0)
    assert (len(train), len(held)) == (60, 20)
    assert train.counts().tolist() == [45, 15]


def test_limit_keeps_a_class_of_one_image(tmp_path):
    np.savez(tmp_path / "x.npz", images=np.zeros((101, 4, 4), np.uint8), labels=np.repeat([0, 1, 2], [50, 50, 1]))
    train, _ = part_training_set(load_dataset(tmp_path / "x.npz"), holdout=0.25, limit=40, seed=0)
    assert train.counts()[2] == 1


def test_the_hash_tells_data_not_containers(tmp_path, rng):
    images, labels = rng.integers(0, 256, (6, 5, 5), np.uint8), np.array([0, 1, 0, 1, 0, 1])
    np.savez(tmp_path / "a.npz", images=images, labels=labels)
    np.savez_compressed(tmp_path / "b.npz", images=images, labels=labels.astype(np.uint8))
    first = load_dataset(tmp_path / "a.npz")
    assert first.sha256() == load_dataset(tmp_path / "b.npz").sha256()
    changed = images.copy()
    changed[0, 0, 0] ^= 1
    np.savez(tmp_path / "c.npz", images=changed, labels=labels)
    assert first.sha256() != load_dataset(tmp_path / "c.npz").sha256()


def test_the_real_mnist(data_root):
    train, test = load_dataset("mnist"), load_dataset("mnist", "test")
    assert (len(train), len(test)) == (60_000, 10_000)
    assert train.counts().tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]


def test_a_labelled_folder_is_added_to_a_set(tmp_path):
    """Corrections kept by the web app: of one class perhaps, in the set's own size."""
    digits = Dataset("digits", "train", np.zeros((4, 28, 28), np.uint8), np.arange(4), ("0", "1", "2", "3"))
    (tmp_path / "2").mkdir()
    for value in (100, 200):
        cv2.imwrite(str(tmp_path / "2" / f"{value}.png"), np.full((28, 28), value, np.uint8))
    grown = with_added(digits, tmp_path, times=3)
    assert grown.labels.tolist() == [0, 1, 2, 3] + [2] * 6 and grown.classes == digits.classes
    assert grown.images[4:, 0, 0].tolist() == [100, 200] * 3
    (tmp_path / "7").mkdir()
    cv2.imwrite(str(tmp_path / "7" / "a.png"), np.zeros((28, 28), np.uint8))
    with pytest.raises(DatasetError, match="class '7', which digits has not; wanted 0 1 2 3"):
        with_added(digits, tmp_path)
    (tmp_path / "images-idx3-ubyte").write_bytes(b"")
    with pytest.raises(DatasetError, match="no labelled folder"):
        with_added(digits, tmp_path)


DIGITS = tuple("0123456789")


def dataset(classes):
    count = len(classes)
    return Dataset("set", "test", np.zeros((count, 4, 4), np.uint8), np.arange(count), tuple(classes))


def test_names_match_whatever_their_order():
    mapping, by_position = match_classes(dataset(("0", "1", "2")), ("2", "1", "0"), bare=False)
    assert (mapping.tolist(), by_position) == ([2, 1, 0], False)


def test_a_model_may_know_more_than_the_data_set_shows():
    mapping, _ = match_classes(dataset(("B", "D")), tuple("ABCD"), bare=False)
    assert mapping.tolist() == [1, 3]


def test_unnamed_classes_go_by_position_where_the_counts_agree():
    mapping, by_position = match_classes(dataset(("0", "1", "2")), ("a", "b", "c"), bare=False)
    assert (mapping.tolist(), by_position) == ([0, 1, 2], True)


def test_a_bare_file_goes_by_position_though_names_would_match():
    mapping, by_position = match_classes(dataset(("0", "1", "10", "2")), ("0", "1", "2", "3"), bare=True)
    assert (mapping.tolist(), by_position) == ([0, 1, 2, 3], True)


@pytest.mark.parametrize(
    ("classes", "labels", "bare"),
    [(("a", "b"), DIGITS, False), (("0", "1"), ("a", "b", "c"), False), (DIGITS, DIGITS[:4], True)],
)
def test_other_classes_are_refused_with_both_counts(classes, labels, bare):
    with pytest.raises(DatasetError, match=rf"set: {len(classes)} classes .* the model has {len(labels)} "):
        match_classes(dataset(classes), labels, bare)

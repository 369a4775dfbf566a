"""Data sets: a name or a path becomes images, labels and class names.

A data set is `$GLYPHLITE_DATA/NAME`, else a folder of that name in the user's cache; or a path to a folder of IDX
files, to a folder of one folder per class (`folder/LABEL/*.png`), or to an `.npz` with `images` and `labels`.
Needs numpy and OpenCV only, so that a benchmark on a device can read its judges without TensorFlow.
"""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from ..runtime.errors import DatasetError, ImageError, counted
from ..runtime.glyph import fit_to_shape
from ..runtime.image import load_image
from ..runtime.labels import LABELS_FILE
from .idx import read_idx

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
EMNIST_SETS = ("balanced", "byclass", "bymerge", "digits", "letters", "mnist")  # Cohen et al. 2017, table II
SPLITS = ("train", "test")
# what numpy and zipfile raise where a file is no .npz, is damaged or lacks an array
NPZ_ERRORS = (OSError, ValueError, KeyError, EOFError, TypeError, RuntimeError, zipfile.BadZipFile, zlib.error)
OF_LINES = "holds lines, which --arch line_cnn or crnn learns to read; wanted images of single classes"
MOST_CLASSES = 1 << 16  # a label beyond them is no number of a class
_SPLIT_WORDS = {"train": ("train",), "test": ("t10k", "test")}


@dataclass(frozen=True)
class Dataset:
    """Labelled images, upright, bright ink on black where they are glyphs.

    split: 'train', 'test', or 'all' where the source has no split of its own (a labelled folder, an `.npz`).
    images: (N, H, W) or (N, H, W, 3) uint8, colour as BGR.  labels: (N,) int64, indices into `classes`.
    unused: what of its source is none of it, in words.
    """

    name: str
    split: str
    images: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    unused: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of one image."""
        height, width, *channels = self.images.shape[1:]
        return height, width, channels[0] if channels else 1

    @cached_property
    def members(self) -> dict[str, np.ndarray]:
        """(n,) int64 for each class: where its images are."""
        return {name: np.flatnonzero(self.labels == index) for index, name in enumerate(self.classes)}

    def counts(self) -> np.ndarray:
        """(classes,) int64: images of each class."""
        return np.bincount(self.labels, minlength=len(self.classes))

    def sha256(self) -> str:
        """Hash of shape, pixels, labels and class names: the same data in another container has the same."""
        digest = hashlib.sha256(repr((self.images.shape, self.classes)).encode())
        digest.update(np.ascontiguousarray(self.images).data)
        digest.update(np.ascontiguousarray(self.labels, dtype="<i8").data)
        return digest.hexdigest()

    def subset(self, indices: np.ndarray | slice) -> Dataset:
        """The data set of these images only."""
        return replace(self, images=self.images[indices], labels=self.labels[indices])

    def spread(self, count: int) -> Dataset:
        """At most so many of its images, evenly spaced: a folder's are sorted by class."""
        return self.subset(np.unique(np.linspace(0, len(self) - 1, min(count, len(self))).astype(int)))


def cache_folder() -> Path:
    """Where fetched data sets lie: `$XDG_CACHE_HOME/glyphlite`, else `~/.cache/glyphlite`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "glyphlite"


def data_roots() -> list[Path]:
    """The folders in which a data set's name is looked up, in order."""
    named = os.environ.get("GLYPHLITE_DATA")
    return [*([Path(named)] if named else []), cache_folder()]


def load_dataset(
    source: str | Path, split: str = "train", shape: Sequence[int] | None = None, geometry: str = ""
) -> Dataset:
    """Load a data set by name or path.

    split: 'train' or 'test'; of a labelled folder or an `.npz` either gives all of it.
    shape: (height, width, channels) that a model wants; images become as large and grey or colour.  geometry: in which
    way, of IMAGE_GEOMETRIES; any other: stretched.  Without a shape a labelled folder's images must all have one size.
    Raises DatasetError naming what was found and what was wanted.
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r}; wanted one of {SPLITS}")
    path, name = resolve(source)
    if path.is_file():
        dataset = _load_npz(path, name)
    elif _idx_files(path):
        dataset = _load_idx(path, name, split)
    else:
        return _check(_load_labelled_folder(path, name, shape, geometry))
    if shape is not None and dataset.input_shape != tuple(shape):
        dataset = replace(dataset, images=np.stack([fit_to_shape(image, shape, geometry) for image in dataset.images]))
    return _check(dataset)


def resolve(source: str | Path) -> tuple[Path, str]:
    """The path and the name of a data set given by name or path."""
    text = str(source)
    if re.fullmatch(r"[\w-]+(/[\w.-]+)*", text) and not Path(text).exists():
        candidates = [root / text for root in data_roots()]
        if text.startswith("emnist-"):  # the official archive unpacks all sets into one folder
            candidates += [root / folder for root in data_roots() for folder in ("emnist", "emnist/gzip", "gzip")]
        for path in candidates:
            if path.exists() and (not text.startswith("emnist-") or _idx_files(path, text)):
                return path, Path(text).stem
        looked = " or ".join(str(root / text) for root in data_roots())
        public = re.match("mnist$|emnist-", text)
        hint = f"`glyphlite data fetch {text}` gets it" if public else "docs/data.md tells where others are from"
        raise DatasetError(f"{text}: no such data set ({looked}); {hint}")
    path = Path(text)
    if not path.exists():
        raise DatasetError(f"{text}: not there; wanted a data set's name, a folder or an .npz file")
    if path.is_file() and path.suffix != ".npz":
        raise DatasetError(f"{text}: a file; wanted a folder or an .npz with `images` and `labels`")
    return path, path.resolve().stem


def natural_geometry(dataset: Dataset) -> str:
    """The geometry that a data set's images were made with: EMNIST's or MNIST's where the source is in IDX files with
    a split of their own, as those are; else the whole image, stretched."""
    if dataset.split == "all":
        return "stretch"
    return "emnist" if dataset.name.startswith("emnist-") else "mnist"


def stratified_split(labels: np.ndarray, holdout: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices (train, hold-out), each sorted: of every class the same share, at least one image, is held out.

    holdout: share in (0, 1).  A class of a single image stays in the training part.
    """
    if not 0 < holdout < 1:
        raise ValueError(f"hold-out share {holdout}; wanted one between 0 and 1")
    rng = np.random.default_rng(seed)
    held = []
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        count = min(max(1, round(len(members) * holdout)), len(members) - 1)
        held.append(members[:count])
    holdout_indices = np.sort(np.concatenate(held))
    return np.setdiff1d(np.arange(len(labels)), holdout_indices, assume_unique=True), holdout_indices


def part_training_set(dataset: Dataset, holdout: float, limit: int, seed: int) -> tuple[Dataset, Dataset]:
    """The parts (train, hold-out) of a training set, of which about `limit` images are used; 0: all."""
    if 0 < limit < len(dataset):
        others, chosen = stratified_split(dataset.labels, limit / len(dataset), seed)
        alone = others[~np.isin(dataset.labels[others], dataset.labels[chosen])]  # classes of a single image
        dataset = dataset.subset(np.union1d(chosen, alone))
    train, held = stratified_split(dataset.labels, holdout, seed)
    if not len(held):
        raise DatasetError(f"{dataset.name}: {counted(len(dataset), 'image')}, too few to hold some out")
    return dataset.subset(train), dataset.subset(held)


def match_classes(dataset: Dataset, labels: tuple[str, ...], bare: bool) -> tuple[np.ndarray, bool]:
    """For each class of the data set the index of the model's label, and whether that goes by their order alone.

    Names decide where both sides have them; a model may know more than the data set shows (letters, judged on digits).
    A bare file, or a data set whose classes are plain numbers, is matched by order and must have as many.
    """
    classes = dataset.classes
    if not bare and set(classes) <= set(labels):
        return np.array([labels.index(name) for name in classes], np.int64), False
    unnamed = bare or classes == tuple(str(index) for index in range(len(classes)))
    if unnamed and len(classes) == len(labels):
        return np.arange(len(classes), dtype=np.int64), True
    raise DatasetError(
        f"{dataset.name}: {len(classes)} classes ({_shortened(classes)}); "
        f"the model has {len(labels)} ({'numbered outputs' if bare else _shortened(labels)})"
    )


def in_classes(dataset: Dataset, labels: tuple[str, ...]) -> Dataset:
    """The data set with a model's classes, in its order.  Raises DatasetError as `match_classes`."""
    mapping, _ = match_classes(dataset, labels, bare=False)
    return replace(dataset, labels=mapping[dataset.labels], classes=labels)


def _shortened(names: tuple[str, ...]) -> str:
    return " ".join(names[:12]) + (" …" if len(names) > 12 else "")


def with_added(dataset: Dataset, source: str | Path, times: int = 1, geometry: str = "") -> Dataset:
    """A set with a labelled folder's images added, each so many times: corrections that people made, say.

    Raises DatasetError where the folder has images of a class that the set has not.
    """
    path, name = resolve(source)
    if path.is_file() or _idx_files(path):
        raise DatasetError(
            f"{path}: no labelled folder; wanted one of one folder per class ({dataset.classes[0]}/*.png)"
        )
    added = _load_labelled_folder(path, name, dataset.input_shape, geometry)
    places = {label: index for index, label in enumerate(dataset.classes)}
    for label, count in zip(added.classes, added.counts(), strict=True):
        if count and label not in places:
            raise DatasetError(f"{path}: class {label!r}, which {dataset.name} has not; wanted {' '.join(places)}")
    labels = np.array([places[added.classes[label]] for label in added.labels], np.int64)
    return replace(
        dataset,
        images=np.concatenate([dataset.images, *[added.images] * times]),
        labels=np.concatenate([dataset.labels, *[labels] * times]),
    )


def load_unlabelled(source: str | Path, shape: Sequence[int], geometry: str = "") -> np.ndarray:
    """(N, H, W) or (N, H, W, 3) uint8 of `shape`: the images of a folder, however deep but not in hidden ones, or the
    `images` of an `.npz`.

    Raises DatasetError where there are none, or an `.npz` has others.
    """
    path, name = resolve(source)
    if path.is_file():
        found = _load_npz(path, name, labelled=False)
        if found.input_shape != tuple(shape):
            raise DatasetError(f"{path}: images of shape {found.input_shape}; wanted {tuple(shape)}")
        if not len(found):
            raise DatasetError(f"{path}: no images; wanted some")
        return found.images
    shown = (one for one in path.rglob("*") if not any(part.startswith(".") for part in one.relative_to(path).parts))
    images = _read_images(sorted(shown), shape, geometry)
    if not images:
        raise DatasetError(f"{path}: no images; wanted some of {', '.join(sorted(IMAGE_SUFFIXES))}")
    return np.stack(images)


def _check(dataset: Dataset) -> Dataset:
    present = int((dataset.counts() > 0).sum())
    if present < 2:
        raise DatasetError(f"{dataset.name}: {present} class(es) with images; wanted at least 2")
    return dataset


# --- IDX folders -----------------------------------------------------------------------------------------------------


def _idx_files(folder: Path, name: str = "") -> list[Path]:
    return sorted(
        path for path in folder.iterdir() if re.search(r"-idx\d-ubyte", path.name) and path.name.startswith(name)
    )


def _load_idx(folder: Path, name: str, split: str) -> Dataset:
    emnist = name.startswith("emnist-")
    files = _idx_files(folder, name if emnist else "")
    sets = {match[1] for file in files if (match := re.match(r"(emnist-[a-z]+)-", file.name))}
    if len(sets) > 1:
        raise DatasetError(f"{folder}: holds {', '.join(sorted(sets))}; name one of them")
    emnist = emnist or bool(sets)
    name = next(iter(sets), name)  # a folder may be called anything; its geometry goes by the set's name

    def find(kind: str) -> Path:
        words = _SPLIT_WORDS[split]
        found = [
            file for file in files if f"{kind}-idx" in file.name and any(word in file.name.split("-") for word in words)
        ]
        if not found:
            raise DatasetError(f"{folder}: no IDX file of {split} {kind} (a name like {words[0]}-{kind}-idx…-ubyte.gz)")
        return found[0]

    images, labels = read_idx(find("images"), 3), read_idx(find("labels"), 1).astype(np.int64)
    if len(images) != len(labels):
        raise DatasetError(f"{folder}: {len(images)} {split} images but {len(labels)} labels")
    if emnist:
        images = np.ascontiguousarray(images.transpose(0, 2, 1))  # EMNIST's files hold images transposed
        mapping = folder / f"{name}-mapping.txt"
        values, classes = read_emnist_mapping(mapping)
        unknown = np.setdiff1d(labels, values)
        if len(unknown):
            raise DatasetError(f"{mapping}: no line for label {unknown[0]}")
        labels = np.searchsorted(values, labels)
    else:
        classes = tuple(str(label) for label in range(int(labels.max()) + 1)) if len(labels) else ()
    return Dataset(name, split, images, labels, classes)


def read_emnist_mapping(path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """EMNIST's mapping file: sorted label values (C,) int64 and the character of each.

    A line holds a label and the ASCII codes that it stands for; where it merges cases, the first (capital) names it.
    """
    try:
        rows = [[int(word) for word in line.split()] for line in path.read_text("ascii").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{path}: not readable as EMNIST's mapping ({error}); wanted lines like `10 65 97`"
        ) from None
    if not rows or any(len(row) < 2 or not 32 < row[1] < 127 for row in rows):
        raise DatasetError(f"{path}: not EMNIST's mapping; wanted lines like `10 65 97`")
    rows.sort()
    return np.array([row[0] for row in rows], np.int64), tuple(chr(row[1]) for row in rows)


# --- .npz and labelled folders ---------------------------------------------------------------------------------------


def _load_npz(path: Path, name: str, labelled: bool = True) -> Dataset:
    """labelled: without, all images have label 0."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            if "held_out" in archive:
                raise DatasetError(f"{path}: {OF_LINES}")
            images = archive["images"]
            labels = archive["labels"] if labelled else np.zeros(len(images), np.int64)
            classes = tuple(str(label) for label in archive["classes"]) if "classes" in archive else ()
    except NPZ_ERRORS as error:
        raise DatasetError(f"{path}: {error}; wanted an .npz with `images` and `labels`") from None
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] != 3):
        raise DatasetError(f"{path}: images of shape {images.shape}; wanted (N, H, W) or (N, H, W, 3)")
    if images.dtype != np.uint8:
        is_number = images.size and images.dtype.kind in "biuf"
        span = f" in [{images.min():g}, {images.max():g}]" if is_number else ""
        raise DatasetError(f"{path}: images of {images.dtype}{span}; wanted uint8 in [0, 255]")
    if (
        labels.shape != (len(images),)
        or not np.issubdtype(labels.dtype, np.integer)
        or (len(labels) and not 0 <= labels.min() <= labels.max() < MOST_CLASSES)
    ):
        wanted = f"{len(images)} class indices of 0 to {MOST_CLASSES - 1}"
        raise DatasetError(f"{path}: labels of {labels.dtype} {labels.shape}; wanted {wanted}")
    if images.ndim == 4:
        images = images[..., ::-1]  # an .npz holds RGB, as Keras and matplotlib do; a Dataset BGR, as OpenCV does
    labels = labels.astype(np.int64)
    count = int(labels.max()) + 1 if len(labels) else 0
    if classes and len(classes) < count:
        raise DatasetError(f"{path}: {len(classes)} class names but label {count - 1}")
    if len(set(classes)) < len(classes):
        twice = next(label for label in classes if classes.count(label) > 1)
        raise DatasetError(f"{path}: two classes are called {twice!r}; wanted different names")
    return Dataset(name, "all", images, labels, classes or tuple(str(label) for label in range(count)))


def _load_labelled_folder(folder: Path, name: str, shape: Sequence[int] | None, geometry: str) -> Dataset:
    classes = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not classes and (folder / LABELS_FILE).is_file():
        raise DatasetError(f"{folder}: {OF_LINES}")
    if not classes:
        raise DatasetError(f"{folder}: no IDX files and no folders; wanted one folder per class, or IDX files")
    images: list[np.ndarray] = []
    labels: list[int] = []
    for index, label in enumerate(classes):
        images += _read_images(sorted((folder / label).iterdir()), shape, geometry)
        labels += [index] * (len(images) - len(labels))
    if not images:
        raise DatasetError(f"{folder}: no images in {', '.join(classes[:5])}…; wanted files like {classes[0]}/*.png")
    sizes = {image.shape[:2] for image in images}
    if len(sizes) > 1:
        raise DatasetError(
            f"{folder}: images of {len(sizes)} sizes, {min(sizes)} to {max(sizes)}; wanted a shape "
            "(HEIGHT,WIDTH,CHANNELS) to stretch them to"
        )
    if len({image.ndim for image in images}) > 1:
        images = [image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) for image in images]
    unused = _unused(folder, classes, set(labels))
    return Dataset(name, "all", np.stack(images), np.array(labels, np.int64), tuple(classes), unused)


def _unused(folder: Path, classes: Sequence[str], filled: set[int]) -> tuple[str, ...]:
    """What a labelled folder holds beside its images, in words: images in folders below its classes, other files,
    classes without any."""
    below, others = 0, Counter[str]()
    for label in classes:
        for path in (folder / label).glob("[!.]*"):
            if path.is_dir():
                below += sum(map(is_image, path.rglob("*")))
            elif not is_image(path):
                others[path.suffix.lower() or path.name] += 1
    told = [f"{folder}: not used: {counted(below, 'image')} in folders below its classes"] if below else []
    if others:
        told.append(f"{folder}: not used: {', '.join(f'{count:,} {kind}' for kind, count in others.most_common(5))}")
    if empty := [label for index, label in enumerate(classes) if index not in filled]:
        told.append(f"{folder}: no images of {', '.join(empty[:10])}")
    return tuple(told)


def is_image(path: Path) -> bool:
    """Whether a file of a folder is an image, by its name; a hidden one is none."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def _read_images(paths: Sequence[Path], shape: Sequence[int] | None, geometry: str) -> list[np.ndarray]:
    """The images among some files, brought to `shape`.  Raises DatasetError where one cannot be read."""
    images = []
    for path in paths:
        if is_image(path):
            try:
                image = load_image(path)
            except ImageError as error:
                raise DatasetError(str(error)) from None
            images.append(image if shape is None else fit_to_shape(image, shape, geometry))
    return images

"""The images that compression needs, each part for one purpose only."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..runtime.errors import DatasetError
from ..train.datasets import Dataset, in_classes, load_dataset, part_training_set, stratified_split
from ..train.keras_files import CONFIG_FILE
from ..train.training import judged_part, read_config
from .sources import Source

HOLDOUT = 0.5  # of a set without parts of its own, where no run's card says otherwise: those that judge
CHOOSING = 1 / 3  # of the training part of such a set, where something is to be chosen
SEED = 0
CHECKED_IMAGES = 1000  # whose answers are compared with the float model's
CALIBRATION_IMAGES = 500


@dataclass(frozen=True)
class Examples:
    """train: to fine-tune and to calibrate.  holdout: to compare answers, to choose and to fit a temperature.
    judged: to count errors; of a data set without a test part, the hold-out.  share, seed: of their parting."""

    train: Dataset
    holdout: Dataset
    judged: Dataset
    share: float = HOLDOUT
    seed: int = SEED

    @property
    def test_set(self) -> str:
        """What the judged images are called in a card."""
        if self.judged.split != "all":
            return f"{self.judged.name} test"
        parts = [self.train, self.judged, *([self.holdout] if self.holdout is not self.judged else [])]
        return f"{self.judged.name} hold-out ({len(self.judged)} of {sum(map(len, parts))}, seed {self.seed})"

    def to_choose(self) -> Examples:
        """Examples whose hold-out does not judge, so that something may be chosen by it: of a set without a test part
        a third of the training part."""
        if self.judged is not self.holdout:
            return self
        train, holdout = part_training_set(self.train, CHOOSING, 0, self.seed)
        return replace(self, train=train, holdout=holdout)

    @property
    def checked(self) -> Dataset:
        """About CHECKED_IMAGES to compare answers on; of a small set, training images tell agreement as well."""
        checked = self.holdout.spread(CHECKED_IMAGES)
        more = self.train.spread(CHECKED_IMAGES - len(checked))
        return replace(
            checked,
            images=np.concatenate([checked.images, more.images]),
            labels=np.concatenate([checked.labels, more.labels]),
        )

    @property
    def calibration(self) -> Dataset:
        """About CALIBRATION_IMAGES of the training part, of each class its share; of more classes, evenly spaced."""
        if len(self.train) <= CALIBRATION_IMAGES or len(self.train.classes) >= CALIBRATION_IMAGES:
            return self.train.spread(CALIBRATION_IMAGES)
        _, chosen = stratified_split(self.train.labels, CALIBRATION_IMAGES / len(self.train), seed=self.seed)
        return self.train.subset(chosen)


def load_examples(source: Source, data: str | None, geometry: str = "") -> Examples:
    """The data set that a model was trained on (`data` None: as its card says), parted as its training parted it; of a
    model whose training is not known, parted by SEED.  geometry: of a model without a card.

    Where the card's labels and the data's classes are the same names in another order, the labels' order holds.
    Raises DatasetError where it is not the data that the card names, or has other classes than the model.
    """
    training = source.card.training if source.card else None
    name = data or recorded_data(source)
    geometry = source.card.geometry if source.card else geometry
    dataset = load_dataset(name, "train", source.input_shape, geometry)
    if data is None and training and dataset.sha256() != training.dataset_sha256:
        raise DatasetError(f"{name}: not the data that {source.path} was trained on, by its sha256; name it (--data)")
    if len(dataset.classes) != source.classes:
        raise DatasetError(f"{name}: {len(dataset.classes)} classes; {source.path} has {source.classes}")
    if source.card:
        dataset = in_classes(dataset, source.card.labels)
    settings = training.settings if training else {}
    usual = 1 / 12 if dataset.split == "train" else HOLDOUT
    share, limit = float(settings.get("holdout", usual)), int(settings.get("limit", 0))
    seed = training.seed if training else SEED
    train, holdout = part_training_set(dataset, share, limit, seed)
    return Examples(train, holdout, judged_part(name, dataset, holdout, geometry), share, seed)


def recorded_data(source: Source) -> str:
    """The data set that a run's configuration names (by its path, perhaps), else a bundle's card (by its name)."""
    if source.folder and (source.folder / CONFIG_FILE).exists():
        return str(read_config(source.folder)["data"])
    if source.card and source.card.training:
        return source.card.training.dataset
    raise DatasetError(f"{source.path}: no card says what it was trained on; name the data set (--data)")

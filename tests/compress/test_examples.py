"""The images that compression needs: classes as the model has them, and all of them among those compared."""

from dataclasses import replace

import numpy as np
import pytest

from glyphlite.compress.examples import Examples, load_examples
from glyphlite.runtime import DatasetError
from glyphlite.train import Dataset, load_dataset


def test_classes_in_another_order_are_brought_into_the_models(source, examples, shapes, tmp_path):
    dataset = load_dataset(str(shapes))
    turned = tuple(reversed(dataset.classes))
    labels = len(turned) - 1 - dataset.labels
    np.savez(tmp_path / "turned.npz", images=dataset.images, labels=labels, classes=np.array(turned))
    assert load_dataset(tmp_path / "turned.npz").classes == turned
    found = load_examples(source, str(tmp_path / "turned.npz"))
    assert found.judged.classes == source.card.labels
    assert np.array_equal(found.judged.labels, examples.judged.labels)


def test_classes_of_other_names_are_refused(source, shapes, tmp_path):
    dataset = load_dataset(str(shapes))
    np.savez(tmp_path / "pets.npz", images=dataset.images, labels=dataset.labels, classes=np.array(list("wxyz")))
    with pytest.raises(DatasetError, match=r"pets: 4 classes \(w x y z\); the model has 4"):
        load_examples(source, str(tmp_path / "pets.npz"))


def test_answers_are_compared_on_images_of_every_class():
    labels = np.repeat(np.arange(26), 200)  # sorted by class, as folders are
    classes = tuple("abcdefghijklmnopqrstuvwxyz")
    whole = Dataset("letters", "all", np.zeros((len(labels), 2, 2), np.uint8), labels, classes)
    checked = Examples(whole, whole, whole).checked
    assert len(checked) == 1000 and len(set(checked.labels.tolist())) == 26
    few = replace(whole, images=whole.images[::20], labels=labels[::20])
    assert len(Examples(few, few, few).checked) == 520


def test_images_to_calibrate_are_of_many_classes_too():
    labels = np.repeat(np.arange(1000), 2)
    whole = Dataset("kanji", "all", np.zeros((2000, 2, 2), np.uint8), labels, tuple(map(str, range(1000))))
    calibration = Examples(whole, whole, whole).calibration
    assert len(calibration) == 500 and len(set(calibration.labels.tolist())) == 500

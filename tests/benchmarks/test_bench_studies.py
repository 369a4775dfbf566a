"""The studies beside the benchmark: classical classifiers, other scripts, transfer; their figures by hand."""

import cv2
import numpy as np
import pytest

from glyphlite.benchmarks import classical, scripts, transfer
from glyphlite.benchmarks.classical import Learned, learn_classical, model_file, save_plot
from glyphlite.benchmarks.features import hog, pixels
from glyphlite.train.datasets import Dataset, load_dataset


@pytest.fixture(scope="module")
def digits():
    from glyphlite.train.mixture import drawn_digits

    images, labels = drawn_digits(700, np.random.default_rng(5))
    return Dataset("drawn", "all", images, labels, tuple("0123456789"))


def bar(down):
    image = np.zeros((1, 28, 28), np.uint8)
    if down:
        image[:, 4:24, 12:16] = 200
    else:
        image[:, 12:16, 4:24] = 200
    return image


def test_gradients_do_not_depend_on_the_inks_strength():
    upright, lying = hog(bar(True)), hog(bar(False))
    assert upright.shape == (1, 1152) and upright.dtype == np.float32
    np.testing.assert_allclose(upright, hog(bar(True) // 2), atol=1e-3)
    assert upright @ lying.T < 0.2 * upright @ upright.T
    assert not hog(np.full((1, 28, 28), 0, np.uint8)).any()
    assert pixels(bar(True)).max() == pytest.approx(200 / 255)


def test_a_classifier_learns_and_is_kept(digits, tmp_path):
    learned = learn_classical(
        "logistic regression", "HOG", digits.subset(slice(0, 500)), digits.subset(slice(500, None)), 500, 0, tmp_path
    )
    assert learned.key == ("logistic regression, HOG", 500, 0)
    assert learned.errors < 0.2 * learned.judged == 0.2 * 200
    assert model_file(tmp_path, learned.name).stat().st_size == learned.bytes


def test_a_mark_tells_what_mcnemar_can_tell(tmp_path):
    """Beside the distorted CNN: better, worse, and too near to say."""
    rival = Learned("CNN (edge), distorted", 100, 0, tuple(range(50)), 1000, 4, 1.0)
    others = [("better", range(10)), ("worse", range(90)), ("near", range(3, 54))]
    learned = [rival, *(Learned(name, 100, 0, tuple(wrong), 1000, 8, 1.0) for name, wrong in others)]
    rows = dict(line.split(" | ", 1) for line in classical.table(learned, {}).splitlines()[2:])
    assert rows["| better"].startswith("99.00 (98.17–99.46) +")
    assert rows["| worse"].startswith("91.00 (89.07–92.62) −")
    assert rows["| near"].split(" | ")[0].endswith("=")
    save_plot(tmp_path / "curves.png", learned)
    assert cv2.imread(str(tmp_path / "curves.png")).shape[0] > 100


def test_transfer_is_told_from_pairs():
    found = [transfer.Compared(10, draw, 1000, tuple(range(80)), tuple(range(20))) for draw in (0, 1)]
    found.append(transfer.Compared(100, 0, 1000, (1, 2, 3), (3, 4)))
    ten, hundred = transfer.table(found).splitlines()[2:]
    assert ten == "| 10 | 92.00 (90.15–93.53) | 80, 80 | 98.00 (96.93–98.70) | 20, 20 | < 0.001 |"
    assert hundred.endswith("| 2 | 1.000 |")


def test_draws_are_averaged_and_marked_where_all_of_them_agree():
    rows = [Learned("CNN (edge), distorted", 100, draw, tuple(range(50)), 1000, 4, 1.0) for draw in (0, 1)]
    rows += [Learned("one", 100, draw, tuple(range(wrong)), 1000, 8, 1.0) for draw, wrong in enumerate((10, 48))]
    rows += [Learned("both", 100, draw, tuple(range(wrong)), 1000, 8, 1.0) for draw, wrong in enumerate((10, 20))]
    told = dict(line.split(" | ", 1) for line in classical.table(rows, {}).splitlines()[2:])
    assert told["| one"].split(" | ")[0] == "97.10 (95.87–97.97) ="
    assert told["| both"].split(" | ")[0] == "98.50 (97.54–99.09) +"


def test_sets_become_what_training_takes(data_root, tmp_path):
    """Class names in their script; Farsi's large images as the runtime's glyphs."""
    if not (data_root / "scripts").exists():
        pytest.skip("no scripts in GLYPHLITE_DATA")
    source, others = scripts._kannada(tmp_path)
    assert load_dataset(source).classes[3] == "೩" and len(load_dataset(others["other writers"])) == 10_240
    large = np.zeros((64, 64), np.uint8)
    large[20:50, 30:33] = 255
    glyph = scripts._glyph(large)
    assert glyph.shape == (28, 28) and np.flatnonzero(glyph.any(1)).tolist() == list(range(4, 24))


def test_the_table_of_scripts():
    row = scripts.Judged("Farsi digits", "test set", 10, 20_000, 100, 20_000, 32_000, p50=30.0)
    line = scripts.table([row], base=20.0).splitlines()[2]
    assert line == "| Farsi digits | 10 | 20,000 | 20,000: test set | 99.50 (99.39–99.59) | 32,000 | 1.50 |"

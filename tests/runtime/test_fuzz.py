"""A short fuzz run, and that the harness sees what goes wrong."""

import importlib.util
from pathlib import Path

SPEC = importlib.util.spec_from_file_location("fuzz", Path(__file__).parents[1] / "fuzz.py")
fuzz = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(fuzz)


class Broken:
    """A recognizer with a defect."""

    def predict(self, data):
        raise ZeroDivisionError


def test_a_defect_is_seen():
    assert fuzz.attempt(Broken(), b"", also_read=False) == "!ZeroDivisionError"


def test_the_same_seed_damages_the_same():
    sources = fuzz.originals()
    first, again, other = (fuzz.mutated(sources, fuzz.np.random.default_rng((0, n))) for n in (1, 1, 2))
    assert first == again != other
    assert len(sources) > 25


def test_damage_behind_a_pngs_checksum_is_reached(model):
    png = bytearray(fuzz.originals()[0])
    png[40] ^= 0xFF  # within a chunk: its checksum is wrong now
    assert fuzz.checked(bytes(png)) != bytes(png)


def test_400_damaged_images_are_answers_or_errors_of_ours(model):
    sources = fuzz.originals()
    outcomes = [
        fuzz.attempt(model, fuzz.mutated(sources, fuzz.np.random.default_rng((0, number))), number % 10 == 0)
        for number in range(400)
    ]
    assert not [kind for kind in outcomes if kind.startswith("!")]
    assert {"ImageError", "ImageTooLarge"} <= set(outcomes)
    assert {"answer", "refusal"} & set(outcomes)

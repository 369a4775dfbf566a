"""Every shipped `.tflite` answers here as it did where it was made: on another processor, by another engine."""

import os
import struct

import golden
import numpy as np
import pytest

from glyphlite.runtime import Recognizer, read_bundle, shipped_models

LEAST_STEP = 1 / 256  # of a probability in 8 bits: the scale of TFLite's int8 softmax (its quantization specification)
# of each artifact's answers; emulated, a large network is asked for some of them only
FLOAT_COST = 10  # of a product of floats in QEMU, against one of 8 bits
# that of tflite-runtime 2.14, the one for 32 bits, rounds between its layers in another way
STEPS = 2 if struct.calcsize("P") == 4 else 1
MOST_MACS = float(os.environ.get("GLYPHLITE_GOLDEN_MACS", "inf"))
ARTIFACTS = [
    (folder, artifact.file)
    for folder in shipped_models().values()
    for artifact in read_bundle(folder).card.artifacts
    if artifact.format == "tflite"
]


@pytest.mark.parametrize(("folder", "file"), ARTIFACTS, ids=lambda value: getattr(value, "name", value))
def test_answers_are_those_of_the_golden_file(folder, file):
    with np.load(golden.FOLDER / f"{folder.name}.{file.removesuffix('.tflite')}.npz") as kept:
        wanted, step = kept["probabilities"] / golden.PARTS, max(LEAST_STEP, float(kept["step"]))
    recognizer = Recognizer.load(folder / file)
    cost = 1000 * recognizer.card.macs * (1 if "static" in file else FLOAT_COST)
    found = golden.probabilities(recognizer, min(1.0, MOST_MACS / cost))
    wanted = wanted[: len(found)]
    second, best = np.sort(wanted, axis=-1)[..., -2:].T
    margin = (best - second).T
    tied = margin <= (STEPS - 1) * step  # either class may be the likelier by such a step
    assert np.array_equal(found.argmax(-1)[~tied], wanted.argmax(-1)[~tied])
    assert np.abs(found - wanted).max() <= STEPS * step


def test_the_glyphs_are_all_there():
    glyphs = golden.glyphs()
    assert (glyphs.shape, glyphs.dtype) == ((1000, 28, 28), np.uint8)
    assert len({glyph.tobytes() for glyph in glyphs}) == 1000

"""The strip reader, with a network whose answers are known: it says the next character where ink begins."""

import numpy as np
import pytest
from drawn import write

from glyphlite.runtime import ModelError, Recognizer
from glyphlite.runtime.bundle import Artifact, Card
from glyphlite.runtime.engine import Engine
from glyphlite.runtime.explain import annotated, explain
from glyphlite.runtime.geometry import STRIP_SHAPE
from glyphlite.runtime.strip_reader import StripReader

LABELS = tuple("0123456789.")
FRAME = 4


class Scripted(Engine):
    """Every piece of ink in the strip is the next character of `text`; frames beside it are blank."""

    name, input_shape, classes = "scripted", STRIP_SHAPE, 1 + len(LABELS)

    def __init__(self, text, doubt=None):
        self.text, self.doubt, self.shapes = text, doubt or {}, []

    def run(self, pixels):
        self.shapes.append(pixels.shape)
        frames = pixels.shape[2] // FRAME
        logits = np.full((1, frames, self.classes), -10.0, np.float32)
        inked = pixels[0, :, :, 0].max(0) > 30
        starts = np.flatnonzero(inked & ~np.r_[False, inked[:-1]])
        ends = np.flatnonzero(inked & ~np.r_[inked[1:], False])
        logits[0, :, 0] = 10
        for character, start, end in zip(self.text, starts, ends, strict=True):
            frame = (start + end) // 2 // FRAME
            logits[0, frame, 0] = -10
            logits[0, frame, 1 + LABELS.index(character)] = 10
            for other, logit in self.doubt.get(character, {}).items():
                logits[0, frame, 1 + LABELS.index(other)] = logit
        return logits

    def bare_call(self, pixels):
        return lambda: self.run(pixels)


def recogniser(text, doubt=None):
    artifact = Artifact("scripted.tflite", "tflite", "float32", 0, "")
    card = Card("lines", LABELS, STRIP_SHAPE, "line", default=artifact.file, artifacts=(artifact,))
    return Recognizer(card, artifact, Scripted(text, doubt))


def test_the_text_and_where_its_characters_are():
    image = write("4071", spacing=2)
    reading = recogniser("4071").read(image)
    assert reading.text == "4071"
    (line,) = reading.lines
    assert line.probability > 0.99
    lefts = [character.box[0] for character in line.characters]
    assert lefts == sorted(lefts)
    for character in line.characters:
        x, y, width, height = character.box
        part = image[max(y - 3, 0) : y + height + 3, max(x - 3, 0) : x + width + 3] < 128
        assert part.any()
        assert part.sum() >= 0.95 * (image[:, max(x - 12, 0) : x + width + 12] < 128).sum()
        assert character.confidence > 0.99 and character.top[0][0] == character.label
        assert character.glyph.shape[0] == STRIP_SHAPE[0]


def test_strips_are_padded_to_few_widths():
    reader = recogniser("4071")
    reader.read(write("4071", spacing=2))
    assert all(shape[2] % 32 == 0 and shape[:2] == (1, 32) for shape in reader.engine.shapes)


def test_signs_are_kept_only_where_they_are_asked_for():
    image = write("4171", spacing=2)
    assert recogniser("4.71").read(image).text == "471"
    assert recogniser("7.71").read(image).text == "771"  # a sign parts what is equal
    reading = recogniser("4.71").read(image, separators=True)
    assert reading.text == "4.71"
    assert [c.glyph is None for c in reading.lines[0].characters] == [False, True, False, False]


def test_a_strip_by_itself_is_read_as_its_line_is():
    recognizer = recogniser("4.71", {"7": {"1": 9.5}})
    image = write("4171", spacing=2)
    (traced,) = recognizer.trace(image).lines
    reader = StripReader(recognizer.card, recognizer.engine)
    text, probability = reader.read(traced.strip.image, separators=True)
    line = recognizer.read(image, separators=True).lines[0]
    assert (text, probability) == ("4.71", pytest.approx(line.probability))
    assert reader.read(traced.strip.image, separators=False)[0] == "471"
    empty = StripReader(recognizer.card, Scripted("")).read(np.zeros((32, 40), np.uint8), separators=True)
    assert empty == ("", pytest.approx(1))


def test_what_is_expected_stands_before_what_is_likelier():
    doubt = {"7": {"1": 8.0}}
    image = write("4071", spacing=2)
    assert recogniser("4071", doubt).read(image).text == "4071"
    reading = recogniser("4071", doubt).read(image, expect=["4011", "5555"])
    assert reading.text == "4011"
    assert reading.lines[0].probability == pytest.approx(np.exp(8) / (np.exp(10) + np.exp(8)), abs=0.01)
    assert recogniser("4071").read(image, expect=r"\d{9}").reason == "nothing that was expected can be read"


def test_other_texts_with_their_probabilities():
    line = recogniser("4071", {"7": {"1": 8.0}}).read(write("4071", spacing=2), alternatives=1).lines[0]
    assert line.alternatives[0][0] == "4011"
    assert line.alternatives[0][1] == pytest.approx(0.12, abs=0.01)


def test_a_line_that_is_not_sure_is_left_out():
    class Blank(Scripted):
        def run(self, pixels):
            logits = np.zeros((1, pixels.shape[2] // FRAME, self.classes), np.float32)
            logits[..., 0] = 10
            return logits

    reader = recogniser("4071")
    reader = Recognizer(reader.card, reader.artifact, Blank(""))
    image = write("4071", spacing=2)
    assert reader.read(image).reason == "no character found"
    unsure = recogniser("4071", {c: dict.fromkeys("2356", 10.0) for c in "4071"})
    doubtful = unsure.read(image, min_confidence=0.5)
    assert doubtful.text == "" and doubtful.reason.startswith("not sure: ")
    assert len(unsure.read(image, min_confidence=0.1).text) == 4


def test_it_takes_lines_and_says_so():
    reader = recogniser("4071")
    with pytest.raises(ModelError, match="lines: reads whole lines; `read` takes them"):
        reader.predict(write("4"))
    with pytest.raises(ModelError, match="reads whole lines"):
        reader.predict_batch(np.zeros((1, 28, 28), np.uint8))


def test_pictures_of_its_stages(tmp_path):
    trace = recogniser("4071").trace(write("4071", spacing=2))
    paths = explain(trace, tmp_path)
    assert [path.stem for path in paths] == ["1-image", "2-ink", "3-line-1-strip", "4-line-1-frames"]
    assert (annotated(trace) != trace.pixels[..., None]).any()


def test_the_shipped_reader_reads_what_touches():
    reader = Recognizer.load("digits-line")
    for text in ("4071", "1070", "71"):
        assert reader.read(write(text, spacing=1.05)).text == text  # 0 and 7 touch their neighbours
    assert reader.read(np.full((120, 300), 255, np.uint8)).reason == "no character found"
    assert reader.read(write("4071"), expect=r"\d{4}").lines[0].probability > 0.3

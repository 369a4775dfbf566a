"""Both readers together: a scripted network along the strip beside the shipped model of characters."""

import pytest
from drawn import write
from test_strip_reader import LABELS, Scripted

from glyphlite.runtime import CardError, Recognizer, read_bundle
from glyphlite.runtime.bundle import DEFAULT_READER, Artifact, Card, shipped_models
from glyphlite.runtime.explain import explain
from glyphlite.runtime.geometry import STRIP_SHAPE

ARTIFACT = Artifact("scripted.tflite", "tflite", "float32", 0, "")


def joint(partner, text, doubt=None, labels=LABELS):
    card = Card("lines", labels, STRIP_SHAPE, "line", default=ARTIFACT.file, artifacts=(ARTIFACT,))
    return Recognizer(card, ARTIFACT, Scripted(text, doubt), partner=partner)


def test_what_one_reader_doubts_the_other_decides(model):
    image = write("4071", spacing=2)
    alone = model.read(image).lines[0]
    doubt = {"9": {"0": 9.5}}  # along the strip a 9 is likelier, a 0 nearly as likely
    both = joint(model, "4971", doubt).read(image, alternatives=1).lines[0]
    assert alone.text == both.text == "4071"
    assert both.alternatives[0][0] == "4971"
    assert both.probability + both.alternatives[0][1] <= 1


def test_its_characters_are_those_of_the_lattice(model):
    image = write("4071", spacing=2)
    one, both = model.read(image).lines[0], joint(model, "4071").read(image).lines[0]
    assert [c.box for c in both.characters] == [c.box for c in one.characters]
    assert all(c.glyph.shape == (28, 28) for c in both.characters)


def test_a_text_without_a_way_through_the_lattice_is_placed_along_the_strip(model):
    labels = (*LABELS[:10], "x")
    line = joint(model, "4.", labels=labels).read(write("40", spacing=2), expect=["4x", "5x"]).lines[0]
    assert line.text == "4x" and line.characters[1].glyph.shape[0] == STRIP_SHAPE[0]


def test_a_line_is_left_out_where_both_together_are_not_sure(model):
    image = write("40", spacing=2)
    assert joint(model, "40").read(image).text == "40"
    unsure = {"4": {"5": 9.9, "6": 9.9, "7": 9.9, "8": 9.9}, "0": {"5": 9.9, "6": 9.9, "7": 9.9, "8": 9.9}}
    assert not joint(model, "40", unsure).read(image, min_confidence=0.5).lines
    assert joint(model, "40", unsure).read(image, min_confidence=0.4).text == "40"  # 0.22 a character along the strip
    strip = Recognizer(joint(model, "40").card, ARTIFACT, Scripted("40", unsure))
    assert not strip.read(image, min_confidence=0.4).lines


def test_signs_are_kept_where_they_are_asked_for(model):
    reading = joint(model, "4071").read(write("4071", spacing=2), separators=True)
    assert reading.text == "4071"


def test_nothing_that_is_expected(model):
    reading = joint(model, "40").read(write("40", spacing=2), expect=r"\d{5}")
    assert not reading.lines and "expected" in reading.reason


def test_pictures_of_both(model, tmp_path):
    trace = joint(model, "40").trace(write("40", spacing=2))
    assert {path.stem.split("-", 3)[-1] for path in explain(trace, tmp_path)} >= {
        "cuts",
        "candidates",
        "strip",
        "frames",
    }


def test_a_partner_knows_no_character_that_the_reader_does_not(model):
    with pytest.raises(CardError, match="its label '9' is none of the line reader's"):
        _ = joint(model, "40", labels=tuple("012345678")).reader


def test_a_partner_reads_characters():
    line_reader = Recognizer.load(DEFAULT_READER, alone=True)
    with pytest.raises(CardError, match="wanted a model of single characters"):
        _ = joint(line_reader, "40").reader


def test_the_shipped_reader_names_its_partner():
    card = read_bundle(shipped_models()[DEFAULT_READER]).card
    assert Recognizer.load(DEFAULT_READER).partner.card.name == card.partner
    assert Recognizer.load(DEFAULT_READER, alone=True).partner is None


def test_a_sign_that_the_strip_has_no_word_for(model):
    image = write("4", shape=(120, 300))
    image[40:46, 200:240] = image[60:66, 200:240] = 0
    assert model.read(image, separators=True).text == "4=" and "=" not in LABELS
    assert joint(model, "4.").read(image, separators=True).text == "4."  # the text that both have a price for

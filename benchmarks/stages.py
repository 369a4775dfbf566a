"""Where the time goes from a file's bytes to its answer: each stage of the runtime by itself, on what it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ..runtime.errors import ModelError
from ..runtime.geometry import INK_GEOMETRIES
from ..runtime.glyph import FROM_INK, fit_to_shape
from ..runtime.image import read_image
from ..runtime.ink import find_ink
from ..runtime.joint_reader import JointReader
from ..runtime.lattice_reader import LatticeReader
from ..runtime.layout import find_lines, main_characters
from ..runtime.recognizer import Recognizer, character_side
from ..runtime.rules import without_rules
from ..runtime.strip_reader import StripReader
from .latency import Call, Latency, Plan, measure, summarise

WHOLE = "whole"  # the call that a user makes
BUDGET_S, ROUNDS, WARM_UP_S = 3.0, 100, 0.5  # of an image's stages together


@dataclass(frozen=True)
class Stage:
    """A stage's latency on one image; share: of the whole call's median."""

    name: str
    latency: Latency
    share: float


def time_stages(recognizer: Recognizer, data: bytes, read: bool, budget_s: float = BUDGET_S) -> tuple[str, list[Stage]]:
    """The answer to a file's bytes and the stages that lead to it, the whole call last.

    read: of `read`, else of `predict`.  Raises ImageError where the bytes are no image.
    """
    answer = recognizer.read(data).text if read else recognizer.predict(data).label or ""
    calls = _read_calls(recognizer, data) if read else _predict_calls(recognizer, data)
    calls[WHOLE] = partial(recognizer.read if read else recognizer.predict, data)
    timings = {name: summarise(t) for name, t in measure(calls, Plan(budget_s, ROUNDS, WARM_UP_S)).items()}
    whole = timings[WHOLE].p50
    return answer, [Stage(name, latency, latency.p50 / whole) for name, latency in timings.items()]


def _predict_calls(recognizer: Recognizer, data: bytes) -> dict[str, Call]:
    card, steps = recognizer.card, recognizer.steps
    pixels, _ = read_image(data)
    calls: dict[str, Call] = {"decode": partial(read_image, data)}
    if card.geometry not in INK_GEOMETRIES:
        glyph = fit_to_shape(pixels, card.input_shape, card.geometry)
        calls["resize"] = partial(fit_to_shape, pixels, card.input_shape, card.geometry)
        calls["engine"] = partial(recognizer.predict_batch, glyph[None])
        return calls
    side = character_side(pixels)
    found = find_ink(pixels, steps, side)
    ink = without_rules(found) if steps.rules else found
    calls["ink"] = partial(find_ink, pixels, steps, side)
    calls["rules"] = partial(without_rules, found)
    calls["layout"] = partial(main_characters, ink)
    characters = main_characters(ink)
    if characters:
        one, to_glyph, size = characters[0], FROM_INK[card.geometry], card.input_shape[0]
        calls["glyph"] = partial(to_glyph, one.soft, size, one.stroke)
        calls["engine"] = partial(recognizer.predict_batch, to_glyph(one.soft, size, one.stroke)[None])
    return calls


def _read_calls(recognizer: Recognizer, data: bytes) -> dict[str, Call]:
    reader = recognizer.reader
    if not isinstance(reader, (LatticeReader, StripReader, JointReader)):
        raise ModelError(f"{recognizer.card.name}: takes whole images; `read` wants a character model")
    steps = recognizer.steps
    pixels, _ = read_image(data)
    found = find_ink(pixels, steps)
    ink = without_rules(found) if steps.rules else found
    lines = find_lines(ink, deslant=steps.deslant)
    trace: Callable[..., object] = reader.trace

    def read_lines() -> None:
        for line in lines:
            trace(line, None, False, 0)

    return {
        "decode": partial(read_image, data),
        "ink": partial(find_ink, pixels, steps),
        "rules": partial(without_rules, found),
        "layout": partial(find_lines, ink, deslant=steps.deslant),
        "reader": read_lines,
    }

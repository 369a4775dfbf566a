"""A region of a frame to the texts that it may show."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass

from ..answers import Prediction
from ..errors import ModelError, counted
from ..image import Pixels
from ..recognizer import Recognizer
from .settings import Region

BETWEEN = 0.1  # share of the second of two neighbouring digits from which a rolling digit stands between them
MOST_TEXTS = 16  # that four digits between two values make

Box = tuple[int, ...]


@dataclass(frozen=True)
class Seen:
    """What a region shows.

    texts: more than one where a digit stands between two values; none where nothing could be read, and `reason` says
    why.  confidence: that one of them is right.  labels: the digits that were seen, for their shares.
    """

    texts: tuple[str, ...]
    confidence: float
    labels: tuple[str, ...] = ()
    reason: str | None = None


def look(recognizer: Recognizer, region: Region, pixels: Pixels) -> Seen:
    """What a region of an upright frame shows: each box's character, or the one line in its box.

    A model of whole images gets as many equal parts of the box as there are digits.
    Raises ModelError where a region without boxes is to be read by what takes neither lines nor images.
    """
    height, width = pixels.shape[:2]
    whole = region.box or (0, 0, width, height)
    boxes: Iterable[Box] = region.boxes
    if not boxes and recognizer.reader is None:
        boxes = equal_parts(whole, region.digits or 1)
    for x, y, across, down in [*boxes, whole]:
        if x + across > width or y + down > height:
            said = f"box {[x, y, across, down]} is not within the frame of {width} × {height}"
            return Seen((), 0.0, reason=said)
    if boxes:
        if recognizer.card.reads_lines:
            raise ModelError(f"{recognizer.card.name}: reads lines; region {region.name} has a box for each digit")
        return judged(region, [recognizer.predict(_crop(pixels, box), top=3) for box in boxes])
    pattern = rf"\d{{{region.digits}}}" if region.digits else None
    lines = recognizer.read(_crop(pixels, whole), expect=pattern, min_confidence=0.0)
    if len(lines.lines) != 1:
        return Seen((), 0.0, reason=lines.reason or f"{len(lines.lines)} lines; wanted one")
    line = lines.lines[0]
    seen = judged(region, line.characters)
    if seen.reason is None and len(seen.texts) == 1 and line.certainty is not None:
        return _sure(region, Seen(seen.texts, line.certainty, seen.labels))
    return seen


def shown(region: Region, text: str) -> str:
    """Digits with their decimal point."""
    if not region.decimals:
        return text
    text = text.zfill(region.decimals + 1)
    return f"{text[: -region.decimals]}.{text[-region.decimals :]}"


def equal_parts(box: Box, count: int) -> list[Box]:
    """A box cut into parts side by side."""
    x, y, width, height = box
    edges = [x + round(width * at / count) for at in range(count + 1)]
    return [(left, y, right - left, height) for left, right in itertools.pairwise(edges)]


def _crop(pixels: Pixels, box: Box) -> Pixels:
    x, y, width, height = box
    return pixels[y : y + height, x : x + width]


def judged(region: Region, characters: Iterable[Prediction]) -> Seen:
    """The texts that characters make, the lowest first."""
    choices: list[list[str]] = []
    shares: list[float] = []
    labels: list[str] = []
    for place, character in enumerate(characters, 1):
        found = _choices(region, character)
        if not found:
            said = character.reason or f"{character.label!r} is no digit"
            return Seen((), character.confidence, tuple(labels), f"character {place}: {said}")
        choices.append([label for label, _ in found])
        shares.append(sum(share for _, share in found))
        labels.append(max(found, key=lambda one: one[1])[0])
    count = math.prod(map(len, choices))
    if count > MOST_TEXTS:
        return Seen((), math.prod(shares), tuple(labels), "too many digits between two values")
    texts = sorted(map("".join, itertools.product(*choices)))
    if region.digits and len(texts[0]) != region.digits:
        said = f"{counted(len(texts[0]), 'character')}; wanted {region.digits}"
        return Seen((), math.prod(shares), tuple(labels), said)
    return _sure(region, Seen(tuple(texts), math.prod(shares), tuple(labels)))


def _choices(region: Region, character: Prediction) -> list[tuple[str, float]]:
    """(label, share) of what a character may be; none where it is refused."""
    numeric = region.digits is not None or region.counter is not None
    if region.rolling and len(character.top) > 1:
        (first, share), (second, other) = character.top[:2]
        digits = len(first) == len(second) == 1 and first.isdecimal() and second.isdecimal()
        if digits and other >= BETWEEN and (int(first) - int(second)) % 10 in (1, 9):
            return [(first, share), (second, other)]
    label = character.label
    if label is None or (numeric and not (len(label) == 1 and label.isdecimal())):
        return []
    return [(label, character.confidence)]


def _sure(region: Region, seen: Seen) -> Seen:
    if seen.confidence >= region.min_confidence:
        return seen
    texts = " or ".join(shown(region, text) for text in seen.texts)
    said = f"{texts} only {100 * seen.confidence:.0f} % sure; wanted {100 * region.min_confidence:.0f} %"
    return Seen((), seen.confidence, seen.labels, said)

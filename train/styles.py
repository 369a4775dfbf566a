"""How people write the digits: every digit's styles as pen strokes.

A stroke is a string of control points, `x,y` in hundredths of the character's height, x to the right, y down, in the
order in which a pen passes them.  `!` after a point makes it a corner; all other points are passed smoothly.  So a
style can be read, sketched on paper and changed by hand.
"""

from __future__ import annotations

from types import MappingProxyType

Path = tuple[tuple[float, float, bool], ...]  # x, y in heights; whether the pen turns sharply there

_STYLES: dict[str, dict[str, tuple[str, ...]]] = {
    "0": {
        "plain": ("58,4 34,8 17,45 24,84 47,97 70,86 80,48 70,13 49,3",),
        "open": ("37,13 22,32 17,60 30,93 54,96 75,76 80,42 73,17 60,7",),
        "looped": ("52,7 29,18 17,52 28,90 53,97 76,78 81,42 66,14 46,9 40,20 52,25 66,15 80,3",),
        "slashed": ("58,4 34,8 17,45 24,84 47,97 70,86 80,48 70,13 49,3", "80,8 50,50 20,92"),
    },
    "1": {
        "plain": ("51,2 50,50 49,98",),
        "ticked": ("41,17 47,11 53,2! 52,50 51,98",),
        "flagged": ("16,52 38,29 58,2! 57,50 55,98",),
        "based": ("30,24 44,14 54,3! 53,50 52,95", "26,96 52,95 80,96"),
    },
    "2": {
        "plain": ("20,26 28,9 50,2 72,14 71,38 46,70 17,96! 48,94 82,95",),
        "looped": ("20,24 32,7 55,3 73,18 68,44 45,76 23,95 12,88 22,77 42,85 62,95 84,87",),
        "angular": ("20,12 48,3 74,9 72,24 46,60 16,95! 46,96 80,93",),
        "swan": ("24,28 32,8 52,3 70,16 66,40 44,74 20,94! 34,86 50,92 68,98 84,88",),
    },
    "3": {
        "round": ("22,15 38,3 60,4 72,18 64,36 40,46! 66,52 78,70 68,92 44,98 20,88",),
        "looped": ("20,15 38,3 62,4 72,18 62,38 42,48 36,43 46,42 68,52 76,72 66,92 44,98 18,87",),
        "flat": ("20,6 46,7 74,5! 58,24 42,41! 64,46 79,66 70,90 44,98 18,87",),
    },
    "4": {
        "open": ("30,6 24,36 18,60! 50,60 84,57", "66,20 65,58 62,98"),
        "closed": ("60,3 38,34 13,66! 50,67 86,66", "61,3 61,50 60,98"),
        "one-stroke": ("84,64 50,66 12,66! 38,34 64,3! 63,50 61,98",),
        "round": ("24,8 18,32 24,50 46,54 68,40 75,8! 71,50 66,98",),
    },
    "5": {
        "one-stroke": ("76,6 52,6 32,7! 27,42! 48,38 70,48 75,70 62,92 40,98 18,90",),
        "barred": ("31,8 27,43! 48,38 70,48 75,70 62,92 40,98 17,89", "31,9 54,8 79,5"),
        "curly": ("76,7 52,5 32,15 31,34 52,46 70,60 72,80 56,95 36,97 19,88",),
    },
    "6": {
        "curved": ("70,6 50,10 30,34 20,66 30,93 52,98 73,86 72,64 52,56 34,64 24,80",),
        "straight": ("62,2 44,29 26,60 24,84 40,98 62,93 72,76 62,61 44,62 27,79",),
        "hooked": ("76,18 64,4 42,14 25,44 21,74 36,96 58,96 73,80 66,62 48,58 28,74",),
    },
    "7": {
        "plain": ("16,8 46,8 80,6! 62,45 44,98",),
        "curved": ("17,11 46,7 76,8 70,30 52,60 46,98",),
        "serif": ("18,24 19,7! 48,8 80,6! 60,45 44,98",),
        "crossed": ("16,8 46,8 80,6! 62,45 44,98", "32,52 54,50 78,47"),
        "crossed-serif": ("18,24 19,7! 48,8 80,6! 60,45 44,98", "30,52 54,50 78,47"),
    },
    "8": {
        "one-stroke": ("68,12 50,3 30,12 32,32 52,48 72,66 70,88 48,98 27,87 28,67 50,48 68,30 70,13",),
        "open": ("76,10 52,3 30,13 33,33 53,49 71,68 67,90 46,98 27,86 30,66 52,46 70,28 80,12",),
        "circles": (
            "52,3 33,9 31,30 48,45 67,35 68,13 48,3",
            "50,46 28,56 25,84 48,98 73,86 72,58 46,46",
        ),
    },
    "9": {
        "curved": ("72,22 56,4 34,8 24,28 36,48 58,44 73,18 76,42 72,74 54,96 26,92",),
        "straight": ("72,20 56,4 34,9 24,29 36,48 58,43 75,8! 71,50 65,98",),
        "leaning": ("70,26 62,6 40,6 26,26 34,46 54,44 70,24 68,52 58,76 44,98",),
    },
}

# MNIST, written in the United States, has few of these; elsewhere they are ordinary
RARE: frozenset[tuple[str, str]] = frozenset(
    {
        ("0", "looped"), ("0", "slashed"), ("1", "flagged"), ("1", "based"), ("3", "flat"), ("4", "one-stroke"),
        ("7", "serif"), ("7", "crossed"), ("7", "crossed-serif"),
    }
)  # fmt: skip


def parse_stroke(stroke: str) -> Path:
    """Control points of a stroke in this module's notation."""
    points = []
    for word in stroke.split():
        x, y = word.rstrip("!").split(",")
        points.append((int(x) / 100, int(y) / 100, word.endswith("!")))
    return tuple(points)


STROKES: MappingProxyType[tuple[str, str], tuple[Path, ...]] = MappingProxyType(
    {
        (label, style): tuple(parse_stroke(stroke) for stroke in strokes)
        for label, drawn in _STYLES.items()
        for style, strokes in drawn.items()
    }
)


def styles() -> dict[str, tuple[str, ...]]:
    """Every label's style names."""
    return {label: tuple(drawn) for label, drawn in _STYLES.items()}

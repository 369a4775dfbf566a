r"""What a line is expected to say: a pattern, a list of values or a checksum, read label by label.

A pattern is a regular expression of `\d`, `.`, literal characters, classes like `[0-3]`, groups with `|`, and the
repetitions `?`, `*`, `+`, `{n}`, `{n,}` and `{n,m}`; it must match the whole line.  `(?luhn)` in front asks for Luhn's
checksum (ISO/IEC 7812-1) over all digits as well.  What remains to be read after a label is again a pattern, its
derivative (Brzozowski 1964): that is the state in which the search for the best path goes on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn, Protocol, Self

from .errors import ExpectationError

LUHN = "(?luhn)"
DIGITS = frozenset("0123456789")
MAX_REPEAT = 1000  # of one part of a pattern
MAX_PATTERN = 500  # characters; what is longer is a list of values
MAX_NESTING = 20  # groups in one another
MAX_STEPS = 500_000  # nodes that all lines may make of a pattern together
MAX_CLASS = 1000  # characters that a class names: [ -\U0010ffff] would be a million


class Expectation(Protocol):
    """What may still be read."""

    def after(self, label: str) -> Expectation | None:
        """What may be read after a label; None where the label is not expected."""

    def is_met(self) -> bool:
        """Whether the line may end here."""

    def names(self, character: str) -> bool:
        """Whether a character is written in what is expected; `.`, which stands for any, writes none."""


def meets(labels: Iterable[str], expected: Expectation) -> bool:
    """Whether a line of these labels is what was expected."""
    state: Expectation | None = expected
    for label in labels:
        state = state.after(label) if state else None
    return state is not None and state.is_met()


def expectation(wanted: str | Sequence[str]) -> Expectation:
    """The expectation of a pattern, or of a list of admissible values.

    Raises ExpectationError with the place that cannot be understood.
    """
    if not isinstance(wanted, str):
        if not isinstance(wanted, Collection) or not all(isinstance(one, str) for one in wanted):
            raise ExpectationError(f"{wanted!r:.60}; wanted a pattern or a list of texts")
        if not wanted:
            raise ExpectationError("no value is admissible; wanted at least one")
        return Values(tuple(dict.fromkeys(wanted)))
    if not wanted.startswith(LUHN):
        return _pattern(wanted)
    rest = wanted[len(LUHN) :]
    return Both(_pattern(rest), Luhn()) if rest else Luhn()


class Remembering:
    """Finds what may be read after a label once: a search asks again and again."""

    @cached_property
    def _known(self) -> dict[str, Self | None]:
        return {}

    def after(self, label: str) -> Self | None:
        if label not in self._known:
            self._known[label] = self._found_after(label)
        return self._known[label]

    def _found_after(self, label: str) -> Self | None:
        raise NotImplementedError


@dataclass(frozen=True)
class Values(Remembering):
    """The rest of one of several texts."""

    rests: tuple[str, ...]

    def _found_after(self, label: str) -> Values | None:
        rests = tuple(rest[len(label) :] for rest in self.rests if rest.startswith(label))
        return Values(rests) if rests else None

    def is_met(self) -> bool:
        return "" in self.rests

    def names(self, character: str) -> bool:
        return any(character in rest for rest in self.rests)


@dataclass(frozen=True)
class Luhn:
    """Digits that end in Luhn's check digit.  sums: modulo 10, where the last digit counts once, and doubled."""

    sums: tuple[int, int] = (0, 0)

    def after(self, label: str) -> Luhn:
        if label not in DIGITS:
            return self
        digit = int(label)
        return Luhn(((self.sums[1] + digit) % 10, (self.sums[0] + sum(divmod(2 * digit, 10))) % 10))

    def is_met(self) -> bool:
        return self.sums[0] == 0

    def names(self, character: str) -> bool:
        return character in DIGITS


@dataclass(frozen=True)
class Both(Remembering):
    """Two expectations at once."""

    first: Expectation
    second: Expectation

    def _found_after(self, label: str) -> Both | None:
        first, second = self.first.after(label), self.second.after(label)
        return None if first is None or second is None else Both(first, second)

    def is_met(self) -> bool:
        return self.first.is_met() and self.second.is_met()

    def names(self, character: str) -> bool:
        return self.first.names(character) or self.second.names(character)


# --- patterns --------------------------------------------------------------------------------------------------------

# A node is a tuple that begins with its kind: ("one", characters or None for any), ("all", node, …) one after the
# other, ("any", node, …) one of them, ("times", node, least, most or None).  ("all",) is the empty text, ("any",)
# nothing at all.
Node = tuple[Any, ...]
EMPTY: Node = ("all",)
NOTHING: Node = ("any",)


class _Steps:
    """How much all lines together may cost, and the patterns that they came to: each is one object, so that what was
    found after a label is found once."""

    def __init__(self, text: str) -> None:
        self._text, self._left = text, MAX_STEPS
        self._known: dict[Node, Pattern] = {}

    def pattern(self, node: Node) -> Pattern:
        if node not in self._known:
            self.take(_size(node))
            self._known[node] = Pattern(node, self)
        return self._known[node]

    def take(self, count: int) -> None:
        """Raises ExpectationError where so many are not left."""
        self._left -= count
        if self._left < 0:
            raise ExpectationError(
                f"pattern {self._text!r:.80}: takes over {MAX_STEPS:,} steps to follow; "
                "wanted fewer repetitions in one another, or fewer alternatives"
            )


@dataclass(frozen=True, eq=False)
class Pattern(Remembering):
    """What a pattern still wants."""

    node: Node
    steps: _Steps

    def _found_after(self, label: str) -> Pattern | None:
        node = _derivative(self.node, label, self.steps)
        return None if node == NOTHING else self.steps.pattern(node)

    def is_met(self) -> bool:
        return _may_be_empty(self.node)

    def names(self, character: str) -> bool:
        return _names(self.node, character)


def _pattern(text: str) -> Pattern:
    return _Steps(text).pattern(_Parser(text).parsed())


def _size(node: Node) -> int:
    """Nodes of a node, itself among them."""
    kind, *parts = node
    if kind == "one":
        return 1
    return 1 + sum(map(_size, parts[:1] if kind == "times" else parts))


def _derivative(node: Node, label: str, steps: _Steps) -> Node:
    """What is left of a node after a label."""
    kind, *parts = node
    steps.take(1)
    if kind == "one":
        return EMPTY if parts[0] is None or label in parts[0] else NOTHING
    if kind == "any":
        return _any([_derivative(part, label, steps) for part in parts])
    if kind == "times":
        part, least, most = parts
        fewer = ("times", part, max(0, least - 1), None if most is None else most - 1)
        return _all(_derivative(part, label, steps), EMPTY if most == 1 else fewer)
    found = []
    for place, part in enumerate(parts, 1):
        steps.take(len(parts) - place)
        found.append(_all(_derivative(part, label, steps), *parts[place:]))
        if not _may_be_empty(part):
            break
    return _any(found)


def _may_be_empty(node: Node) -> bool:
    kind, *parts = node
    if kind == "one":
        return False
    if kind == "times":
        return parts[1] == 0 or _may_be_empty(parts[0])
    return (all if kind == "all" else any)(_may_be_empty(part) for part in parts)


def _names(node: Node, character: str) -> bool:
    kind, *parts = node
    if kind == "one":
        return parts[0] is not None and character in parts[0]
    return any(_names(part, character) for part in (parts[:1] if kind == "times" else parts))


def _all(*nodes: Node) -> Node:
    if NOTHING in nodes:
        return NOTHING
    flat: list[Node] = []
    for node in nodes:
        flat += node[1:] if node[0] == "all" else [node]
    return flat[0] if len(flat) == 1 else ("all", *flat)


def _any(nodes: Sequence[Node]) -> Node:
    flat: dict[Node, None] = {}
    for node in nodes:
        flat.update(dict.fromkeys(node[1:] if node[0] == "any" else [node]))
    return next(iter(flat)) if len(flat) == 1 else ("any", *flat)


class _Parser:
    def __init__(self, text: str) -> None:
        if len(text) > MAX_PATTERN:
            raise ExpectationError(f"a pattern of {len(text)} characters; wanted at most {MAX_PATTERN}")
        self._text, self._at, self._groups = text, 0, 0

    def parsed(self) -> Node:
        node = self._choice()
        if self._at < len(self._text):
            self._fail("a ')' too many")
        return node

    def _choice(self) -> Node:
        parts = [self._sequence()]
        while self._next() == "|":
            self._at += 1
            parts.append(self._sequence())
        return _any(parts)

    def _sequence(self) -> Node:
        parts = []
        while self._next() not in ("", "|", ")"):
            parts.append(self._repeated(self._atom()))
        return _all(*parts)

    def _atom(self) -> Node:
        character = self._take()
        if character == "(":
            if self._next() == "?":
                self._fail(f"'(?' is known as {LUHN} in front only")
            self._groups += 1
            if self._groups > MAX_NESTING:
                self._fail(f"more than {MAX_NESTING} groups in one another")
            node = self._choice()
            self._groups -= 1
            if self._next() != ")":
                self._fail("a '(' is not closed")
            self._at += 1
            return node
        if character in "?*+{":
            self._fail(f"nothing in front of '{character}'")
        if character == "\\":
            return ("one", self._escaped())
        if character == "[":
            return ("one", self._class())
        return ("one", None if character == "." else frozenset(character))

    def _escaped(self) -> frozenset[str]:
        character = self._take()
        if character.isalnum() and character != "d":
            self._fail(f"'\\{character}' is not known; wanted \\d or an escaped sign")
        return DIGITS if character == "d" else frozenset(character)

    def _class(self) -> frozenset[str]:
        found: frozenset[str] = frozenset()
        if self._next() == "^":
            self._fail("'[^' is not known; name the characters that are expected")
        while (character := self._take()) != "]":
            if character == "\\":
                found |= self._escaped()
            elif self._next() == "-" and self._text[self._at + 1 : self._at + 2] not in ("", "]"):
                self._at += 1
                last = self._take()
                if last < character:
                    self._fail(f"'{character}-{last}' holds nothing")
                if ord(last) - ord(character) >= MAX_CLASS:
                    self._fail(f"'{character}-{last}' holds more than {MAX_CLASS} characters")
                found |= {chr(code) for code in range(ord(character), ord(last) + 1)}
            else:
                found |= {character}
        if not found:
            self._fail("a class of nothing")
        return found

    def _repeated(self, node: Node) -> Node:
        sign = self._next()
        if sign == "{":
            self._at += 1
            text = ""
            while (character := self._take()) != "}":
                text += character
            least, comma, most = text.partition(",")
            if not least.isdecimal() or not (most == "" or most.isdecimal()):
                self._fail(f"'{{{text}}}'; wanted {{n}}, {{n,}} or {{n,m}}")
            low, high = int(least), int(most) if most else None if comma else int(least)
            if not low <= (low if high is None else high) <= MAX_REPEAT:
                self._fail(f"'{{{text}}}'; wanted rising numbers up to {MAX_REPEAT}")
        elif sign and sign in "?*+":
            self._at += 1
            low, high = {"?": (0, 1), "*": (0, None), "+": (1, None)}[sign]
        else:
            return node
        return EMPTY if high == 0 else ("times", node, low, high)

    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self) -> str:
        character = self._next()
        if not character:
            self._fail("it ends too soon")
        self._at += 1
        return character

    def _fail(self, reason: str) -> NoReturn:
        raise ExpectationError(f"pattern {self._text!r}, at character {self._at}: {reason}")

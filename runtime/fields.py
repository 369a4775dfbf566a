"""Plain data to dataclasses: what JSON or TOML holds, checked field by field against the types of a dataclass."""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar

T = TypeVar("T")
Path = tuple[str | int, ...]  # of a value: names of fields, and places in lists


class FieldError(ValueError):
    """A field that is unknown, missing or of a wrong type.

    path: to the value that the message is about.  key: what stands in it and should not.
    """

    def __init__(self, path: Path, message: str, key: str = "") -> None:
        super().__init__(": ".join([*(name for name in path if isinstance(name, str)), message]))
        self.path = (*path, key) if key else path


def read_fields(cls: type[T], content: Any, path: Path = ()) -> T:
    """A dataclass from an object: lists become tuples, objects the dataclasses that are wanted.

    Raises FieldError naming the field that is unknown, missing or of a wrong type.
    """
    if not isinstance(content, dict):
        raise FieldError(path, f"{content!r:.40}; wanted an object")
    hints = typing.get_type_hints(cls)
    known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]
    for key in content:
        if key not in known:
            import difflib  # what only refuses is imported here: `predict` starts sooner

            close = difflib.get_close_matches(key, known, n=1)
            raise FieldError(path, f"unknown field {key!r}{f'; did you mean {close[0]}?' if close else ''}", key)
    values = {}
    for key, spec in known.items():
        if key in content:
            values[key] = _read_value(hints[key], content[key], (*path, key))
        elif spec.default is MISSING and spec.default_factory is MISSING:
            raise FieldError(path, f"field {key!r} is missing")
    return cls(**values)


def _read_value(hint: Any, value: Any, path: Path) -> Any:
    if isinstance(hint, types.UnionType):  # only `X | None` is used
        return None if value is None else _read_value(typing.get_args(hint)[0], value, path)
    origin = typing.get_origin(hint)
    if origin is tuple:
        if not isinstance(value, list):
            raise FieldError(path, f"{value!r:.40}; wanted a list")
        return tuple(_read_value(typing.get_args(hint)[0], item, (*path, at)) for at, item in enumerate(value))
    if is_dataclass(hint):
        return read_fields(typing.cast(type, hint), value, path)
    kind: Any = {float: (int, float), Mapping: dict}.get(origin or hint, hint)
    huge = hint is float and isinstance(value, int) and abs(value) > sys.float_info.max
    if not isinstance(value, kind) or (isinstance(value, bool) and hint is not bool) or huge:
        wanted = getattr(hint, "__name__", "object")
        raise FieldError(path, f"{value!r:.40}; wanted {wanted}")
    return float(value) if hint is float else value

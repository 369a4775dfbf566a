"""What the app and its server are told.  Each field is a key of a mapping and of a TOML file, a variable
`GLYPHLITE_…` and an option of `glyphlite serve`.  A variable wins over the file, an option over both.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ..runtime import GlyphliteError
from ..runtime.bundle import DEFAULT_MODEL
from ..runtime.errors import counted
from ..runtime.scale import parse_scale

PREFIX = "GLYPHLITE_"
FILE_VARIABLE = "GLYPHLITE_CONFIG"
OTHERS = ("GLYPHLITE_DATA", "GLYPHLITE_MODELS")  # variables that are no keys of the web app
MOST_THREADS = 64
MIN_TOKEN = 16  # characters: what can be guessed is no lock
LOG_FORMATS = ("text", "json")
MEANT = 0.75  # a variable this like one of ours was meant to be it; GLYPHLITE_DATA and others are not ours
BOOLEANS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def _key(default: Any, text: str, choices: tuple[str, ...] = ()) -> Any:
    return field(default=default, metadata={"help": text, "choices": choices})


@dataclass(frozen=True)
class Config:
    """Checked when it is made.  Raises GlyphliteError naming the key, what it holds and what was wanted."""

    model: str = _key(DEFAULT_MODEL, "A shipped model's name, a bundle's folder, or a .tflite or .onnx file.")
    reader: str = _key("", "What reads lines, likewise; none: digits-line beside digits-edge, else the model.")
    scale: str = _key("", "What a bare file's float input takes 0 and 255 as, like 0,1, or imagenet; none: 0,255.")
    host: str = _key("127.0.0.1", "Address to listen on; 0.0.0.0 for every network.")
    port: int = _key(8000, "0 takes a free one.")
    threads: int = _key(4, "Requests at once: one computes while others are read and written.")
    reload_models: bool = _key(False, "Load the models again on SIGHUP; without it SIGHUP ends the server.")
    log_format: str = _key("text", "Of the log on stderr.", LOG_FORMATS)
    hosts: tuple[str, ...] = _key(
        (), "Names that this server is called by, beside its addresses, localhost and its own name; * for any."
    )
    token: str = _key("", "Bearer token, or a browser's password, that every request for an answer must bring.")
    rate_limit: str = _key("", "Most requests of one address, like 60/minute; pip install '.[limit]'.")
    origins: tuple[str, ...] = _key((), "Other sites whose pages may ask (CORS), like https://example.org.")
    corrections: str = _key(
        "", "Folder for glyphs that people correct on the page, for `train --add-data`; none: none are kept."
    )
    tls: bool = _key(False, "HTTPS, with a certificate of one's own unless one is given.")
    tls_cert: str = _key("", "Certificate, PEM; with tls_key.")
    tls_key: str = _key("", "The certificate's key, PEM.")
    proxies: int = _key(0, "Reverse proxies before this server whose X-Forwarded-… headers are believed.")

    def __post_init__(self) -> None:
        for name, low, high in (("port", 0, 65535), ("threads", 1, MOST_THREADS), ("proxies", 0, 8)):
            if not low <= getattr(self, name) <= high:
                raise GlyphliteError(f"{name} {getattr(self, name)}; wanted {low} to {high}")
        try:
            parse_scale(self.scale or "0,255")
        except ValueError as error:
            raise GlyphliteError(f"scale {error}") from None
        if self.log_format not in LOG_FORMATS:
            raise GlyphliteError(f"log_format {self.log_format!r}; wanted {' or '.join(LOG_FORMATS)}")
        if self.token and not (len(self.token) >= MIN_TOKEN and self.token.isascii() and self.token.isprintable()):
            seen = counted(len(self.token), "character")
            raise GlyphliteError(f"token of {seen}; wanted {MIN_TOKEN} or more, printable ASCII")
        if bool(self.tls_cert) != bool(self.tls_key):
            raise GlyphliteError("tls_cert and tls_key go together; got one of them")
        for origin in self.origins:
            if not re.fullmatch(r"https?://[^/\s*]+", origin):
                raise GlyphliteError(f"origins: {origin!r}; wanted a site like https://example.org, without a path")


KEYS = {spec.name: spec for spec in fields(Config)}


def configure(*sources: Mapping[str, Any]) -> Config:
    """A Config from mappings, of which the later ones win.  Keys may be in upper case, as Flask's are.

    Raises GlyphliteError for an unknown key, naming the closest ones, and for a value of another type.
    """
    values: dict[str, Any] = {}
    for source in sources:
        for key, value in source.items():
            name = key.lower()
            if name not in KEYS:
                raise GlyphliteError(f"{key}: no such key; {_closest(name, key.isupper())}")
            values[name] = _typed(name, value)
    return Config(**values)


def from_file(path: Path) -> dict[str, Any]:
    """The keys in a TOML file.  Raises GlyphliteError where it cannot be read, is no TOML, or holds a wrong key."""
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise GlyphliteError(f"{path}: cannot be read ({error.strerror or error}); wanted a TOML file") from None
    except ValueError as error:  # of TOML or of UTF-8
        raise GlyphliteError(f"{path}: no TOML ({error})") from None
    try:
        configure(values)
    except GlyphliteError as error:
        raise GlyphliteError(f"{path}: {error}") from None
    return values


def from_environment(file: Path | None = None, environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """The keys in `GLYPHLITE_…` variables, and beneath them those of a file; None: the one GLYPHLITE_CONFIG names.

    Raises GlyphliteError for a variable that was meant to be one of ours, and as `from_file`.
    """
    if file is None and environment.get(FILE_VARIABLE):
        file = Path(environment[FILE_VARIABLE])
    values = {} if file is None else {key.lower(): value for key, value in from_file(file).items()}
    own: dict[str, Any] = {}
    for variable, value in environment.items():
        name = variable.removeprefix(PREFIX).lower()
        if variable in (FILE_VARIABLE, *OTHERS) or not variable.startswith(PREFIX):
            continue
        if name in KEYS:
            own[name] = value
        elif close := difflib.get_close_matches(name, KEYS, n=1, cutoff=MEANT):
            raise GlyphliteError(f"{variable}: no such variable; did you mean {PREFIX}{close[0].upper()}?")
    return over(values, own)


def over(values: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Keys, and those that win over them; no `tls` wins over a certificate too."""
    plain = {"tls_cert": "", "tls_key": ""} if "tls" in more and not _typed("tls", more["tls"]) else {}
    return {**values, **plain, **more}


def _closest(name: str, upper: bool) -> str:
    close = difflib.get_close_matches(name, KEYS, n=3)
    names = [key.upper() if upper else key for key in close or KEYS]
    return f"did you mean {' or '.join(names)}?" if close else f"wanted one of {', '.join(names)}"


def _typed(name: str, value: Any) -> Any:
    """A value in its key's type: variables and options are text."""
    kind = type(KEYS[name].default)
    if kind is str and isinstance(value, os.PathLike):
        return os.fspath(value)
    if kind is tuple:
        items = [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value
        if isinstance(items, list | tuple) and all(isinstance(item, str) for item in items):
            return tuple(items)
        raise GlyphliteError(f"{name} {value!r:.60}; wanted a list of texts")
    if isinstance(value, str) and kind is bool and value.lower() in BOOLEANS:
        return BOOLEANS[value.lower()]
    if isinstance(value, str) and kind is int and re.fullmatch(r"-?[0-9]{1,9}", value):
        return int(value)
    if type(value) is not kind:
        wanted = {bool: "true or false", int: "a whole number", str: "text"}[kind]
        raise GlyphliteError(f"{name} {value!r:.60}; wanted {wanted}")
    return value

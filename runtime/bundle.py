"""A bundle: a folder with a `card.json` and its artifacts.  The card says what the model is, how it was made and how
well each artifact does; the runtime trusts nothing that the card's sha256 does not vouch for.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .errors import ArtifactError, CardError, UnknownModel
from .fields import FieldError, read_fields
from .files import sha256_file, write_json
from .geometry import GEOMETRIES, INK_GEOMETRIES, LINE_GEOMETRY, STRIP_SHAPE
from .scale import WHOLE, is_range, scale_text

CARD_FILE = "card.json"
CARD_SCHEMA = 6  # 2: refusal; 3: compression; 4: geometry line; 5: partner; 6: a value range of each channel
DEFAULT_MODEL = "digits-edge"  # of single characters
DEFAULT_READER = "digits-line"  # of lines; its partner reads them with it
KERAS_SUFFIXES = (".keras", ".h5", ".hdf5")
ARTIFACT_SUFFIXES = {".tflite": "tflite", ".onnx": "onnx"}


@dataclass(frozen=True)
class Training:
    """Where a model's weights come from, and how the float model does on its test set."""

    dataset: str
    dataset_sha256: str
    images: int
    holdout_images: int
    arch: str
    seed: int
    epochs: int
    seconds: int
    test_set: str
    test_images: int
    errors: int
    ece: float  # expected calibration error with the card's temperature, in [0, 1]
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Artifact:
    """One file of a bundle, and what was measured of it."""

    file: str
    format: str  # tflite or onnx
    recipe: str
    bytes: int
    sha256: str
    agreement: float | None = None  # share of images with the same answer as the float model given to the converter
    max_difference: float | None = None  # largest difference of a probability from that model
    degraded: bool = False  # it disagrees more than its recipe should
    zeros: float | None = None  # share of its weights that are zero
    values: int | None = None  # the most different weights in a channel
    integers: float | None = None  # share of its weights that is stored in 8 bits or less
    gzip_bytes: int | None = None  # of the file as gzip -9 packs it
    steps: tuple[str, ...] = ()  # what was done to the model, in order
    as_other_format: float | None = None  # share of answers that the same recipe's file of the other format gives too
    test_set: str | None = None
    test_images: int | None = None
    errors: int | None = None
    ece: float | None = None


@dataclass(frozen=True)
class Compression:
    """What the artifacts were made of.  calibration: images that ranges were set by, none of which judges."""

    source: str  # its file's name
    source_sha256: str
    dataset: str
    dataset_sha256: str  # of the training part
    calibration: int
    seed: int  # of the parting
    holdout: float  # share of a set without a test part that judges
    versions: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Refusal:
    """When an answer is a refusal, of a network that was trained to know what is no character of it.

    Such a network's softmax has one more logit, constantly 0, for everything else: its own logits are log-odds of each
    character against that.  min_confidence: the operating point, a probability.  The others tell what was measured at
    it, of held-out characters and of held-out outliers.
    """

    min_confidence: float
    characters: int
    characters_refused: float  # share
    others: int
    others_refused: float  # share


@dataclass(frozen=True)
class Card:
    """What a bundle says of itself.

    labels: one a class, in the order of the logits; those of a line reader begin with CTC's blank, which has none.
    input_shape: (height, width, channels) of a glyph; the width of a strip is open, -1.
    refusal: None where every image gets an answer.
    value_range: what a float input's 0 and 255 become, as of scale.py.
    output: 'logits', or 'probabilities' where a file of somebody else ends in a softmax.
    default: the artifact that is run where none is named.
    partner: of a line reader, the bundle of single characters that reads its lines as well: one beside it, else a
    shipped one.
    """

    name: str
    labels: tuple[str, ...]
    input_shape: tuple[int, ...]
    geometry: str
    temperature: float = 1.0
    value_range: tuple[float, ...] = WHOLE
    output: str = "logits"
    default: str | None = None
    partner: str | None = None
    refusal: Refusal | None = None
    parameters: int | None = None
    macs: int | None = None
    training: Training | None = None
    compression: Compression | None = None
    artifacts: tuple[Artifact, ...] = ()

    @property
    def reads_lines(self) -> bool:
        """Its network takes strips of lines, not glyphs or images."""
        return self.geometry == LINE_GEOMETRY

    def against_scale(self, wanted: Sequence[float]) -> str:
        """What speaks against a scale that was asked for; '' where nothing does."""
        return "" if tuple(wanted) == self.value_range else f"has a card, which says {scale_text(self.value_range)}"

    def artifact(self, file: str | None = None) -> Artifact:
        """The artifact of that file name, or the default one.  Raises ArtifactError where there is none."""
        wanted = file or self.default
        for artifact in self.artifacts:
            if artifact.file == wanted:
                return artifact
        if not self.artifacts:
            raise ArtifactError(f"{self.name}: has no artifact; of a training run `glyphlite compress` makes some")
        names = ", ".join(artifact.file for artifact in self.artifacts)
        raise ArtifactError(f"{self.name}: no artifact {wanted!r}; it has {names}")


@dataclass(frozen=True)
class Bundle:
    """A card and the folder that it lies in."""

    folder: Path
    card: Card

    def path(self, artifact: Artifact) -> Path:
        """Path of an artifact whose length and sha256 are what the card says; else ArtifactError."""
        path = self.folder / artifact.file
        if not path.is_file():
            raise ArtifactError(f"{path}: missing, though the card names it")
        if path.stat().st_size != artifact.bytes:
            raise ArtifactError(f"{path}: {path.stat().st_size} bytes; its card says {artifact.bytes}")
        digest = sha256_file(path)
        if digest != artifact.sha256:
            raise ArtifactError(f"{path}: damaged: sha256 {digest[:12]}…, its card says {artifact.sha256[:12]}…")
        return path


def read_bundle(folder: Path) -> Bundle:
    """The bundle in a folder.  Raises CardError naming the field that is wrong."""
    path = folder / CARD_FILE
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise CardError(f"{folder}: no {CARD_FILE}; wanted a bundle") from None
    except (OSError, ValueError, RecursionError) as error:
        raise CardError(f"{path}: cannot be read ({error})") from None
    return Bundle(folder, parse_card(content, str(path)))


def write_card(folder: Path, card: Card) -> None:
    """Write a bundle's card, whole or not at all."""
    write_json(folder / CARD_FILE, {"schema": CARD_SCHEMA, **asdict(card)})


def parse_card(content: Any, name: str) -> Card:
    """A card from its JSON value; `name` is what errors call it."""
    if not isinstance(content, dict) or type(content.get("schema")) is not int:
        raise CardError(f"{name}: no card; wanted an object with a `schema` number")
    if content["schema"] > CARD_SCHEMA:
        raise CardError(f"{name}: schema {content['schema']}; this glyphlite reads up to {CARD_SCHEMA}: upgrade it")
    try:
        card = read_fields(Card, {k: v for k, v in content.items() if k != "schema"})
    except FieldError as error:
        raise CardError(f"{name}: {error}") from None
    check_card(card, name)
    return card


def check_card(card: Card, name: str) -> None:
    """Raises CardError where no bundle can have this card; `name` is what the error calls it."""
    shape, low_high = list(card.input_shape), list(card.value_range)
    height_width_channels = len(shape) == 3 and min(shape) > 0 and shape[2] in (1, 3)
    square_and_grey = height_width_channels and shape[0] == shape[1] and shape[2] == 1
    for wrong, what in (
        (
            len(card.labels) < 2 or len(set(card.labels)) != len(card.labels),
            "labels: wanted at least two, all different",
        ),
        (
            card.geometry not in (*GEOMETRIES, LINE_GEOMETRY),
            f"geometry {card.geometry!r}: wanted one of {', '.join((*GEOMETRIES, LINE_GEOMETRY))}",
        ),
        (
            card.reads_lines and card.input_shape != STRIP_SHAPE,
            f"input_shape {shape}: geometry {LINE_GEOMETRY} wants {list(STRIP_SHAPE)}",
        ),
        (
            not (height_width_channels or card.reads_lines),
            f"input_shape {shape}: wanted height, width and 1 or 3 channels",
        ),
        (
            card.geometry in INK_GEOMETRIES and not square_and_grey,
            f"input_shape {shape}: geometry {card.geometry} wants a square of 1 channel",
        ),
        (not 0 < card.temperature < math.inf, f"temperature {card.temperature}: wanted a positive number"),
        (
            len(low_high) not in (2, 2 * shape[-1]) or not is_range(low_high),
            f"value_range {low_high}: wanted two different numbers, or as many of each channel",
        ),
        (
            card.refusal is not None and not 0 <= card.refusal.min_confidence <= 1,
            "refusal: min_confidence: wanted a probability",
        ),
        (card.refusal is not None and card.output != "logits", "refusal: wants output logits"),
        (card.output not in ("logits", "probabilities"), f"output {card.output!r}: wanted logits or probabilities"),
        (bool(card.partner) and not card.reads_lines, "partner: only a line reader has one"),
        (any(Path(a.file).name != a.file for a in card.artifacts), "artifacts: a file outside of the bundle"),
        (
            any(a.errors is not None and not a.test_images for a in card.artifacts),
            "artifacts: errors, but no test_images",
        ),
    ):
        if wrong:
            raise CardError(f"{name}: {what}")


# --- finding a model -------------------------------------------------------------------------------------------------


def shipped_folder() -> Path:
    """Where the shipped bundles lie."""
    found = find_spec("glyphlite.models")  # importlib.resources tells as much, and takes ten times as long to import
    assert found and found.submodule_search_locations
    return Path(next(iter(found.submodule_search_locations)))


def samples_folder() -> Path:
    """Where the shipped sample images lie; `labels.csv` in it has columns file, text."""
    return shipped_folder() / "samples"


def shipped_models() -> dict[str, Path]:
    """Name and folder of every shipped bundle, sorted."""
    return {path.parent.name: path.parent for path in sorted(shipped_folder().glob(f"*/{CARD_FILE}"))}


def installed_folder() -> Path:
    """Where `models install` puts bundles: GLYPHLITE_MODELS, else a folder of the user's data."""
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")  # noqa: PTH111  # never raises
    return Path(os.environ.get("GLYPHLITE_MODELS") or f"{data}/glyphlite/models")


def installed_models() -> dict[str, Path]:
    """Name and folder of every installed bundle's live version, sorted; none of a home that may not be looked into."""
    try:
        live = sorted(path.parent for path in installed_folder().glob(f"[!.]*/{CARD_FILE}"))
    except PermissionError:
        return {}
    return {path.name: path.resolve() for path in live}


def all_models() -> dict[str, Path]:
    """Name and folder of every bundle that a name finds: an installed one before the shipped one of its name."""
    return {**shipped_models(), **installed_models()}


def find_bundle(model: str | Path) -> Bundle:
    """The bundle of an installed or shipped name, or a folder.  Raises UnknownModel listing the names that exist."""
    known = all_models()
    if str(model) in known:
        return read_bundle(known[str(model)])
    if os.path.isdir(model):  # noqa: PTH112  # Path.is_dir() raises where a name is too long to be one
        return read_bundle(Path(model))
    if Path(model).suffix in KERAS_SUFFIXES:
        raise UnknownModel(f"{model}: a Keras file; `glyphlite compress` makes of it what runs here")
    import difflib

    close = difflib.get_close_matches(str(model), known, n=1)
    hint = f"; did you mean {close[0]}?" if close else "."
    names = ", ".join(sorted(known)) or "none"
    raise UnknownModel(
        f"{model}: no such model{hint} There are: {names}; or name a bundle's folder, a .tflite or an .onnx"
    )

"""Every error that glyphlite raises on purpose.

GlyphliteError
├── ImageError              an image that cannot be read
│   ├── UnsupportedImage    its bytes are of no format that is read (HEIC, PDF, HTML, text)
│   └── ImageTooLarge       its header promises more pixels than the limit
├── ModelError              a bundle or an artifact that cannot be used
│   ├── UnknownModel        no shipped model, bundle or file of that name
│   ├── CardError           a card that is missing, malformed or of a newer schema
│   └── ArtifactError       an artifact that is missing, damaged or not what its card says
├── ExpectationError        an `expect` that cannot be understood
├── EngineError             no engine here can run the artifact
├── DatasetError            a data set that is missing, damaged or unusable
├── RecipeError             a compression recipe, or its settings, that do not exist
├── BudgetError             a budget of bytes, time or errors that nothing found meets
├── WatchError              what `watch` cannot do
│   ├── SettingsError       settings that are malformed: the file, the line and the key are named
│   ├── SourceError         no frame can be had: a camera is gone, a folder is missing
│   ├── StoreError          readings cannot be kept: the disk is full, or not to be written
│   └── SinkError           a reading did not arrive: a broker is away, or refuses the password
├── TrainingError           a training run that cannot start or go on
└── ConversionError         a model that could not be turned into the artifact asked for
    └── Disagreement        its answers are not its model's, where they must be

The command line prints the message as one line on stderr and exits with `exit_code`; the web app answers
`http_status`. Anything else that escapes is a defect of glyphlite.
"""

from __future__ import annotations


def how_to_install(extra: str) -> str:
    """What to type for the packages of an extra of pyproject.toml, as the messages say it."""
    return f"pip install '.[{extra}]' in glyphlite's checkout"


def counted(count: int, noun: str) -> str:
    """'1 error', '2 errors'."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


class GlyphliteError(Exception):
    """Base of every error raised on purpose."""

    exit_code = 2
    http_status = 500


class ImageError(GlyphliteError):
    """An image that cannot be read: missing, empty, cut short, damaged."""

    http_status = 400


class UnsupportedImage(ImageError):
    """The bytes are of no format that is read."""

    http_status = 415


class ImageTooLarge(ImageError):
    """The header promises more pixels than the limit."""

    http_status = 413


class ModelError(GlyphliteError):
    """A bundle or an artifact that cannot be used."""


class UnknownModel(ModelError):
    """No shipped model, bundle or file of that name."""

    http_status = 404


class CardError(ModelError):
    """A card that is missing, malformed or of a newer schema."""


class ArtifactError(ModelError):
    """An artifact that is missing, damaged or not what its card says."""


class ExpectationError(GlyphliteError):
    """An `expect` that cannot be understood, or that nothing can meet."""

    http_status = 400


class EngineError(GlyphliteError):
    """No engine here can run the artifact, or it failed while running."""


class DatasetError(GlyphliteError):
    """A data set that is missing, damaged or unusable."""


class RecipeError(GlyphliteError):
    """A compression recipe, or its settings, that do not exist."""


class BudgetError(GlyphliteError):
    """A budget of bytes, time or errors that nothing found meets."""

    exit_code = 3


class WatchError(GlyphliteError):
    """What `watch` cannot do."""


class SettingsError(WatchError):
    """Settings that are malformed: the file, the line and the key are named."""


class SourceError(WatchError):
    """No frame can be had: a camera is gone, an address does not answer, a folder is missing."""


class StoreError(WatchError):
    """Readings cannot be kept: the disk is full or read-only, or the file is none of ours."""


class SinkError(WatchError):
    """A reading did not arrive where it was sent: nobody answers, or what answers refuses it."""


class TrainingError(GlyphliteError):
    """A training run that cannot start or go on."""


class ConversionError(GlyphliteError):
    """A model that could not be turned into the artifact asked for."""


class Disagreement(ConversionError):
    """A conversion that loses nothing gives other answers than its model."""

"""glyphlite.runtime: what goes on the device.  An image goes in, an answer comes out.

from glyphlite.runtime import Recognizer
Recognizer.load("digits-edge").predict("nine.jpg").label
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .answers import Prediction, Reading, TextLine, Trace
    from .bundle import Artifact, Bundle, Card, Compression, Refusal, Training, find_bundle, read_bundle, shipped_models
    from .errors import (
        ArtifactError,
        BudgetError,
        CardError,
        ConversionError,
        DatasetError,
        Disagreement,
        EngineError,
        ExpectationError,
        GlyphliteError,
        ImageError,
        ImageTooLarge,
        ModelError,
        RecipeError,
        SettingsError,
        SinkError,
        SourceError,
        StoreError,
        TrainingError,
        UnknownModel,
        UnsupportedImage,
        WatchError,
    )
    from .image import load_image
    from .recognizer import Recognizer
    from .steps import Steps

__all__ = [
    "Artifact",
    "ArtifactError",
    "BudgetError",
    "Bundle",
    "Card",
    "CardError",
    "Compression",
    "ConversionError",
    "DatasetError",
    "Disagreement",
    "EngineError",
    "ExpectationError",
    "GlyphliteError",
    "ImageError",
    "ImageTooLarge",
    "ModelError",
    "Prediction",
    "Reading",
    "RecipeError",
    "Recognizer",
    "Refusal",
    "SettingsError",
    "SinkError",
    "SourceError",
    "Steps",
    "StoreError",
    "TextLine",
    "Trace",
    "Training",
    "TrainingError",
    "UnknownModel",
    "UnsupportedImage",
    "WatchError",
    "find_bundle",
    "load_image",
    "read_bundle",
    "shipped_models",
]

_MODULES = ("errors", "bundle", "steps", "answers", "image", "recognizer")  # in which the names above are


def __getattr__(name: str) -> Any:
    """numpy and OpenCV are loaded with the first name that wants them, so that `doctor` runs where they are broken."""
    if name in __all__:
        for module in _MODULES:
            found = getattr(import_module(f".{module}", __name__), name, None)
            if found is not None:
                return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

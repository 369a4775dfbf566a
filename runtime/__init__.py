"""glyphlite.runtime: what goes on the device.  An image goes in, an answer comes out.

from glyphlite.runtime import Recognizer
Recognizer.load("digits-edge").predict("nine.jpg").label
"""

from .answers import Prediction, Reading, TextLine, Trace
from .bundle import Artifact, Bundle, Card, Compression, Refusal, Training, find_bundle, read_bundle, shipped_models
from .errors import (
    ArtifactError,
    BudgetError,
    CardError,
    ConversionError,
    DatasetError,
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

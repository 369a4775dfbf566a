"""What a training run is told.  Each field is also an option of `glyphlite train`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..runtime.errors import TrainingError
from ..runtime.geometry import GEOMETRIES
from ..runtime.scale import parse_scale
from .augment import AUGMENTATIONS

PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")


def _option(default: Any, text: str, choices: tuple[str, ...] = ()) -> Any:
    return field(default=default, metadata={"help": text, "choices": choices})


@dataclass(frozen=True)
class TrainingConfig:
    """The same configuration on the same data gives the same network on the same machine.

    arch: an architecture's name.  data: a data set's name or path.
    """

    arch: str
    data: str
    weights: str = _option("", "Of a backbone: a file, none, or imagenet, which Keras fetches; empty: imagenet.")
    width: float = _option(1.0, "Factor on the channels of every layer.")
    epochs: int = _option(20, "Passes over the training part.")
    batch_size: int = _option(128, "Images a step.")
    learning_rate: float = _option(2e-3, "Peak of the cosine schedule (AdamW).")
    warmup_epochs: float = _option(1.0, "Epochs over which the learning rate rises.")
    weight_decay: float = _option(1e-4, "Of kernels; biases and normalization have none.")
    label_smoothing: float = _option(0.0, "Share of the target spread over all classes.")
    ema: float = _option(0.998, "Momentum of the weights' moving average; 0: none.")
    drawn: float = _option(0.0, "Drawn digits added in styles that a set may lack, share of the training part.")
    outliers: float = _option(0.0, "Scribbles, letters and torn digits added, to be refused; share likewise.")
    add_data: str = _option("", "A labelled folder whose images are added to the training part; empty: none.")
    add_times: int = _option(1, "How often each of them is used in an epoch.")
    augment: str = _option("mild", "Random distortions.", tuple(AUGMENTATIONS))
    holdout: float = _option(1 / 12, "Share of the training set held out, for the curves and the temperature.")
    limit: int = _option(0, "Use about this many training images, drawn evenly by class; 0: all.")
    shape: str = _option("", "HEIGHT,WIDTH,CHANNELS that images are stretched to; empty: as they are.")
    geometry: str = _option("", "How an image becomes a glyph; empty: by the data set.", ("", *GEOMETRIES))
    seed: int = _option(0, "Of the split, the weights, the order and the distortions.")
    start: str = _option(
        "",
        "Weights to start from: runs, bundles, .keras files of the same architecture, with commas: their mean; of one "
        "with other classes: all but the head.",
    )
    teacher: str = _option("", "Networks to learn from: runs, bundles or .keras files, with commas; empty: none.")
    teacher_scale: str = _option(
        "", "What a teacher that has no card takes 0 and 255 as, like 0,1, or imagenet; empty: 0,255."
    )
    unlabelled: str = _option(
        "", "A folder or an .npz of images to learn from as the teacher names them, labels or none; empty: none."
    )
    distill_temperature: float = _option(4.0, "Of the teacher's and the student's logits.")
    distill_share: float = _option(0.9, "Of the teacher in the loss; the rest is the label's.")
    distill_views: int = _option(12, "Distorted views of the training part that the teacher answers once.")
    precision: str = _option("auto", "auto: mixed on a GPU, float32 on a CPU.", PRECISIONS)

    def __post_init__(self) -> None:
        for name, choices in (
            ("augment", tuple(AUGMENTATIONS)),
            ("geometry", ("", *GEOMETRIES)),
            ("precision", PRECISIONS),
        ):
            if getattr(self, name) not in choices:
                wanted = ", ".join(choice or "''" for choice in choices)
                raise TrainingError(f"{name} {getattr(self, name)!r}; wanted one of {wanted}")
        for name, low, high in (
            ("width", 0.01, 64),
            ("epochs", 1, 100_000),
            ("batch_size", 1, 65_536),
            ("learning_rate", 1e-8, 10),
            ("warmup_epochs", 0, self.epochs),
            ("weight_decay", 0, 1),
            ("label_smoothing", 0, 0.9),
            ("ema", 0, 0.999999),
            ("holdout", 1e-4, 0.9),
            ("drawn", 0, 10),
            ("outliers", 0, 10),
            ("add_times", 1, 10_000),
            ("limit", 0, 2**31),
            ("seed", 0, 2**31),
            ("distill_temperature", 0.1, 100),
            ("distill_share", 0, 1),
            ("distill_views", 1, 10_000),
        ):
            if not low <= getattr(self, name) <= high:
                raise TrainingError(f"{name} {getattr(self, name)}; wanted {low:g} to {high:g}")
        parse_shape(self.shape)
        _ = self.teacher_range

    @property
    def teacher_range(self) -> tuple[float, ...] | None:
        """`teacher_scale` as a value range, None where it is not given.  Raises TrainingError where it is none."""
        try:
            return parse_scale(self.teacher_scale) if self.teacher_scale else None
        except ValueError as error:
            raise TrainingError(f"teacher_scale {error}") from None


def parse_shape(text: str) -> tuple[int, int, int] | None:
    """'28,28,1' as (height, width, channels); '' as None.  Raises TrainingError for anything else."""
    if not text:
        return None
    try:
        height, width, channels = (int(part) for part in text.split(","))
    except ValueError:
        raise TrainingError(f"shape {text!r}; wanted HEIGHT,WIDTH,CHANNELS like 28,28,1") from None
    if min(height, width) < 1 or channels not in (1, 3):
        raise TrainingError(f"shape {text!r}; wanted a positive size and 1 or 3 channels")
    return height, width, channels

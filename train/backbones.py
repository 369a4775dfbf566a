"""Networks that were trained on photos elsewhere (keras.applications), with a head of one's own classes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..runtime.errors import TrainingError

if TYPE_CHECKING:
    from .backend import keras
Shape = tuple[int, int, int]
SMALLEST_SIDE = 64  # pixels: smaller images are enlarged, since a backbone halves them five times
DROPOUT = 0.2
NO_WEIGHTS, FETCHED = "none", "imagenet"  # weights that are no file

# what a pixel in [0, 255] becomes, as each was trained: scale and offset of every channel
_AS_IT_IS = (1.0, 0.0)  # the network scales by itself
_MINUS_ONE_TO_ONE = (1 / 127.5, -1.0)
_DEVIATIONS = ([1 / 58.395, 1 / 57.12, 1 / 57.375], [-2.1179, -2.0357, -1.8044])  # by mean and deviation of ImageNet
_CAFFE = (1.0, [-103.939, -116.779, -123.68])  # less the mean, of BGR


@dataclass(frozen=True)
class Backbone:
    """function: of keras.applications.  scaling: scale and offset of a pixel.  bgr: its channels are reversed."""

    function: str
    scaling: tuple[Any, Any] = _AS_IT_IS
    bgr: bool = False


BACKBONES = {
    "mobilenet_v2": Backbone("MobileNetV2", _MINUS_ONE_TO_ONE),
    "mobilenet_v3_small": Backbone("MobileNetV3Small"),
    "mobilenet_v3_large": Backbone("MobileNetV3Large"),
    "efficientnet_v2_b0": Backbone("EfficientNetV2B0"),
    "densenet121": Backbone("DenseNet121", _DEVIATIONS),
    "resnet50": Backbone("ResNet50", _CAFFE, bgr=True),
    "resnet50_v2": Backbone("ResNet50V2", _MINUS_ONE_TO_ONE),
}


def build_backbone(name: str, input_shape: Shape, classes: int, weights: str) -> keras.Model:
    """A backbone without its own head, pooled, with dropout and logits of `classes`.

    weights: 'imagenet' (Keras fetches them, where there is a network), 'none', or the file that it would fetch
    (`…_no_top.h5`, `….weights.h5`).  Grey images are shown on three channels.
    Raises TrainingError for weights that cannot be had.
    """
    from .backend import keras

    if weights not in (NO_WEIGHTS, FETCHED) and not Path(weights).is_file():
        raise TrainingError(f"weights {weights}: no such file; wanted a file, {FETCHED} or {NO_WEIGHTS}")
    layers, spec = keras.layers, BACKBONES[name]
    inputs = keras.Input(input_shape)
    x = prepared(inputs, spec)
    make = getattr(keras.applications, spec.function)
    given = None if weights == NO_WEIGHTS else weights
    try:
        body = make(include_top=False, weights=given, input_tensor=x, pooling="avg")
    except Exception as error:  # of the network, of HDF5, of shapes that differ: each its own kind
        reason = " ".join(str(error).split()) or type(error).__name__
        fault = (
            "cannot be fetched: name their file by --weights, or none" if given == FETCHED else "are none of its own"
        )
        raise TrainingError(f"{name}: weights {weights} {fault} ({reason:.160})") from None
    x = layers.Dropout(DROPOUT)(body.output)
    return keras.Model(inputs, layers.Dense(classes, dtype="float32", name="logits")(x), name=name)


def prepared(inputs: keras.KerasTensor, spec: Backbone) -> keras.KerasTensor:
    """Pixels (N, H, W, 1 or 3) in [0, 255] as a backbone was shown them: three channels, large enough, scaled."""
    from .backend import keras

    layers = keras.layers
    height, width, channels = inputs.shape[1:]
    x = inputs if channels == 3 else layers.Concatenate()([inputs] * 3)
    enlarged = -(-SMALLEST_SIDE // min(height, width))
    if enlarged > 1:
        x = layers.UpSampling2D(enlarged, interpolation="bilinear")(x)  # Resizing would put the rest in training mode
    if spec.bgr and channels == 3:
        x = x[..., ::-1]
    return x if spec.scaling == _AS_IT_IS else layers.Rescaling(*spec.scaling)(x)

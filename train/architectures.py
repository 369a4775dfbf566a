"""Network architectures by name: pure functions of (input shape, classes, width) that return a Keras 3 model.

Every model takes pixel values in [0, 255] as (N, H, W, C) and ends in logits, so that the temperature of calibration
can be applied to them and an int8 artifact takes a glyph's bytes as they are.
"""

from __future__ import annotations

from collections.abc import Callable

from ..runtime.errors import TrainingError
from .backend import keras

layers = keras.layers

Shape = tuple[int, int, int]
LINE_ARCHITECTURES = ("line_cnn", "crnn")  # those that read lines
LINE_UNITS = 128  # features of a frame


def lenet5(input_shape: Shape, classes: int, width: float = 1.0) -> keras.Model:
    """LeNet-5 in the sizes of LeCun et al. 1998, section II-B: tanh, average pooling, 6-16-120-84 units.

    Two simplifications, as is usual: C3 sees all maps of S2 (the paper's table I leaves some out), and the output
    layer is linear where the paper has Euclidean RBF units.
    """
    inputs = keras.Input(input_shape)
    x = layers.Rescaling(1.275 / 255, offset=-0.1)(inputs)  # background -0.1, ink 1.175: the paper's section III-B
    x = layers.ZeroPadding2D(2)(x)  # 28×28 in the centre of 32×32
    x = layers.Conv2D(_units(6, width), 5, activation="tanh", name="c1")(x)
    x = layers.AveragePooling2D(2, name="s2")(x)
    x = layers.Conv2D(_units(16, width), 5, activation="tanh", name="c3")(x)
    x = layers.AveragePooling2D(2, name="s4")(x)
    x = layers.Flatten()(x)
    x = layers.Dense(_units(120, width), activation="tanh", name="c5")(x)
    x = layers.Dense(_units(84, width), activation="tanh", name="f6")(x)
    return keras.Model(inputs, layers.Dense(classes, dtype="float32", name="logits")(x), name="lenet5")


def full(input_shape: Shape, classes: int, width: float = 1.0) -> keras.Model:
    """The full-size CNN: six 3×3 convolutions in three stages (VGG's pattern) with batch normalization.

    The first two stages are unpadded: a glyph's margin holds nothing, and it halves the MACs.
    """
    inputs = keras.Input(input_shape)
    x = layers.Rescaling(1 / 255)(inputs)
    for stage, filters in enumerate((32, 64, 128)):
        if stage:
            x = layers.MaxPooling2D(2)(x)
        for _ in range(2):
            x = _convolution(x, _units(filters, width), padding="same" if stage == 2 else "valid")
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.3)(x)
    return keras.Model(inputs, layers.Dense(classes, dtype="float32", name="logits")(x), name="full")


def edge(input_shape: Shape, classes: int, width: float = 1.0) -> keras.Model:
    """A plain small CNN for a file of 32 KiB.  Its first two layers see the glyph at full resolution, where the strokes
    are; unpadded.  Its last maps are weighed place by place: an average of them errs more on held-out digits."""
    inputs = keras.Input(input_shape)
    x = layers.Rescaling(1 / 255)(inputs)
    x = _unpadded_stages(x, ((8, 16), (24, 36)), width)
    x = layers.MaxPooling2D(2)(x)
    x = _convolution(x, _units(40, width))
    x = _weighed_places(x)
    return keras.Model(inputs, layers.Dense(classes, dtype="float32", name="logits")(x), name="edge")


def micro(input_shape: Shape, classes: int, width: float = 1.0) -> keras.Model:
    """`edge` for a file of 8 KiB: a few channels.  The last layer sees nearly the whole glyph, as there; with a channel
    more in each layer and one layer less it sees half, and errs more."""
    inputs = keras.Input(input_shape)
    x = layers.Rescaling(1 / 255)(inputs)
    x = _unpadded_stages(x, ((6, 10), (12, 12)), width)
    x = layers.MaxPooling2D(2)(x)
    x = _convolution(x, _units(12, width), padding="valid" if min(x.shape[1:3]) >= 3 else "same")
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(classes, dtype="float32", name="logits")(x), name="micro")


def edge_separable(input_shape: Shape, classes: int, width: float = 1.0) -> keras.Model:
    """A depthwise-separable network (MobileNet's block, Howard et al. 2017) of the same bytes as `edge` in int8.

    A TFLite file holds about half as many of its weights a byte: each small layer carries its scales and its names.
    """
    inputs = keras.Input(input_shape)
    x = layers.Rescaling(1 / 255)(inputs)
    x = _convolution(x, _units(16, width), strides=2)
    for filters, strides in ((32, 1), (40, 2), (64, 1), (80, 1)):
        x = layers.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
        x = _convolution(x, _units(filters, width), kernel=1)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(classes, dtype="float32", name="logits")(x), name="edge_separable")


def line_cnn(input_shape: Shape, classes: int, width: float = 1.0) -> keras.Model:
    """A convolutional network that reads lines of any width; classes: the characters and CTC's blank.

    Four columns of the strip are a frame; two convolutions along the frames see a character and its neighbours.  It
    stays four-dimensional to its end, (N, 1, frames, classes), which leaves the width open in every format.
    """
    inputs = _strips(input_shape)
    x = _line_features(inputs, width)
    for _ in range(2):
        x = _convolution(x, _units(LINE_UNITS, width), kernel=(1, 5))
    x = layers.Dropout(0.2)(x)
    return keras.Model(inputs, layers.Conv2D(classes, 1, dtype="float32", name="logits")(x), name="line_cnn")


def crnn(input_shape: Shape, classes: int, width: float = 1.0) -> keras.Model:
    """The CRNN of Shi et al. 2017: convolutions, a bidirectional LSTM along the frames, CTC; about as many weights as
    `line_cnn`.  Its output is (N, frames, classes)."""
    inputs = _strips(input_shape)
    x = _line_features(inputs, width)
    x = layers.Reshape((-1, x.shape[-1]))(x)
    x = layers.Bidirectional(layers.LSTM(_units(80, width), return_sequences=True))(x)
    x = layers.Dropout(0.2)(x)
    return keras.Model(inputs, layers.Dense(classes, dtype="float32", name="logits")(x), name="crnn")


def _strips(input_shape: Shape) -> keras.KerasTensor:
    height, columns, channels = input_shape
    return keras.Input((height, columns if columns > 0 else None, channels))


def _line_features(inputs: keras.KerasTensor, width: float) -> keras.KerasTensor:
    """Features of frames, (N, 1, frames, LINE_UNITS × width), of strips of 32 rows; strides where `full` has pooling,
    which trains 1.7 times as fast."""
    x = layers.Rescaling(1 / 255)(inputs)
    for filters, kernel, strides in ((16, 5, 2), (40, 3, 2), (56, 3, (2, 1)), (64, 3, 1)):
        x = _convolution(x, _units(filters, width), kernel, strides)
    return _convolution(x, _units(LINE_UNITS, width), kernel=(inputs.shape[1] // 8, 1), padding="valid")


ARCHITECTURES: dict[str, Callable[..., keras.Model]] = {
    f.__name__: f for f in (lenet5, full, edge, micro, edge_separable, line_cnn, crnn)
}


def build(name: str, input_shape: Shape, classes: int, width: float = 1.0) -> keras.Model:
    """The untrained model of an architecture.  Raises TrainingError for an unknown name or an image too small."""
    if name not in ARCHITECTURES:
        raise TrainingError(f"architecture {name!r}; wanted one of {', '.join(ARCHITECTURES)}")
    try:
        return ARCHITECTURES[name](tuple(input_shape), classes, width)
    except ValueError as error:
        size = " × ".join(map(str, input_shape))
        raise TrainingError(f"architecture {name} cannot take images of {size}: {str(error).splitlines()[0]}") from None


def _units(base: int, width: float) -> int:
    return max(1, round(base * width))


def _unpadded_stages(x: keras.KerasTensor, stages: tuple[tuple[int, ...], ...], width: float) -> keras.KerasTensor:
    """3×3 convolutions of so many channels, stage by stage, each stage after the first at half the resolution."""
    for number, stage in enumerate(stages):
        if number:
            x = layers.MaxPooling2D(2)(x)
        for filters in stage:
            x = _convolution(x, _units(filters, width), padding="valid")
    return x


def _convolution(
    x: keras.KerasTensor,
    filters: int,
    kernel: int | tuple[int, int] = 3,
    strides: int | tuple[int, int] = 1,
    padding: str = "same",
) -> keras.KerasTensor:
    x = layers.Conv2D(filters, kernel, strides=strides, padding=padding, use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return layers.ReLU()(x)


def _weighed_places(x: keras.KerasTensor) -> keras.KerasTensor:
    """(N, channels): of each channel a weighted sum over its map, which begins as the average (the global depthwise
    convolution of MobileFaceNet, Chen et al. 2018)."""
    height, columns = x.shape[1:3]
    average = keras.initializers.Constant(1 / (height * columns))
    x = layers.DepthwiseConv2D((height, columns), use_bias=False, depthwise_initializer=average)(x)
    return layers.Flatten()(layers.BatchNormalization()(x))

"""A float ONNX file becomes one of fewer bits, through ONNX Runtime's quantizer."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..runtime.errors import ConversionError
from .inspect import external_files
from .ranges import Images

DEFAULT_DOMAINS = ("", "ai.onnx")  # of operators: two names of one
PER_CHANNEL_OPSET = 13  # the first whose DequantizeLinear takes a scale for each channel
METHODS = {"minmax": "MinMax", "moving_average": "MinMax", "percentile": "Percentile", "entropy": "Entropy"}


def quantize_onnx(
    source: Path,
    out: Path,
    scheme: str,
    images: Images | None = None,
    method: str = "minmax",
) -> None:
    """Write a quantized ONNX file.

    source: of float32.  scheme: as of recipes.py.  images: (N, H, W, C) float32 in the model's range, or (H, W, C)
    each, for a static scheme; method: how they set the activations' ranges.  Raises ConversionError where ONNX Runtime
    refuses.
    """
    try:
        with _quiet(), tempfile.TemporaryDirectory() as folder:
            if scheme == "float32":
                _write_whole(source, out)
                return
            if scheme == "float16":
                _write_float16(source, out)
                return
            prepared = Path(folder) / "prepared.onnx"
            _prepare(source, prepared)
            if scheme == "dynamic_wi8_afp32":
                _write_dynamic(prepared, out)
            else:
                _write_static(prepared, out, scheme, images, method)
    except ConversionError:
        raise
    except Exception as error:  # ONNX Runtime raises whatever its parts raise
        raise ConversionError(f"{scheme}: onnxruntime: {' '.join(str(error).split()):.300}") from None


def _write_whole(source: Path, out: Path) -> None:
    """As it is; where its numbers lie in a file beside it, with them."""
    import onnx

    if external_files(source):
        onnx.save(onnx.load(source), out)
    else:
        out.write_bytes(source.read_bytes())


def _write_float16(source: Path, out: Path) -> None:
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(source), keep_io_types=True), out)


def _prepare(source: Path, out: Path) -> None:
    """Shapes inferred, batch normalization fused, scales for each channel possible: what the quantizer asks for."""
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    model = onnx.load(source)
    if max((one.version for one in model.opset_import if one.domain in DEFAULT_DOMAINS), default=0) < PER_CHANNEL_OPSET:
        model = onnx.version_converter.convert_version(model, PER_CHANNEL_OPSET)
    onnx.save(model, out)  # whole: it takes no model from memory, and no numbers from a file beside
    # symbolic inference does not know the outputs of an LSTM or a global maximum, and types are all that is asked for
    quant_pre_process(out, out, skip_symbolic_shape=True)


def _write_dynamic(source: Path, out: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(source, out, per_channel=not _is_recurrent(source), weight_type=QuantType.QInt8)


def _is_recurrent(path: Path) -> bool:
    """Whether it has an LSTM, whose kernel has one scale for each matrix."""
    import onnx

    return any(node.op_type == "LSTM" for node in onnx.load(path).graph.node)


def _write_static(source: Path, out: Path, scheme: str, images: Images | None, method: str) -> None:
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    if images is None or not len(images):
        raise ConversionError("a static scheme wants images to calibrate with (--data)")
    if method not in METHODS:
        raise ConversionError(f"calibration {method!r}: ONNX Runtime has {', '.join(METHODS)}")
    operators = scheme.endswith("_qoperator")
    quantize_static(
        source,
        out,
        _reader(source, images),
        quant_format=QuantFormat.QOperator if operators else QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8 if operators else QuantType.QInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod[METHODS[method]],
        extra_options={"CalibMovingAverage": method == "moving_average"},
    )


def _reader(source: Path, images: Images) -> Any:
    import onnx
    from onnxruntime.quantization import CalibrationDataReader

    graph = onnx.load(source).graph
    stored = {one.name for one in graph.initializer}  # which old files list among the inputs too
    given = next(one for one in graph.input if one.name not in stored)
    sizes = [dimension.dim_value for dimension in given.type.tensor_type.shape.dim]
    channels_first = sizes[1] in (1, 3) and sizes[3] not in (1, 3)

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self._images = iter(images)

        def get_next(self) -> Any:
            image = next(self._images, None)
            if image is None:
                return None
            return {given.name: np.ascontiguousarray(image.transpose(2, 0, 1) if channels_first else image)[None]}

    return Reader()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the quantizer's progress, and its hints about steps that are taken."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        root.setLevel(level)

"""A float TFLite file becomes one of fewer bits, through ai-edge-quantizer."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..runtime.cli import muted_libraries
from ..runtime.errors import ConversionError
from .ranges import Ranges
from .recurrent import with_int8_recurrence
from .strip import whole
from .tflite import TFLiteFile

KINDS = {"static": "INTEGER", "dynamic": "INTEGER", "weight_only": "FLOAT"}
GRANULARITIES = {"": "CHANNELWISE", "b32": "BLOCKWISE_32", "b64": "BLOCKWISE_64"}
MIN_MAX, HADAMARD = "min_max_uniform_quantize", "DECOMPOSED_HADAMARD_ROTATION"
FLOAT16_OPERATORS = ("CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D_TRANSPOSE", "FULLY_CONNECTED")
HYBRID = ("dynamic_wi8_afp32", "static_wi8_ai8")  # whose recurrent layers have weights of 8 bits
SCHEME = re.compile(r"(static|dynamic|weight_only)_wi(2|4|8)(b32|b64)?(_hr)?_a(fp32|i8|i16)")


def quantize(
    content: bytes,
    scheme: str,
    ranges: Ranges | None = None,
    assigned: Mapping[str, str] | None = None,
    tensorwise: bool = False,
) -> bytes:
    """The bytes of the quantized file.

    scheme: as of recipes.py; 'float32' leaves all as it is.  ranges: of the activations, for a static one.
    assigned: operators, by the name of their first output, that have a scheme of their own.
    tensorwise: one scale for all channels of a layer, so that weights that are equal stay equal.
    A static file takes uint8 and gives float32, so that an image's bytes go in as they are and a temperature can be
    applied.  Raises ConversionError where the quantizer refuses, or leaves the weights as they were.
    """
    from ai_edge_quantizer import quantizer

    rules = [] if scheme == "float32" else _rules(".*", scheme, tensorwise=tensorwise)
    for name, own in (assigned or {}).items():
        rules += _rules(f"^{re.escape(name)};", own, inner=True)
    if not rules:
        return content
    try:
        with muted_libraries(), contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            job = quantizer.Quantizer(content)
            job.load_quantization_recipe(rules)
            result = job.quantize(
                _statistics(content, ranges) if job.need_calibration else None, enable_progress_report=False
            )
    except Exception as error:  # the quantizer raises whatever its parts raise
        raise ConversionError(f"{scheme}: ai-edge-quantizer: {' '.join(str(error).split()):.300}") from None
    made = whole(bytes(result.quantized_model))
    if scheme in HYBRID:
        made = with_int8_recurrence(made)
    if TFLiteFile(made).is_float and not assigned:
        raise ConversionError(f"{scheme}: ai-edge-quantizer has no kernel for any layer of this model")
    return made


def _rules(regex: str, scheme: str, inner: bool = False, tensorwise: bool = False) -> list[dict[str, Any]]:
    """ai-edge-quantizer's recipe for the operators whose outputs match.  inner: not for the file's input and output."""
    if scheme == "float32":
        return [_rule(regex, "*", "no_quantize", None)]
    if scheme == "float16":
        config = {
            "weight_tensor_config": _numbers(16, "FLOAT", "TENSORWISE"),
            "compute_precision": "FLOAT",
            "explicit_dequantize": True,
        }
        return [_rule(regex, operator, "float_casting", config) for operator in FLOAT16_OPERATORS]
    match = SCHEME.fullmatch(scheme)
    if match is None:
        raise ConversionError(f"{scheme}: no scheme of ai-edge-quantizer's")
    kind, bits, block, rotated, activations = match.groups()
    config = {
        "weight_tensor_config": _numbers(
            int(bits), "INT", "TENSORWISE" if tensorwise and not block else GRANULARITIES[block or ""]
        ),
        "compute_precision": KINDS[kind],
        "explicit_dequantize": kind == "weight_only",
    }
    algorithm = MIN_MAX
    if rotated:
        from ai_edge_quantizer.algorithm_manager import AlgorithmName

        algorithm = AlgorithmName[HADAMARD].value
    if kind != "static":
        return [_rule(regex, "*", algorithm, config)]
    width = int(activations[1:])
    config["activation_tensor_config"] = _numbers(width, "INT", "TENSORWISE", symmetric=width == 16)
    rules = [_rule(regex, "*", algorithm, config)]
    if inner:
        return rules
    if width == 8:
        bytes_in = {**config, "activation_tensor_config": _numbers(8, "UINT", "TENSORWISE", symmetric=False)}
        bytes_in["weight_tensor_config"] = _numbers(8, "INT", "CHANNELWISE")
        rules.append(_rule(regex, "INPUT", MIN_MAX, bytes_in))
    return [*rules, _rule(regex, "OUTPUT", "no_quantize", None)]


def _rule(regex: str, operator: str, algorithm: str, config: dict[str, Any] | None) -> dict[str, Any]:
    rule: dict[str, Any] = {"regex": regex, "operation": operator, "algorithm_key": algorithm}
    return rule if config is None else {**rule, "op_config": {"skip_checks": False, "min_weight_elements": 0, **config}}


def _numbers(bits: int, dtype: str, granularity: str, symmetric: bool = True) -> dict[str, Any]:
    return {"num_bits": bits, "dtype": dtype, "granularity": granularity, "symmetric": symmetric}


def _statistics(content: bytes, ranges: Ranges | None) -> dict[str, dict[str, np.ndarray]]:
    """Ranges in ai-edge-quantizer's form: arrays of one value, of the tensor's rank."""
    if ranges is None:
        raise ConversionError("a static scheme wants the activations' ranges, from images (--data)")
    found = {}
    for tensor in TFLiteFile(content).activations():
        if tensor.name in ranges:
            low, high = ranges[tensor.name]
            one = [1] * len(tensor.shape)
            found[tensor.name] = {"min": np.full(one, low, np.float32), "max": np.full(one, high, np.float32)}
    return found

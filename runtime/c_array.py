"""A bundle's `.tflite` as C source, for a microcontroller that has no files: an array, and how to use it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from .bundle import Bundle
from .engine import check_tflite
from .errors import ArtifactError, EngineError
from .files import write_bytes

ALIGNMENT = 16  # bytes, of the model and of each tensor in the arena, as TensorFlow Lite Micro wants them
ROW = 16  # bytes a line of source

HEADER = """\
/* {name}: {file}, sha256 {sha256}.
 *
 * Input: {input_dtype} {input_shape}{input_scale}.
 * Output: {output_dtype} {output_shape}{output_scale}: logits.
 * Probabilities are their softmax at temperature {temperature:g}.
 * Arena: {arena} bytes of activations at their peak; the interpreter's own structures come on top, of which
 * TensorFlow Lite Micro tells the sum by MicroInterpreter::arena_used_bytes().
 */
#ifndef {guard}
#define {guard}

#ifdef __cplusplus
extern "C" {{
#endif

#define {upper}_BYTES {bytes}
#define {upper}_ACTIVATION_BYTES {arena}
#define {upper}_HEIGHT {height}
#define {upper}_WIDTH {width}
#define {upper}_CHANNELS {channels}
#define {upper}_CLASSES {classes}

extern const unsigned char {lower}_model[{upper}_BYTES];
extern const char *const {lower}_labels[{upper}_CLASSES];

#ifdef __cplusplus
}}
#endif

#endif
"""

SOURCE = """\
#include "{lower}.h"

#if defined(__GNUC__)
__attribute__((aligned({alignment})))
#endif
const unsigned char {lower}_model[{upper}_BYTES] = {{
{values}
}};

const char *const {lower}_labels[{upper}_CLASSES] = {{{labels}}};
"""


def write_c_array(bundle: Bundle, out: Path, file: str | None = None) -> tuple[Path, Path]:
    """Write an artifact of a bundle, its default where `file` is None, as NAME.h and NAME.c into the folder `out`.

    Returns their paths.  Raises ArtifactError for one that is no `.tflite` or is damaged, EngineError where no
    interpreter is here.
    """
    artifact = bundle.card.artifact(file)
    path = bundle.path(artifact)
    if artifact.format != "tflite":
        raise ArtifactError(f"{path}: a microcontroller runs no {artifact.format}; wanted a .tflite of the bundle")
    if bundle.card.reads_lines:
        raise ArtifactError(
            f"{path}: its width is open, which a microcontroller's arena cannot be; wanted a classifier"
        )
    interpreter = _interpreter(path)
    given, got = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    height, width, channels = bundle.card.input_shape
    lower = re.sub(r"\W", "_", bundle.card.name.lower())
    lower = f"model_{lower}" if lower[0].isdigit() else lower
    facts: dict[str, Any] = {
        "name": bundle.card.name,
        "file": artifact.file,
        "sha256": artifact.sha256,
        "input_dtype": np.dtype(given["dtype"]).name,
        "input_shape": tuple(given["shape"].tolist()),
        "input_scale": _scale(given),
        "output_dtype": np.dtype(got["dtype"]).name,
        "output_shape": tuple(got["shape"].tolist()),
        "output_scale": _scale(got),
        "temperature": bundle.card.temperature,
        "arena": activation_bytes(interpreter),
        "guard": f"GLYPHLITE_{lower.upper()}_H",
        "upper": lower.upper(),
        "lower": lower,
        "bytes": artifact.bytes,
        "height": height,
        "width": width,
        "channels": channels,
        "classes": len(bundle.card.labels),
        "alignment": ALIGNMENT,
        "labels": ", ".join(map(_c_string, bundle.card.labels)),
        "values": _values(path.read_bytes()),
    }
    paths = out / f"{lower}.h", out / f"{lower}.c"
    out.mkdir(parents=True, exist_ok=True)
    for target, text in zip(paths, (HEADER, SOURCE), strict=True):
        write_bytes(target, text.format(**facts).encode())
    return paths


def activation_bytes(interpreter: Any) -> int:
    """The most bytes that the activations of a graph take at once, each alive from the operator that writes it to the
    last that reads it: what an arena must hold whatever planner fills it.

    interpreter: LiteRT's, without delegates, its tensors allocated.
    """
    tensors = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
    operators = interpreter._get_ops_details()  # the only way to the graph that the package offers
    outputs = [detail["index"] for detail in interpreter.get_output_details()]
    first = {detail["index"]: 0 for detail in interpreter.get_input_details()}
    last = dict.fromkeys(outputs, len(operators))
    for step, operator in enumerate(operators):
        for index in operator["outputs"]:
            first.setdefault(int(index), step)
        for index in operator["inputs"]:
            last[int(index)] = max(last.get(int(index), 0), step)
    most = 0
    for step in range(len(operators)):
        alive = [index for index in first if first[index] <= step <= last.get(index, first[index])]
        most = max(most, sum(_aligned_bytes(tensors[index]) for index in alive))
    return most


def _interpreter(path: Path) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    except ImportError as error:
        raise EngineError(f"{path}: only ai-edge-litert tells a file's operators ({error})") from None
    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES  # a delegate would hide them
    interpreter = Interpreter(model_content=check_tflite(path), experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()
    return interpreter


def _aligned_bytes(tensor: Any) -> int:
    size: int = int(np.prod(tensor["shape"], dtype=np.int64)) * np.dtype(tensor["dtype"]).itemsize
    return int(-(-size // ALIGNMENT) * ALIGNMENT)


def _scale(detail: Any) -> str:
    scale, zero_point = detail["quantization"]
    return f", value = {scale:.9g} × (stored - {zero_point})" if scale else ""


def _values(data: bytes) -> str:
    return "\n".join(
        "    " + " ".join(f"0x{byte:02x}," for byte in data[start : start + ROW]) for start in range(0, len(data), ROW)
    )


def _c_string(label: str) -> str:
    """A label as a C string literal; octal escapes, which end after three digits, for all but plain characters."""
    plain = (chr(byte) if chr(byte).isalnum() and byte < 128 else f"\\{byte:03o}" for byte in label.encode())
    return f'"{"".join(plain)}"'

"""A `.tflite` as C source: a header and an aligned array, for a microcontroller that has no files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..runtime.bundle import Artifact, Bundle
from ..runtime.errors import ArtifactError
from ..runtime.files import write_bytes
from ..runtime.scale import WHOLE
from .arena import ALIGNMENT, Arena, estimate_arena
from .tflite import TFLiteFile

BYTES_A_LINE = 16

HEADER = """\
/* {title}.
 *
 * For TensorFlow Lite for Microcontrollers, with the operators
 *   {operators}.
 * Input: {height} x {width} x {channels} {dtype}, {meaning}.
 * Output: {classes} {output}{temperature}.{refusal}
 */
#ifndef {guard}_H
#define {guard}_H

#define {guard}_BYTES {bytes}
#define {guard}_ARENA_BYTES {arena} /* an estimate; on a 32-bit device a little less is enough */
#define {guard}_HEIGHT {height}
#define {guard}_WIDTH {width}
#define {guard}_CHANNELS {channels}
#define {guard}_CLASSES {classes}
#define {guard}_INPUT_SCALE {scale} /* input = scale * (stored number - zero point) */
#define {guard}_INPUT_ZERO_POINT {zero_point}
#define {guard}_INPUT_LOW {low} /* of the input: a pixel of 0 */
#define {guard}_INPUT_HIGH {high} /* a pixel of 255 */
#define {guard}_TEMPERATURE {softness}
#define {guard}_MIN_CONFIDENCE {min_confidence}

#ifdef __cplusplus
extern "C" {{
#endif
extern const unsigned char {name}_model[{guard}_BYTES];
extern const char *const {name}_labels[{guard}_CLASSES];
#ifdef __cplusplus
}}
#endif

#endif
"""

SOURCE = """\
/* {title}. */
#include "{name}.h"

#if defined(__cplusplus)
#define ALIGNED alignas({alignment})
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define ALIGNED _Alignas({alignment})
#else
#define ALIGNED __attribute__((aligned({alignment})))
#endif

ALIGNED const unsigned char {name}_model[{guard}_BYTES] = {{
{array}
}};

const char *const {name}_labels[{guard}_CLASSES] = {{{labels}}};
"""


@dataclass(frozen=True)
class CArray:
    """What was written: paths, bytes of the model, and the arena that it wants."""

    header: Path
    source: Path
    bytes: int
    arena: Arena


def export_c_array(bundle: Bundle, folder: Path, file: str | None = None) -> CArray:
    """Write NAME.h and NAME.c of a bundle's artifact to a folder.

    file: which artifact; None: the default one, or the first `.tflite` where that is none.
    Raises ArtifactError where it is no TFLite file of fixed size.
    """
    artifact = _chosen(bundle, file)
    content = bundle.path(artifact).read_bytes()
    model = TFLiteFile(content, artifact.file)
    arena = estimate_arena(model)
    name = re.sub(r"\W", "_", bundle.card.name, flags=re.ASCII).lower()
    name = name if name[:1].isalpha() else f"m_{name}"  # C keeps names that begin with _ for itself
    fields = _fields(bundle, artifact, model) | {"name": name, "guard": name.upper(), "arena": arena.bytes}
    lines = [content[start : start + BYTES_A_LINE] for start in range(0, len(content), BYTES_A_LINE)]
    fields["array"] = "\n".join("".join(f"0x{byte:02x}," for byte in line) for line in lines)
    header, source = folder / f"{name}.h", folder / f"{name}.c"
    write_bytes(header, HEADER.format_map(fields).encode())
    write_bytes(source, SOURCE.format_map(fields).encode())
    return CArray(header, source, len(content), arena)


def _chosen(bundle: Bundle, file: str | None) -> Artifact:
    card = bundle.card
    if file is None and not card.artifact().file.endswith(".tflite"):
        file = next((one.file for one in card.artifacts if one.format == "tflite"), card.default)
    artifact = card.artifact(file)
    if artifact.format != "tflite":
        raise ArtifactError(f"{card.name}/{artifact.file}: a C array is made of a .tflite; it has none, or name one")
    return artifact


def _fields(bundle: Bundle, artifact: Artifact, model: TFLiteFile) -> dict[str, object]:
    """What the templates say of a model."""
    card = bundle.card
    given, answered = model.tensors[model.inputs[0]], model.tensors[model.outputs[0]]
    height, width, channels = card.input_shape
    scaled = given.is_quantized
    value_range = WHOLE if given.dtype == "uint8" and not scaled else card.value_range
    meaning = f"a glyph of geometry {card.geometry}, " if card.geometry in ("mnist", "emnist") else ""
    meaning += f"{'grey' if channels == 1 else 'RGB'}, {'bright ink on black' if meaning else 'the whole image'}"
    temperature = f"; probabilities are softmax(output / {card.temperature})" if card.output == "logits" else ""
    refusal = card.refusal
    open_set = "" if refusal is None else (
        "\n * One more output, always 0, stands for what is none of the classes; refuse below MIN_CONFIDENCE."
    )  # fmt: skip
    return {
        "title": f"{card.name}: {artifact.file}, sha256 {artifact.sha256}, as a C array",
        "operators": ", ".join(sorted({operator.kind for operator in model.operators})),
        "height": height,
        "width": width,
        "channels": channels,
        "dtype": given.dtype,
        "meaning": meaning,
        "classes": len(card.labels),
        "output": f"{card.output}, {answered.dtype}",
        "temperature": temperature,
        "refusal": open_set,
        "bytes": artifact.bytes,
        "scale": _number(given.scales[0] if scaled else 1.0),
        "zero_point": int(given.zero_points[0]) if scaled and len(given.zero_points) else 0,
        "low": _numbers(value_range[::2]),
        "high": _numbers(value_range[1::2]),
        "softness": _number(card.temperature),
        "min_confidence": _number(refusal.min_confidence if refusal else 0.0),
        "alignment": ALIGNMENT,
        "labels": ", ".join(map(_literal, card.labels)),
    }


def _number(value: float) -> str:
    """A float literal of C."""
    text = f"{float(value):.9g}"
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def _numbers(values: Sequence[float]) -> str:
    """One number, or an initializer of one a channel."""
    found = [*map(_number, values)]
    return found[0] if len(found) == 1 else f"{{{', '.join(found)}}}"


def _literal(text: str) -> str:
    """A C string of a text's UTF-8 bytes; octal, which ends after three digits."""
    plain = (chr(byte) if 32 <= byte < 127 and byte not in b'"\\?' else f"\\{byte:03o}" for byte in text.encode())
    return '"' + "".join(plain) + '"'

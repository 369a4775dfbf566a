"""`glyphlite inspect`: what is in a TFLite or ONNX file, operator by operator."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from ..runtime.bundle import ARTIFACT_SUFFIXES, find_bundle
from ..runtime.cli import json_option, muted_libraries, print_json
from ..runtime.engine import check_tflite
from ..runtime.errors import ArtifactError, counted, how_to_install
from ..runtime.files import files_below
from .tflite import Operator, TFLiteFile

UNKNOWN_SIZE = 1  # what a free size, as of the batch, counts as


@dataclass(frozen=True)
class Row:
    """An operator.  output: its first output's name.  shape: of that; dtype: of its values.  weights: their dtype and
    shape in words, and `bytes` all of its constants.  scale, zero_point: of the output, None where it is not quantized;
    scales: of the weights, how many.  macs: multiply-accumulates of one image.  is_accelerated: the fast kernels
    (XNNPACK) run it here; None where that is not known."""

    kind: str
    output: str
    shape: tuple[int, ...]
    dtype: str
    weights: str = ""
    bytes: int = 0
    scale: float | None = None
    zero_point: int | None = None
    scales: int = 0
    macs: int = 0
    is_accelerated: bool | None = None


@dataclass(frozen=True)
class Contents:
    """What is in a file.  other_bytes: of it that are no constants: structure, names, metadata."""

    path: str
    format: str
    bytes: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one image."""
        return sum(row.macs for row in self.rows)

    @property
    def other_bytes(self) -> int:
        """Of the file that are no constants."""
        return self.bytes - sum(row.bytes for row in self.rows)


def inspect_file(path: Path) -> Contents:
    """What is in a `.tflite` or `.onnx`.  Raises ArtifactError where it is none."""
    if path.suffix == ".onnx":
        return _onnx_contents(path)
    if path.suffix != ".tflite":
        raise ArtifactError(f"{path}: wanted a .tflite or an .onnx")
    content = check_tflite(path)
    file = TFLiteFile(content, str(path))
    accelerated = _accelerated(content)
    counted: set[int] = set()  # constants that several operators share count once
    try:
        rows = tuple(
            _tflite_row(file, operator, accelerated, index, counted) for index, operator in enumerate(file.operators)
        )
    except (IndexError, ValueError) as error:  # an operator without its inputs
        raise ArtifactError(f"{path}: damaged ({error})") from None
    tensors = file.tensors
    ends = [tuple(_said(tensors[i].dtype, tensors[i].shape) for i in side) for side in (file.inputs, file.outputs)]
    return Contents(str(path), "tflite", len(content), ends[0], ends[1], rows)


def _said(dtype: str, shape: Iterable[Any]) -> str:
    return f"{dtype} {' × '.join('?' if size in (-1, None) else str(size) for size in shape)}".strip()


# --- TFLite ----------------------------------------------------------------------------------------------------------


def _tflite_row(
    file: TFLiteFile, operator: Operator, accelerated: frozenset[int] | None, index: int, counted: set[int]
) -> Row:
    out = file.tensors[operator.outputs[0]]
    weights = file.weights(operator)
    constants = [file.tensors[i] for i in operator.inputs if i >= 0 and file.tensors[i].is_constant]
    fresh = [tensor for tensor in constants if tensor.index not in counted]
    counted.update(tensor.index for tensor in fresh)
    return Row(
        kind=operator.kind,
        output=out.name,
        shape=out.shape,
        dtype=out.dtype,
        weights=_said(weights.dtype, weights.shape) if weights else "",
        bytes=sum(tensor.bytes for tensor in fresh),
        scale=float(out.scales[0]) if out.is_quantized else None,
        zero_point=int(out.zero_points[0]) if out.is_quantized and len(out.zero_points) else None,
        scales=weights.scales.size if weights else 0,
        macs=_tflite_macs(file, operator),
        is_accelerated=None if accelerated is None else index in accelerated,
    )


def _tflite_macs(file: TFLiteFile, operator: Operator) -> int:
    """Convolutions and dense layers, whose products dominate."""
    weights = file.weights(operator)
    if weights is None:
        return 0
    out, given = _size(file.tensors[operator.outputs[0]].shape), file.tensors[operator.inputs[0]].shape
    if operator.kind == "CONV_2D":  # weights: out, height, width, in
        return out * math.prod(weights.shape[1:])
    if operator.kind == "DEPTHWISE_CONV_2D":
        return out * math.prod(weights.shape[1:3])
    if operator.kind == "TRANSPOSE_CONV":
        return _size(file.tensors[operator.inputs[2]].shape) * math.prod(weights.shape[:3])
    return math.prod(weights.shape) * _size(given) // max(1, weights.shape[-1])


def _size(shape: Iterable[int]) -> int:
    return math.prod(UNKNOWN_SIZE if size < 0 else size for size in shape)


def _accelerated(content: bytes) -> frozenset[int] | None:
    """Operators that the interpreter gave to its delegate of fast kernels: those between its inputs and its outputs."""
    try:
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_content=content)
        interpreter.allocate_tensors()
        details = interpreter._get_ops_details()
    except (ImportError, RuntimeError, ValueError, AttributeError):
        return None
    makers = {int(out): detail for detail in details if detail["op_name"] != "DELEGATE" for out in detail["outputs"]}
    found: set[int] = set()
    for delegate in (detail for detail in details if detail["op_name"] == "DELEGATE"):
        given = {int(tensor) for tensor in delegate["inputs"]}
        wanted = [int(tensor) for tensor in delegate["outputs"]]
        while wanted:
            tensor = wanted.pop()
            maker = makers.get(tensor)
            if tensor in given or maker is None or maker["index"] in found:
                continue
            found.add(int(maker["index"]))
            wanted += [int(one) for one in maker["inputs"] if one >= 0]
    return frozenset(found)


# --- ONNX ------------------------------------------------------------------------------------------------------------


def _onnx_contents(path: Path) -> Contents:
    try:
        import onnx
    except ImportError:
        raise ArtifactError(f"{path}: reading ONNX wants the package onnx: {how_to_install('compress')}") from None
    try:
        model = onnx.shape_inference.infer_shapes(onnx.load(path))
    except Exception as error:  # protobuf and onnx raise whatever their parts raise
        raise ArtifactError(f"{path}: no ONNX model, or a damaged one ({' '.join(str(error).split()):.160})") from None
    graph = model.graph
    constants = {one.name: one for one in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            constants[node.output[0]] = node.attribute[0].t
    stored = _stored(graph, constants)
    shapes = {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        kind = value.type.tensor_type
        dims = tuple(dim.dim_value or -1 for dim in kind.shape.dim)
        shapes[value.name] = (onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name if kind.elem_type else "", dims)
    rows = []
    for node in graph.node:
        if node.output[0] in stored and node.op_type == "Constant":
            continue
        dtype, shape = shapes.get(node.output[0], ("", ()))
        own = [constants.pop(name) for name in node.input if name in constants]
        given = [stored[name] for name in node.input if name in stored]
        weights = max(given, key=lambda one: math.prod(one.dims), default=None)
        rows.append(
            Row(
                kind=node.op_type,
                output=node.output[0],
                shape=shape,
                dtype=dtype,
                weights=_onnx_weights(onnx, weights) if weights is not None and len(weights.dims) > 1 else "",
                bytes=sum(int(np.prod(one.dims or [1])) * _onnx_dtype(onnx, one).itemsize for one in own),
                macs=_onnx_macs(node, weights, shape, shapes.get(node.input[0], ("", ()))[1] if node.input else ()),
            )
        )
    given = [value for value in graph.input if value.name not in {one.name for one in graph.initializer}]
    ends = [tuple(_said(*shapes[value.name]) for value in side) for side in (given, graph.output)]
    size = sum(file.stat().st_size for file in model_files(path))
    return Contents(str(path), "onnx", size, ends[0], ends[1], tuple(rows))


def model_files(path: Path) -> list[Path]:
    """The files that a model is made of: mostly itself; all of a SavedModel's folder; an `.onnx` with its numbers."""
    return [*files_below(path), *(external_files(path) if path.suffix == ".onnx" else [])]


def external_files(path: Path) -> list[Path]:
    """The files beside an `.onnx` in which its numbers lie; mostly none.  Raises whatever onnx raises."""
    import onnx

    found = set()
    for tensor in onnx.load(path, load_external_data=False).graph.initializer:
        if onnx.external_data_helper.uses_external_data(tensor):
            found.add(path.parent / onnx.external_data_helper.ExternalDataInfo(tensor).location)
    return sorted(found)


def _stored(graph: Any, constants: Mapping[str, Any]) -> dict[str, Any]:
    """The constant that each tensor is, or is dequantized from."""
    found = dict(constants)
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in constants:
            found[node.output[0]] = constants[node.input[0]]
    return found


def _onnx_dtype(onnx: Any, tensor: Any) -> np.dtype[Any]:
    dtype: np.dtype[Any] = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    return dtype


def _onnx_weights(onnx: Any, tensor: Any) -> str:
    return _said(_onnx_dtype(onnx, tensor).name, tensor.dims)


def _onnx_macs(node: Any, weights: Any, shape: tuple[int, ...], given: tuple[int, ...]) -> int:
    """shape: of the output.  given: of the first input."""
    if weights is None or len(weights.dims) < 2:
        return 0
    if node.op_type == "ConvTranspose":  # weights: in, out, height, width
        return _size(given[2:]) * int(math.prod(weights.dims))
    if "Conv" in node.op_type:  # weights: out, in, height, width
        return _size(shape) * int(math.prod(weights.dims[1:]))
    if node.op_type in ("Gemm", "MatMul", "MatMulInteger", "QGemm", "QLinearMatMul"):
        return _size(shape[1:-1]) * int(math.prod(weights.dims))
    return 0


# --- the command -----------------------------------------------------------------------------------------------------


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def inspect(file: Path, as_json: bool) -> int:
    """What is in FILE, a .tflite or .onnx, or of a model or bundle its default: operators, shapes, numbers, bytes and
    multiplications."""
    if file.suffix not in ARTIFACT_SUFFIXES:
        bundle = find_bundle(file)
        file = bundle.path(bundle.card.artifact())
    try:
        with muted_libraries():
            contents = inspect_file(file)
    except FileNotFoundError:
        raise ArtifactError(f"{file}: not there; wanted a .tflite or an .onnx") from None
    if as_json:
        print_json({**asdict(contents), "macs": contents.macs, "other_bytes": contents.other_bytes})
        return 0
    for line in table(contents):
        click.echo(line)
    return 0


def table(contents: Contents) -> Iterable[str]:
    """Lines for a terminal."""
    yield f"{contents.path}: {contents.bytes:,} bytes, {', '.join(contents.inputs)} → {', '.join(contents.outputs)}"
    yield f"{'operator':<20}{'output':<26}{'weights':<28}{'bytes':>9}{'MACs':>12}  {'scale':>10}{'zero':>6}"
    for row in contents.rows:
        scale = "" if row.scale is None else f"{row.scale:.4g}"
        zero = "" if row.zero_point is None else str(row.zero_point)
        channels = f" ×{row.scales}" if row.scales > 1 else ""
        slow = "  not accelerated" if row.is_accelerated is False else ""
        yield (
            f"{row.kind:<20}{_said(row.dtype, row.shape):<26}{row.weights + channels:<28}"
            f"{row.bytes or '':>9}{row.macs or '':>12}  {scale:>10}{zero:>6}{slow}"
        ).rstrip()
    unaided = sum(row.is_accelerated is False for row in contents.rows)
    yield (
        f"{counted(len(contents.rows), 'operator')}, {contents.macs:,} MACs, "
        f"{contents.other_bytes:,} bytes of structure and names"
        + (f"; run without the fast kernels: {unaided}" if unaided else "")
    )

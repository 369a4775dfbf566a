"""An artifact becomes logits: one small interface over LiteRT, tflite-runtime and ONNX Runtime.

The file says what its input is (layout, dtype, scale and zero point); the caller always gives uint8 pixels (N, H, W, C)
and always gets float32 (N, classes); of a file whose width is open, which reads along it, (N, frames, classes).  An
engine may be shared between threads: each call holds its lock.
"""

from __future__ import annotations

import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cores import usable_cores
from .errors import ArtifactError, EngineError, how_to_install
from .scale import WHOLE, low_and_step

Pixels = NDArray[np.uint8]
Logits = NDArray[np.float32]

BATCH = 32  # glyphs taken at once where there are many, by all interpreters: 11 µs a glyph against 18 µs one by one
LEAST_BATCH = 8  # of one interpreter
TFLITE_IDENTIFIER = b"TFL3"  # at byte 4 of the file (tensorflow/compiler/mlir/lite/schema/schema.fbs)
MIN_TFLITE_BYTES = 128


class Engine(ABC):
    """What runs one artifact.

    name: 'litert', 'tflite-runtime' or 'onnxruntime'.  input_shape: (height, width, channels), -1 where the file leaves
    it open.  classes: length of a row of logits.
    """

    name: str
    input_shape: tuple[int, int, int]
    classes: int

    @abstractmethod
    def run(self, pixels: Pixels) -> Logits:
        """(N, classes) float32 of (N, H, W, C) uint8, or (N, frames, classes).

        Raises EngineError where the file computes NaN.
        """

    @abstractmethod
    def bare_call(self, pixels: Pixels) -> Callable[[], object]:
        """The vendor's own call on one image already in place, for measuring what is added to it."""


def open_engine(path: Path, value_range: Sequence[float] = WHOLE, threads: int = 1, name: str = "") -> Engine:
    """The engine that runs an artifact, by its suffix.

    value_range: what a float input's 0 and 255 become, as of scale.py.  threads: at most the cores that may be used.
    name: 'litert', 'tflite-runtime' or 'onnxruntime'; '' takes the first that is installed.
    Raises ArtifactError for a damaged file, EngineError where no engine runs it.
    """
    if threads == 0:
        from .threads import best_threads

        threads = best_threads(path, lambda count: open_engine(path, value_range, count, name))
    threads = max(1, min(threads, usable_cores()))
    if path.suffix == ".onnx":
        if name not in ("", "onnxruntime"):
            raise EngineError(f"{path}: {name} runs no .onnx; onnxruntime does")
        return OnnxEngine(path, value_range, threads)
    if path.suffix == ".tflite":
        if name not in ("", "litert", "tflite-runtime"):
            raise EngineError(f"{path}: {name} runs no .tflite; litert and tflite-runtime do")
        return TFLiteEngine(path, value_range, threads, name)
    raise ArtifactError(f"{path}: no artifact; wanted a .tflite or an .onnx")


# --- TensorFlow Lite -------------------------------------------------------------------------------------------------


class TFLiteEngine(Engine):
    """A `.tflite` under LiteRT's Interpreter, else tflite-runtime's."""

    def __init__(self, path: Path, value_range: Sequence[float], threads: int, name: str = "") -> None:
        data = check_tflite(path)
        self.name, interpreter_class = _interpreter_class(name, path)
        self._make = lambda count: _open_interpreter(interpreter_class, data, path, count)
        self._single, self._threads = self._make(threads), threads
        inputs, outputs = self._single.get_input_details(), self._single.get_output_details()
        ins, outs = ([tuple(map(int, detail["shape"])) for detail in details] for details in (inputs, outputs))
        one_of_each = len(ins) == len(outs) == 1 and len(ins[0]) == 4 and len(outs[0]) >= 1
        if one_of_each:
            _, height, width, channels = map(int, inputs[0]["shape_signature"])
            self.input_shape = (height, width, channels)
        self._one_at_a_time = one_of_each and int(inputs[0]["shape_signature"][0]) == 1  # an LSTM's
        self._reads_along = one_of_each and reads_along(self.input_shape)
        if not (one_of_each and ins[0][0] == 1 and (self._reads_along or math.prod(outs[0][:-1]) == 1)):
            raise ArtifactError(f"{path}: {ins} to {outs}; wanted one image (1, H, W, C) in and one row of scores out")
        self.classes = outs[0][-1]
        self._in, self._out = inputs[0]["index"], outputs[0]["index"]
        self._to_input = _input_conversion(inputs[0], value_range, path, self.input_shape[2])
        self._from_output = _output_conversion(outputs[0])
        self._shape: tuple[int, ...] = ()  # that the input was resized to, of an open width
        self._batch = max(LEAST_BATCH, BATCH // threads)
        self._many: list[Any] | None = None  # interpreters of a batch each, a thread each; made when first wanted
        self._pool: Any = None  # of the threads that they run in beside the caller's; None where that is alone
        self._path = path
        self._lock = threading.Lock()

    def run(self, pixels: Pixels) -> Logits:
        values = self._to_input(pixels) if self._to_input else pixels
        count = len(values)
        with self._lock:
            if self._reads_along and self._one_at_a_time and count > 1:
                interpreter = self._resized((1, *values.shape[1:]))
                return np.concatenate([self._invoke(interpreter, one[None]) for one in values])
            if self._reads_along:
                return self._invoke(self._resized(values.shape), values)
            if count == 1:
                return self._invoke(self._single, values)
            logits = np.empty((count, self.classes), np.float32)
            many = self._batch_interpreters() if count >= BATCH else []
            batched = count - count % self._batch if many else 0
            if many:
                self._fill(logits[:batched], values[:batched], many)
            for index in range(batched, count):
                logits[index] = self._invoke(self._single, values[index : index + 1])
        return logits

    def _fill(self, logits: Logits, values: NDArray[Any], many: list[Any]) -> None:
        """Logits (N, classes) of whole batches of values, each interpreter's by a thread of its own."""

        def fill(place: int) -> None:
            for start in range(place * self._batch, len(values), len(many) * self._batch):
                rows = slice(start, start + self._batch)
                logits[rows] = self._invoke(many[place], values[rows])

        others = [self._pool.submit(fill, place) for place in range(1, len(many))]
        try:
            fill(0)
        finally:  # none goes on once the lock is free
            failures = [other.exception() for other in others]
        for failure in failures:
            if failure:
                raise failure

    def _invoke(self, interpreter: Any, values: NDArray[Any]) -> Logits:
        try:
            if self._one_at_a_time:
                interpreter.reset_all_variables()  # an LSTM's state would go on from the image before
            interpreter.set_tensor(self._in, values)
            interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            raise EngineError(f"{self._path}: failed ({' '.join(str(error).split()):.160})") from None
        output = interpreter.get_tensor(self._out)
        logits: Logits = self._from_output(output) if self._from_output else output
        if self._reads_along:
            logits = logits.reshape(len(values), -1, self.classes)
        elif logits.ndim != 2:  # a classifier whose scores keep their 1 × 1 map
            logits = logits.reshape(-1, self.classes)
        _refuse_nan(logits, self._path)
        return logits

    def _resized(self, shape: tuple[int, ...]) -> Any:
        """The interpreter with an input of this shape."""
        if self._shape != shape:
            self._shape = ()  # a failure in between leaves neither
            try:
                self._single.resize_tensor_input(self._in, shape)
                self._single.allocate_tensors()
            except (RuntimeError, ValueError) as error:
                reason = " ".join(str(error).split())
                raise EngineError(f"{self._path}: takes no input of {shape} ({reason:.160})") from None
            self._shape = shape
        return self._single

    def _batch_interpreters(self) -> list[Any]:
        """Interpreters of a batch a call, one for each thread: they part many glyphs better than the threads of one,
        which wait for each other at every layer.  [] of a file whose graph is fixed to one image."""
        if self._many is None:
            many = [self._make(1) for _ in range(self._threads)]
            try:
                for interpreter in many:
                    interpreter.resize_tensor_input(self._in, [self._batch, *self.input_shape])
                    interpreter.allocate_tensors()
                batched = int(many[0].get_output_details()[0]["shape"][0]) == self._batch
            except (RuntimeError, ValueError):
                batched = False
            if batched and self._threads > 1:
                from concurrent.futures import ThreadPoolExecutor

                self._pool = ThreadPoolExecutor(self._threads - 1)
            self._many = many if batched else []
        return self._many

    def bare_call(self, pixels: Pixels) -> Callable[[], object]:
        interpreter = self._make(self._threads)
        if self._reads_along:
            interpreter.resize_tensor_input(self._in, pixels.shape)
            interpreter.allocate_tensors()
        interpreter.set_tensor(self._in, self._to_input(pixels) if self._to_input else pixels)
        return interpreter.invoke  # type: ignore[no-any-return]


def reads_along(input_shape: Sequence[int]) -> bool:
    """Whether a file reads along images of any width: its height is fixed, its width is open."""
    return input_shape[0] > 0 > input_shape[1]


def _refuse_nan(logits: Logits, path: Path) -> None:
    row = logits.ravel()
    if not math.isfinite(row.dot(row)):  # finite only where every score is; a quarter of np.isfinite's time
        raise EngineError(f"{path}: computed NaN or infinity")


def check_tflite(path: Path) -> bytes:
    """The bytes of a `.tflite`; ArtifactError where they are none, cut short or something else.

    The interpreter refuses a cut file too, with a message about flatbuffers; LiteRT's CompiledModel would crash.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read ({error.strerror or error})") from None
    if len(data) < MIN_TFLITE_BYTES or data[4:8] != TFLITE_IDENTIFIER:
        seen = f"{len(data)} bytes, identifier {data[4:8]!r}"
        raise ArtifactError(f"{path}: no TFLite model ({seen}; wanted {TFLITE_IDENTIFIER!r} at byte 4)")
    return data


def _interpreter_class(name: str, path: Path) -> tuple[str, Any]:
    reasons = []
    if name in ("", "litert"):
        try:
            from ai_edge_litert.interpreter import Interpreter

            return "litert", Interpreter
        except ImportError as error:
            reasons.append(f"ai-edge-litert: {error}")
    if name in ("", "tflite-runtime"):
        try:
            from tflite_runtime.interpreter import Interpreter

            return "tflite-runtime", Interpreter
        except ImportError as error:
            reasons.append(f"tflite-runtime: {error}")
    raise EngineError(f"{path}: no engine runs a .tflite here ({'; '.join(reasons)}); pip install ai-edge-litert")


def _open_interpreter(interpreter_class: Any, data: bytes, path: Path, threads: int) -> Any:
    try:
        interpreter = interpreter_class(model_content=data, num_threads=threads)
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        if "version" in reason.lower() and "op" in reason.lower():
            version = _module_version(interpreter_class.__module__)
            way_out = "upgrade it, or compress for an older one"
            raise EngineError(f"{path}: made for a newer TFLite than {version} ({reason:.160}); {way_out}") from None
        raise ArtifactError(f"{path}: damaged, or no model that the interpreter takes ({reason:.160})") from None
    return interpreter


def _module_version(module: str) -> str:
    from importlib.metadata import version

    package = {"ai_edge_litert": "ai-edge-litert"}.get(module.split(".")[0], "tflite-runtime")
    return f"{package} {version(package)}"


def _input_conversion(
    detail: Any, value_range: Sequence[float], path: Path, channels: int
) -> Callable[[Pixels], NDArray[Any]] | None:
    """uint8 pixels to what the input wants; None where that is the pixels themselves."""
    low, step = low_and_step(value_range, channels)
    dtype = np.dtype(detail["dtype"])
    if dtype == np.float32:
        if tuple(value_range) == WHOLE:
            return lambda pixels: pixels.astype(np.float32)
        float_low, float_step = np.float32(low), np.float32(step)
        return lambda pixels: pixels.astype(np.float32) * float_step + float_low
    if dtype not in (np.uint8, np.int8, np.int16):
        raise ArtifactError(f"{path}: input of {dtype}; wanted float32, uint8, int8 or int16")
    scale, zero_point = detail["quantization"]
    if not scale:  # an integer input without a scale takes the pixels as they are
        scale, zero_point = 1.0, 0
        low, step = low_and_step(WHOLE, channels)
    limits = np.iinfo(dtype)
    values = np.rint((np.multiply.outer(step, np.arange(256)) + np.asarray(low)[..., None]) / scale + zero_point)
    table = np.clip(values, limits.min, limits.max).astype(dtype)  # one entry for each pixel value
    if table.ndim == 2:  # and channel
        places = np.arange(len(table))
        return lambda pixels: table[places, pixels]
    if dtype == np.uint8 and np.array_equal(table, np.arange(256)):
        return None
    return lambda pixels: table[pixels]


def _output_conversion(detail: Any) -> Callable[[NDArray[Any]], Logits] | None:
    dtype = np.dtype(detail["dtype"])
    if dtype == np.float32:
        return None
    scale, zero_point = detail["quantization"]
    factor, offset = np.float32(scale or 1.0), np.float32(zero_point)
    return lambda output: (output.astype(np.float32) - offset) * factor


# --- ONNX ------------------------------------------------------------------------------------------------------------


class OnnxEngine(Engine):
    """An `.onnx` under ONNX Runtime's CPU provider; NHWC and NCHW are told apart by where the channels are."""

    name = "onnxruntime"

    def __init__(self, path: Path, value_range: Sequence[float], threads: int) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise EngineError(f"{path}: no engine runs an .onnx here ({error}); {how_to_install('onnx')}") from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 4  # errors are raised, and told by us
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(path.parent))
        try:
            data = path.read_bytes()
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except OSError as error:
            raise ArtifactError(f"{path}: cannot be read ({error.strerror or error})") from None
        except Exception as error:  # ONNX Runtime's own exceptions have no common base but Exception
            reason = " ".join(str(error).split())
            if "opset" in reason.lower() or "ir version" in reason.lower():
                found = f"onnxruntime {onnxruntime.__version__}"
                raise EngineError(f"{path}: newer than {found} reads ({reason:.160}); upgrade it") from None
            if "external data" in reason.lower():
                raise ArtifactError(
                    f"{path}: its numbers lie in a file beside it, which is not there or damaged"
                ) from None
            raise ArtifactError(f"{path}: no ONNX model, or a damaged one ({reason:.160})") from None
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1 or len(inputs[0].shape) != 4:
            ins, outs = ([list(one.shape) for one in side] for side in (inputs, outputs))
            wanted = "one image (N, H, W, C) or (N, C, H, W) in and one row of scores out"
            raise ArtifactError(f"{path}: inputs {ins}, outputs {outs}; wanted {wanted}")
        shape = [size if isinstance(size, int) else -1 for size in inputs[0].shape]
        if shape[0] not in (1, -1):
            raise ArtifactError(f"{path}: takes {shape[0]} images at once; wanted 1 or any number")
        self._channels_first = shape[1] in (1, 3) and shape[3] not in (1, 3)
        if self._channels_first:
            shape = [shape[0], shape[2], shape[3], shape[1]]
        self.input_shape = (shape[1], shape[2], shape[3])
        # such an operator takes its range of all images of a call: an answer would hang on the image's neighbours
        self._one_at_a_time = shape[0] == 1 or b"DynamicQuantize" in data
        self._reads_along = reads_along(self.input_shape)
        scores = outputs[0].shape[-1:] if self._reads_along else outputs[0].shape[1:]  # some keep their 1 × 1 map
        self.classes = math.prod(scores) if all(isinstance(size, int) for size in scores) else -1
        self._in, self._outs = inputs[0].name, [outputs[0].name]
        self._path, self._uint8 = path, "uint8" in inputs[0].type
        if not self._uint8 and inputs[0].type != "tensor(float)":
            raise ArtifactError(f"{path}: input of {inputs[0].type}; wanted tensor(float) or tensor(uint8)")
        low, step = low_and_step(value_range, self.input_shape[2])
        if self._channels_first and np.ndim(low):
            low, step = low[:, None, None], step[:, None, None]
        self._low, self._step, self._as_they_are = np.float32(low), np.float32(step), tuple(value_range) == WHOLE
        self._lock = threading.Lock()

    def run(self, pixels: Pixels) -> Logits:
        values = self._feed(pixels)
        with self._lock:
            rows = self._at_once(values)
        logits = np.asarray(rows[0] if len(rows) == 1 else np.concatenate(rows), np.float32)
        logits = logits.reshape(len(pixels), -1, self.classes) if self._reads_along else logits.reshape(len(pixels), -1)
        _refuse_nan(logits, self._path)
        return logits

    def _at_once(self, values: NDArray[Any]) -> list[NDArray[Any]]:
        """The outputs of all values, or of each where the graph is found to be fixed to one image."""
        if len(values) == 1:
            return [self._call(values)]
        if not self._one_at_a_time:
            try:
                output = self._call(values)
                if len(output) == len(values):
                    return [output]
            except EngineError:  # one by one it may be computed all the same
                pass
            self._one_at_a_time = True
        return [self._call(values[i : i + 1]) for i in range(len(values))]

    def _call(self, values: NDArray[Any]) -> NDArray[Any]:
        try:
            return np.asarray(self._session.run(self._outs, {self._in: values})[0])
        except Exception as error:  # ONNX Runtime's own exceptions have no common base but Exception
            raise EngineError(f"{self._path}: failed ({' '.join(str(error).split()):.160})") from None

    def _feed(self, pixels: Pixels) -> NDArray[Any]:
        values: NDArray[Any] = pixels.transpose(0, 3, 1, 2) if self._channels_first else pixels
        if self._uint8:
            return np.ascontiguousarray(values)
        values = np.ascontiguousarray(values, np.float32)
        return values if self._as_they_are else values * self._step + self._low

    def bare_call(self, pixels: Pixels) -> Callable[[], object]:
        feed = {self._in: self._feed(pixels)}
        return lambda: self._session.run(self._outs, feed)

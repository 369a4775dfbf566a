"""Models so small that their weights are set by hand, and images that they must answer: no training, no chance."""

import os
from dataclasses import replace

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import numpy as np
import pytest

from glyphlite.benchmarks import BenchmarkRun, Row, Settings, wilson_interval
from glyphlite.benchmarks.accuracy import Accuracy
from glyphlite.benchmarks.bound import Bound
from glyphlite.benchmarks.contenders import Skipped
from glyphlite.benchmarks.latency import Latency
from glyphlite.benchmarks.operators import OperatorTime
from glyphlite.benchmarks.process import Cost
from glyphlite.benchmarks.throughput import Throughput
from glyphlite.runtime.bundle import Artifact, Card, write_card
from glyphlite.runtime.cli import main
from glyphlite.runtime.files import sha256_file

ROWS, COLUMNS = 12, 8
CLASSES = ("blue-left", "blue-top", "red-left", "red-top")


def half(name, ink=200):
    """(ROWS, COLUMNS, 3) uint8 RGB: one half of the image in one colour."""
    colour, place = name.split("-")
    image = np.zeros((ROWS, COLUMNS, 3), np.uint8)
    part = image[:, : COLUMNS // 2] if place == "left" else image[: ROWS // 2]
    part[..., {"red": 0, "blue": 2}[colour]] = ink
    return image


def template(name):
    """(ROWS, COLUMNS, 3) float32: positive where the class has its ink, negative elsewhere in that colour."""
    channel = {"red": 0, "blue": 2}[name.split("-")[0]]
    weights = np.zeros((ROWS, COLUMNS, 3), np.float32)
    weights[..., channel] = np.where(half(name)[..., channel] > 0, 1, -1)
    return weights


def to_tflite(shape, weights):
    """The bytes of a float model: logits = image · weights (inputs, classes)."""
    import keras
    import tensorflow as tf

    inputs = keras.Input(shape, batch_size=1)
    outputs = keras.layers.Dense(weights.shape[1], use_bias=False)(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, outputs)
    model.set_weights([weights])
    return tf.lite.TFLiteConverter.from_keras_model(model).convert()


@pytest.fixture(scope="session")
def colour_model(tmp_path_factory):
    """A bare `.tflite` that wants RGB of 12 rows and 8 columns; its classes are CLASSES, in order."""
    path = tmp_path_factory.mktemp("models") / "halves.tflite"
    weights = np.stack([template(name).ravel() for name in CLASSES], axis=1) / 4000
    path.write_bytes(to_tflite((ROWS, COLUMNS, 3), weights))
    return path


@pytest.fixture(scope="session")
def colour_folder(tmp_path_factory):
    """A labelled folder of 20 PNGs, twice as large as the model's input; one image of red-top lies in red-left."""
    folder = tmp_path_factory.mktemp("data") / "halves"
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
        for number in range(5):
            shown = "red-top" if (name, number) == ("red-left", 4) else name
            image = cv2.resize(half(shown, 150 + 20 * number), (2 * COLUMNS, 2 * ROWS), interpolation=cv2.INTER_NEAREST)
            cv2.imwrite(str(folder / name / f"{number}.png"), image[..., ::-1])
    return folder


@pytest.fixture(scope="session")
def grey_npz(tmp_path_factory):
    """20 images of 12×8 whose labels are right but for three: 0 is bright left, 1 is bright right."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 40, (20, ROWS, COLUMNS)).astype(np.uint8)
    labels = np.arange(20) % 2
    images[labels == 0, :, :4] += 180
    images[labels == 1, :, 4:] += 180
    labels[:3] = 1 - labels[:3]
    path = tmp_path_factory.mktemp("data") / "sides.npz"
    np.savez(path, images=images, labels=labels)
    return path


@pytest.fixture(scope="session")
def grey_bundle(tmp_path_factory):
    """A bundle for the grey images: a TFLite and an ONNX file of the same weights, and the labels 1 and 0, turned."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    folder = tmp_path_factory.mktemp("bundles") / "sides"
    folder.mkdir()
    right = np.where(np.arange(COLUMNS) >= 4, 1, -1) * np.ones((ROWS, 1))
    weights = (np.stack([right.ravel(), -right.ravel()], axis=1) / 4000).astype(np.float32)
    (folder / "float32.tflite").write_bytes(to_tflite((ROWS, COLUMNS, 1), weights))
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["image"], ["row"]), helper.make_node("MatMul", ["row", "weights"], ["logits"])],
        "sides",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", ROWS, COLUMNS, 1])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 2])],
        [numpy_helper.from_array(weights, "weights")],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), folder / "float32.onnx"
    )
    artifacts = tuple(
        Artifact(file, file.split(".")[1], "float32", (folder / file).stat().st_size, sha256_file(folder / file))
        for file in ("float32.tflite", "float32.onnx")
    )
    write_card(
        folder, Card("sides", ("1", "0"), (ROWS, COLUMNS, 1), "stretch", default="float32.tflite", artifacts=artifacts)
    )
    return folder


@pytest.fixture
def glyphlite(monkeypatch, capsys):
    """Run the command line: glyphlite('bench', 'run', …) -> (exit code, stdout, stderr)."""

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["glyphlite", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return run


def made_row(artifact="digits/float32.tflite", errors=41, p50=12.3, engine="litert"):
    latency = Latency(p50, 14.0, 30.0, 13.0, 400.0, (p50 - 0.2, p50 + 0.2), 1000, 50, 62, True)
    accuracy = Accuracy(errors, 10_000, wilson_interval(errors, 10_000), 0.0031)
    model, _, file = artifact.rpartition("/")
    recipe = file.split(".")[0]
    return Row(
        artifact,
        model,
        recipe,
        engine,
        29_920,
        "0" * 64,
        accuracy,
        latency,
        replace(latency, p50=10.0),
        1.23,
        25_000,
        24_000,
        Cost(310.0, 92.0, 80.0),
        Throughput(256, 50_000.0, 26_000.0, 1.9),
        18_000,
        1_600_000,
        0.995,
        0.5,
        Bound(8.0, 2.0),
        3.0,
        (OperatorTime("conv1", "Conv", 7.0), OperatorTime("head", "MatMul", 2.0)),
        (("decode", 30.0), ("whole", 900.0)),
    )


@pytest.fixture
def run():
    settings = Settings(models=(), data="mnist", quick=True)
    return BenchmarkRun(
        settings=settings,
        plan=settings.plan(),
        threads=1,
        started="2025-01-01T00:00:00+00:00",
        device={"cpu": "A CPU <fast>", "cores": 4, "usable_cores": 4, "packages": {"numpy": "2.0"}},
        before={"load_average": 9.5, "temperature_c": 48.0},
        after={"load_average": 9.0, "temperature_c": 61.0},
        dataset={"name": "mnist", "split": "test", "images": 10_000, "available": 10_000, "sha256": "0" * 64},
        rows=(
            made_row(),
            made_row("digits/float32.onnx", 0, 25.0, "onnxruntime"),
            made_row("other/a.tflite", 6000, 3000.0),
        ),
        skipped=(Skipped("digits/x.onnx", "no engine"),),
        notes=("The machine was busy: load average 9.5 on 4 usable cores.",),
    )


@pytest.fixture
def row():
    """Makes a row of a run: row(artifact, errors, p50, engine)."""
    return made_row

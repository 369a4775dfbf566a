"""ONNX files to logits: either layout, any batch; what is newer or of another form is said to be."""

import threading

import numpy as np
import pytest

from glyphlite.runtime import ArtifactError, EngineError
from glyphlite.runtime.engine import open_engine

pytest.importorskip("onnxruntime")
TensorProto = pytest.importorskip("onnx").TensorProto


def flat(images):
    """(N, pixels) of (N, H, W, C)."""
    return images.reshape(len(images), -1)


@pytest.mark.parametrize("batch", ["N", 1])
@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.UINT8])
@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_onnx_gives_what_tflite_gives(tiny_onnx, tiny_tflite, tiny_images, layout, kind, batch):
    """A transpose, not a reshape: the layouts agree on an image that is neither square nor grey."""
    engine = open_engine(tiny_onnx(layout, batch, kind))
    assert engine.name == "onnxruntime"
    assert (engine.input_shape, engine.classes) == ((12, 8, 3), 4)
    expected = open_engine(tiny_tflite["float32"]).run(tiny_images)
    assert np.allclose(engine.run(tiny_images), expected, atol=1e-3)
    assert np.allclose(engine.run(tiny_images[:1]), expected[:1], atol=1e-3)


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_an_onnx_float_input_gets_its_range(tiny_onnx, tiny_images, tiny_weights, layout):
    logits = open_engine(tiny_onnx(layout), (-1, 1)).run(tiny_images)
    assert np.allclose(logits, flat(tiny_images) / 127.5 @ tiny_weights - tiny_weights.sum(0), atol=1e-3)


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_an_onnx_float_input_gets_a_range_of_each_channel(tiny_onnx, tiny_images, tiny_weights, layout):
    logits = open_engine(tiny_onnx(layout), (0, 1, -1, 1, 200, 3)).run(tiny_images)
    low, high = np.array([0, -1, 200]), np.array([1, 1, 3])
    assert np.allclose(logits, flat(tiny_images / 255 * (high - low) + low) @ tiny_weights, atol=1e-3)


def test_scores_that_keep_their_map_become_rows(tiny_onnx, tiny_images, tiny_weights):
    engine = open_engine(tiny_onnx("NHWC", keep_map=True))
    assert np.allclose(engine.run(tiny_images), flat(tiny_images) @ tiny_weights, atol=1e-3)


def test_onnx_nan_is_refused(tiny_onnx, tiny_weights, tiny_images):
    weights = tiny_weights.copy()
    weights[5] = np.nan
    with pytest.raises(EngineError, match="computed NaN"):
        open_engine(tiny_onnx("NHWC", weights=weights)).run(tiny_images[:2])


def test_an_onnx_newer_than_its_engine_names_both(tiny_onnx):
    import onnxruntime

    for newer in ({"opset": 99}, {"ir": 99}):
        with pytest.raises(EngineError, match=f"newer than onnxruntime {onnxruntime.__version__} reads .* upgrade it"):
            open_engine(tiny_onnx("NHWC", **newer))


def test_onnx_inputs_of_other_forms_are_refused(tiny_onnx):
    with pytest.raises(ArtifactError, match="takes 8 images at once"):
        open_engine(tiny_onnx("NHWC", batch=8))
    with pytest.raises(ArtifactError, match=r"input of tensor\(double\)"):
        open_engine(tiny_onnx("NHWC", kind=TensorProto.DOUBLE))


def test_onnx_threads_get_each_their_own_answers(tiny_onnx, tiny_images):
    engine = open_engine(tiny_onnx("NCHW"))
    expected = engine.run(tiny_images)
    wrong = []

    def ask(thread):
        for call in range(100):
            index = (thread * 7 + call) % len(tiny_images)
            if not np.allclose(engine.run(tiny_images[index][None])[0], expected[index], atol=1e-4):
                wrong.append((thread, call))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []

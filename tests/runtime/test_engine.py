"""Artifacts to logits: what the file wants is done by the engine, and what is no model is said to be none."""

import os
import threading

import numpy as np
import pytest

from glyphlite.runtime import ArtifactError, EngineError
from glyphlite.runtime.cores import usable_cores
from glyphlite.runtime.engine import BATCH, check_tflite, open_engine

GREY_256 = np.arange(256, dtype=np.uint8)


def logits_of(images, weights, low=0.0, high=255.0):
    """What the tiny models compute: pixels, in the input's range, by the weights."""
    return (images.reshape(len(images), -1) / 255 * (high - low) + low) @ weights


def output_step(path):
    """Scale of a quantized output: one step of its logits."""
    return open_engine(path)._single.get_output_details()[0]["quantization"][0]


# --- TFLite ----------------------------------------------------------------------------------------------------------


def test_what_an_engine_says_of_a_file(tiny_tflite):
    engine = open_engine(tiny_tflite["float32"])
    assert engine.name in ("litert", "tflite-runtime")
    assert engine.input_shape == (12, 8, 3)
    assert engine.classes == 4


def test_float_logits(tiny_tflite, tiny_images, tiny_weights):
    logits = open_engine(tiny_tflite["float32"]).run(tiny_images)
    assert logits.dtype == np.float32
    assert np.allclose(logits, logits_of(tiny_images, tiny_weights), atol=1e-3)


@pytest.mark.parametrize("value_range", [(0, 1), (-1, 1), (1, 0), (-128, 127)])
def test_a_float_input_gets_the_range_that_it_wants(tiny_tflite, tiny_images, tiny_weights, value_range):
    logits = open_engine(tiny_tflite["float32"], value_range).run(tiny_images)
    assert np.allclose(logits, logits_of(tiny_images, tiny_weights, *value_range), atol=1e-3)


RANGES = (0, 1, -1, 1, 200, 3)  # of R, G and B


@pytest.mark.parametrize("kind", ["float32", "int16"])
def test_a_range_of_each_channel(tiny_tflite, tiny_images, tiny_weights, kind):
    logits = open_engine(tiny_tflite[kind], RANGES).run(tiny_images)
    low, high = np.array(RANGES[::2]), np.array(RANGES[1::2])
    wanted = (tiny_images / 255 * (high - low) + low).reshape(len(tiny_images), -1) @ tiny_weights
    assert np.abs(logits - wanted).max() < (1e-3 if kind == "float32" else 0.2)


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16"])
def test_quantized_inputs_and_outputs_are_converted(tiny_tflite, tiny_images, tiny_weights, kind):
    """Within a step of the output's scale of the float logits: weights and pixels are exact in 8 bits."""
    logits = open_engine(tiny_tflite[kind]).run(tiny_images)
    difference = np.abs(logits - logits_of(tiny_images, tiny_weights))
    assert logits.dtype == np.float32
    step = max(output_step(tiny_tflite[kind]), 0.02)  # int16's step is finer than its input's rounding
    within = np.abs(logits_of(tiny_images, tiny_weights)) < 120 * output_step(tiny_tflite["int8"])
    assert difference[within].max() <= step


def test_every_pixel_value_reaches_an_int8_input_as_itself(tiny_tflite):
    """Rounding and clipping at both ends: 0 and 255 are -128 and 127, and nothing wraps around."""
    images = np.broadcast_to(GREY_256[:, None, None, None], (256, 12, 8, 3)).copy()
    logits = {kind: open_engine(tiny_tflite[kind]).run(images) for kind in ("float32", "int8", "uint8")}
    assert np.abs(logits["int8"] - logits["uint8"]).max() <= 2 * output_step(tiny_tflite["int8"])
    assert np.abs(logits["int8"] - logits["float32"]).max() <= 2 * output_step(tiny_tflite["int8"])


def test_an_int8_input_calibrated_on_other_values_clips(tiny_tflite):
    """Pixels said to be 0 to 1000 go beyond what the file's scale can hold: they stop at its end."""
    black, white = np.zeros((1, 12, 8, 3), np.uint8), np.full((1, 12, 8, 3), 255, np.uint8)
    plain = open_engine(tiny_tflite["int8"])
    loud = open_engine(tiny_tflite["int8"], (0, 1000))
    assert np.array_equal(loud.run(white), plain.run(white))
    assert np.array_equal(loud.run(black), plain.run(black))


@pytest.mark.parametrize("kind", ["float32", "fixed", "int8", "uint8", "int16", "probabilities"])
@pytest.mark.parametrize("count", [1, 2, BATCH - 1, BATCH, BATCH + 1, 2 * BATCH, 70])
def test_a_batch_is_what_one_by_one_gives(tiny_tflite, tiny_images, kind, count):
    engine = open_engine(tiny_tflite[kind])
    one_by_one = np.concatenate([engine.run(image[None]) for image in tiny_images[:count]])
    batch = engine.run(tiny_images[:count])
    assert batch.shape == (count, 4)
    assert np.allclose(batch, one_by_one, atol=1e-4)


@pytest.mark.skipif(usable_cores() < 2, reason="wants two cores")
@pytest.mark.parametrize("kind", ["float32", "fixed"])
def test_many_are_parted_among_the_threads(tiny_tflite, tiny_images, kind):
    alone, parted = (open_engine(tiny_tflite[kind], threads=threads) for threads in (1, 2))
    for count in (BATCH - 1, BATCH, 2 * BATCH + 5):
        assert np.allclose(parted.run(tiny_images[:count]), alone.run(tiny_images[:count]), atol=1e-4)


def test_an_answer_is_not_changed_by_the_next_one(tiny_tflite, tiny_images):
    engine = open_engine(tiny_tflite["float32"])
    first = engine.run(tiny_images[:1])
    kept = first.copy()
    engine.run(tiny_images[1:2])
    assert np.array_equal(first, kept)


def test_channels_and_rows_are_not_mixed_up(tiny_tflite, tiny_weights):
    """One lit value in a corner of each channel picks one row of the weights."""
    engine = open_engine(tiny_tflite["float32"])
    for row, column, channel in ((0, 0, 0), (0, 7, 2), (11, 0, 1), (11, 7, 2), (3, 5, 1)):
        image = np.zeros((1, 12, 8, 3), np.uint8)
        image[0, row, column, channel] = 100
        expected = 100 * tiny_weights[(row * 8 + column) * 3 + channel]
        assert np.allclose(engine.run(image)[0], expected, atol=1e-5)


def test_views_are_read_as_what_they_show(tiny_tflite, tiny_images):
    for kind in ("float32", "uint8"):
        engine = open_engine(tiny_tflite[kind])
        assert np.array_equal(engine.run(tiny_images[:1, ..., ::-1]), engine.run(tiny_images[:1, ..., ::-1].copy()))


@pytest.mark.filterwarnings("error")
def test_nan_is_refused(tiny_tflite, tiny_images):
    for count in (1, 40):
        with pytest.raises(EngineError, match=r"nan\.tflite: computed NaN"):
            open_engine(tiny_tflite["nan"]).run(tiny_images[:count])


def test_a_call_that_fails_is_an_engine_error(tiny_tflite):
    with pytest.raises(EngineError, match=r"float32\.tflite: failed"):
        open_engine(tiny_tflite["float32"]).run(np.zeros((1, 8, 12, 3), np.uint8))


@pytest.mark.parametrize("kind", ["two_inputs", "eight_at_once"])
def test_models_of_other_forms_are_refused(tiny_tflite, kind):
    with pytest.raises(ArtifactError, match=r"wanted one image \(1, H, W, C\) in and one row of scores out"):
        open_engine(tiny_tflite[kind])


def test_an_open_size_is_said_to_be_open(tiny_tflite):
    assert open_engine(tiny_tflite["open_size"]).input_shape == (-1, -1, 3)


def test_8_threads_get_each_their_own_answers(tiny_tflite, tiny_images, tiny_weights):
    """One interpreter that is called from two threads at once answers one with the other's."""
    engine = open_engine(tiny_tflite["uint8"])
    expected = [engine.run(image[None])[0] for image in tiny_images]
    wrong = []

    def ask(thread):
        try:
            for call in range(400):
                index = (thread * 7 + call) % len(tiny_images)
                if not np.array_equal(engine.run(tiny_images[index][None])[0], expected[index]):
                    wrong.append((thread, call))
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len({row.tobytes() for row in expected}) > 60  # the answers do differ


def test_threads_are_capped_at_the_cores_that_may_be_used(tiny_tflite, monkeypatch):
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    asked = []
    original = interpreter.Interpreter.__init__

    def remember(self, *arguments, num_threads=None, **options):
        asked.append(num_threads)
        original(self, *arguments, num_threads=num_threads, **options)

    monkeypatch.setattr(interpreter.Interpreter, "__init__", remember)
    for threads in (1, 10_000, -1, -4):
        open_engine(tiny_tflite["float32"], threads=threads)
    assert asked == [1, usable_cores(), 1, 1]
    assert usable_cores() == len(os.sched_getaffinity(0))


def test_the_bare_call_is_the_vendors_own(tiny_tflite, tiny_images):
    assert open_engine(tiny_tflite["uint8"]).bare_call(tiny_images[:1]).__name__ == "invoke"


# --- what is no model ------------------------------------------------------------------------------------------------

HTML = b"<!DOCTYPE html><html><body>404: no such file</body></html>" * 10


@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
@pytest.mark.parametrize("content", [b"", b"TFL3TFL3", HTML, bytes(4096)], ids=["empty", "8 bytes", "HTML", "zeros"])
def test_what_is_no_model_is_refused(tmp_path, suffix, content):
    if suffix == ".onnx":
        pytest.importorskip("onnxruntime")
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=f"model{suffix}: "):
        open_engine(path)


def test_html_in_a_tflite_is_told_by_its_identifier(tmp_path):
    (tmp_path / "model.tflite").write_bytes(HTML)
    with pytest.raises(ArtifactError, match=r"no TFLite model .* wanted b'TFL3' at byte 4"):
        check_tflite(tmp_path / "model.tflite")


@pytest.mark.parametrize("share", [0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
@pytest.mark.parametrize("kind", ["tflite", "onnx"])
def test_a_cut_model_is_refused(tiny_tflite, tiny_onnx, tmp_path, kind, share):
    data = (tiny_tflite["float32"] if kind == "tflite" else tiny_onnx("NHWC")).read_bytes()
    path = tmp_path / f"cut.{kind}"
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ArtifactError, match=f"cut.{kind}: "):
        open_engine(path)


def test_a_tflite_newer_than_its_engine_names_both(tiny_tflite, tmp_path):
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="litert is what names the version here")
    import flatbuffers

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(tiny_tflite["float32"].read_bytes(), 0))
    for code in model.operatorCodes:
        code.version = 99
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    (tmp_path / "new.tflite").write_bytes(builder.Output())
    with pytest.raises(
        EngineError, match=r"newer TFLite than ai-edge-litert \d.*version '99'.* upgrade it, or compress"
    ):
        open_engine(tmp_path / "new.tflite")


@pytest.mark.parametrize("name", ["missing.tflite", "missing.onnx", "folder.tflite", "folder.onnx"])
def test_what_is_no_file_is_refused(tmp_path, name):
    if name.endswith(".onnx"):
        pytest.importorskip("onnxruntime")
    if name.startswith("folder"):
        (tmp_path / name).mkdir()
    with pytest.raises(ArtifactError, match="cannot be read"):
        open_engine(tmp_path / name)


def test_a_file_of_another_kind_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match=r"wanted a \.tflite or an \.onnx"):
        open_engine(tmp_path / "model.pt")


@pytest.mark.parametrize(("kind", "engine"), [("tflite", "onnxruntime"), ("onnx", "litert"), ("tflite", "tensorrt")])
def test_an_engine_runs_only_its_own_format(tmp_path, kind, engine):
    with pytest.raises(EngineError, match=rf"{engine} runs no \.{kind}"):
        open_engine(tmp_path / f"model.{kind}", name=engine)


def test_an_engine_that_is_not_installed_is_named_with_its_remedy(tiny_tflite, tiny_onnx, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ai_edge_litert.interpreter", None)
    monkeypatch.setitem(__import__("sys").modules, "tflite_runtime.interpreter", None)
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(EngineError, match="pip install ai-edge-litert"):
        open_engine(tiny_tflite["float32"])
    with pytest.raises(EngineError, match=r"pip install '\.\[onnx\]' in glyphlite's checkout"):
        open_engine(tiny_onnx("NHWC"))

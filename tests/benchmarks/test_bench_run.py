"""`glyphlite bench run` from end to end, on models and images made here."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from glyphlite.benchmarks import Settings
from glyphlite.benchmarks import run as running
from glyphlite.train.datasets import load_dataset

QUICK = ("--quick", "--budget-s", "0.2")


@pytest.fixture(scope="module")
def bare_run(colour_model, colour_folder, tmp_path_factory):
    """The folder that a run of a bare file on a labelled folder leaves, and its output."""
    out = tmp_path_factory.mktemp("out") / "deep" / "er"
    code = "from glyphlite.runtime.cli import main; main()"
    command = [sys.executable, "-c", code, "bench", "run", colour_model, "--data", colour_folder, "--out", out, *QUICK]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out, done


def test_a_bare_file_is_read_as_its_makers_read_it(bare_run):
    results = json.loads((bare_run[0] / "results.json").read_text())["results"]
    assert [(r["artifact"], r["errors"], r["images"]) for r in results] == [("halves.tflite", 1, 20)]


def test_results_have_their_keys(bare_run, colour_model):
    document = json.loads((bare_run[0] / "results.json").read_text())
    assert document["schema"] == 6
    assert {"device", "settings", "data", "notes", "results", "skipped", "started"} <= set(document)
    assert document["device"]["usable_cores"] >= 1
    assert document["settings"]["quick"] is True
    result = document["results"][0]
    assert {"artifact", "model", "recipe", "engine", "bytes", "errors", "images", "interval", "ece"} <= set(result)
    assert result["bytes"] == colour_model.stat().st_size
    assert result["macs"] == 12 * 8 * 3 * 4  # counted in the file
    assert result["bound"]["binds"] in ("compute", "memory") and result["bound"]["times"] > 0
    assert result["throughput"]["batch"] == 256
    for latency in (result["latency_us"], result["bare_us"]):
        assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["max"]
        assert latency["p50_interval"][0] <= latency["p50_interval"][1]
    low, high = result["interval"]
    assert low < 1 / 20 < high


def test_all_reports_are_left_and_nothing_else(bare_run):
    names = sorted(path.name for path in bare_run[0].iterdir())
    assert names == [
        "accuracy-latency.png", "accuracy-latency.svg", "index.html", "results.json", "results.md", "right.npz",
    ]  # fmt: skip


def test_table_goes_to_stdout_and_progress_to_stderr(bare_run):
    _, done = bare_run
    assert "halves.tflite" in done.stdout
    assert "[1/1] halves.tflite: 1 errors of 20" in done.stderr
    assert "[1/1]" not in done.stdout


def test_all_artifacts_of_a_bundle_are_measured(glyphlite, grey_bundle, grey_npz, tmp_path):
    code, out, _ = glyphlite("bench", "run", grey_bundle, "--data", grey_npz, "--out", tmp_path, *QUICK, "--json")
    assert code == 0
    document = json.loads(out)
    assert document == json.loads((tmp_path / "results.json").read_text())
    found = [(r["artifact"], r["model"], r["engine"], r["errors"]) for r in document["results"]]
    assert found == [
        ("sides/float32.tflite", "sides", "litert", 3),
        ("sides/float32.onnx", "sides", "onnxruntime", 3),
    ]
    known = {"name": "sides", "split": "all", "images": 20, "available": 20}
    assert document["data"] == {**known, "sha256": load_dataset(grey_npz).sha256()}


def test_a_file_inside_a_bundle_takes_its_card(glyphlite, grey_bundle, grey_npz, tmp_path):
    file = grey_bundle / "float32.onnx"
    code, out, _ = glyphlite("bench", "run", file, file, "--data", grey_npz, "--out", tmp_path, *QUICK, "--json")
    assert code == 0
    # its card's labels are turned round: by position it would have 17 errors
    assert [(r["artifact"], r["errors"]) for r in json.loads(out)["results"]] == [("sides/float32.onnx", 3)]


@pytest.mark.parametrize("file", ["sides.keras", "sides.h5", "sides"])
def test_a_keras_model_is_a_contender(glyphlite, grey_npz, tmp_path, file):
    """What a file costs before it is compressed; `sides` is a SavedModel of Keras 2."""
    keras = pytest.importorskip("keras" if "." in file else "tf_keras")
    layers = [keras.Input((12, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(2, use_bias=False)]
    model = keras.Sequential(layers)
    left = np.where(np.arange(8) < 4, 1.0, -1.0) * np.ones((12, 1))
    model.set_weights([np.stack([left.ravel(), -left.ravel()], axis=1) / 4000])
    model.save(tmp_path / file)
    arguments = ("bench", "run", tmp_path / file, "--data", grey_npz, "--out", tmp_path / "out")
    code, out, err = glyphlite(*arguments, *QUICK, "--json")
    assert code == 0, err
    (result,) = json.loads(out)["results"]
    assert (result["engine"], result["errors"], result["process"]) == ("keras", 3, None)
    assert result["overhead"] > 0 and result["throughput"]["gain"] is None


def test_energy_is_by_the_meter_and_else_not_told(glyphlite, grey_bundle, grey_npz, tmp_path):
    arguments = ("bench", "run", grey_bundle, "--data", grey_npz, "--out", tmp_path, *QUICK, "--json")
    for row in json.loads(glyphlite(*arguments, "--power-watts", "2.5", "--batch", "32")[1])["results"]:
        assert row["energy_uj"] == pytest.approx(2.5 * row["latency_us"]["mean"], rel=1e-3)
        assert row["throughput"]["batch"] == 32


def test_an_engine_that_is_missing_is_skipped_and_said(glyphlite, grey_bundle, grey_npz, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    code, out, err = glyphlite("bench", "run", grey_bundle, "--data", grey_npz, "--out", tmp_path, *QUICK, "--json")
    assert code == 0
    document = json.loads(out)
    assert [r["engine"] for r in document["results"]] == ["litert"]
    assert [entry["artifact"] for entry in document["skipped"]] == ["sides/float32.onnx"]
    assert "skipped sides/float32.onnx" in err
    assert "pip install '.[onnx]' in glyphlite's checkout" in (tmp_path / "results.md").read_text()


def test_one_engine_can_be_asked_for(glyphlite, grey_bundle, grey_npz, tmp_path):
    arguments = ("bench", "run", grey_bundle, "--data", grey_npz, "--out", tmp_path, *QUICK, "--json")
    code, out, _ = glyphlite(*arguments, "--engine", "onnxruntime")
    assert code == 0
    assert [r["artifact"] for r in json.loads(out)["results"]] == ["sides/float32.onnx"]


def test_a_float_input_can_want_another_range(glyphlite, colour_model, colour_folder, tmp_path):
    """Dark where it should be bright, the model answers anything but the truth."""
    arguments = ("bench", "run", colour_model, "--data", colour_folder, "--out", tmp_path, *QUICK, "--json")
    code, out, _ = glyphlite(*arguments, "--scale", "255,0")
    assert code == 0
    document = json.loads(out)
    assert document["settings"]["scale"] == [255, 0]
    assert document["results"][0]["errors"] >= 19


def test_a_range_for_models_that_have_a_card_is_said_to_be_unused(glyphlite, grey_bundle, grey_npz, tmp_path):
    arguments = ("bench", "run", grey_bundle, "--data", grey_npz, "--out", tmp_path, *QUICK, "--json")
    document = json.loads(glyphlite(*arguments, "--scale", "255,0")[1])
    assert document["results"][0]["errors"] == 3
    assert any("--scale was not used" in note for note in document["notes"])


def test_threads_are_capped_at_the_usable_cores(glyphlite, colour_model, colour_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("glyphlite.benchmarks.run.usable_cores", lambda: 1)
    arguments = ("bench", "run", colour_model, "--data", colour_folder, "--out", tmp_path, *QUICK, "--json")
    document = json.loads(glyphlite(*arguments, "--threads", "999")[1])
    assert document["settings"]["threads_used"] == 1
    assert any("999 threads were asked for; 1 cores may be used" in note for note in document["notes"])


def test_a_busy_machine_is_said_first(glyphlite, grey_bundle, grey_npz, tmp_path, monkeypatch):
    monkeypatch.setattr("os.getloadavg", lambda: (1000.0, 0, 0))
    code, out, _ = glyphlite("bench", "run", grey_bundle, "--data", grey_npz, "--out", tmp_path, *QUICK)
    assert code == 0
    assert out.startswith("! The machine was busy: load average 1000 on ")


@pytest.mark.parametrize(("step", "known"), [("measure_peaks", 0), ("throughput", 1)])
def test_ctrl_c_after_the_timing_keeps_what_was_measured(
    glyphlite, grey_bundle, grey_npz, tmp_path, monkeypatch, step, known
):
    """It comes while what is measured of each artifact by itself is known of none, and of one."""
    usual, asked = getattr(running, step), []

    def interrupted(*arguments):
        asked.append(arguments)
        if len(asked) > known:
            raise KeyboardInterrupt
        return usual(*arguments)

    monkeypatch.setattr(running, step, interrupted)
    code, out, err = glyphlite("bench", "run", grey_bundle, "--data", grey_npz, "--out", tmp_path, *QUICK, "--json")
    assert code == 130 and "interrupted: writing what is complete" in err
    document = json.loads(out)
    assert document == json.loads((tmp_path / "results.json").read_text()) and document["partial"] is True
    assert [row["errors"] for row in document["results"]] == [3, 3]
    assert [row["throughput"] is not None for row in document["results"]] == [place < known for place in (0, 1)]
    assert f"bound of {2 - known} of 2 artifacts are not known" in document["notes"][0]
    assert "Partial: the run was interrupted" in (tmp_path / "results.md").read_text()


def test_quick_shortens_the_timing_only():
    asked = Settings(models=(), data="mnist")
    slow, quick = asked.plan(), replace(asked, quick=True).plan()
    assert (quick.budget_s, quick.max_rounds) < (slow.budget_s, slow.max_rounds)
    assert replace(asked, quick=True).plan(elapsed_s=40).budget_s == 5  # judging took long: the timing gives way
    assert replace(asked, quick=True).plan(elapsed_s=500).budget_s == 2
    assert replace(asked, quick=True, budget_s=30).plan(elapsed_s=500).budget_s == 30  # what was asked for holds


# --- bad input: one line on stderr, exit code 2, no report ------------------------------------------------------------


def refused(glyphlite, tmp_path, *arguments):
    code, out, err = glyphlite("bench", "run", *arguments, "--out", tmp_path / "out", *QUICK)
    assert code == 2
    assert out == ""
    assert not list((tmp_path / "out").glob("*"))
    last = err.strip().splitlines()[-1]
    assert last.startswith("glyphlite: ")
    return last


def test_missing_data(glyphlite, colour_model, tmp_path):
    message = refused(glyphlite, tmp_path, colour_model, "--data", tmp_path / "nowhere")
    assert "nowhere: not there; wanted a data set's name, a folder or an .npz file" in message


def test_a_model_that_is_not_there(glyphlite, grey_npz, tmp_path):
    assert "no such file" in refused(glyphlite, tmp_path, tmp_path / "gone.tflite", "--data", grey_npz)
    assert "no such model" in refused(glyphlite, tmp_path, "digits-none", "--data", grey_npz)


def test_a_damaged_model(glyphlite, colour_model, grey_npz, tmp_path):
    path = tmp_path / "cut.tflite"
    path.write_bytes(colour_model.read_bytes()[:300])
    assert "cut.tflite: damaged" in refused(glyphlite, tmp_path, path, "--data", grey_npz)
    path.write_text("<html>not found</html>" * 20)
    assert "cut.tflite: no TFLite model" in refused(glyphlite, tmp_path, path, "--data", grey_npz)


def test_another_number_of_classes(glyphlite, colour_model, grey_npz, tmp_path):
    message = refused(glyphlite, tmp_path, colour_model, "--data", grey_npz)
    assert message.endswith("halves.tflite: sides: 2 classes (0 1); the model has 4 (numbered outputs)")


def test_an_engine_that_runs_none_of_it(glyphlite, colour_model, colour_folder, tmp_path):
    message = refused(glyphlite, tmp_path, colour_model, "--data", colour_folder, "--engine", "onnxruntime")
    assert "nothing to measure" in message
    assert "onnxruntime runs no .tflite" in message


def test_a_folder_of_reports_that_cannot_be_made(glyphlite, colour_model, colour_folder, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = glyphlite("bench", "run", colour_model, "--data", colour_folder, "--out", tmp_path / "file" / "sub")
    assert code == 2
    assert "cannot be made" in err


@pytest.mark.parametrize("scale", ["1", "a,b", "1,1", "0,nan", "0,inf"])
def test_a_range_that_is_none(glyphlite, colour_model, colour_folder, tmp_path, scale):
    arguments = ("bench", "run", colour_model, "--data", colour_folder, "--out", tmp_path, "--scale", scale)
    code, _, err = glyphlite(*arguments)
    assert code == 2
    assert "wanted" in err


def test_without_matplotlib_one_line_says_what_to_install(
    glyphlite, colour_model, colour_folder, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    message = refused(glyphlite, tmp_path, colour_model, "--data", colour_folder)
    assert message.endswith("pip install '.[bench]' in glyphlite's checkout")


@pytest.fixture
def two_shipped(grey_bundle, tmp_path, monkeypatch):
    """Two shipped models, one of sides and one of letters."""
    shipped = {}
    for name, labels in (("letters", ["a", "b"]), ("sides", ["right", "left"])):
        shipped[name] = tmp_path / "shipped" / name
        shutil.copytree(grey_bundle, shipped[name])
        card = json.loads((grey_bundle / "card.json").read_text())
        (shipped[name] / "card.json").write_text(json.dumps({**card, "name": name, "labels": labels}))
    monkeypatch.setattr("glyphlite.benchmarks.contenders.shipped_models", lambda: shipped)
    monkeypatch.setattr("glyphlite.runtime.bundle.shipped_models", lambda: shipped)


@pytest.fixture
def named_npz(grey_npz, tmp_path):
    """The grey images with names for their classes."""
    with np.load(grey_npz) as archive:
        np.savez(tmp_path / "named.npz", classes=["left", "right"], **archive)
    return tmp_path / "named.npz"


def test_without_a_name_all_shipped_models_that_fit_are_measured(glyphlite, two_shipped, named_npz, tmp_path):
    code, out, _ = glyphlite("bench", "run", "--data", named_npz, "--out", tmp_path / "out", *QUICK, "--json")
    assert code == 0
    document = json.loads(out)
    assert [(r["model"], r["errors"]) for r in document["results"]] == [("sides", 3), ("sides", 3)]
    assert {entry["artifact"] for entry in document["skipped"]} == {"letters/float32.tflite", "letters/float32.onnx"}


def test_a_model_that_was_named_must_fit(glyphlite, two_shipped, named_npz, tmp_path):
    message = refused(glyphlite, tmp_path, "letters", "--data", named_npz)
    assert "named: 2 classes (left right); the model has 2 (a b)" in message


def test_shipped_models_of_which_none_fits(glyphlite, two_shipped, colour_folder, tmp_path):
    assert "no shipped model fits" in refused(glyphlite, tmp_path, "--data", colour_folder)

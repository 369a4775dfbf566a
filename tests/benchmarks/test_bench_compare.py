"""Two runs compared, one artifact recommended, the images on which two artifacts differ."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from glyphlite.benchmarks.accuracy import data_sha256
from glyphlite.benchmarks.compare import compare, only_in, recommend, regressions
from glyphlite.benchmarks.result_file import Measured, Results, load_results
from glyphlite.runtime import BudgetError, DatasetError
from glyphlite.runtime.bundle import shipped_models

QUICK = ("--quick", "--budget-s", "0.2")
IMAGES = 1000


def measured(artifact, size, wrong, p50=10.0, spread=0.1):
    """wrong: indices of the images that it gets wrong."""
    right = np.ones(IMAGES, bool)
    right[list(wrong)] = False
    return Measured(artifact, size, len(wrong), IMAGES, p50, (p50 - spread, p50 + spread), right)


def results(*rows):
    return Results(Path("results.json"), {"cpu": "one"}, ("digits", IMAGES), rows)


# --- two runs --------------------------------------------------------------------------------------------------------


def test_a_run_against_itself_is_no_regression():
    run = results(measured("a", 10, [1, 2]), measured("b", 20, []))
    differences = compare(run, run)
    assert [(one.extra_errors, one.p, one.slowdown) for one in differences] == [(0, 1.0, 1.0)] * 2
    assert regressions(differences, [], 1.1, 0) == []


def test_more_errors_and_more_time_are_regressions():
    before, after = results(measured("a", 10, [1, 2])), results(measured("a", 10, range(2, 14), 13.0))
    (one,) = compare(before, after)
    assert (one.errors, one.only_before, one.only_after) == ((2, 12), 1, 11)
    assert one.p == pytest.approx(2 * (1 + 12) / 2**12, rel=1e-6)
    assert one.slowdown == pytest.approx(1.3)
    assert regressions([one], [], 1.1, 0) == ["a: 10 more errors; allowed 0", "a: 1.30 times as slow; allowed 1.1"]
    assert regressions([one], [], 1.4, 10) == []


def test_a_slowdown_within_its_interval_is_none():
    before, after = results(measured("a", 10, [], 10.0, 3.0)), results(measured("a", 10, [], 13.0, 3.0))
    assert regressions(compare(before, after), [], 1.1, 0) == []


def test_an_artifact_that_is_gone_is_a_regression():
    before = results(measured("a", 10, []), measured("b", 10, []))
    after = results(measured("a", 10, []), measured("c", 10, []))
    assert (only_in(before, after), only_in(after, before)) == (["b"], ["c"])
    assert regressions(compare(before, after), ["b"], 1.1, 0) == ["b: not in the later run"]


def test_single_artifacts_are_compared_whatever_their_names():
    (one,) = compare(results(measured("a", 10, [1])), results(measured("b", 10, [1])))
    assert one.artifact == "b"


def test_what_cannot_be_compared_is_told():
    run = results(measured("a", 10, []), measured("b", 10, []))
    with pytest.raises(DatasetError, match="share no artifact"):
        compare(run, results(measured("c", 10, []), measured("d", 10, [])))
    with pytest.raises(DatasetError, match="errors cannot be compared"):
        compare(run, replace(run, judges=("letters", IMAGES)))
    others = replace(run, sha256="b" * 64)  # of the same name and number: two folders called `test`
    assert compare(run, others)  # older results, of which one has no sha256
    told = r"1,000 images of digits \(sha256 aaaaaaaaaaaa…\) and .* 1,000 images of digits \(sha256 bbbbbbbbbbbb…\)"
    with pytest.raises(DatasetError, match=f"{told}: errors cannot be compared"):
        compare(replace(run, sha256="a" * 64), others)
    assert compare(replace(others, judges=("copy", IMAGES)), others)
    without = results(*(replace(row, right=None) for row in run.rows))
    assert [one.p for one in compare(run, without)] == [None, None]


# --- what to ship ----------------------------------------------------------------------------------------------------


def test_of_equally_accurate_ones_the_fastest_and_of_equally_fast_ones_the_smallest():
    rows = [
        measured("exact", 900, range(5), 50.0),
        measured("fast", 500, range(7), 10.0),
        measured("fast-and-small", 400, range(6), 10.1),
        measured("fastest-but-wrong", 100, range(100), 1.0),
    ]
    advice = recommend(results(*rows))
    assert advice.chosen.artifact == "fast-and-small"
    assert "1 error more than exact, which this data cannot tell from chance" in advice.why
    assert advice.runner_up.artifact == "fast" and "cannot be told apart" in advice.about_it


def test_a_runner_up_that_is_faster_and_worse_is_told_so():
    rows = [measured("exact", 900, range(5), 50.0), measured("fast", 100, range(100), 5.0)]
    about = recommend(results(*rows), min_accuracy=0.8).about_it
    assert "more errors, by McNemar's test, 0.10 of the time" in about
    untested = [replace(row, right=None) for row in rows]
    assert "more errors, not tested, 0.10 of the time" in recommend(results(*untested)).about_it


def test_limits_come_first():
    rows = [measured("exact", 900, range(5), 50.0), measured("small", 100, range(100), 1.0)]
    assert recommend(results(*rows), max_bytes=500).chosen.artifact == "small"
    assert recommend(results(*rows), max_bytes=500).runner_up is None
    assert recommend(results(*rows), max_ms=0.01).chosen.artifact == "small"
    assert recommend(results(*rows), min_accuracy=0.95).chosen.artifact == "exact"
    exactly = replace(measured("exact", 900, range(5)), errors=2998, images=10_000, right=None)
    assert recommend(results(exactly), min_accuracy=1 - 0.2998).chosen == exactly
    with pytest.raises(BudgetError, match=r"nothing is within the limits; the nearest is exact \(900 bytes"):
        recommend(results(*rows), max_bytes=500, min_accuracy=0.95)


def test_without_the_images_fewer_errors_win():
    rows = [
        replace(measured("exact", 900, range(5), 50.0), right=None),
        replace(measured("fast", 1, range(6)), right=None),
    ]
    assert recommend(results(*rows)).chosen.artifact == "exact"


# --- from end to end -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run_folder(grey_bundle, grey_npz, tmp_path_factory):
    import subprocess
    import sys

    out = tmp_path_factory.mktemp("out")
    code = "from glyphlite.runtime.cli import main; main()"
    command = [sys.executable, "-c", code, "bench", "run", grey_bundle, "--data", grey_npz, "--out", out, *QUICK]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


def test_a_run_is_read_back(run_folder):
    found = load_results(run_folder)
    assert [row.artifact for row in found.rows] == ["sides/float32.tflite", "sides/float32.onnx"]
    for row in found.rows:
        assert int((~row.right).sum()) == row.errors == 3
    assert found.judges == ("sides", 20)


def test_the_commands(run_folder, glyphlite):
    code, out, _ = glyphlite("bench", "compare", run_folder, run_folder / "results.json", "--max-slowdown", "1.5")
    assert code == 0 and "3 → 3" in out
    code, out, _ = glyphlite("bench", "recommend", run_folder)
    assert code == 0 and out.startswith("ship sides/float32.") and "runner-up: sides/float32." in out
    code, _, err = glyphlite("bench", "recommend", run_folder, "--max-bytes", "10")
    assert code == 3 and "the nearest is sides/float32." in err


def test_two_folders_of_one_name_are_not_compared(glyphlite, grey_bundle, tmp_path):
    """A/test and B/test hold as many images, and other ones; A/copy/test the same ones as A/test."""
    rng = np.random.default_rng(0)
    for side in "AB":
        for label in "01":
            (tmp_path / side / "test" / label).mkdir(parents=True)
            for number in range(3):
                image = rng.integers(0, 256, (12, 8), np.uint8)
                cv2.imwrite(str(tmp_path / side / "test" / label / f"{number}.png"), image)
    shutil.copytree(tmp_path / "A" / "test", tmp_path / "copy" / "test")
    for side in ("A", "B", "copy"):
        arguments = ("--data", tmp_path / side / "test", "--out", tmp_path / side)
        code, _, err = glyphlite("bench", "run", grey_bundle / "float32.tflite", *arguments, *QUICK)
        assert code == 0, err
    code, _, err = glyphlite("bench", "compare", tmp_path / "A", tmp_path / "B")
    assert code == 2 and "A/results.json was judged on 6 images of test (sha256 " in err and "B/results.json was" in err
    code, out, _ = glyphlite("bench", "compare", tmp_path / "A", tmp_path / "copy", "--max-slowdown", "100")
    assert code == 0 and "float32.tflite" in out


def test_the_data_is_the_same_whatever_a_model_takes(colour_folder, grey_npz, tmp_path):
    with np.load(grey_npz) as archive:
        np.savez_compressed(tmp_path / "packed.npz", **archive)
    assert data_sha256(str(tmp_path / "packed.npz"), "all") == data_sha256(str(grey_npz), "all")
    before = data_sha256(str(colour_folder), "all")
    moved = shutil.copytree(colour_folder, tmp_path / "moved")
    (moved / "notes.txt").write_text("no image")
    assert data_sha256(str(moved), "all") == before
    (moved / "red-top" / "0.png").rename(moved / "red-left" / "9.png")
    assert data_sha256(str(moved), "all") != before


def test_a_regression_exits_with_1(run_folder, glyphlite, tmp_path):
    document = json.loads((run_folder / "results.json").read_text())
    for row in document["results"]:
        row["errors"] += 5
    (tmp_path / "results.json").write_text(json.dumps(document))
    code, out, _ = glyphlite("bench", "compare", run_folder, tmp_path, "--max-slowdown", "1.5", "--json")
    assert code == 1 and len(json.loads(out)["regressions"]) == 2


def test_what_one_run_lacks_is_told(run_folder, glyphlite, tmp_path):
    document = json.loads((run_folder / "results.json").read_text())
    document["results"].append({**document["results"][0], "artifact": "sides/int8.tflite"})
    (tmp_path / "results.json").write_text(json.dumps(document))
    code, out, _ = glyphlite("bench", "compare", run_folder, tmp_path, "--max-slowdown", "1.5")
    assert code == 0 and "only in B: sides/int8.tflite" in out
    code, out, _ = glyphlite("bench", "compare", tmp_path, run_folder, "--max-slowdown", "1.5")
    assert code == 1 and "regression: sides/int8.tflite: not in the later run" in out


def test_results_that_are_none_are_named(glyphlite, tmp_path):
    for text in ("", "[]", "{}", '{"schema": 99}', '{"schema": 2, "results": [{}], "data": {}}'):
        (tmp_path / "results.json").write_text(text)
        code, _, err = glyphlite("bench", "recommend", tmp_path)
        assert code == 2 and "results.json" in err, text


def test_where_two_artifacts_differ(grey_bundle, grey_npz, glyphlite, tmp_path):
    """The second is a file of the same kind whose classes are turned: it answers each image the other way."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(grey_bundle / "float32.onnx")
    weights = numpy_helper.to_array(model.graph.initializer[0])
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights[:, ::-1].copy(), "weights"))
    onnx.save(model, tmp_path / "turned.onnx")
    files = grey_bundle / "float32.onnx", tmp_path / "turned.onnx"
    sheet = tmp_path / "sheet.png"
    code, out, _ = glyphlite("bench", "disagree", *files, "--data", grey_npz, "--out", sheet, "--json")
    found = json.loads(out)
    assert code == 0 and found["images"] == found["differ"] == 20
    assert found["only_first_wrong"] + found["only_second_wrong"] == 20
    assert cv2.imread(str(sheet)).shape[1] >= 800
    code, out, _ = glyphlite("bench", "disagree", files[0], files[0], "--data", grey_npz)
    assert code == 0 and out.startswith("0 of 20 images")
    code, _, err = glyphlite("bench", "disagree", files[0], files[0], "--data", grey_npz, "--out", sheet)
    assert code == 2 and "nothing to show" in err


def test_answers_are_compared_by_what_they_are_called(glyphlite, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (20, 28, 28), np.uint8)
    np.savez(tmp_path / "digits.npz", images=images, labels=np.arange(20) % 10)
    turned = tmp_path / "turned"
    shutil.copytree(shipped_models()["digits-micro"], turned)
    card = json.loads((turned / "card.json").read_text())
    others = (card["labels"][::-1], "20 of 20 images"), (list("ABCDEFGHIJ"), "wanted the same classes")
    for labels, expected in others:
        (turned / "card.json").write_text(json.dumps({**card, "labels": labels}))
        _, out, err = glyphlite("bench", "disagree", "digits-micro", turned, "--data", tmp_path / "digits.npz")
        assert expected in out + err

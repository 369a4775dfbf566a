"""The suite: commands as typed with what they printed, and what is missing said; our clock beside the vendor's."""

from pathlib import Path

import pytest

from glyphlite.benchmarks.suite import Step, forget, run_step, steps
from glyphlite.benchmarks.vendor import Agreement, compare_with_vendor
from glyphlite.runtime import ArtifactError
from glyphlite.runtime.bundle import shipped_models


def test_a_section_is_the_command_and_what_it_printed(monkeypatch, tmp_path):
    monkeypatch.setenv("GLYPHLITE_DATA", str(tmp_path))
    section = run_step(Step("Two", "python -c 'print(1 + 1, \"$GLYPHLITE_DATA/x\")'", note="A sum."))
    assert section.startswith("## Two\n\n    python -c 'print(1 + 1, \"$GLYPHLITE_DATA/x\")'\n\nA sum.\n")
    assert section.endswith("```\n2 $GLYPHLITE_DATA/x\n```\n")


def test_what_wants_data_that_is_not_there_says_so(monkeypatch):
    monkeypatch.delenv("GLYPHLITE_DATA", raising=False)
    assert "Not run: `mnist` is not in $GLYPHLITE_DATA." in run_step(Step("A", "python -c 1", "mnist"))


def test_where_the_data_lay_is_not_kept(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/results.json").write_text('{"model": "/my/data/x.tflite"}')
    forget(tmp_path, "/my/data")
    assert (tmp_path / "run/results.json").read_text() == '{"model": "$GLYPHLITE_DATA/x.tflite"}'
    forget(tmp_path, "")


def test_a_command_that_fails_ends_the_suite():
    with pytest.raises(SystemExit, match="exit code 3"):
        run_step(Step("B", "python -c 'raise SystemExit(3)'"))


def test_every_step_is_a_command_of_ours():
    for step in steps(Path("out")):
        assert step.command.split()[0] in ("glyphlite", "python")


def test_both_clocks_are_read_in_turn():
    found = compare_with_vendor(shipped_models()["digits-full"] / "float32.tflite", turns=1)
    assert len(found.ours) == len(found.theirs) == 1
    assert 0.05 < found.ratio < 20  # speeds are no test's business
    assert Agreement((1.0, 2.0, 3.0), (1.0, 1.0, 1.0)).ratio == 2


def test_a_file_that_the_tool_cannot_run_is_named(tmp_path):
    with pytest.raises(ArtifactError, match="gone"):
        compare_with_vendor(tmp_path / "gone.tflite", turns=1)

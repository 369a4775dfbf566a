"""What a run leaves for people: table, Markdown, picture and page, from figures made up."""

import json
import re
from dataclasses import replace
from pathlib import Path

import cv2
import jsonschema
import pytest

from glyphlite.benchmarks import BenchmarkRun, Row, Settings, wilson_interval
from glyphlite.benchmarks.accuracy import Accuracy
from glyphlite.benchmarks.contenders import Skipped
from glyphlite.benchmarks.latency import Latency
from glyphlite.benchmarks.plot import LABEL_RADII, Box, _place, pareto_front
from glyphlite.benchmarks.process import Cost
from glyphlite.benchmarks.report import markdown, microseconds, text_table, to_json, write_reports
from glyphlite.benchmarks.results import validate


def row(artifact="digits/float32.tflite", errors=41, p50=12.3, engine="litert"):
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
        Cost(310.0, 92.0, 80.0),
        50_000.0,
        18_000,
        1_600_000,
        0.995,
        0.5,
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
        dataset={"name": "mnist", "split": "test", "images": 10_000, "available": 10_000},
        rows=(row(), row("digits/float32.onnx", 0, 25.0, "onnxruntime"), row("other/a.tflite", 6000, 3000.0)),
        skipped=(Skipped("digits/x.onnx", "no engine"),),
        notes=("The machine was busy: load average 9.5 on 4 usable cores.",),
    )


def test_table_is_aligned_and_starts_with_what_a_reader_must_know(run):
    lines = text_table(run).splitlines()
    assert lines[0].startswith("! The machine was busy")
    table = lines[3:]
    assert len({len(line) for line in table}) == 1
    assert re.search(r" 29,920 +25,000 +41 +0\.41 \[0\.30, 0\.56\] +12\.3 +30\.0 +50,000 ", table[2])
    assert re.search(r"\b50,000 +310 +92 +0\.50$", table[2])


def test_markdown_has_notes_rows_and_the_machine(run):
    text = markdown(run)
    assert text.index("> The machine was busy") < text.index(
        "| digits/float32.tflite | litert | 29,920 | 25,000 | 41 |"
    )
    assert "- digits/x.onnx: no engine" in text
    assert "- temperature (°C): 48.0 → 61.0" in text
    assert "![accuracy against latency](accuracy-latency.png)" in text


def test_page_needs_nothing_beside_it_and_escapes(run, tmp_path):
    write_reports(tmp_path, run)
    page = (tmp_path / "index.html").read_text()
    assert "A CPU &lt;fast&gt;" in page
    assert page.count("<tr data-mark=") == 3
    assert not re.findall(r'(?:src|href)="(?!#)', page.split("<svg")[0] + page.split("</svg>")[1])
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"|<metadata>.*?</metadata>', "", page, flags=re.DOTALL)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "accuracy-latency.png",
        "accuracy-latency.svg",
        "index.html",
        "results.json",
        "results.md",
        "right.npz",
    ]


def test_picture_is_drawn_without_errors_and_at_all_errors(run, tmp_path):
    rows = (*run.rows, row("other/b.tflite", 10_000, 0.4))
    write_reports(tmp_path, replace(run, rows=rows))
    picture = cv2.imread(str(tmp_path / "accuracy-latency.png"))
    assert picture.shape[1] > 1000
    assert picture.std() > 10


def test_every_mark_of_the_page_tells_its_figures(run, tmp_path):
    write_reports(tmp_path, run)
    page = (tmp_path / "index.html").read_text()
    for number, one in enumerate(run.rows):
        assert f'<g id="artifact-{number}"><title>artifact: {one.artifact}\nengine: {one.engine}\n' in page
        assert f'<tr data-mark="artifact-{number}"><td>{one.artifact}</td>' in page
    assert "<code>glyphlite bench run --data mnist --out DIR --quick</code>" in page


def test_the_front_is_what_nothing_beats_in_both(run):
    rows = [row("a", 50, 10), row("b", 40, 20), row("c", 60, 15), row("d", 40, 30), row("e", 10, 90)]
    assert [rows[i].artifact for i in pareto_front(rows)] == ["a", "b", "e"]


def test_results_hold_to_the_published_schema(run, tmp_path):
    document = to_json(run)
    validate(document)
    del document["results"][0]["errors"]
    with pytest.raises(jsonschema.ValidationError, match="'errors' is a required property"):
        validate(document)
    assert json.loads((Path(__file__).parents[2] / "docs/bench.schema.json").read_text())["title"].endswith("schema 3")


def test_a_partial_run_says_so_and_leaves_out_what_was_not_measured(run, tmp_path):
    cut = replace(run, rows=tuple(replace(one, cost=None, images_per_s=None) for one in run.rows), partial=True)
    write_reports(tmp_path, cut)
    document = json.loads((tmp_path / "results.json").read_text())
    assert document["partial"] is True and document["results"][0]["process"] is None
    assert " – " in text_table(cut)


def test_labels_do_not_cover_each_other_where_there_is_room():
    frame = type("Frame", (), {"x0": 0, "y0": 0, "x1": 1000, "y1": 700})
    placed = []
    for number in range(12):  # twelve points in one place
        _, box, radius = _place(500 + number, 350, 120, 14, 1.0, frame, placed)
        assert radius <= LABEL_RADII[-1]
        assert sum(box.overlap(other) for other in placed) == 0
        placed.append(box)


def test_labels_stay_inside_the_frame():
    frame = type("Frame", (), {"x0": 0, "y0": 0, "x1": 1000, "y1": 700})
    _, box, _ = _place(990, 350, 120, 14, 1.0, frame, [])
    assert box.right <= 1000


def test_boxes_overlap_by_their_common_area():
    assert Box(0, 0, 4, 4).overlap(Box(2, 3, 9, 9)) == 2
    assert Box(0, 0, 4, 4).overlap(Box(4, 0, 9, 9)) == 0


@pytest.mark.parametrize(("value", "text"), [(9.87, "9.9"), (99.94, "99.9"), (1234.5, "1,234")])
def test_microseconds_have_about_three_digits(value, text):
    assert microseconds(value) == text

"""What a run leaves for people: table, Markdown, picture and page, from figures made up."""

import json
import re
from dataclasses import replace
from pathlib import Path

import cv2
import jsonschema
import pytest

from glyphlite.benchmarks.front import pareto_front
from glyphlite.benchmarks.plot import LABEL_RADII, Box, _place
from glyphlite.benchmarks.report import markdown, microseconds, to_json, write_reports
from glyphlite.benchmarks.result_file import validate
from glyphlite.benchmarks.run import PeerRow
from glyphlite.benchmarks.terminal import text_table


def test_table_is_aligned_and_starts_with_what_a_reader_must_know(run):
    lines = text_table(run).splitlines()
    assert lines[0].startswith("! The machine was busy")
    table = lines[3:-1]
    ends = [line.index("29,920") + len("29,920") for line in table[2:]]
    assert {table[0].index("bytes") + len("bytes")} == set(ends)
    assert re.search(
        r" 29,920 +41 +0\.41 \[0\.30, 0\.56\] +12\.3 +30\.0 +50,000 +310 +92 +0\.50 +1\.2 +39\.0$", table[2]
    )
    assert "\x1b[" not in text_table(run) and "\x1b[" in text_table(run, 200, colour=True)


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160, 200])
def test_a_narrow_terminal_gets_fewer_columns_and_whole_ones(run, row, width):
    """The artifact, its bytes, errors and p50 are always there, and a line tells where the rest is."""
    name = "own/channels50_distill_static_wi8_ai8.tflite"
    peer = PeerRow("OpenCV dnn", 17, 10_000, row().latency, 1234.5, name)
    lines = text_table(replace(run, rows=(*run.rows, row(name, 1234, 5678.0)), peers=(peer,)), width).splitlines()
    assert max(map(len, lines)) <= width
    (last,) = (line for line in lines if re.search("own/.*tflite +29,920", line))
    assert {"29,920", "1,234", "5,678"} <= set(last.split()) and (name in last or width < 80)
    (beside,) = (line for line in lines if "OpenCV dnn" in line)
    assert {"17", "12.3", "1,234.5"} <= set(beside.split())
    table = lines[: lines.index(last)]
    assert not any("…" in line for line in table) or width < 80
    told = " ".join(lines[-3:])
    assert ("no room here for × bound" in told and "results.md or index.html" in told) == (width < 200)


def test_what_no_artifact_has_gets_no_column(run):
    assert "µJ" in text_table(run) and "| µJ |" in markdown(run)
    unknown = replace(run, rows=tuple(replace(one, watts=None, stages=None) for one in run.rows))
    assert "µJ" not in text_table(unknown) and "bytes to label" not in markdown(unknown)


def test_markdown_has_notes_rows_and_the_machine(run):
    text = markdown(run)
    assert text.index("> The machine was busy") < text.index(
        "| digits/float32.tflite | litert | 29,920 | 25,000 | 24,000 | 41 |"
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


def test_picture_is_drawn_without_errors_and_at_all_errors(run, row, tmp_path):
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
    assert "<td>conv1</td><td>Conv</td><td>7</td><td>78</td>" in page


def test_the_front_is_what_nothing_beats_in_both(row):
    rows = [row("a", 50, 10), row("b", 40, 20), row("c", 60, 15), row("d", 40, 30), row("e", 10, 90)]
    assert [rows[i].artifact for i in pareto_front(rows)] == ["a", "b", "e"]


def test_results_hold_to_the_published_schema(run, tmp_path):
    document = to_json(run)
    validate(document)
    del document["results"][0]["errors"]
    with pytest.raises(jsonschema.ValidationError, match="'errors' is a required property"):
        validate(document)
    assert json.loads((Path(__file__).parents[2] / "docs/bench.schema.json").read_text())["title"].endswith("schema 6")


def test_a_partial_run_says_so_and_leaves_out_what_was_not_measured(run, tmp_path):
    cut = replace(run, rows=tuple(replace(one, cost=None, throughput=None) for one in run.rows), partial=True)
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

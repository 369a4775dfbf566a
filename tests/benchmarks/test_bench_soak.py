"""An image answered for long: what is seen each second, and that memory stays."""

import csv
import json

import pytest

from glyphlite.benchmarks.soak import soak
from glyphlite.runtime import ModelError, Recognizer
from glyphlite.runtime.bundle import samples_folder


def test_memory_does_not_grow():
    """20,000 glyphs; `glyphlite bench soak --predictions 100000 --max-growth-mib 2` is the long run."""
    found = soak(Recognizer.load("digits-lenet5"), None, seconds=0, least=20_000)
    assert found.predictions >= 20_000
    assert found.growth_mib is None or found.growth_mib < 2


def test_the_command_writes_what_it_saw(glyphlite, tmp_path):
    arguments = ("bench", "soak", "--minutes", "0", "--predictions", "20", "--image", samples_folder() / "9-kraft.png")
    code, out, _ = glyphlite(*arguments, "--out", tmp_path, "--json")
    assert code == 0
    told, document = json.loads(out), json.loads((tmp_path / "soak.json").read_text())
    assert told["predictions"] == document["predictions"] >= 20
    assert document["device"]["usable_cores"] >= 1
    with (tmp_path / "soak.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sum(int(row["predictions"]) for row in rows) == told["predictions"]
    assert (tmp_path / "soak.png").stat().st_size > 10_000


def test_a_line_reader_wants_lines_and_no_time_is_one_second_at_least():
    reader = Recognizer.load("digits-line", alone=True)
    with pytest.raises(ModelError, match="digits-line: reads lines; wanted an image"):
        soak(reader, None, seconds=0)
    assert len(soak(reader, (samples_folder() / "9-kraft.png").read_bytes(), seconds=0, least=1).seconds) == 1


def test_growth_beyond_the_limit_is_a_regression(glyphlite, tmp_path, monkeypatch):
    sizes = iter([97.0, 98.0, 99.0, 100.0, 101.0, 103.5])  # while it settles, before, of the one second, after
    monkeypatch.setattr("glyphlite.benchmarks.soak.resident_mib", lambda: next(sizes))
    limits = ("--minutes", "0", "--predictions", "1", "--max-growth-mib", "2")
    code, out, _ = glyphlite("bench", "soak", *limits, "--out", tmp_path)
    assert code == 1
    assert "resident memory +3.50 MiB" in out
    code, _, err = glyphlite("bench", "soak", *limits, "--image", tmp_path / "gone.png", "--out", tmp_path)
    assert code == 2 and "gone.png: cannot be read" in err

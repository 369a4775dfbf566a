"""`glyphlite watch` as a person runs it, and the loop around a frame: disks, clocks and cameras that fail."""

import json
import signal
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path

import cv2
import pytest
from drawn import write
from meter import FastClock, Meter, drawn_digits, wait_until

from glyphlite.runtime.watch import loop as loops
from glyphlite.runtime.watch.clock import Clock
from glyphlite.runtime.watch.folder import Folder
from glyphlite.runtime.watch.loop import Watcher
from glyphlite.runtime.watch.rules import State
from glyphlite.runtime.watch.settings import Counter, Region, Settings, Source
from glyphlite.runtime.watch.store import Store

GLYPHLITE = [sys.executable, str(Path(sys.executable).with_name("glyphlite"))]
SETTINGS = """
name = "cellar"
[source]
folder = "in"
settle = 0.1
patience = 0.3
[[region]]
name = "total"
digits = 4
decimals = 1
[region.counter]
max_per_hour = 100
start = 120
[csv]
file = "out.csv"
"""


@pytest.fixture
def cellar(tmp_path):
    """A folder with settings and three pictures: 120.1, 120.2 and an empty file."""
    (tmp_path / "watch.toml").write_text(SETTINGS)
    (tmp_path / "in").mkdir()
    cv2.imwrite(str(tmp_path / "in" / "1.png"), write("1201"))
    cv2.imwrite(str(tmp_path / "in" / "2.png"), write("1202"))
    (tmp_path / "in" / "3.jpg").touch()
    return tmp_path


def run(folder, *options):
    done = subprocess.run([*GLYPHLITE, "watch", *options, "watch.toml"], cwd=folder, capture_output=True, timeout=60)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def rows(folder):
    return [line.split(",")[3:] for line in (folder / "out.csv").read_text().splitlines()[1:]]


def test_files_that_lie_there_are_read_once(cellar):
    code, out, err = run(cellar, "--once")
    assert (code, out) == (0, "")
    assert err.splitlines() == [
        "glyphlite: watching in with digits-edge, for csv",
        "glyphlite: 3.jpg: empty (0 bytes); wanted an image file (JPEG, PNG, WebP, BMP, TIFF or GIF)",
    ]
    values = rows(cellar)
    assert [row[1] for row in values] == ["120.1", "120.2", ""]
    assert values[2][3].startswith('"3.jpg: empty (0 bytes)')
    cv2.imwrite(str(cellar / "in" / "4.png"), write("1203"))
    assert run(cellar, "--once")[0] == 0
    assert [row[1] for row in rows(cellar)] == ["120.1", "120.2", "", "120.3"]


def test_check_says_what_is_seen_and_keeps_nothing(cellar):
    code, out, _ = run(cellar, "--check")
    assert code == 0
    assert out.splitlines()[0] == "in: 341 × 120 pixels"
    assert out.splitlines()[1].startswith("total           120.1 ")
    assert not (cellar / "watch.sqlite").exists()


def test_a_new_meter_is_set(cellar):
    assert run(cellar, "--set", "total=5.5")[0] == 0
    assert run(cellar, "--once")[0] == 0
    assert rows(cellar)[0][3] == "120.1 after 005.5: more than 100 an hour"
    for wrong in ("total=1000", "other=1"):
        code, _, err = run(cellar, "--set", wrong)
        assert code == 2
        assert f"--set {wrong}: " in err


def test_what_is_refused_is_told_with_its_point(cellar):
    (cellar / "watch.toml").write_text(SETTINGS.split("[csv]")[0].replace("start = 120", "start = 5.5"))
    told = [json.loads(line) for line in run(cellar, "--once")[1].splitlines()]
    assert (told[0]["kind"], told[0]["value"], told[0]["seen"]) == ("refused", None, "120.1")
    assert (told[-1]["kind"], told[-1]["seen"]) == ("refused", None)


def test_a_mistake_in_the_settings(cellar):
    (cellar / "watch.toml").write_text(SETTINGS.replace("max_per_hour", "max_per_day"))
    code, _, err = run(cellar)
    said = "line 12: region: counter: unknown field 'max_per_day'; did you mean max_per_hour?"
    assert (code, err) == (2, f"glyphlite: watch.toml: {said}\n")


def test_stdout_that_is_closed_or_that_nobody_reads(cellar):
    (cellar / "watch.toml").write_text(SETTINGS.split("[csv]")[0])
    done = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *GLYPHLITE, "watch", "watch.toml"], cwd=cellar, capture_output=True, timeout=60
    )
    assert (done.returncode, done.stderr.decode()) == (
        2,
        "glyphlite: stdout: is closed; wanted an open one, or another place for readings\n",
    )
    watch = [*GLYPHLITE, "watch", "watch.toml"]
    with subprocess.Popen(watch, cwd=cellar, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.wait(60) == 0
        said = process.stderr.read().decode().splitlines()
    assert "glyphlite: stdout: nobody reads it; what waits is sent after the next start" in said
    assert len(run(cellar, "--once")[1].splitlines()) == 3


def test_it_ends_at_sigterm(cellar):
    process = subprocess.Popen([*GLYPHLITE, "watch", "watch.toml"], cwd=cellar, stderr=subprocess.PIPE)
    assert wait_until(lambda: (cellar / "out.csv").exists() and len(rows(cellar)) == 3)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


# --- the loop --------------------------------------------------------------------------------------------------------


@pytest.fixture
def watched(model, tmp_path):
    """Runs a drawn meter for some minutes; `each` is called before every frame with its number, and may do anything."""

    def run(minutes, each=lambda number: None, sinks=()):
        clock, said, stop, kept = FastClock(), [], threading.Event(), []
        meter = Meter(drawn_digits(), clock, digits=2, start=10.5, speed=60.0, bad=0, rolls=False)
        region = Region(
            "total", digits=2, min_confidence=0.3, counter=Counter(max_per_hour=60, start=10, confirm=False)
        )
        store = Store(tmp_path / "watch.sqlite", 1, [])
        run.clock, run.meter, run.store, run.said = clock, meter, store, said
        keep, take, numbers = store.keep, meter.take, iter(range(minutes))

        def counted(wait):
            number = next(numbers, None)
            if number is None:
                stop.set()
                return None
            each(number)
            return take(wait)

        meter.take = counted
        store.keep = lambda records, *rest: (keep(records, *rest), kept.extend(records))
        settings = Settings("m", Source(camera="0"), (region,), interval=60)
        Watcher(settings, model, meter, store, [], said.append, clock).run(stop)
        store.close()
        return [record.body["value"] for record in kept], kept

    return run


def test_a_reading_a_minute(watched):
    values, kept = watched(5)
    assert values == ["10", "11", "12", "13", "14"]
    assert [record.body["time"][14:19] for record in kept] == ["13:20", "14:20", "15:20", "16:20", "17:20"]
    assert len({record.id for record in kept}) == 5


def test_a_clock_that_was_ahead_before_the_start_freezes_nothing(watched, tmp_path):
    store = Store(tmp_path / "watch.sqlite", 1, [])
    store.keep([], {"counter/total": asdict(State(10, 4e9))})
    store.close()

    def each(number):
        if number == 2:
            watched.clock.wait(threading.Event(), 600)  # no frame comes

    assert watched(3, each)[0] == ["10", "11", "22"]


@pytest.mark.parametrize("jump", [7200, -7200])
def test_a_clock_that_is_set_while_it_runs(watched, jump):
    """Forward it gives the counter no time to leap, backward it holds nothing up."""

    def each(number):
        if number == 2:
            watched.clock.time += jump
        if number == 3:
            watched.meter.start += 50  # a misread that two hours would allow
        if number == 4:
            watched.meter.start -= 50

    values, _ = watched(7, each)
    assert values == ["10", "11", "12", None, "14", "15", "16"]
    assert watched.said[0] == f"the clock was set by {jump:+,d} s"


def test_a_full_store_forgets_pictures_that_are_gone_but_none_for_an_empty_folder(model, tmp_path):
    """A stick that is not mounted shows no picture."""
    store, clock = Store(tmp_path / "watch.sqlite", 1, []), Clock()
    store.keep([], {}, "read.jpg")
    store.has_room = lambda: False
    settings = Settings("m", Source(folder="in", settle=0), (Region("total", digits=2),))
    (tmp_path / "in").mkdir()
    for there in (False, True):
        if there:
            (tmp_path / "in" / "other.jpg").touch()
        folder = Folder(tmp_path / "in", settings.source, clock, store.is_done, print)
        Watcher(settings, model, folder, store, [], print, clock).run(threading.Event(), once=True)
        assert store.is_done("read.jpg") is not there
    store.close()


def test_a_camera_that_is_gone_for_a_while(watched):
    def each(number):
        watched.meter.spoiled = lambda pixels, kind: None
        watched.meter.bad = 1.0 if number in (1, 2) else 0.0

    values, kept = watched(5, each)
    assert values == ["10", None, None, "13", "14"]
    assert kept[1].body["reason"] == "no picture comes"
    assert watched.said == ["no picture comes"]


def test_a_disk_that_is_full_for_a_while_loses_no_reading(watched, monkeypatch):
    """A limit on the file stands in for the disk: SQLite gets the same answer."""
    monkeypatch.setattr(loops, "RETRY_S", 0.0)
    tries = []

    def each(number):
        if number == 2:
            (pages,) = watched.store._base.execute("PRAGMA page_count").fetchone()
            watched.store._base.execute("CREATE TABLE filler (x)")
            watched.store._base.execute(f"PRAGMA max_page_count = {pages + 1}")
            watched.store._base.execute("INSERT INTO filler VALUES (zeroblob(500))")
            keep = watched.store.keep

            def room_at_the_third_try(*what):
                tries.append(1)
                if len(tries) == 3:
                    watched.store._base.execute("PRAGMA max_page_count = 200")
                big = [type(one)(one.id, {**one.body, "more": "x" * 9000}, one.seq) for one in what[0]]
                keep(big, *what[1:])

            watched.store.keep = room_at_the_third_try

    values, _ = watched(5, each)
    assert values == ["10", "11", "12", "13", "14"]
    assert len(tries) == 5
    assert watched.said == [f"{watched.store.path}: database or disk is full; the reading waits"]

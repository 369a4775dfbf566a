"""The store: what is kept is there after anything, and what cannot be kept is said."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from glyphlite.runtime import StoreError
from glyphlite.runtime.watch import store as stores
from glyphlite.runtime.watch.store import Record, Store


def records(*names, size=0):
    return [Record(name, {"id": name, "text": "x" * size}) for name in names]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "watch.sqlite"


def ids(store, sink="csv"):
    return [record.id for record in store.waiting(sink, 1000)]


def test_a_frame_is_kept_whole_and_once(path):
    store = Store(path, 1, ["csv"])
    store.keep(records("a", "b"), {"counter/total": {"value": 7}}, "one.jpg")
    store.keep(records("a", "b"), {}, "one.jpg")
    store.close()
    again = Store(path, 1, ["csv"])
    assert again.is_done("one.jpg")
    assert not again.is_done("two.jpg")
    assert again.state("counter/total") == {"value": 7}
    assert again.state("other") is None
    assert ids(again) == ["a", "b"]
    again.close()


def test_each_sink_has_its_own_place(path):
    store = Store(path, 1, ["csv", "mqtt"])
    store.keep(records("a", "b", "c"), {})
    store.arrived("csv", store.waiting("csv", 9)[1].seq)
    store.arrived_id("mqtt", "a")
    store.arrived_id("mqtt", "never heard of")
    assert (ids(store), ids(store, "mqtt")) == (["c"], ["b", "c"])
    assert store.backlog("mqtt") == 2
    store.close()
    later = Store(path, 1, ["mqtt"])  # csv is wanted no more, and holds nothing up
    assert ids(later, "mqtt") == ["b", "c"]
    later.close()


def test_a_killed_process_leaves_all_that_was_kept(path):
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from glyphlite.runtime.watch.store import Record, Store\n"
        "store = Store(Path(sys.argv[1]), 1, ['csv'])\n"
        "for at in range(50): store.keep([Record(str(at), {})], {'n': at}, f'{at}.jpg')\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)]).returncode == -9
    store = Store(path, 1, ["csv"])
    assert ids(store) == [str(at) for at in range(50)]
    assert store.state("n") == 49
    store.close()


def test_two_processes_do_not_share_it(path):
    store = Store(path, 1, ["csv"])
    with pytest.raises(StoreError, match=r"watch\.sqlite: another process watches with it"):
        Store(path, 1, ["csv"])
    store.close()
    Store(path, 1, ["csv"]).close()


def test_it_stays_within_its_budget_and_what_arrived_makes_room(path, monkeypatch):
    monkeypatch.setattr(stores, "KEPT", 0)
    store = Store(path, 1, ["csv"])
    count = 0
    while store.has_room():
        store.keep(records(str(count), size=2000), {})
        count += 1
    assert sum(file.stat().st_size for file in path.parent.iterdir()) <= 2**20
    assert ids(store)[:2] == ["0", "1"]  # nothing was pushed out
    with pytest.raises(StoreError, match="full"):
        for more in range(200):
            store.keep(records(f"more {more}", size=2000), {})
    store.arrived("csv", store.waiting("csv", 1000)[-1].seq)
    assert store.has_room()
    store.keep(records("new"), {})
    assert ids(store) == ["new"]
    store.close()


def test_frames_that_can_come_no_more_are_forgotten(path):
    store = Store(path, 1, [])
    for name in ("a", "b", "c"):
        store.keep([], {}, name)
    store.forget_other_frames(["b"])
    assert [store.is_done(name) for name in ("a", "b", "c")] == [False, True, False]
    store.close()


def test_a_file_of_another_program(path):
    path.parent.mkdir()
    base = sqlite3.connect(path)
    base.execute("CREATE TABLE theirs (x)")
    base.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="a database of another program"):
        Store(path, 1, [])
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]


def test_a_new_file_and_an_old_one_have_a_write_ahead_log(path):
    for _ in range(2):
        store = Store(path, 1, [])
        assert store._one("PRAGMA journal_mode") == ("wal",)
        store.close()


def test_a_file_that_is_no_database(path):
    path.parent.mkdir()
    path.write_bytes(b"not a database at all" * 500)
    with pytest.raises(StoreError, match="file is not a database; move it away"):
        Store(path, 1, [])
    assert path.read_bytes().startswith(b"not a database")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a file system that cannot be written: Linux's /proc")
def test_a_file_system_that_cannot_be_written():
    with pytest.raises(StoreError, match="/proc/self/state: cannot be made"):
        Store(Path("/proc/self/state/watch.sqlite"), 1, [])
    with pytest.raises(StoreError, match="unable to open database file"):
        Store(Path("/proc/self/watch.sqlite"), 1, [])

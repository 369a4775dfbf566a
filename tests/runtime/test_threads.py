"""Cores that may be used, by taskset and control groups; threads that are worth it, measured once."""

import os
import subprocess
import sys

import numpy as np
import pytest

from glyphlite.runtime import Recognizer
from glyphlite.runtime import threads as threading_choice
from glyphlite.runtime.cores import usable_cores
from glyphlite.runtime.threads import best_threads, cache_file, chosen

ALL = len(os.sched_getaffinity(0))


def system(root, cgroup, **files):
    """A file system with a process's control groups."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(cgroup)
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("cgroup", "files", "cores"),
    [
        ("0::/\n", {}, ALL),
        ("0::/\n", {"cpu.max": "max 100000\n"}, ALL),
        ("0::/a/b\n", {"a/b/cpu.max": "100000 100000\n"}, 1),
        ("0::/a/b\n", {"a/cpu.max": "150000 100000\n", "a/b/cpu.max": "max 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "20000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "900000000 100000\n"}, ALL),
        ("0::/\n", {"cpu.max": "nonsense"}, ALL),
        (
            "5:memory:/x\n4:cpu,cpuacct:/x\n",
            {"cpu,cpuacct/x/cpu.cfs_quota_us": "100000", "cpu,cpuacct/x/cpu.cfs_period_us": "100000"},
            1,
        ),
        ("4:cpu:/x\n", {"cpu/x/cpu.cfs_quota_us": "-1", "cpu/x/cpu.cfs_period_us": "100000"}, ALL),
    ],
)
def test_a_control_group_limits_the_cores(tmp_path, cgroup, files, cores):
    assert usable_cores(system(tmp_path, cgroup, **files)) == cores


def test_no_control_groups(tmp_path):
    assert usable_cores(tmp_path) == ALL


def test_taskset_limits_the_cores():
    one = min(os.sched_getaffinity(0))
    code = (
        f"import os; os.sched_setaffinity(0, [{one}])\n"
        "from glyphlite.runtime.cores import usable_cores; print(usable_cores())"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "1\n"


@pytest.mark.parametrize(
    ("times", "best"),
    [
        ({1: [100] * 9}, 1),
        ({1: [100] * 9, 2: [95] * 9}, 1),  # not worth it
        ({1: [100] * 9, 2: [60] * 9}, 2),
        ({1: [100] * 9, 2: [60] * 9, 4: [40] * 9}, 4),
        ({1: [100] * 9, 2: [60] * 9, 4: [58] * 9}, 2),
        ({1: [100] * 9, 2: [60] * 7 + [900] * 2}, 1),  # faster in the median, but now and then it waits for a core
    ],
)
def test_more_threads_only_where_they_are_clearly_faster(times, best):
    assert chosen(times) == best


def test_it_is_measured_once_a_machine(tmp_path, monkeypatch, model):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(threading_choice, "usable_cores", lambda: 4)
    asked = []

    def measured(calls):
        asked.append(sorted(calls))
        return {1: [9], 2: [1], 4: [1]}

    monkeypatch.setattr(threading_choice, "measured", measured)
    path = tmp_path / "artifact"
    path.write_bytes(b"one")
    for _ in range(3):
        assert best_threads(path, lambda count: model.engine) == 2
    path.write_bytes(b"another")
    best_threads(path, lambda count: model.engine)
    assert asked == [[1, 2, 4]] * 2
    cache_file().write_text("{broken")
    assert best_threads(path, lambda count: model.engine) == 2


def test_the_answers_are_the_same(tmp_path, monkeypatch, model_name, model):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    chosen_by_itself = Recognizer.load(model_name, threads=0)
    glyphs = np.zeros((3, 28, 28), np.uint8)
    assert (chosen_by_itself.predict_batch(glyphs) == model.predict_batch(glyphs)).all()


def test_where_nothing_can_be_remembered(tmp_path, monkeypatch, model):
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    monkeypatch.setattr(threading_choice, "usable_cores", lambda: 2)
    (tmp_path / "artifact").write_bytes(b"one")
    assert best_threads(tmp_path / "artifact", lambda count: model.engine) in (1, 2)

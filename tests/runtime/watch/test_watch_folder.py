"""A folder as a source: pictures that come whole, in pieces, damaged, or a hundred thousand at once."""

import os
import re
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from glyphlite.runtime import SourceError
from glyphlite.runtime.watch import folder as folders
from glyphlite.runtime.watch.clock import Clock
from glyphlite.runtime.watch.folder import Folder
from glyphlite.runtime.watch.settings import Source

PICTURE = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))[1].tobytes()
SETTLE = 0.1


@pytest.fixture(params=["inotify", "listing"])
def opened(request, tmp_path, monkeypatch):
    """Opens the folder; what is done stays done."""
    monkeypatch.setattr(folders, "POLL_S", 0.05)
    if request.param == "listing":
        monkeypatch.setattr(folders, "_inotify", lambda path: None)
    else:
        pytest.importorskip("inotify_simple")
    made, kept, said = [], set(), []

    def open_it(**settings):
        source = Source(folder=".", settle=SETTLE, **{"patience": 0.5, **settings})
        folder = Folder(tmp_path, source, Clock(), kept.__contains__, said.append)
        done = folder.done
        folder.done = lambda frame: (kept.add(frame.key), done(frame))
        made.append(folder)
        return folder

    open_it.kept, open_it.said = kept, said
    yield open_it
    for one in made:
        one.close()


def names(folder, count=99, wait=0.5):
    """Names of the next frames."""
    found = []
    while len(found) < count and (frame := folder.take(wait)) is not None:
        found.append(frame.key.split(":")[0])
        folder.done(frame)
    return found


def test_what_lies_there_comes_first_and_the_oldest_first(opened, tmp_path):
    for age, name in enumerate(("b.jpg", "a.png", "c.JPG")):
        (tmp_path / name).write_bytes(PICTURE)
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    (tmp_path / ".hidden.jpg").write_bytes(PICTURE)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "folder.jpg").mkdir()
    folder = opened()
    assert names(folder) == ["c.JPG", "a.png", "b.jpg"]
    (tmp_path / "later.jpg").write_bytes(PICTURE)
    assert names(folder) == ["later.jpg"]


def test_a_frame_is_the_whole_picture_at_the_files_time(opened, tmp_path):
    large = np.zeros((900, 1700, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "large.jpg"), large)
    os.utime(tmp_path / "large.jpg", (5000, 5000))
    frame = opened(rotate=90).take(1)
    assert frame.pixels.shape == (1700, 900, 3)
    assert frame.time == 5000


def test_a_picture_that_is_still_copied_waits_until_it_is_whole(opened, tmp_path):
    folder = opened(patience=20)
    with (tmp_path / "slow.jpg").open("wb", buffering=0) as file:
        file.write(PICTURE[: len(PICTURE) // 2])
        assert folder.take(3 * SETTLE) is None
        file.write(PICTURE[len(PICTURE) // 2 :])
    frame = folder.take(2)
    assert frame.pixels is not None


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"", r"bad.jpg: empty \(0 bytes\)"), (PICTURE[:-400], "cut-short JPEG"), (b"<html>" * 9, "HTML; wanted JPEG")],
    ids=["empty", "cut", "html"],
)
def test_a_picture_that_stays_damaged_is_a_frame_with_a_problem(opened, tmp_path, content, problem):
    (tmp_path / "bad.jpg").write_bytes(content)
    folder = opened()
    begun = time.monotonic()
    frame = folder.take(5)
    assert frame.pixels is None
    assert re.search(problem, frame.problem)
    assert time.monotonic() - begun > 0.4  # it had its time to become whole
    folder.done(frame)
    assert folder.take(0.3) is None  # and it is told once


def test_a_damaged_picture_of_yesterday_grows_no_more(opened, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(PICTURE[:-400])
    os.utime(tmp_path / "bad.jpg", (5000, 5000))
    assert "cut-short JPEG" in opened(patience=60).take(1).problem


def test_what_is_no_file_is_none_when_it_comes_either(opened, tmp_path):
    folder = opened()
    assert folder.take(SETTLE) is None
    (tmp_path / "folder.jpg").mkdir()
    assert folder.take(1) is None
    os.mkfifo(tmp_path / "pipe.jpg")
    assert folder.take(1) is None


def test_what_was_read_before_is_not_read_again_unless_it_changes(opened, tmp_path):
    path = tmp_path / "one.jpg"
    path.write_bytes(PICTURE)
    folder = opened()
    folder.done(folder.take(1))
    again = opened()
    assert again.take(0.4) is None
    os.utime(path, (2000, 2000))
    path.rename(tmp_path / "two.jpg")  # as a camera that writes the same name again and again
    (tmp_path / "two.jpg").rename(path)
    assert again.take(1).time == 2000


def test_files_that_are_done_can_be_deleted(opened, tmp_path):
    (tmp_path / "one.jpg").write_bytes(PICTURE)
    folder = opened(after="delete")
    frame = folder.take(1)
    assert (tmp_path / "one.jpg").exists()
    folder.done(frame)
    assert not (tmp_path / "one.jpg").exists()


def test_what_could_not_be_read_is_not_deleted_and_not_read_again(opened, tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "RELIST_S", 0.1)
    (tmp_path / "old.png").write_text("no picture")
    os.utime(tmp_path / "old.png", (0, 0))  # it will not grow any more
    folder = opened(after="delete")
    frame = folder.take(2)
    assert frame.pixels is None and "old.png" in frame.problem
    folder.done(frame)
    assert folder.take(0.5) is None
    assert (tmp_path / "old.png").read_text() == "no picture" and frame.key in set(folder.keys())


def test_a_file_that_cannot_be_deleted_is_told_once_and_tried_again(opened, tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "RELIST_S", 0.1)
    path, unlink = tmp_path / "one.jpg", Path.unlink

    def refused(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refused)
    path.write_bytes(PICTURE)
    folder = opened(after="delete")
    assert names(folder) == ["one.jpg"]
    assert path.exists()
    assert [line.split(": ")[1] for line in opened.said] == [
        "was read and cannot be deleted (Permission denied); tried again"
    ]
    monkeypatch.setattr(Path, "unlink", unlink)
    assert folder.take(0.5) is None
    assert not path.exists()


def test_a_picture_that_the_disk_does_not_give_is_told_once_and_tried_again(opened, tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "RELIST_S", 0.1)
    path, read_bytes = tmp_path / "one.jpg", Path.read_bytes

    def refused(path):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "read_bytes", refused)
    path.write_bytes(PICTURE)
    os.utime(path, (5000, 5000))  # one that did not decode would be told as damaged at once
    folder = opened()
    assert folder.take(0.5) is None
    assert opened.said == [f"{path}: cannot be read (Input/output error); tried again"]
    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    assert folder.take(1).pixels is not None


def test_a_broken_file_that_goes_is_forgotten(opened, tmp_path):
    folder = opened(patience=60)
    (tmp_path / "half.jpg").write_bytes(PICTURE[:-400])
    assert folder.take(3 * SETTLE) is None and list(folder._broken) == ["half.jpg"]
    (tmp_path / "half.jpg").unlink()
    assert folder.take(3 * SETTLE) is None and not folder._broken


def test_a_file_that_was_kept_by_a_process_that_died_is_deleted(opened, tmp_path):
    (tmp_path / "one.jpg").write_bytes(PICTURE)
    opened.kept.add(opened().take(1).key)
    assert opened(after="delete").take(0.3) is None
    assert not (tmp_path / "one.jpg").exists()


def test_a_file_that_took_the_place_of_a_done_one_is_not_deleted(opened, tmp_path):
    (tmp_path / "one.jpg").write_bytes(PICTURE)
    folder = opened(after="delete")
    frame = folder.take(1)
    (tmp_path / "one.jpg").write_bytes(PICTURE + b"\0")
    folder.done(frame)
    assert (tmp_path / "one.jpg").exists()


def test_no_folder(tmp_path):
    with pytest.raises(SourceError, match="nowhere: no such folder"):
        Folder(tmp_path / "nowhere", Source(folder="."), Clock(), set().__contains__, print)


def test_a_hundred_thousand_files(tmp_path):
    """Links to a hundred pictures, for the disk's sake; 10 of them are new."""
    for at in range(0, 100_000):
        if at % 1000 == 0:
            first = tmp_path / f"{at:06}.jpg"
            first.write_bytes(PICTURE)
        else:
            os.link(first, tmp_path / f"{at:06}.jpg")
    new = {f"{at:06}.jpg" for at in range(0, 100_000, 10_000)}
    folder = Folder(tmp_path, Source(folder=".", settle=0), Clock(), lambda key: key.split(":")[0] not in new, print)
    assert set(names(folder, count=10)) == new
    folder.close()


def test_a_folder_that_goes_and_comes_back_is_read_again(opened, tmp_path, monkeypatch):
    """A stick that is pulled and put in again."""
    monkeypatch.setattr(folders, "RELIST_S", 0.2)
    folder = opened()
    (tmp_path / "1.jpg").write_bytes(PICTURE)
    assert names(folder, count=1) == ["1.jpg"]
    moved = tmp_path.with_name(f"{tmp_path.name}-away")
    tmp_path.rename(moved)
    with pytest.raises(SourceError, match="cannot be listed"):
        for _ in range(40):
            folder.take(0.1)
    moved.rename(tmp_path)
    (tmp_path / "2.jpg").write_bytes(PICTURE)
    assert names(folder, count=1, wait=2) == ["2.jpg"]


def test_a_name_of_any_bytes_is_told_as_text(opened, tmp_path):
    (tmp_path / os.fsdecode(b"\xe9t\xe9.jpg")).write_bytes(b"no picture")
    frame = opened(patience=0.1).take(2)
    assert frame.pixels is None and frame.problem.encode().startswith("\ufffdt\ufffd.jpg".encode())


def test_what_inotify_does_not_tell_is_found_by_the_folders_own_change(tmp_path, monkeypatch):
    """A network drive that another machine writes to."""
    pytest.importorskip("inotify_simple")
    monkeypatch.setattr(folders, "RELIST_S", 0.2)
    folder = Folder(tmp_path, Source(folder=".", settle=SETTLE), Clock(), lambda key: False, print)
    assert folder.take(0.1) is None
    monkeypatch.setattr(folder._notices, "read", lambda timeout: time.sleep(timeout / 1000) or [])
    (tmp_path / "1.jpg").write_bytes(PICTURE)
    assert names(folder, count=1, wait=3) == ["1.jpg"]
    folder.close()

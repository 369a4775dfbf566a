"""Files are whole or not there."""

import hashlib
import json
import os
import stat
import subprocess
import sys

import pytest

from glyphlite.runtime.files import replacing, sha256_file, write_bytes, write_json


def test_the_file_appears_when_the_block_ends_well(tmp_path):
    path = tmp_path / "made" / "on" / "the" / "way" / "model.tflite"
    with replacing(path) as temporary:
        temporary.write_bytes(b"weights")
        assert temporary.parent == path.parent
        assert temporary.suffix == ".tflite"
        assert not path.exists()
    assert path.read_bytes() == b"weights"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, stop):
    path = tmp_path / "card.json"
    path.write_text("old")
    with pytest.raises(stop), replacing(path) as temporary:
        temporary.write_text("half of the n")
        raise stop
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_others_may_read_what_was_written(tmp_path):
    write_bytes(tmp_path / "shared", b"x")
    assert stat.S_IMODE((tmp_path / "shared").stat().st_mode) == 0o644


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path):
    real, link = tmp_path / "there" / "card.json", tmp_path / "card.json"
    link.symlink_to(real)
    for content in (b"first", b"second"):
        write_bytes(link, content)
        assert link.is_symlink() and real.read_bytes() == content
    assert list(real.parent.iterdir()) == [real]


def test_a_pipe_is_written_to(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_bytes(pipe, b"content")
    assert os.read(reader, 99) == b"content"
    os.close(reader)
    assert pipe.is_fifo() and list(tmp_path.iterdir()) == [pipe]


def test_stdout_is_written_to(tmp_path):
    link = tmp_path / "stdout"
    link.symlink_to("/proc/self/fd/1")  # as /dev/stdout is, which a failing test would replace
    program = "import sys; from glyphlite.runtime.files import write_bytes; write_bytes(sys.argv[1], b'x')"
    assert subprocess.run([sys.executable, "-c", program, link], stdout=subprocess.PIPE, check=True).stdout == b"x"
    assert link.is_symlink()


def test_json_is_for_people(tmp_path):
    write_json(tmp_path / "card.json", {"labels": ["é", "字"], "errors": None})
    text = (tmp_path / "card.json").read_text("utf-8")
    assert "字" in text
    assert text.endswith("}\n")
    assert json.loads(text) == {"labels": ["é", "字"], "errors": None}


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1])
def test_sha256_of_a_file(tmp_path, size):
    data = bytes(range(256)) * (size // 256 + 1)
    (tmp_path / "data").write_bytes(data[:size])
    assert sha256_file(tmp_path / "data") == hashlib.sha256(data[:size]).hexdigest()

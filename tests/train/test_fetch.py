"""Fetching from a server on loopback: resumed, checked, whole or not there."""

import gzip
import hashlib
import http.server
import threading
import zipfile
from typing import ClassVar

import numpy as np
import pytest

from glyphlite.runtime import DatasetError
from glyphlite.train import fetch
from glyphlite.train.idx import idx_bytes


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `content`; `cut` bytes of it only, where set; ranges, where `ranges`."""

    content = bytes(range(256)) * 2000
    cut = None
    ranges = True
    asked: ClassVar[list] = []

    def do_GET(self):
        start = 0
        wanted = self.headers.get("Range")
        self.asked.append(wanted)
        if self.path == "/missing":
            self.send_error(404)
            return
        if wanted and self.ranges:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            self.send_response(206)
        else:
            self.send_response(200)
        body = self.content[start:]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if self.cut is None else body[: self.cut])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(Handler, "cut", None)
    monkeypatch.setattr(Handler, "ranges", True)
    monkeypatch.setattr(Handler, "asked", [])
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


SHA256 = hashlib.sha256(Handler.content).hexdigest()


def test_a_whole_file_arrives_under_its_name_with_progress(server, tmp_path):
    seen = []
    fetch.download(f"{server}/x", tmp_path / "x.gz", SHA256, lambda *step: seen.append(step))
    assert (tmp_path / "x.gz").read_bytes() == Handler.content
    assert [path.name for path in tmp_path.iterdir()] == ["x.gz"]
    assert seen[-1] == ("x.gz", len(Handler.content), len(Handler.content))


@pytest.mark.parametrize("ranges", [True, False])
def test_a_cut_download_is_resumed(server, tmp_path, monkeypatch, ranges):
    monkeypatch.setattr(Handler, "cut", 100_000)
    with pytest.raises(DatasetError, match="the same command goes on"):
        fetch.download(f"{server}/x", tmp_path / "x.gz", SHA256)
    assert [path.name for path in tmp_path.iterdir()] == ["x.gz.part"]
    monkeypatch.setattr(Handler, "cut", None)
    monkeypatch.setattr(Handler, "ranges", ranges)
    fetch.download(f"{server}/x", tmp_path / "x.gz", SHA256)
    assert (tmp_path / "x.gz").read_bytes() == Handler.content
    assert Handler.asked[-1] == "bytes=100000-"


def test_other_bytes_than_the_published_are_thrown_away(server, tmp_path):
    with pytest.raises(DatasetError, match="sha256"):
        fetch.download(f"{server}/x", tmp_path / "x.gz", "0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_refuses_or_is_not_there(server, tmp_path):
    with pytest.raises(DatasetError, match="404"):
        fetch.download(f"{server}/missing", tmp_path / "x", None)
    with pytest.raises(DatasetError, match="refused"):
        fetch.download("http://127.0.0.1:9/x", tmp_path / "x", None)


def test_an_unknown_name_lists_what_can_be_fetched(tmp_path):
    with pytest.raises(DatasetError, match="mnist, emnist-balanced"):
        fetch.fetch("minst", tmp_path)


def test_mnist_files_that_are_right_are_left(server, tmp_path, monkeypatch):
    published = fetch.Published(len(Handler.content), SHA256)
    monkeypatch.setattr(fetch, "MNIST_URL", f"{server}/")
    monkeypatch.setattr(fetch, "MNIST_FILES", {"a.gz": published, "b.gz": published})
    folder = fetch.fetch("mnist", tmp_path)
    assert {path.name for path in folder.iterdir()} == {"a.gz", "b.gz"}
    (folder / "a.gz").write_bytes(b"damaged")
    fetch.fetch("mnist", tmp_path)
    assert len(Handler.asked) == 3
    assert (folder / "a.gz").read_bytes() == Handler.content


def test_emnist_is_unpacked_from_the_official_archive(tmp_path, monkeypatch):
    """A small archive in the official layout: gzip/emnist-digits-…, with another set beside it."""
    arrays = {"images-idx3": np.zeros((2, 28, 28), np.uint8), "labels-idx1": np.array([0, 1], np.uint8)}
    files = {
        f"emnist-digits-{split}-{kind}-ubyte.gz": gzip.compress(idx_bytes(array), mtime=0)
        for split in ("train", "test")
        for kind, array in arrays.items()
    }
    published = {name: fetch.Published(len(data), hashlib.sha256(data).hexdigest()) for name, data in files.items()}
    monkeypatch.setattr(fetch, "EMNIST_FILES", {**published, "emnist-letters-x.gz": fetch.Published(1, "0")})
    with zipfile.ZipFile(tmp_path / "emnist-gzip.zip", "w") as archive:
        for name, data in files.items():
            archive.writestr(f"gzip/{name}", data)
        archive.writestr("gzip/emnist-digits-mapping.txt", "0 48\n1 49\n")
    folder = fetch.fetch("emnist-digits", tmp_path)
    from glyphlite.train.datasets import load_dataset

    assert load_dataset(folder).classes == ("0", "1")


def test_an_archive_that_is_none_is_named(tmp_path):
    (tmp_path / "emnist-gzip.zip").write_bytes(b"<html>moved</html>")
    with pytest.raises(DatasetError, match="not EMNIST's archive"):
        fetch.fetch("emnist-digits", tmp_path)


def test_a_damaged_archive_is_named(tmp_path):
    path = tmp_path / "emnist-gzip.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("gzip/x", b"0123456789" * 99)
    data = bytearray(path.read_bytes())
    data[36:44] = b"\xff" * 8  # of what is packed, behind the member's header and name
    path.write_bytes(data)
    with pytest.raises(DatasetError, match="not EMNIST's archive"):
        fetch.unpack_emnist(path, "emnist-digits", tmp_path, {"x": fetch.Published(990, "")})


def test_the_table_of_published_files_is_whole():
    assert len(fetch.EMNIST_FILES) == 24
    assert all(len(known.sha256) == 64 for known in (*fetch.EMNIST_FILES.values(), *fetch.MNIST_FILES.values()))

"""The page that regions are drawn on: what it saves, and who may not reach it."""

import http.client
import json
import threading
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

pytest.importorskip("tomlkit", reason="pip install '.[watch]'")
from glyphlite.runtime import SettingsError, SourceError
from glyphlite.runtime.watch.regions import look_once, open_page
from glyphlite.runtime.watch.settings import read_settings

SETTINGS = """\
name = "cellar"  # a comment that stays

[source]
folder = "in"
settle = 0
rotate = 90

[[region]]
name = "total"
digits = 2
box = [1, 2, 3, 4]

[region.counter]
max_per_hour = 2.5  # litres

[[region]]
name = "other"
"""


@pytest.fixture
def settings(tmp_path):
    path = tmp_path / "watch.toml"
    path.write_text(SETTINGS)
    path.chmod(0o600)
    return path


@pytest.fixture
def ask(settings):
    """Asks the page: (status, body) of a method, a path below the page, a body and headers."""
    server, url = open_page(settings, np.zeros((40, 60, 3), np.uint8), 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    parts = urlsplit(url)

    def ask(method="GET", path="", body=None, root=parts.path, **headers):
        connection = http.client.HTTPConnection(parts.netloc, timeout=10)
        kind = {"Content-Type": "application/json"} if body is not None else {}
        connection.request(method, root + path, body, {**kind, **headers})
        answer = connection.getresponse()
        return answer.status, answer.read()

    yield ask
    server.shutdown()
    server.server_close()


def test_the_page_and_its_picture(ask):
    status, page = ask()
    assert status == 200
    assert b"<canvas" in page
    _, picture = ask(path="picture.png")
    assert cv2.imdecode(np.frombuffer(picture, np.uint8), 1).shape == (40, 60, 3)
    assert json.loads(ask(path="regions")[1]) == {"total": [[1, 2, 3, 4]], "other": []}


def test_what_is_drawn_is_saved_and_all_else_stays(ask, settings):
    boxes = {"total": [[1, 1, 5, 9], [7, 1, 5, 9]], "other": [[0, 0, 60, 40]]}
    assert ask("POST", "regions", json.dumps(boxes)) == (200, b"saved into watch.toml")
    total, other = read_settings(settings).region
    assert (total.boxes, total.box, other.box) == (((1, 1, 5, 9), (7, 1, 5, 9)), None, (0, 0, 60, 40))
    assert total.counter.max_per_hour == 2.5
    assert "# a comment that stays" in settings.read_text()
    assert "# litres" in settings.read_text()
    assert settings.stat().st_mode & 0o777 == 0o600
    assert ask("POST", "regions", json.dumps({"total": [], "other": []}))[0] == 200
    assert [one.box for one in read_settings(settings).region] == [None, None]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"total": [[1, 1, 5, 9]] * 3}, "digits: 2, but 3 boxes"),
        ({"total": [[1, 1, 5]]}, "wanted [x, y, width, height]"),
        ({"total": [[1, 1, 5, "9"]]}, "wanted int"),
        ({"total": "everything"}, "wanted"),
        ({"third": []}, "wanted some of total, other"),
        ([], "wanted some of total, other"),
        ([1, "a"], "boxes of [1, 'a']; wanted some of total, other"),
        (5, "boxes of 5; wanted some of total, other"),
        (None, "boxes of None; wanted some of total, other"),
    ],
)
def test_what_is_wrong_is_not_saved(ask, settings, body, message):
    status, said = ask("POST", "regions", json.dumps(body))
    assert status == 400
    assert message in said.decode()
    assert settings.read_text() == SETTINGS


def test_a_file_without_its_regions_is_told(ask, settings):
    settings.write_text('name = "cellar"\n[source]\nfolder = "in"\n')
    for answer in (ask("POST", "regions", "{}"), ask(path="regions")):
        assert answer[0] == 400 and "field 'region' is missing" in answer[1].decode()


def test_another_site_in_the_browser_does_not_get_in(ask, settings):
    assert ask(root="/")[0] == 404
    assert ask(path="../../etc/passwd")[0] == 404
    assert ask(Host="evil.example:80")[0] == 403
    assert ask("POST", "regions", "{}", Host="evil.example:80")[0] == 403
    assert ask("POST", "regions", "{}", **{"Content-Type": "text/plain"})[0] == 404
    assert (
        ask(
            "POST",
            "regions",
            "{",
        )[0]
        == 400
    )
    assert ask("POST", "regions", "x" * 70_000)[0] == 413
    assert settings.read_text() == SETTINGS


def test_the_picture_is_one_of_what_is_watched(settings, tmp_path):
    with pytest.raises(SourceError, match="no such folder"):
        look_once(settings, None)
    (tmp_path / "in").mkdir()
    cv2.imwrite(str(tmp_path / "in" / "a.png"), np.zeros((20, 30), np.uint8))
    assert look_once(settings, None).shape == (30, 20)
    assert look_once(settings, tmp_path / "in" / "a.png").shape == (30, 20)
    with pytest.raises(SourceError, match="nowhere: cannot be read"):
        look_once(settings, tmp_path / "nowhere")


def test_a_port_in_use(settings):
    server, url = open_page(settings, np.zeros((4, 4), np.uint8), 0)
    with server, pytest.raises(SettingsError, match="wanted a free port"):
        open_page(settings, np.zeros((4, 4), np.uint8), urlsplit(url).port)

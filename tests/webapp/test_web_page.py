"""The page: works as a plain form, shows what the network saw, and needs nothing from elsewhere."""

import errno
import gzip
import io
import json
import re
import string
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import glyphlite.webapp.app
from glyphlite.runtime import GlyphliteError
from glyphlite.runtime.bundle import find_bundle, write_card
from glyphlite.webapp import create_app, offline
from glyphlite.webapp.strings import LANGUAGES

OWN_FILES = [path for part in ("static", "templates") for path in (offline.FOLDER / part).iterdir()]
PAGE_BUDGET = 60 * 1024  # bytes of the page and its files as gzip packs them


def post(client, data, query=""):
    return client.post(f"/{query}", data={"file": (io.BytesIO(data), "photo.png")})


def side_by_side(draw, digits):
    pictures = [cv2.imdecode(np.frombuffer(draw(digit), np.uint8), cv2.IMREAD_GRAYSCALE) for digit in digits]
    return cv2.imencode(".png", np.concatenate(pictures, 1))[1].tobytes()


def test_the_form_takes_a_photo_or_a_file(client):
    text = client.get("/").text
    assert 'method="post"' in text and 'enctype="multipart/form-data"' in text
    assert 'accept="image/*"' in text and 'capture="environment"' in text
    assert 'name="viewport"' in text


def test_nothing_comes_from_elsewhere(client, draw):
    for text in (client.get("/").text, post(client, draw(7)).text):
        links = re.findall(r'(?:src|href|action)="([^"]*)"', text)
        assert links and all(link.startswith("/") for link in links)
        assert "style=" not in text and "onclick" not in text
        assert all("src=" in one or "application/json" in one for one in re.findall(r"<script[^>]*>", text))
        for link in links:
            assert client.get(link).status_code == 200


def test_it_is_small():
    assert sum(len(gzip.compress(path.read_bytes())) for path in OWN_FILES) <= PAGE_BUDGET


def test_the_answer_the_bars_and_the_glyph(client, draw):
    answer = post(client, draw(7))
    assert answer.status_code == 200
    assert '<p class="label">7</p>' in answer.text and "% sure" in answer.text.replace("\xa0", " ")
    assert answer.text.count('class="bar"') == 5
    lit = re.findall(r'<rect x="(\d+)" y="(\d+)" width="1" height="1" fill="#[0-9a-f]{6}"/>', answer.text)
    assert 30 < len(lit) < 28 * 28 / 2 and all(int(x) < 28 and int(y) < 28 for x, y in lit)


def test_an_input_left_empty_beside_the_chosen_one(client, draw):
    files = [(io.BytesIO(b""), ""), (io.BytesIO(draw(1)), "one.png")]
    assert '<p class="label">1</p>' in client.post("/", data={"file": files}).text


def test_what_was_wrong_is_said_on_the_page(client, bad_image):
    data, _, status, _, words = bad_image
    answer = post(client, data)
    assert (answer.status_code, answer.mimetype) == (status, "text/html")
    assert words in answer.text and 'class="complaint" lang="en"' in answer.text and "<form" in answer.text


def test_nothing_chosen_and_too_much_chosen(client):
    assert client.post("/").status_code == 400
    answer = post(client, bytes(9 * 2**20))
    assert answer.status_code == 413 and "8 MiB" in answer.text and "<form" in answer.text


def test_a_number_is_read_where_there_is_more_than_one_character(client, draw):
    answer = post(client, side_by_side(draw, (7, 1, 0)))
    assert answer.status_code == 200 and "<title>710 – glyphlite</title>" in answer.text
    assert '<p class="label number">710</p>' in answer.text and answer.text.count('class="bar"') == 3


@pytest.mark.parametrize(("language", "decimal"), [("en", r"\d\.\d%"), ("de", r"\d,\d\xa0%")])
def test_shares_are_written_as_the_language_does(client, draw, language, decimal):
    data = {"file": (io.BytesIO(side_by_side(draw, (7, 1))), "number.png")}
    number = client.post(f"/?lang={language}", data=data).text
    assert len(re.findall(decimal, number)) == 3 and "<caption>" not in number  # what was read, not what is likeliest
    data = {"file": (io.BytesIO(draw(7)), "seven.png")}
    assert f"<caption>{LANGUAGES[language]['likeliest']}</caption>" in client.post(f"/?lang={language}", data=data).text


def test_the_manifest_is_fetched_with_the_password(client):
    assert re.search(r'<link rel="manifest" crossorigin="use-credentials" href', client.get("/").text)


# --- words -------------------------------------------------------------------------------------------------------


def test_every_language_has_every_string_with_its_values():
    def values(text):
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    english = LANGUAGES["en"]
    for words in LANGUAGES.values():
        assert words.keys() == english.keys()
        assert {key: values(text) for key, text in words.items()} == {
            key: values(text) for key, text in english.items()
        }


def test_every_string_is_used_and_every_used_one_is_there():
    source = "".join(path.read_text("utf-8") for path in OWN_FILES if path.suffix in (".js", ".html"))
    used = set(re.findall(r'word\("(\w+)"|words\.(\w+)|reason: "(\w+)"', source))
    used = {next(filter(None, found)) for found in used}
    for key in LANGUAGES["en"]:
        assert key in source or key == "language" or key.startswith("stage_"), key
    assert used <= set(LANGUAGES["en"]) | {"js"}, used - set(LANGUAGES["en"])


@pytest.mark.parametrize(
    ("query", "accepted", "language"),
    [("", "de-CH,fr", "de"), ("", "fr", "en"), ("", "", "en"), ("?lang=de", "en", "de"), ("?lang=xx", "de", "de")],
)
def test_the_language(client, query, accepted, language):
    answer = client.get(f"/{query}", headers={"Accept-Language": accepted})
    assert f'<html lang="{language}">' in answer.text and LANGUAGES[language]["tagline"] in answer.text
    assert "Accept-Language" in answer.headers["Vary"]


# --- what the script asks for ------------------------------------------------------------------------------------


def test_look_gives_characters_with_glyphs(client, draw):
    alone = client.post("/look", data=draw(7), content_type="image/png").json
    assert alone["text"] == "7" and alone["milliseconds"] > 0 and alone["model"] == "digits-edge"
    assert (alone["width"], alone["height"]) == (200, 200)
    number = client.post("/look", data=side_by_side(draw, (7, 1)), content_type="image/png").json
    characters = number["lines"][0]["characters"]
    assert number["text"] == "71" and all(one["glyph"].startswith("iVBOR") for one in characters)
    assert characters[0]["box"]["x"] < 200 < characters[1]["box"]["x"]


def test_look_tells_the_size_that_boxes_are_in(client, draw):
    turned = Image.open(io.BytesIO(side_by_side(draw, (7, 1)))).transpose(Image.Transpose.ROTATE_90)
    exif, data = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6  # to be turned clockwise
    turned.save(data, "WEBP", lossless=True, exif=exif)
    found = client.post("/look", data=data.getvalue(), content_type="image/webp").json
    assert found["text"] == "71" and (found["width"], found["height"]) == turned.size[::-1]


@pytest.mark.parametrize("path", ["/look", "/predict", "/api/v1/predict"])
def test_a_query_that_would_be_ignored_is_refused(client, draw, path):
    data = {"file": (io.BytesIO(draw(7)), "seven.png")}
    answer = client.post(f"{path}?any_rotation=1", data=data)
    assert answer.status_code == 400 and "any_rotation: no such query parameter" in answer.text


def test_look_tells_problems(client, bad_image):
    data, _, status, kind, words = bad_image
    answer = client.post("/look", data=data, content_type="image/png")
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert words in answer.json["detail"] and answer.json["type"] == f"/problems/{kind}"


def test_the_stages_are_pictures_that_the_page_has_words_for(client, draw):
    alone = client.post("/look/stages", data=draw(7), content_type="image/png").json
    assert [one["name"] for one in alone] == ["1-image", "2-ink", "3-glyph"]  # no line was read
    stages = client.post("/look/stages", data=side_by_side(draw, (7, 1)), content_type="image/png").json
    lattice, strip = ["3-line-1-cuts", "4-line-1-candidates"], ["3-line-1-strip", "4-line-1-frames"]
    assert [one["name"] for one in stages] == ["1-image", "2-ink", *lattice, *strip]
    for one in (*alone, *stages):
        assert one["picture"].startswith("iVBOR")
        assert f"stage_{one['name'].rpartition('-')[2]}" in LANGUAGES["en"]


@pytest.fixture
def whole_images(tmp_path):
    """A client of a model that takes whole images and whose labels are words."""
    bundle = find_bundle("digits-edge")
    artifact = bundle.card.artifact()
    (tmp_path / artifact.file).write_bytes(bundle.path(artifact).read_bytes())
    labels = ("West Highland white terrier", *map(str, range(1, 10)))
    changes = {"labels": labels, "geometry": "stretch", "refusal": None, "artifacts": (artifact,)}
    write_card(tmp_path, replace(bundle.card, **changes))
    return create_app({"MODEL": tmp_path}).test_client()


def test_a_model_of_whole_images_has_no_stages(client, whole_images, draw):
    assert whole_images.post("/look", data=draw(7), content_type="image/png").json["whole"]
    stages = whole_images.post("/look/stages", data=draw(7), content_type="image/png")
    assert stages.status_code == 404 and "takes whole images" in stages.json["detail"]
    for picture in (draw(7), side_by_side(draw, (7, 1))):
        assert not client.post("/look", data=picture, content_type="image/png").json["whole"]


def test_words_that_the_model_knows_are_parted_by_commas(client, whole_images):
    def known(answer):
        return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", answer.text.rpartition(" knows")[2].partition("</p>")[0]))

    assert known(whole_images.get("/")).startswith(" West Highland white terrier, 1, 2, 3, 4, 5, 6, 7, 8, 9")
    assert known(client.get("/")).startswith(" 0 1 2")


# --- corrections -------------------------------------------------------------------------------------------------


def glyph(value=200):
    pixels = np.zeros((28, 28), np.uint8)
    pixels[4:24, 12:16] = value
    return cv2.imencode(".png", pixels)[1].tobytes()


def correct(client, label="1", data=None, content_type="image/png"):
    return client.post(f"/corrections?label={label}", data=data or glyph(), content_type=content_type)


def test_corrections_are_off_unless_a_folder_is_given(client):
    assert correct(client).status_code == 404
    assert '"corrections": false' in client.get("/").text


@pytest.fixture
def keeping(model, tmp_path):
    app = create_app({"MODEL": model, "CORRECTIONS": tmp_path / "kept"})
    return app, app.test_client(), tmp_path / "kept"


def test_a_correction_is_kept_once_under_its_label(keeping):
    _, client, folder = keeping
    assert correct(client).status_code == correct(client).status_code == 201
    (path,) = folder.glob("*/*.png")
    assert path.parent.name == "1" and cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[10, 13] == 200
    assert '"corrections": true' in client.get("/").text


def test_the_label_that_was_given_last_is_kept(keeping):
    _, client, folder = keeping
    for label in ("1", "7", "4"):
        assert correct(client, label=label).status_code == 201
    assert [path.parent.name for path in folder.glob("*/*.png")] == ["4"]


def test_a_canvas_writes_grey_as_colour(keeping):
    """The glyph of what was read in the browser."""
    _, client, folder = keeping
    grey = cv2.imdecode(np.frombuffer(glyph(), np.uint8), cv2.IMREAD_GRAYSCALE)
    opaque = cv2.merge([grey, grey, grey, np.full_like(grey, 255)])
    assert correct(client, data=cv2.imencode(".png", opaque)[1].tobytes()).status_code == 201
    (path,) = folder.glob("*/*.png")
    assert cv2.imread(str(path), cv2.IMREAD_UNCHANGED).shape == (28, 28)
    opaque[10, 13, 0] = 9
    assert correct(client, data=cv2.imencode(".png", opaque)[1].tobytes()).status_code == 400


@pytest.mark.parametrize(
    ("label", "data", "content_type", "status", "words"),
    [
        ("11", None, "image/png", 400, "wanted one of 0 1"),
        ("../1", None, "image/png", 400, "wanted one of 0 1"),
        ("1", b"no image", "image/png", 400, "no image"),
        ("1", cv2.imencode(".png", np.zeros((30, 28), np.uint8))[1].tobytes(), "image/png", 400, "30×28"),
        ("1", None, "text/plain", 415, "wanted image/png"),  # what a page of elsewhere could send
    ],
)
def test_what_is_no_correction(keeping, label, data, content_type, status, words):
    _, client, folder = keeping
    answer = correct(client, label, data, content_type)
    assert answer.status_code == status and words in answer.json["detail"] and not list(folder.glob("*/*"))


def test_the_folder_of_corrections_is_bounded(keeping):
    app, client, folder = keeping
    app.extensions["corrections"].max_files = 3
    statuses = [correct(client, data=glyph(value)).status_code for value in (100, 120, 140, 160, 180)]
    assert statuses == [201, 201, 201, 507, 507] and len(list(folder.glob("*/*.png"))) == 3
    app.extensions["corrections"].max_files, app.extensions["corrections"].max_bytes = 100, 400
    assert correct(client, data=glyph(190)).status_code == 507


def test_a_disk_without_room_is_told(keeping, monkeypatch, caplog):
    def write(path, data):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr("glyphlite.webapp.corrections.write_bytes", write)
    _, client, folder = keeping
    answer = correct(client)
    assert answer.status_code == 507 and "No space left" in answer.json["detail"]
    assert str(folder) in caplog.text and str(folder) not in answer.text


def test_a_folder_that_cannot_be_written_is_refused_at_the_start(model, tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "kept"):
        with pytest.raises(GlyphliteError, match=rf"{folder}: cannot be written \("):
            create_app({"MODEL": model, "CORRECTIONS": folder})


# --- without the server ------------------------------------------------------------------------------------------


def test_the_service_worker_is_of_the_root_and_names_the_pages_files(client):
    answer = client.get("/sw.js")
    assert answer.mimetype == "text/javascript" and answer.headers["Cache-Control"] == "no-cache"
    files = json.loads(re.search(r"const FILES = (\[.*\]);", answer.text)[1])
    assert "/static/app.js" in files and "/static/style.css" in files
    assert all(client.get(file).status_code == 200 for file in files)


def test_another_page_has_another_version(client, monkeypatch, tmp_path):
    version = re.compile(r'const VERSION = "(\w{16})"')
    before = version.search(client.get("/sw.js").text)[1]
    assert version.search(client.get("/sw.js").text)[1] == before
    for part in ("static", "templates"):
        (tmp_path / part).mkdir()
        for path in (offline.FOLDER / part).iterdir():
            (tmp_path / part / path.name).write_bytes(path.read_bytes())
    (tmp_path / "strings.py").write_text("")
    monkeypatch.setattr(offline, "FOLDER", tmp_path)
    assert version.search(client.get("/sw.js").text)[1] != before


def test_the_manifest(client):
    answer = client.get("/manifest.webmanifest")
    assert answer.mimetype == "application/manifest+json" and answer.json["display"] == "standalone"
    assert all(client.get(icon["src"]).status_code == 200 for icon in answer.json["icons"])


def test_without_what_runs_the_model_in_a_browser_the_page_does_not_offer_it(client, monkeypatch, tmp_path):
    monkeypatch.setattr(offline, "RUNTIME_FOLDER", tmp_path)
    answer = client.get("/")
    assert 'role="switch"' not in answer.text and "wasm" not in answer.headers["Content-Security-Policy"]
    assert client.get("/device/model.json").status_code == 404


@pytest.fixture
def runtime(monkeypatch, tmp_path):
    """A folder with small files in place of LiteRT's."""
    for name in offline.RUNTIME_FILES:
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(f"of {name}".encode()))
    monkeypatch.setattr(offline, "RUNTIME_FOLDER", tmp_path)


def test_with_it_the_page_does_and_the_files_come_packed(app, client, runtime):
    answer = client.get("/")
    assert 'role="switch"' in answer.text
    assert answer.headers["Content-Security-Policy"].endswith("; script-src 'self' 'wasm-unsafe-eval'")
    card = app.extensions["glyphlite"].recognizer.card
    device = client.get("/device/model.json").json
    assert (device["name"], device["temperature"], device["side"]) == (card.name, card.temperature, 28)
    assert device["minConfidence"] == card.refusal.min_confidence
    model = client.get(device["model"])
    assert len(model.data) == card.artifact().bytes and "immutable" in model.headers["Cache-Control"]
    for address in device["runtime"]:
        name = address.rpartition("/")[2]
        packed = client.get(address, headers={"Accept-Encoding": "gzip, br"})
        assert packed.headers["Content-Encoding"] == "gzip" and gzip.decompress(packed.data) == f"of {name}".encode()
        plain = client.get(address, headers={"Accept-Encoding": "identity"})
        assert "Content-Encoding" not in plain.headers and plain.data == f"of {name}".encode()
        assert packed.mimetype == offline.RUNTIME_FILES[name]


@pytest.mark.parametrize("address", ["/device/0000/litert.js", "/device/0000/model.tflite", "/device/0000/..%2fapp.py"])
def test_other_addresses_of_the_device_are_not_found(client, runtime, address):
    assert client.get(address).status_code == 404


def test_a_model_that_the_browser_cannot_feed_is_not_offered(runtime, tmp_path):
    onnx = Path(glyphlite.webapp.app.__file__).parents[1] / "models/digits-edge/float32.onnx"
    assert 'role="switch"' not in create_app({"MODEL": onnx}).test_client().get("/").text

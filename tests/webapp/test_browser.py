"""The page in a real browser: pen, files, camera, keyboard, this device, no server, and what axe-core finds."""

import base64
import json
import re
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from werkzeug.serving import make_server

from glyphlite.runtime import Recognizer
from glyphlite.runtime.bundle import find_bundle, samples_folder, write_card
from glyphlite.runtime.labels import read_labels
from glyphlite.runtime.recognizer import NO_CHARACTER, NOT_KNOWN, NOT_SURE, SEVERAL
from glyphlite.train.strokes import Hand, draw, styles
from glyphlite.webapp import create_app
from glyphlite.webapp.offline import RUNTIME_FILES, RUNTIME_FOLDER

CHROMIUM = Path("/usr/bin/chromium")
AXE = Path(__file__).resolve().parents[2] / "webapp/browser/node_modules/axe-core/axe.min.js"
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
]
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SEVEN = [[(0.38, 0.2), (0.62, 0.2), (0.45, 0.8)]]
ONE_AND_SEVEN = [[(0.2, 0.2), (0.2, 0.8)], [(0.58, 0.2), (0.82, 0.2), (0.65, 0.8)]]

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}: apt-get install chromium")
playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install '.[dev]'")


@contextmanager
def serving(app, port=0):
    """The address of an app that is served until the block ends."""
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Folder of corrections."""
    return tmp_path_factory.mktemp("corrections")


@pytest.fixture(scope="module")
def browser_app(model, kept):
    return create_app({"MODEL": model, "CORRECTIONS": kept})


@pytest.fixture(scope="module")
def url(browser_app):
    with serving(browser_app) as address:
        yield address


@pytest.fixture(scope="module")
def camera_film(tmp_path_factory):
    """What Chromium's fake camera shows: a 4 on paper, as a film of JPEGs."""
    sample = cv2.imread(str(samples_folder() / "4-pencil.png"))
    scene = np.full((480, 640, 3), sample[2, 2], np.uint8)
    sample = cv2.resize(sample, (220, 220), interpolation=cv2.INTER_AREA)
    scene[130:350, 210:430] = sample
    path = tmp_path_factory.mktemp("camera") / "four.mjpeg"
    path.write_bytes(cv2.imencode(".jpg", scene)[1].tobytes() * 3)
    return path


@pytest.fixture(scope="module")
def chromium(camera_film):
    with playwright.sync_playwright() as player:
        flags = [*FLAGS, f"--use-file-for-fake-video-capture={camera_film}"]
        browser = player.chromium.launch(executable_path=str(CHROMIUM), args=flags)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium, url):
    """Opens the page; at the end nothing may have been complained of in its console."""
    contexts, complaints = [], []

    def start(address=url, **options):
        context = chromium.new_context(locale=options.pop("locale", "en-GB"), **options)
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.complaints = complaints
        page.goto(address)
        page.wait_for_selector("#pad:visible" if options.get("java_script_enabled", True) else "form")
        return page

    yield start
    for context in contexts:
        context.close()
    assert complaints == []


def draw_on(page, strokes):
    """Draw strokes of points, shares of the pad's width and height, with real moves of the pointer."""
    box = page.locator("#pad canvas").bounding_box()
    for stroke in strokes:
        points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point, steps=8)
        page.mouse.up()


def answer(page, text):
    """Wait until the page has read this."""
    page.locator("#answer[aria-busy=false] .label", has_text=re.compile(f"^{text}$")).wait_for()


def accessible(page, what):
    """Assert that axe-core finds nothing wrong with the page as it is."""
    if not AXE.exists():
        pytest.skip("axe-core is not there: `make browser` fetches it")
    page.evaluate(AXE.read_text("utf-8"))  # by the debugger: the page's policy would not load it
    found = page.evaluate("tags => axe.run({runOnly: tags}).then(({violations}) => violations)", WCAG)
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == [], what


def test_a_drawn_digit_is_read_undone_and_corrected(open_page, kept):
    page = open_page()
    draw_on(page, SEVEN)
    answer(page, "7")
    assert "7, " in page.locator("#status").inner_text()
    assert page.locator(".bar").count() == 5 and page.locator("button.box").count() == 1
    draw_on(page, [[(0.8, 0.2), (0.8, 0.8)]])
    answer(page, "71")
    page.keyboard.press("Control+z")
    answer(page, "7")
    page.get_by_text("Is this wrong?").click()
    page.get_by_label("It is").select_option("1")
    page.get_by_role("button", name="Keep as 1").click()
    assert not list(kept.glob("*/*.png")), "not without consent"
    page.get_by_role("checkbox", name="may be kept").check()
    page.get_by_role("button", name="Keep as 1").click()
    page.get_by_text("Kept as 1").wait_for()
    (path,) = kept.glob("*/*.png")
    assert path.parent.name == "1" and cv2.imread(str(path), cv2.IMREAD_UNCHANGED).shape == (28, 28)
    page.get_by_role("button", name="Clear").click()
    assert page.get_by_role("button", name="Undo").is_disabled()


def test_what_the_server_says_of_a_correction_is_marked_as_english(open_page):
    page = open_page(locale="de-DE")
    draw_on(page, SEVEN)
    answer(page, "7")
    page.get_by_text("Ist das falsch?").click()
    page.get_by_role("checkbox", name="aufbewahrt werden").check()
    said = page.locator(".correction [role=status]")
    page.route("**/corrections?*", lambda route: route.fulfill(status=507, json={"detail": "no more are taken"}))
    page.get_by_role("button", name="Als 7 aufbewahren").click()
    page.get_by_text("no more are taken").wait_for()
    assert said.get_attribute("lang") == "en"
    assert page.complaints and all("507" in text for text in page.complaints)
    page.complaints.clear()
    page.route("**/corrections?*", lambda route: route.fulfill(status=201, json={"label": "7"}))
    page.get_by_role("button", name="Als 7 aufbewahren").click()
    page.get_by_text("Als 7 aufbewahrt.").wait_for()
    assert said.get_attribute("lang") == "de"


def test_samples_are_uploaded_with_progress_and_copied(open_page):
    page = open_page()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    samples = sorted(samples_folder().glob("*.png"))
    page.locator("input[multiple]").set_input_files(samples)
    page.locator(f"#answer[aria-busy=false] .images li:nth-child({len(samples)})").wait_for()
    assert page.locator(".images b").all_inner_texts() == [path.name[0] for path in samples]
    page.get_by_role("button", name="5-chalk.png").click()
    answer(page, "5")
    page.get_by_role("button", name="Copy text").click()
    page.locator("#status", has_text="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").split("\n") == [path.name[0] for path in samples]
    page.get_by_role("button", name="Copy CSV").click()
    rows = page.evaluate("navigator.clipboard.readText()").split("\n")
    assert rows[0].strip() == "file,line,text,probability" and rows[1].startswith("0-marker.png,1,0,0.9")
    page.get_by_role("button", name="Copy JSON").click()
    read = json.loads(page.evaluate("navigator.clipboard.readText()"))
    assert [one["text"] for one in read] == [path.name[0] for path in samples] and read[0]["lines"][0]["characters"]
    page.get_by_text("stage by stage").click()
    page.locator(".stages canvas").nth(2).wait_for()  # those of one character: image, ink, glyph
    page.reload()
    page.get_by_text("Earlier in this browser").click()
    page.locator("#history li", has_text="9").first.wait_for()
    page.get_by_role("button", name="Forget all").click()
    page.locator("#history").wait_for(state="hidden")


def test_real_photos_are_uploaded(open_page, data_root):
    rows = read_labels(data_root / "photos")
    page = open_page()
    page.locator("input[multiple]").set_input_files([data_root / "photos" / row["file"] for row in rows])
    page.locator(f"#answer[aria-busy=false] .images li:nth-child({len(rows)})").wait_for(timeout=60_000)
    read = page.locator(".images b").all_inner_texts()
    assert sum(text == row["text"] for text, row in zip(read, rows, strict=True)) >= 0.8 * len(rows), read
    page.complaints.clear()  # a refusal's status is noted by the browser


@contextmanager
def held(page, address):
    """What the page asks of an address waits here, in a list, until the block ends."""
    waiting = []
    page.route(address, lambda route: waiting.append(route))
    yield waiting
    page.unroute(address)


def wait_until(page, done):
    """Let the page go on until this is so."""
    for _ in range(200):
        if done():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it never was so")


def test_an_earlier_image_can_be_looked_at_while_more_are_read(open_page):
    page = open_page()
    samples = sorted(samples_folder().glob("*.png"))[:4]
    with held(page, "**/look") as waiting:
        page.locator("input[multiple]").set_input_files(samples)
        for done in range(2):
            wait_until(page, lambda done=done: len(waiting) > done)
            waiting[done].continue_()
        page.locator(".images li:nth-child(2) button[aria-pressed=true]").wait_for()  # the newest opens by itself
        first = page.get_by_role("button", name=samples[0].name)
        first.click()
        page.locator(".label", has_text="0").wait_for()
    page.locator("#answer[aria-busy=false] .images li:nth-child(4)").wait_for()
    assert first.get_attribute("aria-pressed") == "true" and page.locator(".label").inner_text() == "0"
    assert first.evaluate("button => button === document.activeElement")


COUNT_CANVASES = """
    const made = [], make = document.createElement;
    document.createElement = function (...tag) {
        const one = make.apply(document, tag);
        if (tag[0] === "canvas") { made.push(new WeakRef(one)); }
        return one;
    };
    const held = () => made.map((one) => one.deref()).filter(Boolean);
    window.pixelsHeld = () => held().reduce((sum, one) => sum + one.width * one.height, 0);
"""


def test_many_photos_are_kept_as_thumbnails(open_page, tmp_path):
    """Of large pictures only the open one is held."""
    sample = cv2.imread(str(samples_folder() / "4-pencil.png"))
    for name in range(8):
        cv2.imwrite(str(tmp_path / f"{name}.jpg"), cv2.resize(sample, (1200, 1200)))
    page = open_page()
    page.evaluate(COUNT_CANVASES)
    page.locator("input[multiple]").set_input_files(sorted(tmp_path.glob("*.jpg")))
    page.locator("#answer[aria-busy=false] .images li:nth-child(8)").wait_for()
    assert page.locator(".images canvas").evaluate_all("all => Math.max(...all.map(({width}) => width))") == 96
    page.get_by_role("button", name="2.jpg").click()
    page.locator(".images li:nth-child(3) button[aria-pressed=true]").wait_for()
    page.locator(".boxes canvas").wait_for()
    page.request_gc()
    wait_until(page, lambda: page.evaluate("pixelsHeld()") < 3 * 1200 * 1200)


def test_what_cannot_be_read_is_said(open_page, tmp_path):
    bad = tmp_path / "note.png"
    bad.write_text("this is no image")
    page = open_page()
    page.locator("input[multiple]").set_input_files(bad)
    page.locator(".complaint", has_text="no image").wait_for()
    status = page.locator("#status")
    assert "no image" in status.inner_text() and status.get_attribute("lang") == "en"
    assert page.complaints and all("400" in text for text in page.complaints)  # the browser's own note of the status
    page.complaints.clear()


def test_pasted_and_dropped_images(open_page):
    page = open_page()
    data = list((samples_folder() / "3-flat.png").read_bytes())
    give = """([kind, bytes]) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(bytes)], "three.png", {type: "image/png"}));
        document.body.dispatchEvent(kind === "paste"
            ? new ClipboardEvent("paste", {clipboardData: transfer, bubbles: true})
            : new DragEvent("drop", {dataTransfer: transfer, bubbles: true}));
    }"""
    for kind in ("paste", "drop"):
        page.evaluate("document.querySelector('#shown').replaceChildren()")
        page.evaluate(give, [kind, data])
        answer(page, "3")


def test_a_dropped_folder_is_told(open_page, tmp_path):
    page = open_page(locale="de-DE")
    (tmp_path / "Fotos").mkdir()
    data = {"items": [], "files": [str(tmp_path / "Fotos")], "dragOperationsMask": 1}
    debugger = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        debugger.send("Input.dispatchDragEvent", {"type": kind, "x": 500, "y": 400, "data": data})
    page.locator(".complaint", has_text="Die Datei Fotos lässt sich nicht lesen.").wait_for()
    assert page.locator("#status").get_attribute("lang") == "de"


def test_the_camera_takes_what_is_in_its_frame(open_page):
    page = open_page()
    page.get_by_role("button", name="Camera").click()
    page.locator("#viewfinder video").wait_for()
    accessible(page, "viewfinder")
    page.get_by_role("button", name="Take").click()
    answer(page, "4")
    assert page.locator("#viewfinder").is_hidden()


def test_the_camera_is_opened_once_by_two_clicks(open_page):
    page = open_page()
    camera = page.get_by_role("button", name="Camera")
    camera.dblclick()
    page.locator("#viewfinder video").wait_for()
    wait_until(page, lambda: page.evaluate("document.querySelector('video').videoWidth"))
    page.get_by_role("button", name="Cancel").click()
    wait_until(page, lambda: camera.evaluate("button => !button.disabled && button === document.activeElement"))
    assert page.locator(".complaint").count() == 0


def test_the_keyboard_reaches_everything(open_page):
    page = open_page()
    draw_on(page, SEVEN)
    answer(page, "7")
    reached = set()
    page.evaluate("document.activeElement.blur()")
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("(document.activeElement.innerText || document.activeElement.type || '').trim()"))
    assert {"Undo", "Clear", "Camera", "file", "7", "Copy text", "Is this wrong?", "API"} <= reached


@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (768, "dark"), (1280, "light")])
def test_it_fits_and_is_accessible(open_page, scheme, width):
    page = open_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    if width == 320:
        accessible(page, "waiting")
    draw_on(page, ONE_AND_SEVEN)
    answer(page, "17")
    for summary in ("Is this wrong?", "stage by stage", "Earlier in this browser"):
        page.get_by_text(summary).click()
    page.locator(".stages canvas").nth(3).wait_for()
    accessible(page, f"{width} {scheme}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


WORDS = ["automobile", "West Highland white terrier", "Rindfleischetikettierungsüberwachungsaufgaben"]


@pytest.fixture(params=["mnist", "stretch"], ids=["characters", "whole images"])
def words_url(request, tmp_path):
    """The address of a model whose labels are words, and whether it takes whole images.  Which of them it answers with
    does not matter."""
    bundle, whole = find_bundle("digits-edge"), request.param == "stretch"
    artifact = bundle.card.artifact()
    (tmp_path / artifact.file).write_bytes(bundle.path(artifact).read_bytes())
    labels = tuple(f"{WORDS[index % 3]}{index}" for index in range(10))
    changes = {"labels": labels, "geometry": request.param, "artifacts": (artifact,)}
    refusal = None if whole else bundle.card.refusal
    write_card(tmp_path, replace(bundle.card, refusal=refusal, **changes))
    with serving(create_app({"MODEL": tmp_path, "CORRECTIONS": tmp_path / "kept"})) as address:
        yield address, whole


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_labels_that_are_words_fit(words_url, open_page, scheme):
    (address, whole), image = words_url, samples_folder() / "7-crossed.png"
    page = open_page(address=address, viewport={"width": 320, "height": 800}, color_scheme=scheme)
    page.locator("input[multiple]").set_input_files(image)
    page.locator("#answer[aria-busy=false] .label").wait_for()
    page.get_by_text("Is this wrong?").click()
    assert page.get_by_role("checkbox", name="This image, shrunk to").count() == whole
    assert page.get_by_text("stage by stage").count() == (not whole)
    for index, label in enumerate(WORDS):
        page.get_by_label("It is").select_option(f"{label}{index}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        for part in ("select", "button"):
            assert page.locator(f".correction {part}").evaluate("one => one.getBoundingClientRect().right") < 300
    tag = page.locator("button.box span").bounding_box()
    assert tag["height"] < 24 and tag["width"] > 60
    assert page.locator(".bar").first.bounding_box()["width"] >= 40
    assert page.locator("th").evaluate_all("all => Math.max(...all.map((one) => one.clientHeight))") < 200
    accessible(page, "words")


def test_labels_that_are_words_fit_without_javascript(words_url, open_page):
    page = open_page(address=words_url[0], viewport={"width": 320, "height": 800}, java_script_enabled=False)
    page.locator("input[type=file]:not([capture])").set_input_files(samples_folder() / "7-crossed.png")
    page.get_by_role("button", name="Recognise").click()
    page.locator(".label").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_in_german(open_page):
    page = open_page(locale="de-DE")
    draw_on(page, SEVEN)
    answer(page, "7")
    assert page.get_by_text("Was das Netz gesehen hat").is_visible()
    assert page.evaluate("document.documentElement.lang") == "de" and "%" in page.locator("#status").inner_text()
    page.get_by_role("link", name="English").click()
    page.get_by_role("button", name="Choose images").or_(page.get_by_text("Choose images")).first.wait_for()


def test_upload_without_javascript(open_page):
    page = open_page(java_script_enabled=False)
    page.locator("input[type=file]:not([capture])").set_input_files(samples_folder() / "8-green.png")
    page.get_by_role("button", name="Recognise").click()
    assert page.locator(".label").inner_text() == "8" and page.locator(".glyph").is_visible()


# --- on this device ----------------------------------------------------------------------------------------------


SAID = {"no_character": NO_CHARACTER, "several": SEVERAL, "not_known": NOT_KNOWN, "not_sure": NOT_SURE}


@pytest.fixture
def device_files():
    """What runs the network in the browser is there."""
    if not all((RUNTIME_FOLDER / f"{name}.gz").is_file() for name in RUNTIME_FILES):
        pytest.skip("LiteRT for browsers is not there: `make browser` fetches it")


@pytest.fixture
def on_device(open_page, device_files):
    """Opens the page with the network in the browser."""

    def start(**options):
        page = open_page(**options)
        page.get_by_role("switch", name="On this device").check()
        page.get_by_text("The network runs on this device.").wait_for(timeout=60_000)
        return page

    return start


STYLES = [(digit, style) for digit, named in styles().items() for style in named]
READ_HERE = """async drawings => {
    const {openDevice} = await import("/static/device.js");
    const {canvasOfPng} = await import("/static/words.js");
    const device = await openDevice(), answers = [];
    for (const png of drawings) {
        const canvas = await canvasOfPng(png);
        answers.push(await device.read(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height)));
    }
    return answers;
}"""


def on_paper(*inks):
    """Inks (h, w) uint8 with their places (x, y), on white paper as large as the pad: a PNG's bytes."""
    paper = np.full((300, 400), 255, np.uint8)
    for ink, (x, y) in inks:
        paper[y : y + ink.shape[0], x : x + ink.shape[1]] = 255 - ink
    return cv2.imencode(".png", paper)[1].tobytes()


def test_this_device_answers_drawings_as_python_does(open_page, device_files, model):
    """The same file on the same drawings, in every style of every digit, at any place and size, with any pen."""
    rng = np.random.default_rng(5)
    drawings = [on_paper(), on_paper((np.full((3, 3), 255, np.uint8), (9, 9)))]  # nothing, a speck
    for digit, style in STYLES:
        for pen in (0.05, 0.1, 0.16):
            ink = draw(digit, style, rng, int(rng.integers(60, 220)), Hand(pen=(pen, 0.01)))
            drawings.append(on_paper((ink, rng.integers(10, [390 - ink.shape[1], 290 - ink.shape[0]]))))
    two = [draw(digit, style, rng, 140) for digit, style in STYLES[:2]]
    drawings.append(on_paper((two[0], (20, 80)), (two[1], (240, 70))))
    page = open_page()
    here = page.evaluate(READ_HERE, [base64.b64encode(one).decode() for one in drawings])
    recognizer = Recognizer.load(model)
    differences = []
    for drawing, found in zip(drawings, here, strict=True):
        right = recognizer.predict(drawing)
        if right.label is None:
            assert right.reason.startswith(SAID[found["reason"]]), (right, found)
            continue
        (character,) = found["lines"][0]["characters"]
        assert (character["label"], tuple(character["box"].values())) == (right.label, right.box)
        differences.append(abs(character["confidence"] - right.confidence))
    print(f"{len(differences)} of {len(drawings)} drawings answered, largest difference {max(differences):.5f}")
    assert len(differences) > 0.9 * len(drawings) - 3 and max(differences) < 0.03  # a step of 8 bits


def test_a_drawing_waits_for_the_network_that_is_to_read_it(open_page, device_files):
    page = open_page(service_workers="block")
    posts = []
    page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    with held(page, "**/device/**") as waiting:
        page.get_by_role("switch", name="On this device").check()
        draw_on(page, SEVEN)
        page.locator("#answer[aria-busy=true]").wait_for()
        wait_until(page, lambda: waiting)
        page.wait_for_timeout(300)
        assert posts == [] and "read in this browser" in page.locator("#privacy").inner_text()
    page.get_by_text(re.compile(r"\d ms by .+ in this browser")).wait_for(timeout=60_000)
    assert posts == []


def test_a_drawing_goes_to_the_server_only_after_the_page_says_so(open_page, device_files):
    page = open_page(service_workers="block")
    said = []
    with held(page, "**/device/**") as waiting:
        page.get_by_role("switch", name="On this device").check()
        draw_on(page, SEVEN)
        page.locator("#answer[aria-busy=true]").wait_for()
        wait_until(page, lambda: waiting)
        page.route("**/look", lambda route: (said.append(page.locator("#privacy").inner_text()), route.continue_()))
        waiting.pop().abort()
        answer(page, "7")
    assert said == ["An image goes to this server, is not kept, and goes nowhere else."]
    assert all("ERR_FAILED" in text for text in page.complaints)
    page.complaints.clear()


def test_without_the_server_page_and_model_still_work(on_device, browser_app, chromium):
    with serving(browser_app) as address:
        page = on_device(address=address)
        page.evaluate("navigator.serviceWorker.ready.then(() => 1)")
        page.reload()
        page.get_by_text("The network runs on this device.").wait_for(timeout=60_000)
    page.reload()  # the server is gone
    page.get_by_text("The network runs on this device.").wait_for(timeout=60_000)
    draw_on(page, SEVEN)
    answer(page, "7")
    page.get_by_text(re.compile(r"\d ms by .+ in this browser")).wait_for()
    page.locator("input[multiple]").set_input_files(samples_folder() / "8-green.png")
    page.locator(".complaint", has_text="The server does not answer.").wait_for()
    assert all("ERR_CONNECTION_REFUSED" in text for text in page.complaints)
    page.complaints.clear()

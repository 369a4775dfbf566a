"""Cameras: a film stands in for V4L2 and RTSP, a server on loopback for a network camera, a class for Picamera2."""

import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from glyphlite.runtime import SourceError
from glyphlite.runtime.watch.camera import Camera
from glyphlite.runtime.watch.clock import Clock
from glyphlite.runtime.watch.picamera import PiCamera, bgr_of
from glyphlite.runtime.watch.settings import Source
from glyphlite.runtime.watch.snapshot import Snapshot, without_password

BLUE, GREEN, RED = (255, 0, 0), (0, 255, 0), (0, 0, 255)


# --- V4L2 ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def film(tmp_path):
    """Fifteen frames: three looks of five, and then nothing comes, as of a camera that is unplugged."""
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for _ in range(15):
        writer.write(np.full((48, 64, 3), 130, np.uint8))
    writer.release()
    return path


def test_a_camera_that_is_unplugged_is_told_and_opened_again(film):
    camera = Camera(Source(camera=str(film)), Clock())
    looks = [camera.take(0) for _ in range(3)]
    assert [frame.pixels.shape for frame in looks] == [(48, 64, 3)] * 3
    assert len({frame.key for frame in looks}) == 3
    gone = camera.take(0)
    assert gone.pixels is None
    assert gone.problem.endswith("no frame comes; is it unplugged?")
    assert camera.take(0).pixels is not None  # plugged in again: the film from its start
    camera.close()


def test_no_camera(tmp_path):
    frame = Camera(Source(camera=str(tmp_path / "video9")), Clock()).take(0)
    assert frame.pixels is None
    assert "video9: no camera answers" in frame.problem


# --- a picture by HTTP -----------------------------------------------------------------------------------------------


@pytest.fixture
def site():
    """A server that answers with what `content` holds, in `pieces`; `seen` are the headers it got."""
    state = SimpleNamespace(content=b"", code=200, kind="image/jpeg", headers={}, pieces=1, seen=[])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            state.seen.append(dict(self.headers))
            self.send_response(state.code)
            self.send_header("Content-Type", state.kind)
            for name, value in {"Content-Length": str(len(state.content)), **state.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(OSError):  # who asked has gone
                for piece in np.array_split(np.frombuffer(state.content, np.uint8), state.pieces):
                    self.wfile.write(piece.tobytes())
                    time.sleep(0.1 if state.pieces > 1 else 0)

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    state.port = server.server_port
    yield state
    server.shutdown()
    server.server_close()


def test_a_snapshot(site):
    site.content = cv2.imencode(".png", np.zeros((20, 30, 3), np.uint8))[1].tobytes()
    camera = Snapshot(Source(url=f"http://me:s%20cret@127.0.0.1:{site.port}/shot.png?token=1", rotate=90), Clock())
    assert camera.take(0).pixels.shape == (30, 20, 3)
    assert site.seen[0]["Authorization"] == "Basic bWU6cyBjcmV0"


def test_what_is_no_snapshot_is_a_problem_without_the_password(site):
    camera = Snapshot(Source(url=f"http://me:secret@127.0.0.1:{site.port}/shot.jpg", timeout=0.5), Clock())
    site.content = b"<html>log in</html>"
    assert "HTML; wanted JPEG" in camera.take(0).problem
    site.code = 401
    assert camera.take(0).problem == f"http://127.0.0.1:{site.port}/shot.jpg: answers 401 Unauthorized"
    closed = Snapshot(Source(url="http://me:secret@127.0.0.1:9/shot.jpg"), Clock())
    assert closed.take(0).problem == "http://127.0.0.1:9/shot.jpg: Connection refused"
    assert without_password("rtsp://me:secret@camera/live?key=1") == "rtsp://camera/live"


def test_a_snapshot_that_trickles_is_given_up_in_time(site):
    site.content, site.pieces = bytes(100), 50  # each piece well within the timeout
    camera = Snapshot(Source(url=f"http://127.0.0.1:{site.port}/shot.jpg", timeout=0.5), Clock())
    assert camera.take(0).problem == f"http://127.0.0.1:{site.port}/shot.jpg: does not answer in time"


def test_a_stream_is_no_snapshot(site):
    site.content, site.kind = b"--frame\r\n", "multipart/x-mixed-replace; boundary=frame"
    problem = Snapshot(Source(url=f"http://127.0.0.1:{site.port}/video"), Clock()).take(0).problem
    assert problem.endswith("/video: a stream (multipart/x-mixed-replace); wanted an address of one picture")


def test_a_camera_that_sends_on_to_no_address(site):
    site.content, site.code, site.headers = b"", 302, {"Location": "http://[::1"}
    camera = Snapshot(Source(url=f"http://127.0.0.1:{site.port}/shot.jpg"), Clock())
    assert camera.take(0).problem.endswith("/shot.jpg: Invalid IPv6 URL")


# --- Picamera2 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "memory", "count"),
    [("RGB888", "BGR", 3), ("BGR888", "RGB", 3), ("XRGB8888", "BGRX", 4), ("XBGR8888", "RGBX", 4)],
)
def test_colours_of_every_format_are_what_lies_in_memory(form, memory, count):
    """Picamera2's names are of the bits in a word, so that the bytes lie the other way round."""
    stride = 32
    rows = []
    for colour in (BLUE, GREEN, RED):
        value = dict(zip("BGR", colour, strict=True)) | {"X": 255}
        rows.append([value[letter] for letter in memory] * 5 + [77] * (stride - 5 * count))
    buffer = np.array(rows, np.uint8).ravel()
    pixels = bgr_of(buffer, {"format": form, "size": (5, 3), "stride": stride})
    assert pixels.shape == (3, 5, 3)
    assert [tuple(row[0]) for row in pixels] == [BLUE, GREEN, RED]
    assert (pixels == pixels[:, :1]).all()  # nothing of the padding


def test_yuv_has_planes_of_half_the_stride():
    width, height, stride = 6, 4, 64
    image = np.zeros((height, width, 3), np.uint8)
    image[:] = RED
    planes = cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420)
    bright = np.full((height, stride), 77, np.uint8)
    bright[:, :width] = planes[:height]
    colours = np.full((height, stride // 2), 77, np.uint8)
    colours[:, : width // 2] = planes[height:].reshape(height, width // 2)
    buffer = np.concatenate([bright.ravel(), colours.ravel()])
    pixels = bgr_of(buffer, {"format": "YUV420", "size": (width, height), "stride": stride})
    assert np.abs(pixels.astype(int) - RED).max() < 4


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        ({"format": "SBGGR10", "size": (5, 3), "stride": 16}, "frames of SBGGR10; wanted RGB888"),
        ({"format": "RGB888", "size": (5, 3), "stride": 64}, "48 bytes, 3 rows of 64; wanted 5 × 3 pixels"),
        ({"format": "RGB888", "size": (6, 3), "stride": 16}, "wanted 6 × 3 pixels of RGB888"),
    ],
)
def test_a_buffer_that_is_not_what_its_configuration_says(stream, message):
    with pytest.raises(SourceError, match=message):
        bgr_of(np.zeros(48, np.uint8), stream)


class Picamera2:
    """Its interface, with a configuration that is not quite the one asked for."""

    plugged_in = True

    def __init__(self):
        if not self.plugged_in:
            raise IndexError("list index out of range")

    def create_still_configuration(self, main):
        return {"main": main}

    def configure(self, wanted):
        self.stream = {"format": "XBGR8888", "size": (5, 3), "stride": 32}

    def camera_configuration(self):
        return {"main": self.stream}

    def start(self):
        self.started = True

    def capture_buffer(self, name):
        assert self.started
        if not self.plugged_in:
            raise RuntimeError("Camera frontend has timed out!")
        return np.array([[0, 0, 255, 255] * 5 + [77] * 12] * 3, np.uint8).ravel()

    def close(self):
        pass


def test_a_pi_camera(monkeypatch):
    monkeypatch.setitem(sys.modules, "picamera2", SimpleNamespace(Picamera2=Picamera2))
    monkeypatch.setattr(Picamera2, "plugged_in", True)
    camera = PiCamera(Source(camera="picamera2"), Clock())
    assert (camera.take(0).pixels == BLUE).all()
    Picamera2.plugged_in = False
    assert camera.take(0).problem == "picamera2: Camera frontend has timed out!"
    assert camera.take(0).problem == "picamera2: list index out of range"
    Picamera2.plugged_in = True
    assert camera.take(0).pixels is not None
    camera.close()


def test_picamera2_is_not_installed():
    if "picamera2" in sys.modules:
        pytest.skip("it is")
    with pytest.raises(SourceError, match="apt install python3-picamera2"):
        PiCamera(Source(camera="picamera2"), Clock())

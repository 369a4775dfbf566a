"""`glyphlite regions`: the boxes of a settings file, drawn on a picture in the browser.

A small server on loopback serves one page, one picture and the boxes.  Every address begins with a random word, and
requests of another Host are refused, so that no other page in the browser can reach it (DNS rebinding).
"""

from __future__ import annotations

import json
import secrets
import threading
import webbrowser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from typing import Any

import click
import cv2

from ..cli import complain
from ..errors import SettingsError, SourceError
from ..files import replacing
from ..image import Pixels, decode
from .clock import Clock
from .frame import open_source, upright
from .settings import read_settings

LARGEST = 1 << 16  # bytes of the boxes
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'",
}

Boxes = dict[str, list[tuple[int, ...]]]


@click.command()
@click.argument("settings", type=click.Path(path_type=Path, dir_okay=False), metavar="SETTINGS.toml")
@click.option(
    "--picture", type=click.Path(path_type=Path, dir_okay=False), help="Draw on this file, not on a new frame."
)
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--browser/--no-browser", default=True, help="Open the page.")
def regions(settings: Path, picture: Path | None, port: int, browser: bool) -> int:
    """Draw the regions of SETTINGS.toml on a picture, in the browser, until Ctrl+C.

    The page is served on this machine alone; from another one, `ssh -L 8001:localhost:8001 pi` and --port 8001.
    """
    pixels = look_once(settings, picture)
    server, url = open_page(settings, pixels, port)
    complain(f"draw on {url} and save; Ctrl+C ends")
    if browser:
        webbrowser.open(url)
    with server:
        server.serve_forever()
    return 0


def look_once(settings: Path, picture: Path | None) -> Pixels:
    """An upright frame of what the settings watch, or of a file.  Raises SourceError where there is none."""
    wanted = read_settings(settings)
    if picture is not None:
        try:
            return upright(decode(picture.read_bytes(), str(picture), full=True)[0], wanted.source.rotate)
        except OSError as error:
            raise SourceError(f"{picture}: cannot be read ({error.strerror})") from None
    source = open_source(wanted, Clock(), lambda key: False, complain)
    try:
        frame = source.take(wanted.source.timeout + wanted.source.settle)
    finally:
        source.close()
    if frame is None or frame.pixels is None:
        raise SourceError(frame.problem if frame else f"{wanted.source.folder}: no picture; wanted one, or --picture")
    return frame.pixels


def read_boxes(settings: Path) -> Boxes:
    """The boxes of each region."""
    return {one.name: [one.box] if one.box else list(one.boxes) for one in read_settings(settings).region}


def write_boxes(settings: Path, boxes: Any) -> None:
    """Put boxes into a settings file; its comments and all else stay.

    boxes: an object of a list of boxes for each region.  Raises SettingsError, and writes nothing, where a box or the
    file that would come of it is wrong.
    """
    import tomlkit

    read_settings(settings)  # it may have been changed since the page was opened
    content = tomlkit.parse(settings.read_text("utf-8"))
    names = {str(one["name"]): one for one in content["region"]}
    if not isinstance(boxes, dict) or set(boxes) - set(names):
        seen = list(boxes) if isinstance(boxes, dict) else boxes
        raise SettingsError(f"boxes of {seen!r:.80}; wanted some of {', '.join(names)}")
    for name, some in boxes.items():
        for key in ("box", "boxes"):
            names[name].pop(key, None)
        if isinstance(some, list) and len(some) == 1:
            names[name].add("box", some[0])
        elif some:
            names[name].add("boxes", some)
    with replacing(settings, settings.stat().st_mode & 0o777) as written:  # it may hold a password
        written.write_text(tomlkit.dumps(content), "utf-8")
        try:
            read_settings(written)  # what is wrong is not put into place
        except SettingsError as error:
            raise SettingsError(str(error).removeprefix(f"{written}: ")) from None


def open_page(settings: Path, pixels: Pixels, port: int) -> tuple[ThreadingHTTPServer, str]:
    """A server that is ready, on loopback, and the address of its page.  Raises SettingsError for a port in use."""
    page = resources.files(__package__).joinpath("regions.html").read_bytes()
    picture = cv2.imencode(".png", pixels)[1].tobytes()
    word, saving = secrets.token_urlsafe(12), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            if not self._is_ours():
                return
            if self.path == f"/{word}/":
                self._answer(200, page, "text/html; charset=utf-8")
            elif self.path == f"/{word}/picture.png":
                self._answer(200, picture, "image/png")
            elif self.path == f"/{word}/regions":
                try:
                    boxes = json.dumps(read_boxes(settings)).encode()
                except SettingsError as error:
                    self._answer(400, str(error).encode(), "text/plain; charset=utf-8")
                else:
                    self._answer(200, boxes, "application/json")
            else:
                self._answer(404, b"nothing here", "text/plain")

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not self._is_ours():
                return
            if self.path != f"/{word}/regions" or self.headers.get("Content-Type") != "application/json":
                self._answer(404, b"nothing here", "text/plain")
            elif not length.isdecimal() or int(length) > LARGEST:
                self._answer(413, f"wanted at most {LARGEST} bytes".encode(), "text/plain")
            else:
                try:
                    with saving:
                        write_boxes(settings, json.loads(self.rfile.read(int(length))))
                except (SettingsError, OSError, ValueError, RecursionError) as error:
                    self._answer(400, str(error).encode(), "text/plain; charset=utf-8")
                else:
                    self._answer(200, f"saved into {settings.name}".encode(), "text/plain; charset=utf-8")

        def _is_ours(self) -> bool:
            host = self.headers.get("Host", "").rpartition(":")[0]
            if host in ("127.0.0.1", "localhost"):
                return True
            self._answer(403, b"wanted the address that was printed", "text/plain")
            return False

        def _answer(self, code: int, content: bytes, kind: str) -> None:
            self.send_response(code)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **HEADERS}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Nothing: the address holds the word."""

    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    except OSError as error:
        raise SettingsError(f"127.0.0.1:{port}: cannot listen ({error.strerror}); wanted a free port") from None
    return server, f"http://127.0.0.1:{server.server_port}/{word}/"

"""An address that gives one picture a request, as network cameras have."""

from __future__ import annotations

import base64
import http.client
import urllib.request
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit, urlunsplit

from ..errors import ImageError
from ..image import decode
from .clock import Clock
from .frame import Frame, live_key, upright
from .settings import Source as SourceSettings

LARGEST = 32 * 2**20  # bytes of a picture
BLOCK = 2**20  # bytes that are taken at once


class Snapshot:
    """One GET a frame; what does not answer in time, or with no picture, is a frame with that problem."""

    paced = True

    def __init__(self, settings: SourceSettings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._shown = without_password(settings.url or "")
        self._request = request(settings.url or "")

    def take(self, wait: float) -> Frame | None:
        pixels, problem = None, ""
        try:
            pixels = upright(decode(self._fetch(), self._shown, full=True)[0], self._settings.rotate)
        except ImageError as error:
            problem = str(error)
        except (OSError, ValueError, http.client.HTTPException) as error:
            problem = f"{self._shown}: {reason(error)}"
        time = self._clock.now()
        return Frame(live_key(time), time, pixels, problem)

    def _fetch(self) -> bytes:
        """The picture's bytes.  The socket's timeout is of one wait: what trickles is given up by the clock."""
        until = self._clock.steady() + self._settings.timeout
        data = b""
        with urllib.request.urlopen(self._request, timeout=self._settings.timeout) as answer:
            kind = answer.headers.get_content_type()
            if kind.startswith("multipart/"):
                raise ImageError(f"{self._shown}: a stream ({kind}); wanted an address of one picture")
            while block := answer.read1(BLOCK):
                data += block
                if len(data) > LARGEST:
                    raise ImageError(f"{self._shown}: more than {LARGEST:,} bytes; wanted one picture, no stream")
                if self._clock.steady() > until:
                    raise TimeoutError
        return data

    def done(self, frame: Frame) -> None:
        """Nothing is kept of it."""

    def close(self) -> None:
        """Nothing is held open."""


def request(url: str) -> urllib.request.Request:
    """A request of a URL that may hold a user's name and password."""
    parts = urlsplit(url)
    made = urllib.request.Request(urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])))
    if parts.username is not None:
        both = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        made.add_unredirected_header("Authorization", "Basic " + base64.b64encode(both.encode()).decode())
    return made


def without_password(url: str) -> str:
    """A URL as it may be shown."""
    parts = urlsplit(url) if "://" in url else None
    return url if parts is None else urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=""))


def reason(error: Exception) -> str:
    """Why an address did not answer, in few words."""
    if isinstance(error, HTTPError):
        return f"answers {error.code} {error.reason}"
    inner = getattr(error, "reason", error)
    return (
        "does not answer in time" if isinstance(inner, TimeoutError) else str(getattr(inner, "strerror", "") or inner)
    )

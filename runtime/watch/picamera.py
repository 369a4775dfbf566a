"""A camera of a Raspberry Pi, by Picamera2 where it is installed (`apt install python3-picamera2`).

Its buffers are not what their names say: rows are padded to a stride, `RGB888` lies in memory as blue, green, red, and
the X of `XBGR8888` is a fourth byte.  What counts is the configuration after `configure`, which may differ from what
was asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import SourceError
from ..image import Pixels
from .clock import Clock
from .frame import Frame, live_key, upright
from .settings import Source as SourceSettings

SIZE = (1280, 720)
# format: bytes of a pixel, and where blue, green and red stand among them (Picamera2 manual, appendix A)
ORDERS = {
    "RGB888": (3, (0, 1, 2)),
    "BGR888": (3, (2, 1, 0)),
    "XRGB8888": (4, (0, 1, 2)),
    "XBGR8888": (4, (2, 1, 0)),
}


class PiCamera:
    """Started for the first frame, and again after one that failed."""

    paced = True

    def __init__(self, settings: SourceSettings, clock: Clock) -> None:
        try:
            from picamera2 import Picamera2
        except ImportError:
            raise SourceError(
                "picamera2: not installed here; wanted `apt install python3-picamera2` "
                "and a virtual environment made with --system-site-packages"
            ) from None
        self._make, self._settings, self._clock = Picamera2, settings, clock
        self._camera: Any = None

    def take(self, wait: float) -> Frame | None:
        pixels, problem = None, ""
        try:
            if self._camera is None:
                self._camera = self._make()
                size = tuple(self._settings.size or SIZE)
                wanted = self._camera.create_still_configuration(main={"size": size, "format": "RGB888"})
                self._camera.configure(wanted)
                self._camera.start()
            stream = self._camera.camera_configuration()["main"]
            pixels = bgr_of(self._camera.capture_buffer("main"), stream)
        except SourceError as error:
            problem = str(error)
        except (RuntimeError, OSError, IndexError) as error:  # no camera is an IndexError there
            problem = f"picamera2: {' '.join(str(error).split()) or type(error).__name__}"
        time = self._clock.now()
        if pixels is None:
            self.close()
            return Frame(live_key(time), time, None, problem)
        return Frame(live_key(time), time, upright(pixels, self._settings.rotate))

    def done(self, frame: Frame) -> None:
        """Nothing is kept of it."""

    def close(self) -> None:
        if self._camera is not None:
            self._camera.close()
            self._camera = None


def bgr_of(buffer: NDArray[Any], stream: Mapping[str, Any]) -> Pixels:
    """(H, W, 3) BGR of a flat uint8 buffer, by its stream's `format`, `size` and `stride`.  Raises SourceError."""
    (width, height), stride, form = stream["size"], stream["stride"], stream["format"]
    planar = form == "YUV420"
    rows = height * 3 // 2 if planar else height
    count, places = ORDERS.get(form, (1, (0, 0, 0)))
    if not planar and form not in ORDERS:
        raise SourceError(f"picamera2: frames of {form}; wanted {', '.join([*ORDERS, 'YUV420'])}")
    if buffer.size < rows * stride or stride < width * count:
        seen = f"{buffer.size} bytes, {height} rows of {stride}"
        raise SourceError(f"picamera2: {seen}; wanted {width} × {height} pixels of {form}")
    if not planar:
        pixels = buffer[: height * stride].reshape(height, stride)[:, : width * count].reshape(height, width, count)
        return np.ascontiguousarray(pixels[:, :, places], np.uint8)
    bright = buffer[: height * stride].reshape(height, stride)[:, :width]
    colours = buffer[height * stride : rows * stride].reshape(height, stride // 2)[:, : width // 2]
    packed = np.concatenate([bright.ravel(), colours.ravel()]).reshape(rows, width)
    return np.asarray(cv2.cvtColor(packed, cv2.COLOR_YUV2BGR_I420), np.uint8)

"""A camera of the kernel's (V4L2) or of the network (RTSP), by OpenCV."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from .clock import Clock
from .frame import Frame, live_key, upright
from .settings import Source as SourceSettings
from .snapshot import without_password

STALE = 4  # frames that a driver keeps: older than what is wanted


class Camera:
    """Opened for the first frame, and again after one that failed; an RTSP stream for each frame."""

    paced = True

    def __init__(self, settings: SourceSettings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._name = settings.camera or settings.url or ""
        self._shown = without_password(self._name)
        self._streams = settings.url is not None
        self._capture: Any = None

    def take(self, wait: float) -> Frame | None:
        try:
            capture = self._opened()
            problem = "" if capture.isOpened() else f"{self._shown}: no camera answers"
            pixels = None if problem else self._grab(capture)
        except cv2.error as error:
            pixels, problem = None, f"{self._shown}: {error.err or error}"
        time = self._clock.now()
        if pixels is None:
            self.close()
            return Frame(live_key(time), time, None, problem or f"{self._shown}: no frame comes; is it unplugged?")
        if self._streams:
            self.close()
        return Frame(live_key(time), time, upright(pixels, self._settings.rotate))

    def done(self, frame: Frame) -> None:
        """Nothing is kept of it."""

    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _opened(self) -> Any:
        if self._capture is None:
            milliseconds = round(1000 * self._settings.timeout)
            limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, milliseconds, cv2.CAP_PROP_READ_TIMEOUT_MSEC, milliseconds]
            if self._streams:
                self._capture = cv2.VideoCapture(self._name, cv2.CAP_FFMPEG, limits)
            else:
                self._capture = cv2.VideoCapture(int(self._name) if self._name.isdigit() else self._name)
            if self._settings.size is not None and not self._streams:
                self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, self._settings.size[0])
                self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self._settings.size[1])
        return self._capture

    def _grab(self, capture: Any) -> Any:
        if not self._streams:
            for _ in range(STALE):
                capture.grab()
        found, pixels = capture.read()
        return np.ascontiguousarray(pixels, np.uint8) if found and pixels is not None and pixels.size else None

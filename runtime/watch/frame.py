"""What a source gives: a frame, or why there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from ..image import Pixels
from .clock import Clock
from .settings import Settings

QUARTERS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


@dataclass(frozen=True)
class Frame:
    """One look at what is watched.

    key: what tells it from every other frame of this source, and is the same when the source gives it again.
    time: seconds since 1970 that it is of.  pixels: upright, (H, W) or (H, W, 3) BGR uint8; None: `problem` says why.
    """

    key: str
    time: float
    pixels: Pixels | None
    problem: str = ""


class Source(Protocol):
    """Where frames come from.

    paced: it gives a frame whenever one is asked for, so that the loop keeps the interval; else a frame is one that
    came by itself.
    """

    paced: bool

    def take(self, wait: float) -> Frame | None:
        """The next frame; None where none came in `wait` seconds.  What cannot be read is a frame with a problem."""

    def done(self, frame: Frame) -> None:
        """What was read of the frame is kept: it will not be wanted again."""

    def close(self) -> None:
        """Let the device go."""


def upright(pixels: Pixels, degrees: int) -> Pixels:
    """A frame turned clockwise by a quarter's multiple."""
    return np.asarray(cv2.rotate(pixels, QUARTERS[degrees]), np.uint8) if degrees else pixels


def live_key(time: float) -> str:
    """Of a frame that can be had only once."""
    return f"t{time:.6f}"


def open_source(settings: Settings, clock: Clock, is_done: Done, say: Callable[[str], None]) -> Source:
    """The source that the settings name.  say: gets one line for a person where a picture cannot be deleted.

    Raises SourceError where it can never be had: a package is missing.
    """
    source = settings.source
    if source.folder is not None:
        from .folder import Folder

        return Folder(settings.path(source.folder), source, clock, is_done, say)
    if source.camera == "picamera2":
        from .picamera import PiCamera

        return PiCamera(source, clock)
    if source.url is not None and source.url.startswith("http"):
        from .snapshot import Snapshot

        return Snapshot(source, clock)
    from .camera import Camera

    return Camera(source, clock)


class Done(Protocol):
    """Whether a frame of that key was read before."""

    def __call__(self, key: str) -> bool: ...

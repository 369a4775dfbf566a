"""Digits drawn with a pen of OpenCV's, for the tests to photograph."""

import cv2
import numpy as np


def _arc(x, y, across, down, start, end):
    angles = np.radians(np.linspace(start, end, 24))
    return np.stack([x + across * np.cos(angles), y + down * np.sin(angles)], 1)


# Lines of each digit in a box of 1 × 1.6, x to the right, y down.
LINES = {
    "0": [_arc(0.5, 0.8, 0.5, 0.8, 0, 360)],
    "1": [np.array([(0.6, 0), (0.4, 1.6)])],
    "2": [np.concatenate([_arc(0.5, 0.45, 0.45, 0.45, 190, 390), [(0.05, 1.6), (1, 1.6)]])],
    "3": [np.concatenate([_arc(0.45, 0.4, 0.45, 0.4, 200, 450), _arc(0.45, 1.2, 0.5, 0.42, 270, 520)])],
    "4": [np.array([(0.7, 1.6), (0.7, 0), (0, 1.1), (1, 1.1)])],
    "5": [np.concatenate([[(0.9, 0), (0.15, 0), (0.1, 0.7)], _arc(0.42, 1.1, 0.5, 0.5, 230, 510)])],
    "6": [np.concatenate([[(0.75, 0)], _arc(0.5, 1.15, 0.45, 0.45, 200, 560)])],
    "7": [np.array([(0, 0), (1, 0), (0.4, 1.6)])],
    "8": [_arc(0.5, 0.4, 0.38, 0.4, 0, 360), _arc(0.5, 1.2, 0.48, 0.4, 0, 360)],
    "9": [_arc(0.5, 0.45, 0.42, 0.45, 0, 360), np.array([(0.92, 0.45), (0.8, 1.6)])],
}
SLASH = [np.array([(0.9, -0.1), (0.1, 1.7)])]
# A 5 whose bar is loose: a gap is left between the bar and the rest.
LOOSE_FIVE = [np.array([(0.28, 0), (0.95, 0)]), np.concatenate([[(0.15, 0.1)], LINES["5"][0][2:]])]


def draw(lines, height=120, pen=10, shape=(200, 200), corner=None, ink=0, paper=255):
    """Grey uint8 image of `shape` with lines (or the name of a digit) `height` pixels high.

    corner: x, y of the upper left end of the pen's way; in the middle where None.
    """
    lines = LINES[lines] if isinstance(lines, str) else lines
    scale = height / 1.6
    if corner is None:
        corner = (shape[1] - scale) / 2, (shape[0] - height) / 2
    image = np.full(shape, paper, np.uint8)
    for line in lines:
        points = np.round((line * scale + corner) * 16).astype(np.int32)
        cv2.polylines(image, [points.reshape(-1, 1, 2)], False, int(ink), pen, cv2.LINE_AA, 4)
    return image


def write(text, height=60, pen=6, spacing=1.5, shape=None, slant=0.0):
    """Grey uint8 image of digits and slashes, `spacing` digit widths from one to the next, leaning by `slant`."""
    scale = height / 1.6
    shape = shape or (round(height * 2), round(scale * spacing * (len(text) + 1) + height))
    image = np.full(shape, 255, np.uint8)
    for place, digit in enumerate(text):
        for line in SLASH if digit == "/" else LINES[digit]:
            leaning = line + np.stack([(1.6 - line[:, 1]) * slant, np.zeros(len(line))], 1)
            corner = (scale * spacing * (place + 0.5), (shape[0] - height) / 2)
            points = np.round((leaning * scale + corner) * 16).astype(np.int32)
            cv2.polylines(image, [points.reshape(-1, 1, 2)], False, 0, pen, cv2.LINE_AA, 4)
    return image

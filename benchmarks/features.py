"""What a classical classifier is given of a glyph: its pixels, or histograms of oriented gradients."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CELL = 4  # pixels
BLOCK = 2  # cells along each side
ORIENTATIONS = 8  # over the full turn: ink is always brighter, so that the sign tells on which side of the stroke
CLIPPED = 0.2  # of a block's norm, which no value may exceed
CHUNK = 5_000  # images at once


def pixels(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, H × W × C) in [0, 1]."""
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


def hog(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Histograms of oriented gradients (Dalal and Triggs 2005, section 6) of (N, H, W) images: cells of 4 × 4 pixels,
    blocks of 2 × 2 cells that overlap by one, 8 signed orientations between which a gradient is shared out, clipped L2
    norm ("L2-Hys").  Of 28 × 28: (N, 1152) float32."""
    parts = [_hog(images[start : start + CHUNK]) for start in range(0, len(images), CHUNK)]
    return np.concatenate(parts)


def _hog(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    padded = np.pad(images.astype(np.float32), ((0, 0), (1, 1), (1, 1)))
    across = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    down = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    strength = np.hypot(across, down)
    turn = np.arctan2(down, across) % (2 * np.pi) / (2 * np.pi) * ORIENTATIONS
    lower = turn.astype(int)
    share = turn - lower
    count, height, width = images.shape
    rows, columns = height // CELL, width // CELL
    cells = np.empty((count, rows, columns, ORIENTATIONS), np.float32)
    for orientation in range(ORIENTATIONS):
        part = strength * np.where(lower % ORIENTATIONS == orientation, 1 - share, 0)
        part += strength * np.where((lower + 1) % ORIENTATIONS == orientation, share, 0)
        part = part[:, : rows * CELL, : columns * CELL].reshape(count, rows, CELL, columns, CELL)
        cells[..., orientation] = part.sum((2, 4))
    blocks = np.lib.stride_tricks.sliding_window_view(cells, (BLOCK, BLOCK), axis=(1, 2))
    flat = blocks.reshape(*blocks.shape[:3], -1)
    flat = np.minimum(_normalised(flat), CLIPPED)
    return np.asarray(_normalised(flat).reshape(count, -1), np.float32)


def _normalised(blocks: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(blocks / np.sqrt((blocks**2).sum(-1, keepdims=True) + 1e-6), np.float32)

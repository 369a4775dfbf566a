"""Photo-like pictures of written digits: a pen's ink on paper, lit from one side.

`python -m glyphlite.train.samples OUT_DIR` draws the sample images that are shipped with the models.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..runtime.errors import counted
from ..runtime.files import write_csv
from ..runtime.labels import LABELS_FILE
from .paper import Paper, Pen, flowed, printed
from .strokes import Hand, draw

SEED = 7
SIZE = (352, 264)  # pixels, width and height
LEVEL_STEP = 3  # grey levels that pixels are rounded to, so that the noise does not fill the PNG


@dataclass(frozen=True)
class Sample:
    """One sample image: a digit's style, a pen, a paper; None for a transparent ground, its ink in the alpha only."""

    label: str
    style: str
    pen: Pen
    paper: Paper | None
    height: float = 0.66  # the character's longer side, share of the picture's height
    size: tuple[int, int] = SIZE


def photograph(sample: Sample, rng: np.random.Generator) -> np.ndarray:
    """The sample as a picture: (H, W, 3) BGR uint8, or (H, W, 4) BGRA where it has no paper."""
    width, height = sample.size
    alpha = _written(sample, rng)
    if sample.paper is None:
        transparent = np.empty((height, width, 4), np.uint8)
        transparent[..., :3] = sample.pen.colour
        transparent[..., 3] = np.rint(255 * alpha)
        return transparent
    picture = printed(alpha, sample.pen, sample.paper, rng)
    return np.asarray(np.clip(LEVEL_STEP * np.rint(picture / LEVEL_STEP), 0, 255), np.uint8)


def _written(sample: Sample, rng: np.random.Generator) -> np.ndarray:
    """(H, W) float32 in [0, 1]: how much of the paper the ink covers."""
    width, height = sample.size
    pen = sample.pen
    hand = Hand(
        jitter=0.012, bend=0.02, slant=(0.1, 0.05), rotation=2, aspect=0.06, pen=(pen.width, 0), pressure=pen.pressure
    )
    ink = draw(sample.label, sample.style, rng, round(sample.height * height), hand)
    alpha = np.zeros((height, width), np.float32)
    left = round((width - ink.shape[1]) / 2 + rng.uniform(-0.08, 0.08) * width)
    top = round((height - ink.shape[0]) / 2 + rng.uniform(-0.05, 0.05) * height)
    alpha[top : top + ink.shape[0], left : left + ink.shape[1]] = ink / np.float32(255)
    return flowed(alpha, pen, rng)


_WHITE = Paper((236, 240, 240))
_CREAM = Paper((214, 232, 238), texture=1.2)
_LINED = Paper((232, 238, 238), rules="lines", spacing=40)
_SQUARED = Paper((236, 240, 238), rules="squares", spacing=24, rule_colour=(226, 212, 196))
_KRAFT = Paper((128, 168, 196), texture=2.2, light=0.15)
_SHADED = Paper((230, 236, 238), light=0.15, shadow=0.38)
_BOARD = Paper((58, 66, 52), texture=1.8, light=0.2)

_MARKER = Pen((38, 34, 36), 0.12)
_PENCIL = Pen((70, 68, 68), 0.055, flow=0.85, grain=0.35)
_BALLPOINT = Pen((140, 62, 34), 0.05, flow=0.92, grain=0.08)

SAMPLES: dict[str, Sample] = {
    "0-marker": Sample("0", "plain", _MARKER, _WHITE),
    "1-pencil": Sample("1", "plain", _PENCIL, _CREAM),
    "2-ballpoint": Sample("2", "looped", _BALLPOINT, _LINED),
    "3-red-pen": Sample("3", "round", Pen((52, 44, 196), 0.075), _WHITE),
    "3-flat": Sample("3", "flat", Pen((60, 40, 34), 0.07), _LINED),
    "4-squared": Sample("4", "open", Pen((150, 72, 30), 0.055), _SQUARED),
    "5-chalk": Sample("5", "barred", Pen((226, 234, 234), 0.085, flow=0.92, grain=0.5, blur=1.0), _BOARD),
    "6-shadow": Sample("6", "curved", Pen((74, 40, 26), 0.065, pressure=0.25), _SHADED),
    "7-crossed": Sample("7", "crossed", Pen((44, 40, 40), 0.05), _SQUARED),
    "7-transparent": Sample("7", "plain", Pen((30, 30, 30), 0.085, flow=1.0), None),
    "8-green": Sample("8", "one-stroke", Pen((84, 128, 36), 0.1, flow=0.88), Paper((240, 240, 238), texture=0.6)),
    "9-kraft": Sample("9", "straight", Pen((40, 40, 44), 0.09), _KRAFT),
    "4-pencil": Sample("4", "closed", _PENCIL, _LINED),
    "2-violet": Sample("2", "swan", Pen((120, 44, 96), 0.08), _CREAM),
}


def sample_images() -> dict[str, np.ndarray]:
    """The shipped samples by name: (H, W, 3) BGR or (H, W, 4) BGRA uint8; the same at every call."""
    return {name: photograph(sample, np.random.default_rng((SEED, *name.encode()))) for name, sample in SAMPLES.items()}


def save_samples(folder: Path) -> list[Path]:
    """Write the samples as PNG with `labels.csv` (columns file, text) beside them; returns the pictures' paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, image in sorted(sample_images().items()):
        _, data = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 9])
        paths.append(folder / f"{name}.png")
        paths[-1].write_bytes(data.tobytes())
    rows = [(path.name, SAMPLES[path.stem].label) for path in paths]
    write_csv(folder / LABELS_FILE, [("file", "text"), *rows])
    return paths


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m glyphlite.train.samples", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="OUT_DIR")
    folder = parser.parse_args().folder
    paths = save_samples(folder)
    size = sum(path.stat().st_size for path in paths)
    print(f"{counted(len(paths), 'sample')}, {size / 1000:.0f} kB, in {folder}")


if __name__ == "__main__":
    main()

"""Damaged images by the thousand: each is an answer or one of our errors, soon, and in bounded memory.

`python tests/fuzz.py [--count N] [--seed S]`; `make fuzz` runs 20,000.  What fails is kept in build/fuzz.
"""

import argparse
import collections
import io
import multiprocessing
import resource
import struct
import sys
import time
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

SLOWEST_S = 2.0
MOST_MEMORY = 512 * 2**20  # bytes above the process before its first image
BATCH = 250  # images a child process tries: a decoder that crashes takes no more with it
EVERY_READ = 10  # each so-manieth image goes through `read` as well
KEPT = Path("build/fuzz")
EXTREME = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)


def originals():
    """Sound images of every format and kind, as bytes."""
    rng = np.random.default_rng(0)
    grey = np.full((48, 40), 230, np.uint8)
    grey[8:40, 18:23] = 30
    colour = np.stack([grey, grey // 2 + 60, 255 - grey], -1)
    alpha = np.dstack([colour, 255 - grey])
    noise = rng.integers(0, 256, (64, 64, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    made = []

    def save(array, form, mode=None, **options):
        image = Image.fromarray(array)
        stream = io.BytesIO()
        (image.convert(mode) if mode else image).save(stream, form, **options)
        made.append(stream.getvalue())

    for array in (grey, colour, alpha, noise):
        save(array, "PNG")
        save(array, "TIFF")
        save(array, "WEBP", lossless=bool(array is grey))
    for array in (grey, colour, noise):
        save(array, "JPEG", quality=70, exif=exif)
        save(array, "JPEG", quality=40, progressive=True)
        save(array, "BMP")
        save(array, "GIF")
    save(grey, "PNG", "1")
    save(colour, "PNG", "P")
    save(grey.astype(np.uint16) * 257, "PNG")
    for compression in ("tiff_lzw", "tiff_deflate", "jpeg", "packbits"):
        save(colour, "TIFF", compression=compression)
    save(grey, "TIFF", "1", compression="group4")
    return made


def mutated(sources, rng):
    """One of the images, damaged in one to four ways."""
    data = bytearray(sources[rng.integers(len(sources))])
    for _ in range(int(rng.integers(1, 5))):
        if len(data) < 8:
            break
        at = int(rng.integers(len(data))) if rng.random() < 0.6 else int(rng.integers(min(len(data), 64)))
        way = rng.integers(8)
        if way == 0:
            data[at] ^= 1 << int(rng.integers(8))
        elif way == 1:
            data[at : at + int(rng.integers(1, 16))] = rng.bytes(int(rng.integers(0, 16)))
        elif way == 2:
            del data[at:]
        elif way == 3:
            value, form = EXTREME[rng.integers(len(EXTREME))], ("<I", ">I", "<H", ">H")[rng.integers(4)]
            packed = struct.pack(form, value & (0xFFFF if form[1] == "H" else 0xFFFFFFFF))
            data[at : at + len(packed)] = packed
        elif way == 4:
            start = int(rng.integers(len(data)))
            data[at:at] = data[start : start + int(rng.integers(1, 200))]
        elif way == 5:
            other = sources[rng.integers(len(sources))]
            data[at:] = other[int(rng.integers(len(other))) :]
        elif way == 6:
            del data[at : at + int(rng.integers(1, 64))]
        else:
            data[at:at] = bytes(int(rng.integers(1, 300)))
    return checked(bytes(data))


def checked(data):
    """A PNG with the checksums of its chunks made right, so that the damage behind them is read."""
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        return data
    out, at = bytearray(data[:8]), 8
    while at + 12 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        body = data[at + 4 : at + 8 + length]
        if len(body) < length + 4:
            break
        out += data[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    return bytes(out) + data[at:]


def attempt(recognizer, data, also_read):
    """The kind of outcome of one image: 'answer', 'refusal', the name of one of our errors, or what is wrong."""
    from glyphlite.runtime import GlyphliteError

    try:
        answer = recognizer.predict(data)
        if also_read:
            recognizer.read(data)
    except GlyphliteError as error:
        return type(error).__name__
    except Exception as error:  # what must not happen
        return f"!{type(error).__name__}"
    return "answer" if answer.label else "refusal"


def run_batch(seed, first, last, progress, results):
    """Try images first to last - 1 in this process; `progress` holds the one in work."""
    from glyphlite.runtime import Recognizer

    recognizer, sources = Recognizer.load("digits-edge"), originals()
    recognizer.read(sources[0])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    for number in range(first, last):
        progress.value = number
        data = mutated(sources, np.random.default_rng((seed, number)))
        start = time.perf_counter()
        kind = attempt(recognizer, data, number % EVERY_READ == 0)
        seconds = time.perf_counter() - start
        if seconds > SLOWEST_S:  # once more: the machine may have been busy
            start = time.perf_counter()
            attempt(recognizer, data, number % EVERY_READ == 0)
            seconds = min(seconds, time.perf_counter() - start)
            kind = "!slow" if seconds > SLOWEST_S else kind
        growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
        results.put((number, "!memory" if growth > MOST_MEMORY else kind, seconds, growth))


def fuzz(count, seed=0, say=lambda line: None, target=run_batch):
    """Try `count` images; returns the outcomes by kind, the failures as (number, kind), the worst time and growth."""
    context = multiprocessing.get_context("spawn")
    outcomes, failures, worst, growth, first = collections.Counter(), [], 0.0, 0, 0
    while first < count:
        last = min(first + BATCH, count)
        progress, results = context.Value("q", first), context.Queue()
        child = context.Process(target=target, args=(seed, first, last, progress, results))
        child.start()
        found = []
        while child.is_alive() or not results.empty():
            try:
                found.append(results.get(timeout=0.2))
            except Exception:  # queue.Empty
                continue
        child.join()
        for number, kind, seconds, grown in found:
            outcomes[kind] += 1
            worst, growth = max(worst, seconds), max(growth, grown)
            if kind.startswith("!"):
                failures.append((number, kind))
        if child.exitcode:
            outcomes["!crash"] += 1
            failures.append((progress.value, "!crash"))
            last = progress.value + 1
        first = last
        say(f"{first} of {count}: {dict(outcomes)}")
    return outcomes, failures, worst, growth


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    start = time.perf_counter()
    outcomes, failures, worst, growth = fuzz(asked.count, asked.seed, lambda line: print(line, file=sys.stderr))
    for number, kind in failures:
        KEPT.mkdir(parents=True, exist_ok=True)
        data = mutated(originals(), np.random.default_rng((asked.seed, number)))
        (KEPT / f"{kind[1:]}-{asked.seed}-{number}").write_bytes(data)
    shown = ", ".join(f"{number} {kind}" for kind, number in outcomes.most_common())
    print(f"{asked.count} images in {time.perf_counter() - start:.0f} s: {shown}")
    print(f"longest {worst:.2f} s, memory {growth / 2**20:.0f} MiB above the start, {len(failures)} failures")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()

"""IDX files (LeCun's format for MNIST, used by EMNIST too): parse and write, plain or gzip-compressed.

Format: two zero bytes, a type code (0x08 = uint8), the number of dimensions, each dimension as a big-endian uint32,
then the values in row-major order.  Source: http://yann.lecun.com/exdb/mnist/, "The IDX file format".
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np

from ..runtime.errors import DatasetError

GZIP_MAGIC = b"\x1f\x8b"
UINT8_CODE = 0x08


def read_idx(path: Path, dimensions: int | None = None) -> np.ndarray:
    """The uint8 array of an IDX file.

    `dimensions` is the number wanted (3 for images, 1 for labels); None takes any.
    Raises DatasetError where the file is missing, cut short, longer than its header says, or no IDX of uint8.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror or error}); wanted an IDX file") from None
    if data[:2] == GZIP_MAGIC:
        try:
            data = gzip.decompress(data)
        except (EOFError, OSError, zlib.error) as error:
            raise DatasetError(f"{path}: damaged or cut-short gzip ({error})") from None
    return parse_idx(data, str(path), dimensions)


def parse_idx(data: bytes, name: str, dimensions: int | None = None) -> np.ndarray:
    """The uint8 array that IDX bytes hold; `name` is what errors call them."""
    if len(data) < 4 or data[:2] != b"\0\0":
        raise DatasetError(
            f"{name}: no IDX file (starts with {data[:4].hex() or 'nothing'}, wanted 0000 08 and a number)"
        )
    if data[2] != UINT8_CODE:
        raise DatasetError(f"{name}: IDX of type 0x{data[2]:02x}; wanted 0x{UINT8_CODE:02x} (uint8)")
    rank = data[3]
    if rank == 0 or (dimensions is not None and rank != dimensions):
        raise DatasetError(f"{name}: IDX of {rank} dimensions; wanted {dimensions or 'at least 1'}")
    header = 4 + 4 * rank
    if len(data) < header:
        raise DatasetError(f"{name}: cut short inside its header ({len(data)} bytes of {header})")
    shape = [int(size) for size in np.frombuffer(data, ">u4", rank, offset=4)]
    wanted = header + int(np.prod(shape, dtype=object))
    if len(data) != wanted:
        state = "cut short" if len(data) < wanted else "too long"
        raise DatasetError(f"{name}: {state}: {len(data)} bytes, wanted {wanted} for {' × '.join(map(str, shape))}")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def idx_bytes(array: np.ndarray) -> bytes:
    """A uint8 array as uncompressed IDX bytes."""
    if array.dtype != np.uint8 or not 1 <= array.ndim <= 255:
        raise ValueError(f"an IDX file here holds a uint8 array, not {array.dtype} of {array.ndim} dimensions")
    header = bytes([0, 0, UINT8_CODE, array.ndim]) + np.asarray(array.shape, ">u4").tobytes()
    return header + array.tobytes()

"""Memory of a training process: what is freed is kept for the next step."""

from __future__ import annotations

import ctypes
import sys

MALLOC_OPTIONS = ((-4, 0), (-1, 2**31 - 1), (-2, 2**28))  # M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD of mallopt(3)


def keep_memory() -> None:
    """Tell glibc to give nothing back to the system, which would have to give new pages at the next step: for small
    networks, and for batches of ever other widths, that took as long as the training itself."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):  # glibc's, not musl's
        for option, value in MALLOC_OPTIONS:
            libc.mallopt(option, value)

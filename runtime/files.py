"""Files that are whole or not there: written under a temporary name, then renamed."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def replacing(path: Path, mode: int = 0o644) -> Iterator[Path]:
    """A temporary path beside `path`, with its suffix; renamed to it when the block ends well, removed when not.

    A link stays, and the file that it leads to is replaced; a pipe or a device is written to.
    mode: of the file that comes of it; mkstemp's 0600 would hide a shared one from others.
    """
    import tempfile  # what only writes is imported here: `predict` starts sooner

    path = Path(path)
    special = path.exists() and not path.is_file() and not path.is_dir()
    target = path if special else path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = None if special else target.parent
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=folder)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        if special:
            path.write_bytes(temporary.read_bytes())
        else:
            temporary.chmod(mode)
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: Path, value: Any) -> None:
    """Write JSON for people to read, whole or not at all."""
    write_bytes(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def write_csv(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    """Write rows as CSV, whole or not at all."""
    import csv

    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_bytes(path, text.getvalue().encode())


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def files_below(path: Path) -> list[Path]:
    """A file itself, or all files of a folder and those below it, in order."""
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def sha256_files(files: Sequence[Path]) -> str:
    """Hex SHA-256 of one file's bytes; of several, of their hashes and of their names below the folder of them all."""
    if len(files) == 1:
        return sha256_file(files[0])
    folder = os.path.commonpath([file.parent for file in files])
    told = [f"{file.relative_to(folder).as_posix()} {sha256_file(file)}\n" for file in files]
    return hashlib.sha256("".join(told).encode()).hexdigest()

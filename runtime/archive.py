"""A bundle as one file: its folder as `.zip` or `.tar`, read as one reads what a stranger sent.

Taken are a card, artifacts and samples, in the root or in one folder; of everything else an archive may hold (paths
that lead out, links, devices, bombs) the first is refused by name.
"""

from __future__ import annotations

import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from .bundle import CARD_FILE, Bundle
from .errors import ArtifactError
from .files import replacing

# what reading a damaged archive raises
DAMAGED = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, RuntimeError, NotImplementedError,
    ValueError,
)  # fmt: skip
MOST_FILES = 1000
MOST_BYTES = 1 << 30  # unpacked
SAMPLES = "samples"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest date that zip knows: the same bundle is always the same bytes


def pack(out: Path, bundle: Bundle, artifacts: list[Path]) -> None:
    """Write a bundle's card, artifacts and samples.  Raises ArtifactError for a suffix other than .zip and .tar."""
    if out.suffix not in (".zip", ".tar"):
        raise ArtifactError(f"{out}: wanted a name that ends in .zip or .tar")
    samples = sorted(path for path in (bundle.folder / SAMPLES).glob("*") if path.is_file())
    files = [bundle.folder / CARD_FILE, *artifacts, *samples]
    name = bundle.card.name
    with replacing(out) as temporary:
        if out.suffix == ".zip":
            with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
                for path in files:
                    info = zipfile.ZipInfo(f"{name}/{path.relative_to(bundle.folder).as_posix()}", EPOCH)
                    info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
                    archive.writestr(info, path.read_bytes())
            return
        with tarfile.open(temporary, "w") as tar:
            for path in files:
                member = tarfile.TarInfo(f"{name}/{path.relative_to(bundle.folder).as_posix()}")
                member.size = path.stat().st_size
                tar.addfile(member, io.BytesIO(path.read_bytes()))


def unpack(file: Path, into: Path, shown: str) -> Path:
    """Unpack a bundle's file; the folder with its card.  Raises ArtifactError naming what is wrong with it."""
    into.mkdir()
    left, count = MOST_BYTES, 0
    try:
        for name, content in _members(file, shown):
            path = PurePosixPath(name)
            if path.is_absolute() or "\\" in name or not all(part.strip(". ") for part in path.parts) or "\0" in name:
                raise ArtifactError(f"{shown}: holds {name!r:.80}; wanted names within its own folder")
            count += 1
            if count > MOST_FILES:
                raise ArtifactError(f"{shown}: more than {MOST_FILES} files; wanted a bundle")
            target = into / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as out:
                while block := content.read(min(1 << 20, left + 1)):
                    left -= len(block)
                    if left < 0:
                        raise ArtifactError(f"{shown}: more than {MOST_BYTES:,} bytes unpacked; wanted a bundle")
                    out.write(block)
    except FileExistsError as error:
        raise ArtifactError(f"{shown}: holds {Path(str(error.filename)).name!r} twice") from None
    except DAMAGED as error:
        raise ArtifactError(f"{shown}: damaged ({error})") from None
    except NotADirectoryError:
        raise ArtifactError(f"{shown}: holds a file and a folder of one name") from None
    cards = [*into.glob(CARD_FILE), *into.glob(f"*/{CARD_FILE}")]
    if len(cards) != 1:
        raise ArtifactError(f"{shown}: {len(cards)} of {CARD_FILE}; wanted one, in its root or in one folder")
    return cards[0].parent


def _members(file: Path, shown: str) -> Iterator[tuple[str, IO[bytes]]]:
    """Name and content of each ordinary file; anything else but folders is refused."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                if info.is_dir():
                    continue
                if (info.external_attr >> 16) & 0o170000 == 0o120000:
                    raise ArtifactError(f"{shown}: holds a link, {info.filename!r:.80}; wanted ordinary files")
                with archive.open(info) as content:
                    yield info.filename, content
    elif tarfile.is_tarfile(file):
        with tarfile.open(file) as tar:
            for member in tar:
                if member.isdir():
                    continue
                ordinary = tar.extractfile(member) if member.isreg() else None
                if ordinary is None:
                    raise ArtifactError(f"{shown}: holds a link or device, {member.name!r:.80}; wanted ordinary files")
                yield member.name, ordinary
    else:
        raise ArtifactError(f"{shown}: no archive; wanted a bundle's .zip or .tar")

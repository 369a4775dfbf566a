"""Models that are installed beside the shipped ones: verified, tried, switched to at once, and back again.

`ROOT/NAME` is a link to the folder of the version that is live, `ROOT/.NAME.previous` to the one before it.  A new
version is unpacked beside them, must be what its sha256 and signature say, and must answer its samples; only then is
the link replaced, in one step of the file system.  Whatever fails or is killed before that leaves the live one alone.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .archive import pack, unpack
from .bundle import Bundle, find_bundle, installed_folder, read_bundle, shipped_models
from .errors import ArtifactError, GlyphliteError, ModelError, UnknownModel
from .files import sha256_file
from .selftest import SelfTest, self_test
from .signature import check_signature

LARGEST_FILE = 512 * 2**20  # bytes of a bundle that is fetched
TIMEOUT_S = 30
TRUSTED = "trusted.pub"  # in the folder of the installed models: from then on nothing unsigned is installed
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Installed:
    """What became live.  replaced: the version before it, where there was one."""

    name: str
    folder: Path
    sha256: str
    tested: SelfTest | None
    replaced: Path | None


def install(source: str, sha256: str | None = None, key: str | None = None) -> Installed:
    """Install a bundle's file from a path or a URL, and make it live.

    sha256: what the file must have.  key: minisign's public key, or the path of one; None: ROOT/trusted.pub where it
    lies there.  A signature lies beside the file, as SOURCE.minisig.  What comes by a URL must have one of them.
    Raises ModelError (ArtifactError, CardError) where anything is not as it should be; what was live stays live.
    """
    root = installed_folder()
    trusted = root / TRUSTED
    if key is None and os.path.lexists(trusted):  # where it leads nowhere nothing is installed
        key = str(trusted)
    if key is not None and not key:
        raise ModelError("the key is empty; wanted minisign's public key, or the path of one")
    by_url = re.match(r"https?://", source) is not None
    if by_url and not (sha256 or key):
        raise ModelError(f"{source}: comes by the network; wanted --sha256 or a --key to know it by")
    try:
        root.mkdir(parents=True, exist_ok=True)
        with _alone(root), tempfile.TemporaryDirectory(prefix=".new-", dir=root) as work:
            file = _fetch(source, Path(work) / "bundle") if by_url else Path(source)
            if not file.is_file():
                raise ArtifactError(f"{source}: no such file; wanted a bundle's .zip or .tar")
            found = sha256_file(file)
            if sha256 is not None and found != sha256.lower():
                raise ArtifactError(f"{source}: sha256 {found}; wanted {sha256}")
            if key is not None:
                signature = f"{source}.minisig"
                beside = _fetch(signature, Path(work) / "signature") if by_url else Path(signature)
                check_signature(file, beside, key)
            folder = unpack(file, Path(work) / "unpacked", source)
            bundle = read_bundle(folder)
            _check_name(bundle, source)
            tested = try_out(bundle)
            return _switch(root, bundle.card.name, folder, found, tested)
    except OSError as error:
        raise ModelError(f"{error.filename or root}: {error.strerror or error}") from None


def _check_name(bundle: Bundle, source: str) -> None:
    name = bundle.card.name
    if not NAME.fullmatch(name) or name == TRUSTED:
        raise ModelError(f"{source}: name {name!r}; wanted letters, digits, ., - and _, and not {TRUSTED}")


def try_out(bundle: Bundle) -> SelfTest | None:
    """Check every artifact's bytes, and the answers of the default one.  Raises ModelError or EngineError."""
    from .recognizer import Recognizer

    for artifact in bundle.card.artifacts:
        bundle.path(artifact)
    return self_test(Recognizer.from_bundle(bundle), bundle.folder)


def rollback(name: str) -> Path:
    """Make the version before the live one live again; a second time, that one.  Its folder."""
    root = installed_folder()
    try:
        return _rolled_back(root, name)
    except OSError as error:
        raise ModelError(f"{error.filename or root}: {error.strerror or error}") from None


def _rolled_back(root: Path, name: str) -> Path:
    live, previous = root / name, root / f".{name}.previous"
    if not NAME.fullmatch(name) or not previous.is_symlink() or not previous.exists():
        shipped = f"; without {live} the shipped one answers" if live.is_symlink() and name in shipped_models() else ""
        raise UnknownModel(f"{name}: no version before this one is installed in {root}{shipped}")
    try_out(read_bundle(previous.resolve()))
    with _alone(root):
        before, after = live.resolve(), previous.resolve()
        is_live = live.is_symlink()
        _point(live, after)
        if is_live:
            _point(previous, before)
        else:
            previous.unlink()
    return after


def export(model: str, out: Path) -> str:
    """Write a bundle as one file, `.zip` or `.tar`, that `install` takes; its sha256.

    Raises ArtifactError where it has no artifact, or one that is not what its card says, ModelError where its name is
    none to install by.
    """
    bundle = find_bundle(model)
    bundle.card.artifact()
    _check_name(bundle, model)
    files = [bundle.path(artifact) for artifact in bundle.card.artifacts]
    pack(out, bundle, files)
    return sha256_file(out)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """One process at a time; what one that was killed left is removed."""
    with (root / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in root.glob(".new-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


def _switch(root: Path, name: str, folder: Path, sha256: str, tested: SelfTest | None) -> Installed:
    final, live, previous = root / f".{name}-{sha256[:16]}", root / name, root / f".{name}.previous"
    if live.exists() and not live.is_symlink():
        raise ModelError(f"{live}: a folder that was not installed; move it away")
    before = live.resolve() if live.exists() else None
    if final.exists() and before != final:
        shutil.rmtree(final)
    if not final.exists():
        _on_disk(*folder.rglob("*"), folder)
        folder.rename(final)
    if before is not None and before != final:
        _point(previous, before)
    _point(live, final)
    kept = {final, previous.resolve() if previous.exists() else None}
    for old in root.glob(f".{name}-*"):
        if re.fullmatch(r"[0-9a-f]{16}", old.name.removeprefix(f".{name}-")) and old not in kept:
            shutil.rmtree(old, ignore_errors=True)
    return Installed(name, final, sha256, tested, before if before != final else None)


def _point(link: Path, folder: Path) -> None:
    """Make a link to a folder beside it, or turn it there, in one step."""
    with _temporary_name(link) as temporary:
        temporary.symlink_to(folder.name)
        temporary.replace(link)
    _on_disk(link.parent)


@contextmanager
def _temporary_name(path: Path) -> Iterator[Path]:
    temporary = path.with_name(f".link-{os.getpid()}-{path.name}")
    temporary.unlink(missing_ok=True)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _on_disk(*paths: Path) -> None:
    """Have files, and what folders list, on the disk before anything points there."""
    for path in paths:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _fetch(url: str, to: Path) -> Path:
    """A file of the network, of bounded size."""
    import http.client

    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer, to.open("wb") as file:
            while block := answer.read(1 << 20):
                if file.tell() + len(block) > LARGEST_FILE:
                    raise ArtifactError(f"{url}: more than {LARGEST_FILE:,} bytes")
                file.write(block)
    except GlyphliteError:
        raise
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ArtifactError(f"{url}: {error}") from None
    return to

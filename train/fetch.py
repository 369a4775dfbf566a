"""Fetch public data sets into the user's cache: resumed where it was cut, checked by sha256, whole or not there.

MNIST comes as its four files, EMNIST as the one official archive, of which the wanted set's files are unpacked.
"""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..runtime.errors import DatasetError
from ..runtime.files import sha256_file, write_bytes
from .datasets import EMNIST_SETS, NPZ_ERRORS, cache_folder, read_emnist_mapping

MNIST_URL = "https://storage.googleapis.com/cvdf-datasets/mnist/"  # the mirror that TensorFlow's own data sets use
EMNIST_URL = "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip"
BLOCK = 1 << 18  # bytes read at a time
TIMEOUT_S = 60

Progress = Callable[[str, int, int], None]  # file name, bytes so far, bytes in all (0 where unknown)


@dataclass(frozen=True)
class Published:
    """What is known of a published file: its length in bytes and its sha256."""

    size: int
    sha256: str


MNIST_FILES = {
    "train-images-idx3-ubyte.gz": Published(
        9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
    ),
    "train-labels-idx1-ubyte.gz": Published(28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
    "t10k-images-idx3-ubyte.gz": Published(
        1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
    ),
    "t10k-labels-idx1-ubyte.gz": Published(4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
}

EMNIST_FILES = {
    "emnist-balanced-test-images-idx3-ubyte.gz": Published(
        4_714_707, "117fc12b015e37ea98bfb2cbba3f77c3782c056cdbd219b87abfc8661d7135db"
    ),
    "emnist-balanced-test-labels-idx1-ubyte.gz": Published(
        13_504, "a67cac948379b67270b9a4d0a01c8ec661598accf2f2b1964340b7c83cb175cd"
    ),
    "emnist-balanced-train-images-idx3-ubyte.gz": Published(
        28_207_740, "74295e75e4e9fa2c102147460ee7eb763653d5132d883a84fb88932bfb8d2db4"
    ),
    "emnist-balanced-train-labels-idx1-ubyte.gz": Published(
        80_618, "b46d41e5156a0a8aaaa4d18979fdd1588850fa8571018acffd5d93b325a7d6ed"
    ),
    "emnist-byclass-test-images-idx3-ubyte.gz": Published(
        28_908_322, "5ec835bd5d5b1a66378a132e727fef20fe994b3cc666899befcca5ac766f50cd"
    ),
    "emnist-byclass-test-labels-idx1-ubyte.gz": Published(
        81_839, "501e305eeeacb093b162592d80e8a2632040872360fa6d85cfcb2200d91ca92a"
    ),
    "emnist-byclass-train-images-idx3-ubyte.gz": Published(
        173_367_313, "9e21987f03a6eb8b870187e785883ddad96947299587908f1a7ec2ca0f4be5f0"
    ),
    "emnist-byclass-train-labels-idx1-ubyte.gz": Published(
        491_603, "f7ef403d48dc18a89dae0d83d11ee69cecb6e1c12c3a961d03712e495c02a8fa"
    ),
    "emnist-bymerge-test-images-idx3-ubyte.gz": Published(
        28_905_295, "5e5815ec1b522089134435f7c55e75a00960b58414793593ffff23efc0821683"
    ),
    "emnist-bymerge-test-labels-idx1-ubyte.gz": Published(
        79_351, "8bda1516255683ba9071e141947ca0c91a911176065cdd6259b0b4d8dc5b5f35"
    ),
    "emnist-bymerge-train-images-idx3-ubyte.gz": Published(
        173_375_281, "39bf8c68037dad40db35348895f7e4e056e8c0a005ab78869c9fbc2c96e947be"
    ),
    "emnist-bymerge-train-labels-idx1-ubyte.gz": Published(
        476_444, "2c47293b9e62d6abf6ad05fbf67e40baa32adfd380b8d7b44dcc35534b64e1f1"
    ),
    "emnist-digits-test-images-idx3-ubyte.gz": Published(
        9_908_519, "20ebe43509264f7639d37c835a3f0b009e90b29e00a099a03101abe1644a3f63"
    ),
    "emnist-digits-test-labels-idx1-ubyte.gz": Published(
        19_960, "bad1834c45d5988e270b99d43b13edc3fd898f658ffbc2caf2846ef27f7b05b0"
    ),
    "emnist-digits-train-images-idx3-ubyte.gz": Published(
        59_515_779, "f7c95004d14d81af89522e67d8f0c781dfb3bd544181c81bfe1eb6b41c35b726"
    ),
    "emnist-digits-train-labels-idx1-ubyte.gz": Published(
        113_859, "6638a6ff5fe2eefd9cca2471995b46c82986b8e4b2a70d2f5ce8e05d7edb319e"
    ),
    "emnist-letters-test-images-idx3-ubyte.gz": Published(
        5_039_157, "50f0e93d75b99b463e9760b8345866f22587fa2c2fba472730a5ba09c693412d"
    ),
    "emnist-letters-test-labels-idx1-ubyte.gz": Published(
        144, "924955c31fe7fd809b7303b5c0141282955f4b8390c74cdfd5d80435e0f4b4cb"
    ),
    "emnist-letters-train-images-idx3-ubyte.gz": Published(
        30_804_864, "6288f418a917e007bf5fddb823a2dc7a5c6a35031401b93292a539cb12bd881f"
    ),
    "emnist-letters-train-labels-idx1-ubyte.gz": Published(
        79_283, "9759af91ea6bccdf07a6040fd085861f2ec88e37f7c3f5760f6feb57106fbe5c"
    ),
    "emnist-mnist-test-images-idx3-ubyte.gz": Published(
        2_484_884, "b25640fa9e356c618132f5df347c95ef5bae6d9c2596be1de40f7e0ae1c3eac6"
    ),
    "emnist-mnist-test-labels-idx1-ubyte.gz": Published(
        5_144, "bcc5385d38f083dba046f5f756e99b32f5ea7fad122c6243c71c2239873065ca"
    ),
    "emnist-mnist-train-images-idx3-ubyte.gz": Published(
        14_873_795, "5f9942f441031c0f1f2e4d162059fd6e19ea808b34c328b6d16cab0ed24c78f2"
    ),
    "emnist-mnist-train-labels-idx1-ubyte.gz": Published(
        29_480, "00c6d3c2342fdffb1711e0b5656cac4ce5862d2826399d383a9bac07d612e9f8"
    ),
}

FETCHABLE = ("mnist", *(f"emnist-{name}" for name in EMNIST_SETS))


def fetch(name: str, root: Path | None = None, progress: Progress = lambda *_: None) -> Path:
    """Fetch a data set by name into `root` (default: the user's cache) and return its folder.

    A download that was cut is resumed; files that are there and right are left.  Raises DatasetError for an unknown
    name, a server that does not answer, or bytes that are not the published ones.
    """
    if name not in FETCHABLE:
        raise DatasetError(f"{name}: not a data set that can be fetched; wanted one of {', '.join(FETCHABLE)}")
    folder = (root or cache_folder()) / name
    if name == "mnist":
        for file, published in MNIST_FILES.items():
            if not _is_right(folder / file, published):
                download(MNIST_URL + file, folder / file, published.sha256, progress)
        return folder
    wanted = {file: known for file, known in EMNIST_FILES.items() if file.startswith(f"{name}-")}
    if not all(_is_right(folder / file, published) for file, published in wanted.items()):
        archive = folder.parent / "emnist-gzip.zip"
        if not archive.exists():
            download(EMNIST_URL, archive, None, progress)
        unpack_emnist(archive, name, folder, wanted)
    return folder


def download(url: str, target: Path, sha256: str | None, progress: Progress = lambda *_: None) -> None:
    """Download to `target`, by way of `target.part`, which a later call goes on with.

    Raises DatasetError where the server does not answer, stops early, or sends other bytes than `sha256`.
    """
    part = target.with_name(target.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            if answer.status != http.client.PARTIAL_CONTENT:
                have = 0  # this server sends all of it again
            total = have + int(answer.headers.get("Content-Length") or 0)
            with part.open("ab" if have else "wb") as file:
                while block := answer.read(BLOCK):
                    file.write(block)
                    have += len(block)
                    progress(target.name, have, total)
    except urllib.error.HTTPError as error:
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:  # that one says that all of it is here
            raise DatasetError(f"{url}: the server answers {error.code} {error.reason}") from None
        total = have
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise DatasetError(f"{url}: {reason}; {have:,} bytes are kept, the same command goes on from there") from None
    if have < total:
        raise DatasetError(f"{url}: cut short at {have:,} of {total:,} bytes; the same command goes on from there")
    if sha256 is not None and (found := sha256_file(part)) != sha256:
        part.unlink()
        raise DatasetError(f"{url}: sha256 {found[:12]}…, wanted {sha256[:12]}…; what came is thrown away")
    part.replace(target)


def unpack_emnist(archive: Path, name: str, folder: Path, wanted: dict[str, Published]) -> None:
    """Unpack one set's files and its mapping from the official archive (`gzip/emnist-…`), each checked by sha256."""
    mapping = f"{name}-mapping.txt"
    try:
        with zipfile.ZipFile(archive) as members:
            for file in (*wanted, mapping):
                data = members.read(f"gzip/{file}")
                if file in wanted and hashlib.sha256(data).hexdigest() != wanted[file].sha256:
                    raise DatasetError(f"{archive}: {file} is not the published file; remove the archive and try again")
                write_bytes(folder / file, data)
    except NPZ_ERRORS as error:
        raise DatasetError(f"{archive}: not EMNIST's archive ({error}); remove it and try again") from None
    read_emnist_mapping(folder / mapping)


def _is_right(path: Path, published: Published) -> bool:
    return path.is_file() and path.stat().st_size == published.size and sha256_file(path) == published.sha256

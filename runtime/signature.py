"""Signatures of minisign's format (https://jedisct1.github.io/minisign), checked by Ed25519 of `cryptography`.

A signature file has four lines: a comment, the signature of the file, a trusted comment, and the signature of that
signature and the trusted comment.  `ED` signs the file's BLAKE2b-512, the older `Ed` the file itself.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from pathlib import Path

from .errors import ArtifactError, ModelError, how_to_install

TRUSTED_COMMENT = "trusted comment: "


def check_signature(file: Path, signature: Path, key: str) -> None:
    """Whether a file's signature is of a key: the key itself, in base64, or the path of its file.

    Raises ArtifactError where it is not, or is missing; ModelError where the key is none or `cryptography` is missing.
    """
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise ModelError(f"signatures need cryptography: {how_to_install('watch')}") from None
    key_id, raw = _read_key(key)
    try:
        lines = signature.read_text("utf-8").splitlines()
        body, comment, whole = _decode(lines[1], 74), lines[2], _decode(lines[3], 64)
    except FileNotFoundError:
        raise ArtifactError(f"{signature}: missing; only what is signed is installed") from None
    except (OSError, ValueError, IndexError) as error:
        raise ArtifactError(f"{signature}: no signature of minisign ({error})") from None
    kind, signer, signed = body[:2], body[2:10], body[10:]
    if kind not in (b"ED", b"Ed") or not comment.startswith(TRUSTED_COMMENT):
        raise ArtifactError(f"{signature}: no signature of minisign; wanted ED or Ed, and a trusted comment")
    if signer != key_id:
        raise ArtifactError(f"{signature}: signed by key {_hex(signer)}; wanted {_hex(key_id)}")
    data = file.read_bytes()
    public = Ed25519PublicKey.from_public_bytes(raw)
    try:
        public.verify(signed, hashlib.blake2b(data).digest() if kind == b"ED" else data)
        public.verify(whole, signed + comment.removeprefix(TRUSTED_COMMENT).encode())
    except InvalidSignature:
        raise ArtifactError(f"{signature}: is not of this file: one of them was changed") from None


def _read_key(key: str) -> tuple[bytes, bytes]:
    """A public key's id and its 32 bytes."""
    try:
        text = Path(key).read_text("utf-8").splitlines()[-1] if Path(key).is_file() else key
        raw = _decode(text, 42)
    except (OSError, ValueError, IndexError) as error:
        raise ModelError(f"{key:.80}: no public key ({error}); wanted minisign's, or the path of one") from None
    if raw[:2] != b"Ed":
        raise ModelError(f"{key:.80}: no public key of minisign; wanted one that begins with Ed")
    return raw[2:10], raw[10:]


def _decode(text: str, length: int) -> bytes:
    try:
        raw = base64.b64decode(text.strip(), validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
    if len(raw) != length:
        raise ValueError(f"{len(raw)} bytes; wanted {length}")
    return raw


def _hex(key_id: bytes) -> str:
    """As minisign prints it."""
    return key_id[::-1].hex().upper()

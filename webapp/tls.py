"""HTTPS for a server that speaks HTTP alone: a door before it that takes TLS off, and a certificate of one's own.

waitress knows no TLS.  The door is asyncio's, in a thread of the same process: it passes each connection on over
loopback, so that requests, limits and shutdown are the server's as without it.  A browser lets a page use the camera,
be installed and work offline only over HTTPS, or from the machine that it runs on.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ..runtime import GlyphliteError
from ..runtime.files import replacing, write_bytes
from .guard import ascii_name, is_address, own_names

DAYS = 800  # that a certificate is good for; iOS takes none of more than 825
RENEW_DAYS = 30  # before its end another one is made
HANDSHAKE_S = 10  # seconds that a client has for its greeting
IDLE_S = 120  # seconds without a byte, either way, until a connection is closed
FLUSH_S = 1  # seconds that last answers have when the server ends
BLOCK = 64 * 1024  # bytes passed on at once
MOST_CONNECTIONS = 100  # at once: half of what the server behind takes


class Door:
    """Listens with TLS and passes every connection on to a port of this machine.

    peers: of each connection to the server behind, by its port: the client's address.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self.peers: dict[int, tuple[str, int]] = {}
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            self._context.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as error:
            reason = getattr(error, "strerror", None) or error
            raise GlyphliteError(f"{certificate}, {key}: no certificate with its key in PEM ({reason})") from None
        self._open = 0
        self._loop = asyncio.new_event_loop()

    def listen(self, host: str, port: int, behind: int) -> int:
        """Listen in a thread of its own; the port.  behind: the server's.  Raises GlyphliteError where it cannot."""
        loop = self._loop
        try:
            door = loop.run_until_complete(
                asyncio.start_server(
                    lambda reader, writer: self._pass(reader, writer, behind),
                    host,
                    port,
                    ssl=self._context,
                    ssl_handshake_timeout=HANDSHAKE_S,
                    limit=BLOCK,
                )
            )
        except OSError as error:
            reason = error.strerror or error
            raise GlyphliteError(f"https://{host}:{port}/: cannot listen ({reason}); wanted a free port") from None
        loop.set_exception_handler(lambda *_: None)  # a client that leaves in its greeting is no news
        threading.Thread(target=loop.run_forever, daemon=True, name="tls").start()
        found: int = door.sockets[0].getsockname()[1]
        return found

    def finish(self) -> None:
        """Let what the server has answered reach its clients, for at most a second."""
        end = time.monotonic() + FLUSH_S
        while self._open and time.monotonic() < end:
            time.sleep(0.01)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, behind: int) -> None:
        if self._open >= MOST_CONNECTIONS:
            writer.close()
            return
        self._open += 1
        port = 0
        try:
            inner = socket.socket()
            inner.setblocking(False)
            inner.bind(("127.0.0.1", 0))
            port = inner.getsockname()[1]
            self.peers[port] = writer.get_extra_info("peername")[:2]  # before the server sees it
            await asyncio.get_running_loop().sock_connect(inner, ("127.0.0.1", behind))
            back, onward = await asyncio.open_connection(sock=inner, limit=BLOCK)
            await asyncio.gather(_copy(reader, onward), _copy(back, writer))
        except (TimeoutError, OSError, ssl.SSLError):
            pass  # one of the two is gone
        finally:
            self.peers.pop(port, None)
            self._open -= 1
            writer.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Bytes from one to the other until there are no more; one slow side holds up the other, in bounded memory."""
    try:
        while block := await asyncio.wait_for(source.read(BLOCK), IDLE_S):
            target.write(block)
            await asyncio.wait_for(target.drain(), IDLE_S)
    finally:
        with contextlib.suppress(OSError, RuntimeError):
            target.close()


def own_certificate(folder: Path | None = None, names: Sequence[str] = ()) -> tuple[Path, Path]:
    """A certificate that signs itself, and its key, made once and kept until it ends, the key is not its own or the
    machine has another name.

    folder: default `$XDG_DATA_HOME/glyphlite/tls`, else `~/.local/share/glyphlite/tls`.  names: of this machine, or
    addresses, beside its own and `localhost`.  A browser trusts it only once it was told to.
    Raises GlyphliteError where a name can be none, or there is no home.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    folder = folder or _kept_in()
    certificate_path, key_path = folder / "certificate.pem", folder / "key.pem"
    hosts = {"localhost", *own_names(), *map(ascii_name, names), *_own_addresses()}
    wanted = sorted(host for host in hosts if not is_address(host))
    addresses = [ipaddress.ip_address(host) for host in hosts if is_address(host)]
    now = datetime.now(UTC)
    if certificate_path.exists() and key_path.exists():
        with contextlib.suppress(ValueError, TypeError, x509.ExtensionNotFound):  # TypeError: a key with a password
            old = x509.load_pem_x509_certificate(certificate_path.read_bytes())
            told = old.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            known = set(told.get_values_for_type(x509.DNSName)), set(told.get_values_for_type(x509.IPAddress))
            fresh = old.not_valid_after_utc > now + timedelta(days=RENEW_DAYS)
            old_key = serialization.load_pem_private_key(key_path.read_bytes(), None).public_key()
            fits = old_key == old.public_key()
            if fresh and fits and set(wanted) <= known[0] and set(addresses) <= known[1]:
                return certificate_path, key_path
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"glyphlite on {socket.gethostname()}"[:64])])
    alternatives = [*(x509.DNSName(name) for name in wanted), *(x509.IPAddress(address) for address in addresses)]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # a Pi has no clock of its own
        .not_valid_after(now + timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)  # Android installs no other
        .add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    pem, none = serialization.Encoding.PEM, serialization.NoEncryption()
    with replacing(key_path, 0o600) as temporary:
        temporary.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, none))
    write_bytes(certificate_path, certificate.public_bytes(pem))
    return certificate_path, key_path


def _kept_in() -> Path:
    try:
        data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    except RuntimeError:
        raise GlyphliteError("no home to keep a certificate in; wanted HOME, or tls_cert and tls_key") from None
    return Path(data) / "glyphlite" / "tls"


def _own_addresses() -> list[str]:
    """Loopback, and the address that this machine has towards others; nothing is sent to find it."""
    found = ["127.0.0.1", "::1"]
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # an address of no one (RFC 5737)
        found.append(probe.getsockname()[0])
    return found

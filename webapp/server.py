"""waitress, set up so that a request's body stays in memory, and in bounded memory, whatever a client sends."""

from __future__ import annotations

import logging
from functools import partial
from io import BytesIO
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import BaseWSGIServer, create_server

from ..runtime import GlyphliteError
from .tls import Door
from .uploads import BODY_LIMIT


class BodyBuffer:
    """A body on its way in: what is over BODY_LIMIT is counted and dropped.

    waitress's own buffer spools large bodies to a temporary file.  Refusing a large body at its header would break the
    connection while the client still sends, so that most clients never see the answer: it is read to its end instead.
    """

    def __init__(self) -> None:
        self._content, self._length = BytesIO(), 0

    def append(self, data: bytes) -> None:
        """Take what was received."""
        self._length += len(data)
        if self._length <= BODY_LIMIT:
            self._content.write(data)

    def __len__(self) -> int:
        return self._length

    def getfile(self) -> BytesIO:
        """The body from its start.  The app reads none that is over the limit: its length says so."""
        self._content.seek(0)
        return self._content

    def close(self) -> None:
        """Let the memory go."""
        self._content.close()


class MemoryParser(HTTPRequestParser):
    """A request's parser whose body goes into a BodyBuffer."""

    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # an address that urllib cannot split would escape into the server's loop
            raise ParsingError(str(error)) from None
        if self.body_rcv is not None:
            self.body_rcv.buf = BodyBuffer()


class MemoryChannel(HTTPChannel):
    """A client's connection, its requests read by MemoryParser."""

    parser_class = MemoryParser

    def __init__(self, server: Any, sock: Any, addr: Any, *rest: Any, peers: Any = None, **named: Any) -> None:
        super().__init__(server, sock, (peers or {}).get(addr[1], addr), *rest, **named)


def listen(app: Any, host: str, port: int, threads: int, door: Door | None = None) -> tuple[Any, list[str]]:
    """A server that is bound and ready to run, and the URLs that it will answer on.

    port: 0 takes a free one.  threads: requests answered at once.  door: listens there with TLS, before the server.
    Raises GlyphliteError where the address cannot be had.
    """
    # one line for each request that has to wait says nothing that the latency histogram does not
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    sockets: dict[int, Any] = {}
    place = {"host": "127.0.0.1", "port": 0, "url_scheme": "https"} if door else {"host": host, "port": port}
    try:
        server = create_server(app, map=sockets, threads=threads, ident="glyphlite", **place)
    except (OSError, ValueError) as error:  # waitress turns an unknown host into a ValueError
        reason = getattr(error, "strerror", None) or error
        raise GlyphliteError(f"{_url(host, port)}: cannot listen ({reason}); wanted a free port of this host") from None
    listening = [found for found in sockets.values() if isinstance(found, BaseWSGIServer)]
    for one in listening:  # a name such as localhost may stand for an address of each IP version
        one.channel_class = partial(MemoryChannel, peers=door.peers) if door else MemoryChannel
    if door:
        found = door.listen(host, port, listening[0].effective_port)
        return server, [_url(host, found).replace("http:", "https:")]
    return server, sorted({_url(host, one.effective_port) for one in listening})


def _url(host: str, port: int | str) -> str:
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"

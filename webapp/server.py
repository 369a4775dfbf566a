"""waitress, set up for clients of any kind: bodies stay in memory, and in bounded memory; none may be slow for ever;
what is broken is answered like any other problem; and when told to stop it finishes what it has begun.

Reading and writing are one thread's, which no slow client holds up; the app's threads get whole requests.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from functools import partial
from io import BytesIO
from typing import Any

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import BaseWSGIServer, create_server
from waitress.task import ErrorTask
from waitress.utilities import Error

from ..runtime import GlyphliteError
from .app import SECURITY_HEADERS
from .logs import ID_HEADER, new_id, requests
from .problems import HTTP_KINDS, PROBLEM_JSON, Problem, problem_json
from .tls import Door
from .uploads import BODY_LIMIT

ALL_BODIES = 8 * BODY_LIMIT  # bytes of all bodies on their way in, together
MOST_READ = 64 * 2**20  # bytes of a body that are read to answer its sender; then the connection is closed
HEADER_LIMIT = 32 * 2**10  # bytes of a request's line and headers
CONNECTIONS = 200
SILENCE_S = 30  # seconds without a byte after which a connection is closed
ARRIVAL_S = 120  # seconds that a request may take to arrive
DRAIN_S = 5  # seconds for requests in work once the server is told to stop


class Budget:
    """Bytes that all bodies may take together."""

    def __init__(self, limit: int) -> None:
        self._left, self._lock = limit, threading.Lock()

    def take(self, count: int) -> bool:
        """Whether there were so many left; they are taken then.  A negative count gives back."""
        with self._lock:
            if count > self._left:
                return False
            self._left -= count
            return True


class BodyBuffer:
    """A body on its way in: what is over BODY_LIMIT, or over what all may take, is counted and dropped.

    waitress's own buffer spools large bodies to a temporary file.  Refusing a large body at its header would break the
    connection while the client still sends, so that most clients never see the answer: it is read to its end instead.
    """

    def __init__(self, budget: Budget) -> None:
        self._content, self._length, self._taken, self._budget = BytesIO(), 0, 0, budget
        self.refused = False

    def append(self, data: bytes) -> None:
        """Take what was received."""
        self._length += len(data)
        if self._length > BODY_LIMIT or self.refused:
            return
        if self._budget.take(len(data)):
            self._taken += len(data)
            self._content.write(data)
        else:
            self.refused = True
            self._give_back()

    def __len__(self) -> int:
        return self._length

    def getfile(self) -> BytesIO:
        """The body from its start.  The app reads none that is over the limit: its length says so."""
        self._content.seek(0)
        return self._content

    def close(self) -> None:
        """Let the memory go."""
        self._give_back()

    def __del__(self) -> None:  # of a connection that broke in the middle of a body
        self._give_back()

    def _give_back(self) -> None:
        self._content.close()
        self._budget.take(-self._taken)
        self._taken = 0


class Busy(Error):
    """More bodies at once than there is memory for."""

    code, reason = 503, "Service Unavailable"


class MemoryParser(HTTPRequestParser):
    """A request's parser whose body goes into a BodyBuffer."""

    error: Error | None
    path = ""  # waitress's log wants it of a request too broken to have one

    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # an address that urllib cannot split would escape into the server's loop
            raise ParsingError(str(error)) from None
        if self.body_rcv is not None:
            self.body_rcv.buf = BodyBuffer(self.adj.budget)
        if self.adj.stopping:
            self.headers["CONNECTION"] = "close"

    def received(self, data: bytes) -> int:
        taken: int = super().received(data)
        if self.completed and not self.error and self.body_rcv is not None and self.body_rcv.getbuf().refused:
            self.error = Busy("too many large requests at once; wanted fewer, or later")
        return taken


class ProblemTask(ErrorTask):
    """Answers a request that is broken before the app could see it, as the app would."""

    def execute(self) -> None:
        error, name = self.request.error, new_id()
        problem = Problem(error.code, HTTP_KINDS.get(error.code, ""), f"no request that HTTP knows: {error.body}")
        content = (json.dumps(problem_json(problem)) + "\n").encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers += [("Content-Type", PROBLEM_JSON), (ID_HEADER, name), *SECURITY_HEADERS.items()]
        self.set_close_on_finish()
        self.content_length = len(content)
        self.write(content)
        line = {"client": self.channel.addr[0], "status": error.code, "request_id": name}
        requests.info("%(client)s broken request %(status)s", line, extra=line)


class MemoryChannel(HTTPChannel):
    """A client's connection, its requests read by MemoryParser, each within ARRIVAL_S."""

    parser_class = MemoryParser
    error_task_class = ProblemTask
    _begun: float | None = None

    def received(self, data: bytes) -> bool:
        if self.request is None:
            self._begun = None
        now = time.monotonic()
        self._begun = self._begun or now
        if now - self._begun > ARRIVAL_S:
            self.handle_close()
            return False
        return bool(super().received(data))

    @property
    def in_work(self) -> bool:
        """A request has begun to arrive, is being answered, or its answer is being sent."""
        return bool(self.requests or self.total_outbufs_len or (self.request and self.request.headers_finished))

    def __init__(self, server: Any, sock: Any, addr: Any, *rest: Any, peers: Any = None, **named: Any) -> None:
        super().__init__(server, sock, (peers or {}).get(addr[1], addr), *rest, **named)


class Server:
    """A server that is bound and ready to run.  urls: what it answers on."""

    def __init__(
        self, app: Any, host: str, port: int, threads: int, proxies: int = 0, door: Door | None = None
    ) -> None:
        """port: 0 takes a free one.  threads: requests answered at once.  proxies: see config.py; 0: waitress takes
        X-Forwarded-… headers away.  door: listens there with TLS, before the server.  Raises GlyphliteError where the
        address cannot be had."""
        # one line for each request that has to wait says nothing that the latency histogram does not, and one for
        # each client that leaves has a path in it as the client wrote it, line breaks and all
        logging.getLogger("waitress").setLevel(logging.WARNING)
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        self._map: dict[int, Any] = {}
        place = {"host": "127.0.0.1", "port": 0, "url_scheme": "https"} if door else {"host": host, "port": port}
        try:
            self._server = create_server(
                app,
                map=self._map,
                **place,
                threads=threads,
                ident="glyphlite",
                connection_limit=CONNECTIONS,
                channel_timeout=SILENCE_S,
                cleanup_interval=SILENCE_S // 3,
                max_request_header_size=HEADER_LIMIT,
                max_request_body_size=MOST_READ,
                clear_untrusted_proxy_headers=not proxies,
            )
        except (OSError, ValueError) as error:  # waitress turns an unknown host into a ValueError
            reason = getattr(error, "strerror", None) or error
            wanted = "wanted a free port of this host"
            raise GlyphliteError(f"{_url(host, port)}: cannot listen ({reason}); {wanted}") from None
        self._listeners = [found for found in self._map.values() if isinstance(found, BaseWSGIServer)]
        for one in self._listeners:  # a name such as localhost may stand for an address of each IP version
            one.channel_class = partial(MemoryChannel, peers=door.peers) if door else MemoryChannel
            one.adj.budget, one.adj.stopping = Budget(ALL_BODIES), False
        self.urls = sorted({_url(host, one.effective_port) for one in self._listeners})
        if door:
            found = door.listen(host, port, self._listeners[0].effective_port)
            self.urls = [_url(host, found).replace("http:", "https:")]
        self._stopping = False

    def run(self) -> None:
        """Answer until `stop`; then finish what is in work, for DRAIN_S at most."""
        while not self._stopping:
            wasyncore.loop(timeout=1, use_poll=True, map=self._map, count=1)
        for one in self._listeners:
            one.adj.stopping = True  # each answer from now on is its connection's last
            wasyncore.dispatcher.close(one)
        until = time.monotonic() + DRAIN_S
        while time.monotonic() < until and any(getattr(one, "in_work", False) for one in self._map.values()):
            wasyncore.loop(timeout=0.1, use_poll=True, map=self._map, count=1)
        self._server.task_dispatcher.shutdown(timeout=1)
        wasyncore.close_all(self._map)

    def stop(self) -> None:
        """End `run`; from a signal's handler or another thread.  Once it was told to, nothing more."""
        if not self._stopping:
            self._stopping = True
            self._listeners[0].pull_trigger()


def _url(host: str, port: int | str) -> str:
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"

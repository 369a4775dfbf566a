"""A short run of hostile requests, and that its harness sees what goes wrong."""

import socket
import sys
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
import fuzz_http

COUNT = 300


def test_hostile_requests_are_answered_and_end_nothing():
    outcomes, failures, _, code = fuzz_http.fuzz(COUNT, seed=1)
    assert failures == [] and code == 0
    assert sum(outcomes.values()) == COUNT and outcomes["400"] > COUNT / 10 and outcomes["200"] > 0


@pytest.mark.parametrize(
    ("answer", "kind"), [(b"HTTP/1.1 500 X\r\n\r\n", "!500"), (b"HTTP/1.1 503 X\r\n\r\n", "503"), (b"", "closed")]
)
def test_a_server_that_fails_is_seen(answer, kind):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _ = listener.accept()
            with connection:
                connection.sendall(answer)
                while connection.recv(1 << 16):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        seen, _ = fuzz_http.attempt(listener.getsockname()[1], fuzz_http.originals(), 5, 0)
        thread.join()
    assert seen == kind

"""Sinks on this machine: a CSV file, stdout, an address on loopback; and that a sink that is away loses nothing."""

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from meter import wait_until

from glyphlite.runtime import SettingsError, SinkError
from glyphlite.runtime.watch import delivery as deliveries
from glyphlite.runtime.watch.clock import Clock
from glyphlite.runtime.watch.delivery import Delivery
from glyphlite.runtime.watch.settings import Csv, Region, Settings, Source, Webhook
from glyphlite.runtime.watch.sinks import CsvFile, Hook, open_sinks
from glyphlite.runtime.watch.store import Record, Store


def record(name, **body):
    return Record(name, {"id": name, "region": "total", "kind": "value", "value": "1", **body})


# --- CSV -------------------------------------------------------------------------------------------------------------


def test_a_csv_has_a_header_and_a_line_a_reading(tmp_path):
    sink = CsvFile(tmp_path / "out" / "readings.csv")
    assert sink.open() is None
    sink.send(record("a", confidence=0.5))
    sink.send(record("b", value=None, reason='said "so",\nand went'))
    assert (tmp_path / "out" / "readings.csv").read_text().splitlines() == [
        "id,time,region,kind,value,confidence,reason",
        "a,,total,value,1,0.5,",
        'b,,total,value,,,"said ""so"", and went"',
    ]
    assert sink.open() == "b"


def test_half_a_line_of_a_process_that_died_is_written_anew(tmp_path):
    """Wherever it was cut: in the header, in a line, or before its end."""
    path = tmp_path / "readings.csv"
    sink = CsvFile(path)
    sink.send(record("a"))
    one = len(path.read_bytes())
    sink.send(record("b", reason="dark, and far"))
    whole = path.read_bytes()
    for size in range(one, len(whole)):
        path.write_bytes(whole[:size])
        assert sink.open() == "a"
        sink.send(record("b", reason="dark, and far"))
        assert path.read_bytes() == whole
    for size in range(one):
        path.write_bytes(whole[:size])
        sink.send(record("a"))
        assert path.read_bytes() == whole[:one]


def test_a_last_line_of_which_an_editor_took_the_end_stays(tmp_path):
    path = tmp_path / "readings.csv"
    sink = CsvFile(path)
    for name in ("a", "b"):
        sink.send(record(name))
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    sink.open()
    sink.send(record("c"))
    assert path.read_bytes() == whole + b"c,,total,value,1,,\n"


def test_a_csv_that_was_rotated_away_begins_again(tmp_path):
    sink = CsvFile(tmp_path / "readings.csv")
    sink.send(record("a"))
    (tmp_path / "readings.csv").rename(tmp_path / "old.csv")
    sink.send(record("b"))
    assert (tmp_path / "readings.csv").read_text().splitlines()[1].startswith("b,")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a full disk: Linux's /dev/full")
def test_a_full_disk():
    with pytest.raises(SinkError, match="/dev/full: No space left on device"):
        CsvFile(Path("/dev/full")).send(record("a"))


# --- a web address ---------------------------------------------------------------------------------------------------


@pytest.fixture
def site():
    """A server that answers with `code`; `got` are the ids and contents that it took."""
    state = SimpleNamespace(code=200, got=[], token=None)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.token = self.headers["Authorization"]
            if state.code == 200:
                state.got.append((self.headers["Idempotency-Key"], content))
            self.send_response(state.code)
            if 300 <= state.code < 400:
                self.send_header("Location", "/moved")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}/hook"
    yield state
    server.shutdown()
    server.server_close()


def test_a_webhook_gets_the_id_as_idempotency_key(site):
    sink = Hook(Webhook(site.url), "t0ken")
    sink.send(record("a"))
    assert site.got == [("a", record("a").body)]
    assert site.token == "Bearer t0ken"


@pytest.mark.parametrize("code", [401, 404, 429, 500, 503])
def test_an_answer_that_may_change_is_waited_for(site, code):
    site.code = code
    with pytest.raises(SinkError, match=f"/hook: answers {code}"):
        Hook(Webhook(site.url), None).send(record("a"))


def test_what_the_receiver_never_takes_is_told(site):
    site.code = 422
    assert Hook(Webhook(site.url), None).send(record("a")) == (
        f"{site.url}: answers 422 Unprocessable Entity to reading a, which is not sent again"
    )


@pytest.mark.parametrize("code", [301, 302, 303, 307])
def test_a_redirect_is_no_arrival(site, code):
    """As a GET without its reading it would be answered with 200, at another host that would get the token."""
    site.code = code
    with pytest.raises(SinkError, match=f"/hook: answers {code}"):
        Hook(Webhook(site.url), "t0ken").send(record("a"))


def test_a_password_is_not_shown():
    with pytest.raises(SinkError) as raised:
        Hook(Webhook("http://me:secret@127.0.0.1:9/hook"), None).send(record("a"))
    assert str(raised.value) == "http://127.0.0.1:9/hook: Connection refused"


# --- which, and delivery ---------------------------------------------------------------------------------------------


def settings(**sinks):
    return Settings("w", Source(camera="0"), (Region("total"),), **sinks)


def test_readings_go_to_stdout_where_nothing_else_is_wanted():
    assert [sink.name for sink in open_sinks(settings())] == ["stdout"]
    assert [sink.name for sink in open_sinks(settings(csv=Csv("a.csv")))] == ["csv"]
    assert [sink.name for sink in open_sinks(settings(csv=Csv("a.csv"), stdout=True))] == ["csv", "stdout"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a full disk: Linux's /dev/full")
def test_what_stdout_does_not_take_is_not_lost():
    """A disk that is full for a while: as often as it is tried it fails, and what fails has not arrived."""
    program = (
        "from glyphlite.runtime.errors import SinkError\n"
        "from glyphlite.runtime.watch.sinks import Stdout\n"
        "from glyphlite.runtime.watch.store import Record\n"
        "import sys\n"
        "for _ in range(3):\n"
        "    try:\n"
        "        Stdout().send(Record('a', {'id': 'a'}))\n"
        "    except SinkError as error:\n"
        "        print(error, file=sys.stderr)\n"
    )
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.stderr.splitlines() == ["stdout: No space left on device"] * 3
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert done.stdout == '{"id": "a"}\n' * 3


def test_a_token_file_that_is_not_there(tmp_path):
    with pytest.raises(SettingsError, match="nowhere: cannot be read"):
        open_sinks(settings(webhook=Webhook("http://a/b", token_file=str(tmp_path / "nowhere"))))


def test_a_sink_that_is_away_gets_all_in_order_when_it_is_back(site, tmp_path, monkeypatch):
    monkeypatch.setattr(deliveries, "SOONEST_S", 0.05)
    monkeypatch.setattr(deliveries, "LATEST_S", 0.1)
    store, said = Store(tmp_path / "s.sqlite", 8, ["webhook"]), []
    site.code = 503
    delivery = Delivery(store, Hook(Webhook(site.url), None), Clock(), said.append, threading.Event().set)
    delivery.start()
    for at in range(250):
        store.keep([record(str(at))], {})
    assert wait_until(lambda: said)
    assert store.backlog("webhook") == 250
    site.code = 200
    assert wait_until(lambda: store.backlog("webhook") == 0)
    delivery.stop()
    delivery.join()
    store.close()
    assert [id for id, _ in site.got] == [str(at) for at in range(250)]
    assert [line.split(": ", 1)[1] for line in said] == [
        "answers 503 Service Unavailable; readings are kept and sent later",
        "readings arrive again",
    ]

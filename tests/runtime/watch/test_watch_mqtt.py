"""MQTT by a real broker: what Home Assistant is told, a broker that is away, and that a reading is there once."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from meter import wait_until

pytest.importorskip("paho.mqtt.client", reason="pip install '.[watch]'")
sys.path.append(str(Path(__file__).parents[2]))
from watch_kills import MOSQUITTO, Listener, broker, free_port, run

from glyphlite.runtime import SinkError
from glyphlite.runtime.watch import delivery as deliveries
from glyphlite.runtime.watch.clock import Clock
from glyphlite.runtime.watch.delivery import Delivery
from glyphlite.runtime.watch.mqtt import Broker
from glyphlite.runtime.watch.settings import Counter, Mqtt, Region, Settings, Source
from glyphlite.runtime.watch.store import Record, Store

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed: apt-get install mosquitto")


@pytest.fixture
def port():
    return free_port()


def sink(port, password=None, **mqtt):
    region = Region("total", digits=5, unit="m³", device_class="water", counter=Counter())
    settings = Settings("cellar", Source(camera="0"), (region,), mqtt=Mqtt("127.0.0.1", port, **mqtt))
    return Broker(settings, password)


def record(seq, kind="value"):
    return Record(f"id{seq}", {"id": f"id{seq}", "region": "total", "kind": kind, "value": str(seq)}, seq)


def test_a_reading_and_what_home_assistant_is_told(port, tmp_path):
    with broker(tmp_path, port):
        listener = Listener(port, "#")
        one = sink(port)
        assert one.open() is None
        one.send(record(1))
        one.send(record(2, "refused"))
        one.close()
        assert wait_until(lambda: len(listener.got) == 5)
        listener.close()
    got = dict(listener.got)
    assert json.loads(got["glyphlite/cellar/total/value"]) == {**record(1).body, "seq": 1}
    assert json.loads(got["glyphlite/cellar/total/refused"])["id"] == "id2"
    told = json.loads(got["homeassistant/sensor/glyphlite_cellar/total/config"])
    assert told["state_topic"] == "glyphlite/cellar/total/value"
    assert told["availability_topic"] == "glyphlite/cellar/availability"
    assert (told["unit_of_measurement"], told["device_class"]) == ("m³", "water")
    assert (told["state_class"], told["unique_id"]) == ("total_increasing", "glyphlite_cellar_total")
    assert [payload for topic, payload in listener.got if topic.endswith("availability")] == [b"online", b"offline"]


def test_whoever_connects_learns_which_reading_was_the_last(port, tmp_path):
    with broker(tmp_path, port):
        one = sink(port)
        one.open()
        for at in range(1, 12):
            one.send(record(at, "refused" if at % 3 else "value"))
        one.close()
        assert sink(port).open() == "id11"


def test_the_wrong_password_is_said_and_nothing_is_lost(port, tmp_path, monkeypatch):
    monkeypatch.setattr(deliveries, "SOONEST_S", 0.05)
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(tmp_path / "passwords"), "meter", "right"], check=True)
    (tmp_path / "passwords").chmod(0o644)
    with broker(tmp_path, port, f"password_file {tmp_path / 'passwords'}", "allow_anonymous false"):
        store, said = Store(tmp_path / "s.sqlite", 1, ["mqtt"]), []
        store.keep([record(1)], {})
        wrong = Delivery(store, sink(port, "wrong", username="meter"), Clock(), said.append, threading.Event().set)
        wrong.start()
        assert wait_until(lambda: said)
        assert said[0] == f"mqtt://127.0.0.1:{port}: Not authorized; readings are kept and sent later"
        wrong.stop()
        wrong.join()
        right = Delivery(store, sink(port, "right", username="meter"), Clock(), said.append, threading.Event().set)
        right.start()
        assert wait_until(lambda: store.backlog("mqtt") == 0)
        right.stop()
        right.join()
        store.close()


def test_a_broker_that_is_away_and_comes_back(port, tmp_path, monkeypatch):
    """As after a day: what was kept arrives in order, each once."""
    monkeypatch.setattr(deliveries, "SOONEST_S", 0.05)
    monkeypatch.setattr(deliveries, "LATEST_S", 0.2)
    store, said = Store(tmp_path / "s.sqlite", 8, ["mqtt"]), []
    one, let_in = sink(port), threading.Event()
    connect = one.open
    one.open = lambda: let_in.wait() and connect()
    let_in.set()
    delivery = Delivery(store, one, Clock(), said.append, threading.Event().set)
    delivery.start()
    with broker(tmp_path, port):
        store.keep([record(1)], {})
        assert wait_until(lambda: store.backlog("mqtt") == 0)
    for at in range(2, 300):
        store.keep([record(at)], {})
    assert wait_until(lambda: said)
    let_in.clear()  # nothing comes before somebody listens
    with broker(tmp_path, port):
        listener = Listener(port, "glyphlite/cellar/+/+")
        let_in.set()
        assert wait_until(lambda: store.backlog("mqtt") == 0)
        delivery.stop()
        delivery.join()
        assert wait_until(lambda: len(listener.got) == 298)
        listener.close()
    store.close()
    assert [one["id"] for one in listener.readings()] == [f"id{at}" for at in range(2, 300)]


def test_a_broker_that_starts_anew_is_told_so_before_the_next_reading(port, tmp_path, monkeypatch):
    monkeypatch.setattr(deliveries, "SOONEST_S", 0.05)
    monkeypatch.setattr(deliveries, "LATEST_S", 0.2)
    store = Store(tmp_path / "s.sqlite", 1, ["mqtt"])
    delivery = Delivery(store, sink(port), Clock(), lambda line: None, threading.Event().set)
    delivery.start()

    def comes_online():
        with broker(tmp_path, port):
            listener = Listener(port, "glyphlite/cellar/availability")
            came = wait_until(lambda: b"online" in dict(listener.got).values())
            listener.close()
        return came

    assert comes_online()
    assert comes_online()
    delivery.stop()
    delivery.join()
    store.close()


def test_nobody_listens(port):
    with pytest.raises(SinkError, match=rf"^mqtt://127.0.0.1:{port}: Connection refused"):
        sink(port).open()


def test_killed_at_any_moment_nothing_is_lost_and_nothing_comes_twice(tmp_path):
    """`make watch-kills` does it 200 times."""
    made, came, lines = run(6, seed=1, folder=tmp_path)
    assert made > 6
    for counts in (came, lines):
        assert len(counts) == made
        assert set(counts.values()) == {1}

"""Readings to an MQTT broker, each there once, and announced to Home Assistant.

A reading is published at QoS 1, retained, and the next one waits for the broker's word.  A process that dies between
that word and its note of it does not know whether its last reading arrived; the broker does: it holds the last one of
each topic, so that whoever connects asks for them first.  What was under way on the dead connection can no more
arrive, because a broker ends it before it welcomes the same client again (MQTT 3.1.1, section 3.1.4).
"""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import time
from collections.abc import Mapping
from typing import Any

from ..errors import SettingsError, SinkError, how_to_install
from .settings import Region, Settings
from .store import Record

KEEPALIVE_S = 30
ANSWER_S = 10.0  # a broker that says nothing for so long is away


class Broker:
    """A connection, made anew after anything that went wrong on it."""

    name = "mqtt"

    def __init__(self, settings: Settings, password: str | None) -> None:
        try:
            import paho.mqtt.client as mqtt
        except ImportError:
            raise SettingsError(f"mqtt: paho-mqtt is not installed: {how_to_install('watch')}") from None
        assert settings.mqtt is not None
        self._mqtt, self._settings, self._broker, self._password = mqtt, settings, settings.mqtt, password
        self._shown = f"mqtt://{self._broker.host}:{self._broker.port}"
        self.topic = f"{self._broker.topic}/{settings.name}"
        self._presence = f"{self.topic}/availability"
        self._client: Any = None
        self._gone = threading.Event()
        self._told: list[str] = []  # what was refused by the broker

    def open(self) -> str | None:
        self.close()
        self._gone.clear()
        self._told.clear()
        mqtt = self._mqtt
        client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id=f"glyphlite-{self._settings.name}", reconnect_on_failure=False
        )
        if self._broker.username is not None:
            client.username_pw_set(self._broker.username, self._password)
        if self._broker.tls:
            try:
                client.tls_set_context(ssl.create_default_context(cafile=self._cafile()))
            except OSError as error:  # ssl's errors are among them
                raise SinkError(f"{self._shown}: ca_file: {error.strerror or error}") from None
        client.will_set(self._presence, "offline", qos=1, retain=True)
        answered, last = threading.Event(), _Last(self._presence)

        def connected(client: Any, userdata: Any, flags: Any, code: Any, properties: Any) -> None:
            if code.is_failure:
                self._told.append(str(code))
            answered.set()

        def disconnected(client: Any, userdata: Any, flags: Any, code: Any, properties: Any) -> None:
            self._told.append(str(code))
            self._gone.set()
            answered.set()
            last.known.set()

        client.on_connect, client.on_disconnect, client.on_message = connected, disconnected, last.message
        try:
            client.connect(self._broker.host, self._broker.port, KEEPALIVE_S)
        except (OSError, ValueError) as error:
            raise SinkError(f"{self._shown}: {getattr(error, 'strerror', None) or error}") from None
        client.loop_start()
        self._client = client
        if not answered.wait(ANSWER_S) or self._told:
            self._fail()
        client.subscribe(f"{self.topic}/#", qos=1)
        self._publish(self._presence, "online")  # comes back after all that the broker held
        last.known.wait(ANSWER_S)
        client.unsubscribe(f"{self.topic}/#")
        if self._broker.discovery:
            for region in self._settings.region:
                topic = f"{self._broker.discovery}/sensor/glyphlite_{self._settings.name}/{region.name}/config"
                self._publish(topic, json.dumps(announcement(self._settings, region, self.topic)))
        return last.id

    def _cafile(self) -> str | None:
        return str(self._settings.path(self._broker.ca_file)) if self._broker.ca_file else None

    def send(self, record: Record) -> None:
        topic = f"{self.topic}/{record.body['region']}/{record.body['kind']}"
        self._publish(topic, json.dumps({**record.body, "seq": record.seq}, ensure_ascii=False))

    def check(self) -> None:
        if self._gone.is_set():
            self._fail()

    def _publish(self, topic: str, payload: str) -> None:
        if self._gone.is_set() or self._client is None:
            self._fail()
        sent = self._client.publish(topic, payload, qos=1, retain=True)
        until = time.monotonic() + ANSWER_S
        try:
            while not sent.is_published():
                if self._gone.is_set() or time.monotonic() > until:
                    self._fail()
                sent.wait_for_publish(0.2)
        except (RuntimeError, ValueError):  # paho's, of a client that is not connected and of a full queue
            self._fail()

    def _fail(self) -> None:
        reason = self._told[0] if self._told else "does not answer"
        self.close()
        raise SinkError(f"{self._shown}: {reason}")

    def close(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        if not self._gone.is_set():
            with contextlib.suppress(RuntimeError, ValueError):  # it was never let in, or is gone by now
                client.publish(self._presence, "offline", qos=1, retain=True).wait_for_publish(1.0)
        client.disconnect()
        client.loop_stop()


class _Last:
    """The last of the readings that a broker holds, by their places in the sequence."""

    def __init__(self, presence: str) -> None:
        self.id: str | None = None
        self.known = threading.Event()
        self._presence, self._seq = presence, -1

    def message(self, client: Any, userdata: Any, message: Any) -> None:
        if message.topic == self._presence:
            if not message.retain:  # our own, come back: all that was held has come before it
                self.known.set()
            return
        try:
            content = json.loads(message.payload)
            seq, id = content["seq"], content["id"]
        except (ValueError, TypeError, KeyError):
            return
        if isinstance(seq, int) and isinstance(id, str) and seq > self._seq:
            self._seq, self.id = seq, id


def announcement(settings: Settings, region: Region, topic: str) -> Mapping[str, Any]:
    """What Home Assistant wants to know of a region (MQTT discovery, sensor)."""
    from importlib.metadata import version

    values = {
        "name": region.name,
        "unique_id": f"glyphlite_{settings.name}_{region.name}",
        "state_topic": f"{topic}/{region.name}/value",
        "value_template": "{{ value_json.value }}",
        "json_attributes_topic": f"{topic}/{region.name}/value",
        "availability_topic": f"{topic}/availability",
        "unit_of_measurement": region.unit,
        "device_class": region.device_class,
        "state_class": "total_increasing" if region.counter else None,
        "device": {"identifiers": [f"glyphlite_{settings.name}"], "name": settings.name, "model": settings.model},
        "origin": {"name": "glyphlite", "sw_version": version("glyphlite")},
    }
    return {key: value for key, value in values.items() if value is not None}

"""`glyphlite watch` killed with SIGKILL again and again, between a folder and a real broker: is any lost, any twice?

`python tests/watch_kills.py [--kills N] [--seed S]`; `make watch-kills` runs 200.  It needs mosquitto.
"""

import argparse
import getpass
import json
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import cv2

sys.path.insert(0, str(Path(__file__).parent / "runtime"))
from drawn import write

GLYPHLITE = Path(sys.executable).with_name("glyphlite")
MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/sbin")
LONGEST_LIFE_S = 5.0  # from the start; one that is to die before its first reading lives a few milliseconds
MOST_WAITING = 8  # pictures that lie there at once: each life has some to read
SETTINGS = """
name = "killed"
drift = 0
[source]
folder = "in"
after = "delete"
settle = 0.05
[[region]]
name = "total"
digits = 4
min_confidence = 0
[csv]
file = "out.csv"
[mqtt]
host = "127.0.0.1"
port = {port}
"""


def free_port():
    """A TCP port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def broker(folder, port, *lines):
    """A mosquitto of our own, on loopback; `lines` of its configuration beside the port."""
    file = folder / "mosquitto.conf"
    anonymous = [] if any(line.startswith("password_file") for line in lines) else ["allow_anonymous true"]
    user = f"user {getpass.getuser()}"  # as root it would become another, who cannot read what is ours
    file.write_text("\n".join([f"listener {port} 127.0.0.1", user, *anonymous, "persistence false", *lines, ""]))
    process = subprocess.Popen([MOSQUITTO, "-c", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait(10)


class Listener:
    """What a subscriber gets of a topic, in order: (topic, content)."""

    def __init__(self, port, topic):
        import paho.mqtt.client as mqtt

        self.got, self.ready = [], threading.Event()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe(topic, qos=1)
        self._client.on_subscribe = lambda *_: self.ready.set()
        self._client.on_message = lambda client, userdata, message: self.got.append((message.topic, message.payload))
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self.ready.wait(10)

    def readings(self):
        """The contents of all readings."""
        topics = list(self.got)
        return [json.loads(payload) for topic, payload in topics if topic.endswith(("/value", "/refused"))]

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()


def run(kills, seed, folder):
    """(pictures, readings that came by MQTT, lines of the CSV): the last two as counts by id."""
    rng = random.Random(seed)
    port = free_port()
    arrives, aside = folder / "in", folder / "aside"
    arrives.mkdir()
    aside.mkdir()
    (folder / "watch.toml").write_text(SETTINGS.format(port=port))
    command = [sys.executable, str(GLYPHLITE), "watch", str(folder / "watch.toml")]
    made = 0
    with broker(folder, port):
        listener = Listener(port, "glyphlite/killed/+/+")
        for _ in range(kills):
            for _ in range(MOST_WAITING - len(list(arrives.iterdir()))):
                name = f"{made:06}.png"
                cv2.imwrite(str(aside / name), write(f"{made:04}"[-4:]))
                (aside / name).rename(arrives / name)
                made += 1
            process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
            enough, end = len(listener.got) + rng.randint(0, MOST_WAITING), time.monotonic() + LONGEST_LIFE_S
            while len(listener.got) < enough and time.monotonic() < end:
                time.sleep(0.0005)
            time.sleep(rng.uniform(0, 0.03))  # somewhere in the middle of its work
            process.send_signal(signal.SIGKILL)
            process.wait()
        done = subprocess.run([*command, "--once"], stderr=subprocess.PIPE, timeout=120)
        assert done.returncode == 0, done.stderr.decode()
        time.sleep(1)
        listener.close()
    came = Counter(one["id"] for one in listener.readings())
    lines = Counter(line.split(",")[0] for line in (folder / "out.csv").read_text().splitlines()[1:])
    return made, came, lines


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if MOSQUITTO is None:
        sys.exit("mosquitto is not installed here: apt-get install mosquitto")
    with tempfile.TemporaryDirectory() as folder:
        made, came, lines = run(options.kills, options.seed, Path(folder))
    bad = 0
    for name, counts in (("MQTT", came), ("CSV", lines)):
        lost, twice = made - len(counts), sum(counts.values()) - len(counts)
        bad += lost + twice
        print(f"{options.kills} kills, {made} pictures, {name}: {lost} lost, {twice} twice")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()

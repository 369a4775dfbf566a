"""The service's unit: what it starts, that systemd takes it, and how little it may do."""

import re
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from glyphlite.runtime.cli import root as command
from glyphlite.runtime.errors import GlyphliteError
from glyphlite.runtime.systemd import check_reachable, unit

MOST_EXPOSED = 2.0  # of 10, as `systemd-analyze security` counts; its own word for that is OK


def run(*words):
    done = CliRunner().invoke(command, ["service", *map(str, words)])
    return done.exit_code, done.output


def written(text):
    """[(key, value)] of a unit."""
    return re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE)


@pytest.mark.parametrize("options", [(), ("--camera", "--name", "meter", "--", "watch", "/etc/my meter.toml")])
def test_systemd_takes_it_and_finds_it_hardly_exposed(tmp_path, options):
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze here")
    assert run("install", "--root", tmp_path, *options)[0] == 0
    (path,) = (tmp_path / "etc/systemd/system").iterdir()
    text = path.read_text().replace(dict(written(path.read_text()))["ExecStart"].split()[0], sys.executable)
    path.write_text(text)  # systemd looks whether the program exists
    done = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    analyse = ["systemd-analyze", "security", "--offline=yes", "--no-pager", path]
    done = subprocess.run(analyse, capture_output=True, text=True, check=False)
    assert float(re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)[1]) <= MOST_EXPOSED, done.stdout


def test_the_words_of_the_command_arrive_as_they_are():
    words = ["/opt/glyphlite/bin/glyphlite", "watch", "/etc/my meter.toml", "100%", "$HOME", 'a"b']
    assert dict(written(unit("meter", words, "256M", False)))["ExecStart"] == (
        '/opt/glyphlite/bin/glyphlite watch "/etc/my meter.toml" 100%% $$HOME "a\\"b"'
    )
    assert dict(written(unit("meter", ["/opt/$x/glyphlite", "serve"], "1G", False)))["ExecStart"] == (
        "/opt/$x/glyphlite serve"  # of a program's path systemd takes no variables
    )


def test_only_what_tells_how_it_is_gets_a_watchdog():
    serve = dict(written(unit("glyphlite", ["/opt/g", "serve"], "256M", False)))
    other = dict(written(unit("glyphlite", ["/opt/g", "predict"], "256M", False)))
    assert (serve["Type"], serve["WatchdogSec"], serve["MemoryMax"]) == ("notify", "60", "256M")
    assert (other["Type"], other.get("WatchdogSec")) == ("exec", None)


def test_devices_are_hidden_unless_a_camera_is_wanted():
    without, with_one = (
        dict(written(unit("glyphlite", ["/opt/g", "serve"], "1G", camera))) for camera in (False, True)
    )
    assert without["PrivateDevices"] == "yes"
    assert "PrivateDevices" not in with_one
    assert with_one["DevicePolicy"] == "closed"


def test_it_is_printed_written_and_removed(tmp_path):
    code, printed = run("install", "--print")
    assert code == 0
    assert run("install", "--root", tmp_path)[0] == 0
    path = tmp_path / "etc/systemd/system/glyphlite.service"
    assert path.read_text() == printed
    assert path.stat().st_mode & 0o777 == 0o644
    assert run("remove", "--root", tmp_path)[0] == 0
    assert not path.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("install", "--name", "../x", "--print"), "wanted small letters"),
        (("install", "--memory", "much", "--print"), "--memory much: wanted a number of bytes"),
        (("install", "--memory", "0", "--print"), "--memory 0: wanted a number of bytes"),
        (("install", "--print", "--", "srve"), "'srve': no command of glyphlite's; wanted one of"),
        (("install", "--root", "image", "--", "watch", "/home/pi/meter.toml"), "may not look into homes"),
        (("install", "--print", "--", "serve", "--config=/root/serve.toml"), "may not look into homes"),
    ],
)
def test_bad_options_are_named(words, said):
    done = CliRunner().invoke(command, ["service", *words])
    assert done.exit_code
    assert said in done.output + str(done.exception)


def test_a_file_is_named_by_its_whole_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "meter.toml").touch()
    _, printed = run("install", "--print", "--", "watch", "meter.toml", "--set", "total=1.5")
    assert dict(written(printed))["ExecStart"].endswith(f" watch {tmp_path}/meter.toml --set total=1.5")
    _, printed = run("install", "--print", "--", "serve", "--config=meter.toml", "--hosts=meter.local", "--tls")
    wanted = f" serve --config={tmp_path}/meter.toml --hosts=meter.local --tls"
    assert dict(written(printed))["ExecStart"].endswith(wanted)
    (tmp_path / "bundles" / "meter").mkdir(parents=True)
    (tmp_path / "digits-edge").mkdir()  # a model's name is no folder here, whatever lies beside
    _, printed = run("install", "--print", "--", "serve", "--model", "bundles/meter", "--reader", "digits-edge")
    wanted = f" serve --model {tmp_path}/bundles/meter --reader digits-edge"
    assert dict(written(printed))["ExecStart"].endswith(wanted)


def test_what_is_not_there_cannot_be_removed(tmp_path):
    done = CliRunner().invoke(command, ["service", "remove", "--root", str(tmp_path)])
    assert isinstance(done.exception, GlyphliteError)
    assert "no such service" in str(done.exception)


@pytest.mark.parametrize("word", ["/home/pi/.venv/bin/glyphlite", "/root/meter.toml"])
def test_a_program_in_a_home_is_refused(word):
    """ProtectHome hides it: systemd would say no more than 203/EXEC."""
    with pytest.raises(GlyphliteError, match="wanted a place such as /opt/glyphlite"):
        check_reachable([word, "serve"])
    check_reachable(["/opt/glyphlite/bin/glyphlite", "serve", "--model", "digits-edge"])

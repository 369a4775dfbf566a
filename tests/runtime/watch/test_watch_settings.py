"""Settings: every mistake is told with its line and key, and what was wanted."""

from pathlib import Path

import pytest

from glyphlite.runtime import SettingsError
from glyphlite.runtime.watch.settings import Counter, Region, line_of, read_settings

GOOD = """\
name = "water"  # in topics
interval = 30

[source]
camera = "/dev/video0"
rotate = 180

[[region]]
name = "total"
box = [10, 20, 300, 60]
digits = 5
decimals = 3

[region.counter]
max_per_hour = 2.5

[[region]]
name = "needle"

[mqtt]
host = "localhost"
"""


def read(tmp_path, text):
    path = tmp_path / "watch.toml"
    path.write_text(text)
    return read_settings(path)


def test_what_is_written_is_what_is_wanted(tmp_path):
    settings = read(tmp_path, GOOD)
    assert settings.source.camera == "/dev/video0"
    assert settings.region == (
        Region("total", (10, 20, 300, 60), digits=5, decimals=3, counter=Counter(2.5)),
        Region("needle"),
    )
    assert settings.path("watch.sqlite") == tmp_path / "watch.sqlite"
    assert str(settings.path("/var/lib/watch.sqlite")) == "/var/lib/watch.sqlite"


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("interval = 30", "interval 30", "line 2, column 10: Expected '=' after a key"),
        ("[mqtt]", "[mqtt", "line 20, column 6: Expected ']'"),
        ("interval", "intervall", r"line 2: unknown field 'intervall'; did you mean interval\?"),
        ("interval = 30", 'interval = "30"', "line 2: interval: '30'; wanted float"),
        ("interval = 30", "interval = 0", "line 2: interval: 0.0; wanted 0.05 to 86,400 seconds"),
        ("interval = 30", "interval = nan", "line 2: interval: nan; wanted"),
        ('"water"', '"water meter"', "line 1: name: 'water meter'; wanted letters, digits, - and _"),
        ("rotate = 180", "rotate = 45", "line 6: source: rotate: 45; wanted one of 0, 90, 180, 270"),
        ('camera = "/dev/video0"', "", "line 4: source: nothing; wanted one of folder, camera, url"),
        ("rotate", 'url = "http://a"\nrotate', "line 4: source: camera and url; wanted one of"),
        ('camera = "/dev/video0"', 'url = "ftp://a/b"', "line 5: source: url: 'ftp://a/b'; wanted http"),
        (
            'camera = "/dev/video0"',
            'url = "http://a/zähler"',
            "line 5: source: url: 'http://a/zähler'; wanted .* ASCII",
        ),
        ('camera = "/dev/video0"', 'url = "http://[::1/b"', r"line 5: source: url: 'http://\[::1/b'; wanted http"),
        ("digits = 5", "digits = true", "line 11: region: digits: True; wanted int"),
        ("digits = 5", "", "line 14: region: counter: no digits; wanted to know how many"),
        ("300, 60]", "300]", r"line 10: region: box: \[10, 20, 300\]; wanted \[x, y, width, height\]"),
        ("300, 60]", "300, 0]", r"line 10: region: box: \[10, 20, 300, 0\]; wanted"),
        ("300, 60]", "300, 6.5]", "line 10: region: box: 6.5; wanted int"),
        ("max_per_hour = 2.5", "max_per_hour = -1", "line 15: region: counter: max_per_hour: -1.0; wanted 0 to"),
        ("max_per_hour = 2.5", "max_per_hour = 1e308", r"line 15: region: counter: max_per_hour: 1e\+308; wanted 0 to"),
        ("max_per_hour = 2.5", "start = 100.0", "line 15: region: counter: start: 100; wanted a number of 5 digits, 3"),
        ("max_per_hour = 2.5", "start = 99.9996", r"line 15: region: counter: start: 99\.9996; wanted a number of 5"),
        ("max_per_hour = 2.5", "start = -1", "line 15: region: counter: start: -1; wanted a number of 5 digits"),
        ("max_per_hour = 2.5", "start = nan", "line 15: region: counter: start: nan; wanted a number of 5 digits"),
        ('name = "needle"', "", "line 17: region: field 'name' is missing"),
        ('"needle"', '"total"', "line 18: region: name: 'total' is taken"),
        ('host = "localhost"', 'host = "localhost"\ntopic = "a/#"', "line 22: mqtt: topic: 'a/#'; wanted a topic"),
        ("[mqtt]", "[mttq]", "line 20: unknown field 'mttq'"),
        ('name = "water"', 'base = "/"\nname = "water"', "line 1: unknown field 'base'"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_key(tmp_path, before, after, message):
    assert before in GOOD
    with pytest.raises(SettingsError, match=rf"watch\.toml: {message}"):
        read(tmp_path, GOOD.replace(before, after, 1))


def test_a_file_that_is_no_text_or_not_there(tmp_path):
    (tmp_path / "watch.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match=r"watch\.toml: cannot be read"):
        read_settings(tmp_path / "watch.toml")
    with pytest.raises(SettingsError, match="No such file or directory"):
        read_settings(tmp_path / "other.toml")


def test_the_line_of_a_key_in_an_inline_table_is_that_of_the_table():
    text = "a = 1\nregion = [\n  { name = 'x' },\n]\n"
    assert line_of(text, ("region", 0, "name")) == 2
    assert line_of(text, ("other",)) is None


def test_the_example_of_the_documentation_is_read(tmp_path):
    text = (Path(__file__).parents[3] / "docs" / "watch.md").read_text("utf-8")
    example = text.split("```toml\n")[1].split("```")[0]
    settings = read(tmp_path, example)
    assert settings.region[0].counter.max_per_hour == 2.5
    for option in ("start", "confirm", "recover"):
        example = example.replace(f"# {option} =", f"{option} =")
    assert read(tmp_path, example).region[0].counter == Counter(2.5, start=12.345)

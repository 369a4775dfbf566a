"""Configuration: a mapping, a TOML file, variables and options, checked, and in that order."""

from dataclasses import asdict

import pytest

from glyphlite.runtime import GlyphliteError, ModelError
from glyphlite.runtime.bundle import shipped_models
from glyphlite.webapp import create_app
from glyphlite.webapp.config import Config, configure, from_environment, from_file, over


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "serve.toml"
    path.write_text('port = 9000\nlog_format = "json"\nhosts = ["pi.example"]\nreload_models = true\n')
    return path


def test_a_variable_wins_over_the_file_and_an_option_over_both(file):
    variables = {"GLYPHLITE_CONFIG": str(file), "GLYPHLITE_PORT": "9001", "GLYPHLITE_HOSTS": "a.example, b.example"}
    config = configure(from_environment(environment=variables), {"threads": 2})
    assert (config.port, config.hosts, config.threads) == (9001, ("a.example", "b.example"), 2)
    assert (config.log_format, config.reload_models, config.model) == ("json", True, "digits-edge")
    assert configure(from_environment(environment=variables), {"port": 9002}).port == 9002


def test_no_tls_wins_over_a_certificate(tmp_path):
    file = tmp_path / "serve.toml"
    file.write_text('tls_cert = "x.pem"\ntls_key = "y.pem"\n')
    assert configure(from_environment(file, {})).tls_cert == "x.pem"
    assert configure(from_environment(file, {"GLYPHLITE_TLS": "false"})).tls_cert == ""
    assert configure(over(from_environment(file, {}), {"tls": False})).tls_cert == ""
    assert configure(over({"tls": False}, {"tls_cert": "x.pem", "tls_key": "y.pem"})).tls_cert == "x.pem"


def test_every_key_can_be_a_variable():
    default = asdict(Config())
    variables = {f"GLYPHLITE_{name.upper()}": "" if value == () else str(value) for name, value in default.items()}
    assert asdict(configure(from_environment(environment=variables))) == default


def test_variables_of_other_parts_are_no_typing_errors():
    assert from_environment(environment={"GLYPHLITE_MODELS": "/srv/models", "GLYPHLITE_DATA": "/srv/data"}) == {}


def test_the_environment_configures_an_app_without_a_mapping(monkeypatch, model):
    monkeypatch.setenv("GLYPHLITE_MODEL", model)
    monkeypatch.setenv("GLYPHLITE_TOKEN", "a token of enough letters")
    assert create_app().test_client().get("/api/v1/models").status_code == 401


def test_a_bare_file_gets_pixels_as_the_scale_says(tmp_path, caplog):
    (tmp_path / "bare.tflite").write_bytes((shipped_models()["digits-edge"] / "float32.tflite").read_bytes())
    for scale, value_range in (("", (0, 255)), ("-1,1", (-1, 1))):
        app = create_app({"MODEL": str(tmp_path / "bare.tflite"), "SCALE": scale})
        assert app.extensions["glyphlite"].recognizer.card.value_range == value_range
    assert "bare.tflite: has no card, and is shown whole images" in caplog.text
    with pytest.raises(ModelError, match="scale -1,1: digits-edge has a card, which says 0,255"):
        create_app({"SCALE": "-1,1"})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"MODLE": "x"}, "MODLE: no such key; did you mean MODEL?"),
        ({"zzz": 1}, "zzz: no such key; wanted one of model, reader"),
        ({"scale": "0"}, "scale '0'; wanted two numbers like 0,1"),
        ({"port": 70000}, "port 70000; wanted 0 to 65535"),
        ({"port": "many"}, "port 'many'; wanted a whole number"),
        ({"port": True}, "port True; wanted a whole number"),
        ({"threads": 0}, "threads 0; wanted 1 to 64"),
        ({"reload_models": "perhaps"}, "wanted true or false"),
        ({"log_format": "xml"}, "log_format 'xml'; wanted text or json"),
        ({"hosts": [1]}, "wanted a list of texts"),
        ({"token": "short"}, "token of 5 characters; wanted 16 or more"),
        ({"origins": "example.org"}, "wanted a site like https://example.org"),
        ({"hosts": ["a..b"]}, "'a..b'; wanted a host's name"),
        ({"hosts": ["a b"]}, "'a b'; wanted a host's name"),
        ({"rate_limit": "0/minute"}, "rate_limit '0/minute'; wanted one request or more"),
        ({"reader": str(shipped_models()["digits-edge"] / "float32.tflite")}, "is called digits-edge, as the model is"),
        ({"rate_limit": "often"}, "rate_limit 'often'; wanted one like 60/minute"),
    ],
)
def test_what_is_wrong_is_named(values, words):
    with pytest.raises(GlyphliteError) as error:
        create_app(values)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [("port = ", "no TOML"), ("prot = 1", "prot: no such key; did you mean port"), (None, "cannot be")],
)
def test_a_bad_file_is_named(tmp_path, text, words):
    path = tmp_path / "serve.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(GlyphliteError) as error:
        from_file(path)
    assert str(path) in str(error.value) and words in str(error.value)


def test_a_variable_that_was_meant_to_be_ours():
    with pytest.raises(GlyphliteError, match=r"GLYPHLITE_MODLE: no such variable; did you mean GLYPHLITE_MODEL\?"):
        from_environment(environment={"GLYPHLITE_MODLE": "x"})
    assert from_environment(environment={"GLYPHLITE_DATA": "/data", "HOME": "/"}) == {}


def test_one_model_that_is_both_counts_once(draw):
    client = create_app({"READER": "digits-edge"}).test_client()
    client.post("/api/v1/read", data=draw(1), content_type="image/png")
    assert client.get("/metrics").text.count('glyphlite_window_answers{model="digits-edge"}') == 1


def test_a_model_of_whole_images_reads_no_lines(tiny_tflite):
    client = create_app({"MODEL": str(tiny_tflite["float32"])}).test_client()
    assert client.get("/api/v1/models").json["reader"] is None
    assert "no reader of lines is loaded" in client.post("/api/v1/read", data=b"").json["detail"]


def test_a_line_reader_reads_beside_a_model_of_characters():
    with pytest.raises(GlyphliteError, match="name it as the reader"):
        create_app({"MODEL": "digits-line"})

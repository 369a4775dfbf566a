"""HTTPS: a certificate of one's own, a server behind the door, and clients that misbehave at it."""

import socket
import ssl
import subprocess
import threading
import urllib.error
import urllib.request
from contextlib import ExitStack
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from test_web_cli import start, stop, wait_for_url

from glyphlite.runtime import GlyphliteError, doctor
from glyphlite.webapp.server import Server
from glyphlite.webapp.tls import Door, own_certificate


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return own_certificate(tmp_path_factory.mktemp("tls"), ["pi.example"])


@pytest.fixture
def trusting(pair):
    return ssl.create_default_context(cafile=str(pair[0]))


def test_the_certificate_is_made_once_and_anew_for_another_name(tmp_path):
    certificate, key = own_certificate(tmp_path)
    before = certificate.read_bytes()
    assert own_certificate(tmp_path) == (certificate, key) and certificate.read_bytes() == before
    assert key.stat().st_mode & 0o777 == 0o600
    own_certificate(tmp_path, ["pi.example"])
    assert certificate.read_bytes() != before


def test_a_key_that_does_not_fit_is_made_anew_with_its_certificate(tmp_path, pair):
    _, key = own_certificate(tmp_path)
    for wrong in (b"", pair[1].read_bytes()):
        key.write_bytes(wrong)
        Door(*own_certificate(tmp_path))
        assert key.read_bytes() != wrong


def test_names_of_any_letters_and_addresses_are_in_the_certificate(tmp_path):
    certificate, _ = own_certificate(tmp_path, ["München.example", "192.0.2.7"])
    names = x509.load_pem_x509_certificate(certificate.read_bytes()).extensions
    names = names.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "xn--mnchen-3ya.example" in names.get_values_for_type(x509.DNSName)
    assert "192.0.2.7" not in names.get_values_for_type(x509.DNSName)
    assert ip_address("192.0.2.7") in names.get_values_for_type(x509.IPAddress)
    before = certificate.read_bytes()
    assert own_certificate(tmp_path, ["192.0.2.7"])[0].read_bytes() == before


def test_where_there_is_no_home_that_is_told(monkeypatch):
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    with pytest.raises(GlyphliteError, match="wanted HOME, or tls_cert and tls_key"):
        own_certificate()


@pytest.fixture
def behind(pair):
    """The address of an app that tells who asks, behind the door."""

    def app(environ, start_response):
        body = f"{environ['wsgi.url_scheme']} {environ['REMOTE_ADDR']}".encode() + environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    server = Server(app, "127.0.0.1", 0, 2, door=Door(*pair))
    threading.Thread(target=server.run, daemon=True).start()
    yield server.urls[0]
    server.stop()


def test_the_app_sees_https_and_the_client(behind, trusting):
    assert behind.startswith("https://127.0.0.1:")
    with urllib.request.urlopen(behind, b"x" * 3_000_000, context=trusting, timeout=30) as answer:
        body = answer.read()
    assert body.startswith(b"https 127.0.0.1x") and len(body) == 3_000_000 + len("https 127.0.0.1")


def test_one_who_does_not_trust_it_sends_nothing(behind):
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(behind, timeout=30)


def test_silent_clients_and_plain_ones_hold_up_nobody(behind, trusting):
    place = ("127.0.0.1", int(behind.rstrip("/").rpartition(":")[2]))
    with ExitStack() as silent:
        for _ in range(20):
            silent.enter_context(socket.create_connection(place))
        plain = silent.enter_context(socket.create_connection(place, timeout=30))
        plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" not in plain.recv(100)
        with urllib.request.urlopen(behind, context=trusting, timeout=30) as answer:
            assert answer.status == 200


def test_the_doctor_knows_who_serves_there(behind):
    found = doctor.open_port(int(behind.rstrip("/").rpartition(":")[2]))
    assert found.found.endswith("glyphlite serves there")


def test_what_is_no_certificate_is_told(tmp_path, pair):
    with pytest.raises(GlyphliteError, match="No such file"):
        Door(tmp_path / "gone.pem", pair[1])
    (tmp_path / "note.pem").write_text("no certificate")
    with pytest.raises(GlyphliteError, match=r"note\.pem.*PEM"):
        Door(tmp_path / "note.pem", pair[1])


def test_serve_over_https(pair, trusting, model, draw):
    process = start("--port", "0", "--model", model, "--tls-cert", pair[0], "--tls-key", pair[1])
    try:
        url = wait_for_url(process)
        assert url.startswith("https://")
        request = urllib.request.Request(f"{url}/api/v1/predict", draw(7), {"Content-Type": "image/png"})
        with urllib.request.urlopen(request, context=trusting, timeout=60) as answer:
            assert b'"label":"7"' in answer.read().replace(b" ", b"")
        code, seconds = stop(process)
        assert code == 0 and seconds < 10
    finally:
        process.kill()
        process.wait()


def test_no_tls_wins_over_the_certificate_of_a_file(tmp_path, pair, model):
    file = tmp_path / "serve.toml"
    file.write_text(f'port = 0\ntls_cert = "{pair[0]}"\ntls_key = "{pair[1]}"\n')
    process = start("--config", file, "--model", model, "--no-tls")
    try:
        assert wait_for_url(process).startswith("http://")
    finally:
        process.kill()
        process.wait()


def test_a_certificate_without_its_key_is_one_line(pair):
    process = start("--tls-cert", pair[0])
    _, text = process.communicate(timeout=60)
    assert process.returncode == 2 and "tls_key" in text


def test_openssl_finds_nothing_wrong_with_it(pair):
    told = subprocess.run(
        ["openssl", "verify", "-CAfile", pair[0], "-purpose", "sslserver", pair[0]], capture_output=True, text=True
    )
    assert told.stdout.strip().endswith("OK"), told.stderr

"""Who may ask: names of the server, other sites' pages, the token, the rate, and what a proxy says."""

import base64
import time

import pytest

from glyphlite.webapp import create_app

TOKEN = "correct horse battery staple"


@pytest.fixture(scope="module")
def locked(model):
    return create_app(
        {"MODEL": model, "TOKEN": TOKEN, "HOSTS": ["pi.example"], "ORIGINS": ["https://app.example"]}
    ).test_client()


def ask(client, draw, headers, path="/api/v1/predict"):
    return client.post(path, data=draw(7), content_type="image/png", headers=headers)


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "192.168.1.7:8000", "[::1]:8000", "[fe80::1]"])
def test_addresses_and_localhost_are_names_of_this_server(client, host):
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "[", ""])
def test_a_page_that_was_made_to_point_here_gets_nothing(client, host):
    answer = client.get("/api/v1/models", headers={"Host": host})
    assert (answer.status_code, answer.json["type"]) == (421, "/problems/misdirected")


def test_other_names_are_listed(locked, model):
    assert locked.get("/healthz", headers={"Host": "PI.example:8000"}).status_code == 200
    named = create_app({"MODEL": model, "HOST": "meter.lan"}).test_client()
    assert named.get("/healthz", headers={"Host": "meter.lan:8000"}).status_code == 200
    umlaut = create_app({"MODEL": model, "HOSTS": ["München.example"]}).test_client()
    assert umlaut.get("/healthz", headers={"Host": "xn--mnchen-3ya.example"}).status_code == 200
    anything = create_app({"MODEL": model, "HOSTS": "*"}).test_client()
    assert anything.get("/healthz", headers={"Host": "any.example"}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://localhost"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
def test_another_sites_page_may_not_post(client, draw, headers, status):
    assert ask(client, draw, headers).status_code == status


def basic(password):
    return {"Authorization": "Basic " + base64.b64encode(f"me:{password}".encode()).decode()}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": f"Bearer {TOKEN}"}, 200),
        (basic(TOKEN), 200),
        ({}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({"Authorization": "Bearer x"}, 401),
        ({"Authorization": "Bearer \xe9"}, 401),
        ({"Authorization": "Digest x"}, 401),
        (basic("x"), 401),
    ],
)
def test_the_token_opens(locked, draw, headers, status):
    answer = ask(locked, draw, headers)
    assert answer.status_code == status
    if status == 401:
        assert answer.json["type"] == "/problems/unauthorized" and TOKEN not in answer.text
        assert {kind.split()[0].lower() for kind in answer.headers.getlist("WWW-Authenticate")} == {"bearer", "basic"}


def test_what_the_token_guards(locked):
    for path in ("/", "/metrics", "/docs", "/openapi.json", "/api/v1/models", "/nothing"):
        assert locked.get(path).status_code == 401
    for path in ("/healthz", "/readyz", "/static/style.css"):
        assert locked.get(path).status_code == 200


def test_another_site_may_ask_where_it_is_listed(client, locked, draw):
    ours = {"Origin": "https://app.example"}
    assert "Access-Control-Allow-Origin" not in client.open("/api/v1/predict", method="OPTIONS", headers=ours).headers
    asked = locked.open("/api/v1/predict", method="OPTIONS", headers=ours)
    assert asked.status_code == 200 and asked.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "Authorization" in asked.headers["Access-Control-Allow-Headers"]
    answer = ask(locked, draw, {**ours, "Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200 and answer.headers["Access-Control-Allow-Origin"] == "https://app.example"
    other = locked.open("/api/v1/predict", method="OPTIONS", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in other.headers and "Origin" in other.headers["Vary"]


def test_who_asks_too_often_is_told_when_to_come_back(model):
    pytest.importorskip("limits")
    client = create_app({"MODEL": model, "RATE_LIMIT": "2/hour"}).test_client()
    first = client.get("/api/v1/models")
    assert first.status_code == 200 and "Retry-After" not in first.headers
    assert [client.get(path).status_code for path in ("/docs", "/", "/nothing")] == [200, 429, 429]
    assert int(client.get("/").headers["Retry-After"]) > 0
    answer = client.get("/api/v1/models")
    assert answer.json["type"] == "/problems/too-many-requests" and int(answer.headers["Retry-After"]) > 0
    assert client.get("/healthz").status_code == 200
    other = client.get("/api/v1/models", environ_overrides={"REMOTE_ADDR": "192.0.2.9"})
    assert other.status_code == 200


def test_a_clock_that_goes_back_locks_nobody_out(model, monkeypatch):
    pytest.importorskip("limits")
    client = create_app({"MODEL": model, "RATE_LIMIT": "2/hour"}).test_client()
    assert [client.get("/docs").status_code for _ in range(3)] == [200, 200, 429]
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() - 86_400)
    assert [client.get("/docs").status_code for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize("path", ["/api/v1/models", "/api/v1/predict", "/nothing"])  # a route, a wrong method, none
def test_guesses_of_the_token_are_limited_too(model, path):
    pytest.importorskip("limits")
    client = create_app({"MODEL": model, "RATE_LIMIT": "2/hour", "TOKEN": TOKEN}).test_client()
    wrong = {"Authorization": "Bearer a guess of enough letters"}
    assert [client.get(path, headers=wrong).status_code for _ in range(3)] == [401, 401, 429]


@pytest.mark.parametrize(("proxies", "client_address"), [(0, "127.0.0.1"), (1, "203.0.113.5")])
def test_a_proxy_is_believed_only_when_told(model, caplog, proxies, client_address):
    app = create_app({"MODEL": model, "PROXIES": proxies})
    with caplog.at_level("INFO", "glyphlite.requests"):
        app.test_client().get("/healthz", headers={"X-Forwarded-For": "203.0.113.5", "X-Forwarded-Host": "localhost"})
    assert caplog.records[-1].client == client_address


def test_a_prefix_that_a_proxy_tells_changes_no_link(model):
    """The page's script asks at the root: a link elsewhere would promise what does not work."""
    client = create_app({"MODEL": model, "PROXIES": 1}).test_client()
    assert "/glyph" not in client.get("/", headers={"X-Forwarded-Prefix": "/glyph"}).text.replace("/glyphlite", "")

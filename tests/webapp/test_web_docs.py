"""The page of documentation says what /openapi.json says, and needs nothing from elsewhere."""

import html
import re

from glyphlite.webapp.problems import TITLES


def test_every_route_schema_and_problem_is_on_it(client):
    text = html.unescape(client.get("/docs").text)
    document = client.get("/openapi.json").json
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert f"<h2><code>{method.upper()} {path}</code></h2>" in text and operation["summary"] in text
    for name in document["components"]["schemas"]:
        assert f'id="schema-{name}"' in text
    for kind, title in TITLES.items():
        assert f'<dt id="{kind}">' in text and title in text


def test_it_needs_no_script_and_nothing_from_elsewhere(client):
    text = client.get("/docs").text
    assert "<script" not in text and "style=" not in text
    links = set(re.findall(r'(?:src|href)="([^"]*)"', text))
    assert all(link.startswith(("/", "#")) for link in links)
    assert {link[1:] for link in links if link[0] == "#"} <= set(re.findall(r'id="([^"]*)"', text))
    for link in links:
        assert link[0] == "#" or client.get(link).status_code == 200


def test_the_type_of_a_problem_leads_to_its_line(client):
    kind = client.post("/api/v1/predict").json["type"]
    answer = client.get(kind)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/docs#unsupported-media-type")
    assert client.get("/problems/no-such").status_code == 404

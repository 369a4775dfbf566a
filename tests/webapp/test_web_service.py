"""The models behind the routes are loaded again while requests go on."""

import shutil

import pytest

from glyphlite.runtime import find_bundle
from glyphlite.webapp import create_app
from glyphlite.webapp.service import reload_models


@pytest.fixture
def bundle(tmp_path):
    """A copy of a shipped bundle, which may be changed."""
    folder = tmp_path / "mine"
    shutil.copytree(find_bundle("digits-edge").folder, folder)
    return folder


def loaded(app):
    return app.test_client().get("/api/v1/models").json["loaded"]["name"]


def test_what_lies_in_the_bundle_now_answers(bundle):
    app = create_app({"MODEL": bundle})
    client = app.test_client()
    before = app.extensions["glyphlite"]
    shutil.rmtree(bundle)
    shutil.copytree(find_bundle("digits-lenet5").folder, bundle)
    assert loaded(app) == "digits-edge"
    assert reload_models(app)
    assert loaded(app) == "digits-lenet5"
    text = client.get("/metrics").text
    assert 'name="digits-lenet5"' in text and 'glyphlite_requests_total{route="/api/v1/models"' in text
    assert before.recognizer.card.name == "digits-edge"  # a request that began before keeps its model


def test_a_damaged_model_is_not_taken(bundle, caplog):
    app = create_app({"MODEL": bundle})
    found = find_bundle(str(bundle))
    artifact = found.path(found.card.artifact())
    artifact.write_bytes(artifact.read_bytes()[:1000])
    assert not reload_models(app)
    assert "the old ones go on" in caplog.text and "1000 bytes" in caplog.text
    assert app.test_client().get("/readyz").status_code == 200

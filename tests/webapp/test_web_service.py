"""The models behind the routes are loaded again while requests go on."""

import shutil
import threading
import time

import pytest

from glyphlite.runtime import find_bundle
from glyphlite.webapp import create_app
from glyphlite.webapp.service import Service, reload_models


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


def test_models_are_loaded_again_one_time_after_the_other(monkeypatch):
    app = create_app()
    loading, together = [], []

    def slowly(*settings):
        loading.append(settings)
        together.append(len(loading))
        time.sleep(0.1)
        loading.pop()
        return app.extensions["glyphlite"]

    monkeypatch.setattr(Service, "open", slowly)
    threads = [threading.Thread(target=reload_models, args=(app,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == [1, 1, 1]


@pytest.mark.parametrize("named", ["bundle", "file"])
def test_a_model_that_was_exchanged_is_not_sent_under_the_old_ones_address(bundle, named):
    artifact = find_bundle(bundle).card.artifact()
    app = create_app({"MODEL": bundle if named == "bundle" else bundle / artifact.file})
    client, place = app.test_client(), f"/device/{artifact.sha256[:16]}/model.tflite"
    assert client.get(place).data == (bundle / artifact.file).read_bytes()
    (bundle / artifact.file).write_bytes(b"another")
    answer = client.get(place)
    assert answer.status_code == 404 and "exchanged after it was loaded" in answer.json["error"]
    shutil.rmtree(bundle)
    assert client.get(place).status_code == 404


def test_a_damaged_model_is_not_taken(bundle, caplog):
    app = create_app({"MODEL": bundle})
    found = find_bundle(str(bundle))
    artifact = found.path(found.card.artifact())
    artifact.write_bytes(artifact.read_bytes()[:1000])
    assert not reload_models(app)
    assert "the old ones go on" in caplog.text and "1000 bytes" in caplog.text
    assert app.test_client().get("/readyz").status_code == 200

"""What people would use otherwise: timed in the same run, judged on the same images, skipped with a reason."""

import json
import re

import numpy as np
import pytest

from glyphlite.benchmarks.accuracy import load_judges
from glyphlite.benchmarks.contenders import open_contenders
from glyphlite.benchmarks.peers import open_peers
from glyphlite.train.idx import idx_bytes
from glyphlite.train.strokes import digit_glyphs

QUICK = ("--quick", "--budget-s", "0.5")


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A folder of IDX files: 600 drawn digits to train on, 60 to judge by."""
    folder = tmp_path_factory.mktemp("drawn")
    images, labels = digit_glyphs(660, np.random.default_rng(0))
    for part, chosen in (("train", slice(600)), ("t10k", slice(600, None))):
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx_bytes(images[chosen]))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx_bytes(labels[chosen].astype(np.uint8)))
    return folder


def test_peers_answer_and_are_timed_beside_the_artifact(glyphlite, digits, tmp_path):
    command = ("bench", "run", "digits-lenet5", "--data", digits, "--out", tmp_path, *QUICK, "--peers")
    code, out, err = glyphlite(*command)
    assert code == 0, err
    document = json.loads((tmp_path / "results.json").read_text())
    peers = {peer["peer"]: peer for peer in document["peers"]}
    assert {"Keras predict", "Keras tf.function", "scikit-learn 3-NN", "scikit-learn SVM (RBF)"} <= set(peers)
    own = document["results"][0]["errors"]
    assert abs(peers["Keras predict"]["errors"] - own) <= 1  # the same network
    assert peers["Keras predict"]["ratio"] > peers["Keras tf.function"]["ratio"] > 1
    assert all(peer["errors"] < 30 and peer["images"] == 60 for peer in peers.values())
    assert "Keras predict" in out and "| Keras predict |" in (tmp_path / "results.md").read_text()
    assert "<h2>Peers</h2>" in (tmp_path / "index.html").read_text()
    opencv = [entry for entry in document["skipped"] if entry["artifact"] == "peer OpenCV dnn"]
    assert ("OpenCV dnn" in peers) != bool(opencv)


def test_what_cannot_be_measured_is_said(grey_bundle, grey_npz):
    contenders, _ = open_contenders([str(grey_bundle)])
    judges = load_judges(str(grey_npz), contenders[0].recognizer.card, bare=False)
    peers, skipped = open_peers(contenders[0], judges, str(grey_npz))
    reasons = {entry.artifact: entry.reason for entry in skipped}
    assert "keeps no model.keras" in reasons["peer Keras predict"]
    assert "has no training part of its own" in reasons["peer scikit-learn 3-NN"]
    assert all(peer.name == "OpenCV dnn" for peer in peers)


def test_the_command_says_which_peers_are_absent_and_why(glyphlite, grey_bundle, grey_npz, tmp_path):
    arguments = (grey_bundle / "float32.tflite", "--data", grey_npz, "--out", tmp_path)
    code, _, err = glyphlite("bench", "run", *arguments, *QUICK, "--peers")
    assert code == 0
    assert re.search(r"^skipped peer Keras predict: .* keeps no model\.keras$", err, re.MULTILINE)
    assert "skipped peer scikit-learn 3-NN: sides has no training part of its own" in err

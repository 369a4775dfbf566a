"""The search ends with a front that nothing beats, goes on where it was cut off, and tells when a budget is not met."""

import csv
import json

import pytest
from click.testing import CliRunner

from glyphlite.compress import search as module
from glyphlite.compress.cli import compress as command
from glyphlite.compress.examples import load_examples
from glyphlite.compress.pack import Options, compress
from glyphlite.compress.recipes import parse_recipe
from glyphlite.compress.search import Limits, Trial, best, search
from glyphlite.compress.sources import load_source
from glyphlite.runtime import BudgetError, ConversionError, Recognizer, read_bundle


@pytest.fixture(scope="module")
def float_file(source, examples, tmp_path_factory):
    """A bare float TFLite: nothing to train, so a search is fast."""
    out = tmp_path_factory.mktemp("search") / "b"
    compress(source, [parse_recipe("float32")], ["tflite"], examples, out, say=lambda _: None)
    return (out / "float32.tflite").rename(out.with_name("float32.tflite"))


def test_a_front_is_what_nothing_beats():
    small, exact, slow, worse = (
        Trial("a", "minmax", 10, 0.9, 1.0), Trial("b", "minmax", 20, 0.99, 1.0),
        Trial("c", "minmax", 10, 0.9, 2.0), Trial("d", "minmax", 20, 0.98, 1.0),
    )  # fmt: skip
    assert small.beats(slow) and exact.beats(worse)
    assert not small.beats(exact) and not exact.beats(small) and not small.beats(small)


def test_limits():
    trial = Trial("a", "minmax", 1000, 0.97, 0.5)
    assert Limits().are_met(trial) and Limits(1000, 0.5, 0.97).are_met(trial)
    assert not Limits(999).are_met(trial)
    assert not Limits(max_ms=0.4).are_met(trial)
    assert not Limits(min_accuracy=0.98).are_met(trial)
    assert str(Limits(1000, 0.5, 0.97)) == "at most 1,000 bytes, at most 0.5 ms, at least 97 % right"


def test_the_default_is_the_most_often_right_within_the_limits():
    trials = [Trial("a", "minmax", 10, 0.9, 1.0), Trial("b", "minmax", 20, 0.95, 1.0), Trial("c", "minmax", 30, 1, 1.0)]
    assert best(trials, Limits()).recipe == "c"
    assert best(trials, Limits(max_bytes=20)).recipe == "b"
    assert best(trials, Limits(max_bytes=5)).recipe == "c"  # none is within
    assert best([*trials, Trial("d", "minmax", 25, 1, 2.0)], Limits()).recipe == "d"


def test_a_search_over_a_bare_file_goes_on_where_it_was_cut_off(float_file, shapes, tmp_path):
    source = load_source(str(float_file))
    examples = load_examples(source, str(shapes))
    said: list[str] = []
    search(source, examples, tmp_path, Limits(), 3, say=said.append)
    before = len(said)
    found = search(source, examples, tmp_path, Limits(), 6, say=said.append)
    assert 3 <= before < len(said)
    assert len(found.trials) >= 5
    rows = list(csv.DictReader((tmp_path / "trials.csv").open()))
    assert len(rows) == len(found.trials) and sum(int(row["front"]) for row in rows) == len(found.front)
    assert (tmp_path / "front.png").stat().st_size > 5000
    for one in found.front:
        assert not any(other.beats(one) for other in found.trials)
    card = read_bundle(tmp_path / "bundle").card
    assert [artifact.bytes for artifact in card.artifacts] == [trial.bytes for trial in found.front]
    assert card.artifacts[0].test_set.startswith("shapes hold-out (240 of 480")
    judged = examples.judged.images[0]
    assert Recognizer.load(tmp_path / "bundle").predict_batch(judged[None]).shape == (1, 4)
    assert card.default == card.artifacts[found.front.index(best(found.front, Limits()))].file
    with pytest.raises(ConversionError, match="a search of another model, data, scale or --epochs"):
        search(source, examples, tmp_path, Limits(), 6, Options(epochs=3), say=said.append)


def test_what_chooses_does_not_judge(float_file, shapes):
    examples = load_examples(load_source(str(float_file)), str(shapes))
    chosen = examples.to_choose()
    assert chosen.judged is examples.judged
    assert len(chosen.train) + len(chosen.holdout) == len(examples.train)
    assert chosen.to_choose() is chosen


first = module._first


def test_steps_that_train_are_proposed_for_a_model_with_layers(source, examples, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_first", lambda has_layers: first(has_layers)[2:])  # of half of the channels
    said: list[str] = []
    found = search(source, examples, tmp_path, Limits(min_accuracy=0.2), 1, Options(epochs=2), say=said.append)
    assert found.trials[0].recipe == "channels50_distill_static_wi8_ai8"
    assert found.met


def test_4_and_8_bits_are_mixed_where_8_would_do_for_the_limit(float_file, shapes, tmp_path):
    source = load_source(str(float_file))
    examples = load_examples(source, str(shapes))
    found = search(source, examples, tmp_path / "wide", Limits(max_bytes=10**6), 2, say=lambda _: None)
    whole, mixed = (trial.bytes for trial in found.trials)
    assert mixed < whole
    tight = search(source, examples, tmp_path / "tight", Limits(max_bytes=mixed - 1), 2, say=lambda _: None)
    assert [trial.bytes < mixed for trial in tight.trials] == [False, True]


def test_another_limit_is_another_search_in_the_same_folder(float_file, shapes, tmp_path):
    source = load_source(str(float_file))
    examples = load_examples(source, str(shapes))

    def found(limits, trials=2):
        result = search(source, examples, tmp_path, limits, trials, say=lambda _: None)
        assert [artifact.bytes for artifact in result.card.artifacts] == [trial.bytes for trial in result.front]
        return {trial.recipe: trial.bytes for trial in result.trials}

    assert list(found(Limits(max_bytes=100))) == ["static_wi8_ai8"]  # 4 bits everywhere are too many
    loose = found(Limits())
    assert list(loose) == ["static_wi8_ai8", "mixed_wi48_ai8"]
    tight = Limits(max_bytes=loose["mixed_wi48_ai8"] - 1)
    assert found(tight)["mixed_wi48_ai8"] <= tight.max_bytes
    assert len(found(tight, 3)) == 3 and found(Limits()) == loose
    with pytest.raises(ConversionError, match="a search of another model"):
        search(source, examples, tmp_path, Limits(max_bytes=10**6), 2, Options(epochs=3), say=lambda _: None)


def test_what_is_hopeless_after_an_epoch_is_given_up(source, examples, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_first", lambda has_layers: first(has_layers)[2:])  # of half of the channels
    said: list[str] = []
    with pytest.raises(BudgetError, match="no recipe of 1 trials could be made"):
        search(source, examples, tmp_path, Limits(max_bytes=100), 1, Options(epochs=2), say=said.append)
    assert "given up" in said[0] and "wanted 100" in said[0]


def test_the_command_exits_with_3_where_the_limits_are_not_met(float_file, shapes, tmp_path):
    arguments = ["search", str(float_file), "--data", str(shapes), "--trials", "2", "--out", str(tmp_path / "s")]
    result = CliRunner().invoke(command, [*arguments, "--max-ms", "0.000001"])
    assert isinstance(result.exception, BudgetError) and result.exception.exit_code == 3
    assert "not within the limits" in result.output and "at most 1e-06 ms" in str(result.exception)
    result = CliRunner().invoke(command, [*arguments, "--json"])
    assert result.exit_code == 0
    assert json.loads(result.output[result.output.index("{") :])["met"] is True

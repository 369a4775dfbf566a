"""`glyphlite new`: the commands that it prints are ordinary ones, and what is done is not done again."""

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from glyphlite.compress import new as module
from glyphlite.compress.new import TEST_EACH, enough_epochs, is_done, new, note_done, part, plan
from glyphlite.runtime import DatasetError
from glyphlite.runtime.bundle import Artifact, Card, read_bundle, write_card
from glyphlite.runtime.cli import root


def steps(out, epochs=3):
    return plan(out, "meters", "meters", "edge", "32,20,3", epochs)


def test_each_line_is_a_command_that_glyphlite_takes(tmp_path, tmp_path_factory):
    data = str(tmp_path_factory.mktemp("images"))
    done = CliRunner().invoke(new, [str(tmp_path), "--data", data, "--max-bytes", "50000", "--dry-run"])
    assert done.exit_code == 0
    lines = [shlex.split(line) for line in done.output.splitlines()]
    assert [line[1] for line in lines] == ["train", "compress", "bench", "bench", "models"]
    assert not list(tmp_path.iterdir())
    (tmp_path / "bench").mkdir()  # as the third step leaves it
    for _, *arguments in lines:
        command, context = root, None
        while hasattr(command, "resolve_command"):
            context = context or root.make_context("glyphlite", list(arguments), resilient_parsing=True)
            name, command, arguments = command.resolve_command(context, arguments)
            if command.name in ("compress", "train"):  # groups that are commands themselves
                break
        command.make_context(name, list(arguments), parent=context)  # raises where an option is unknown
    assert lines[-2][-2:] == ["--max-bytes", "50000"]


def test_a_step_is_done_when_its_command_ended_well_and_what_it_left_is_there(tmp_path):
    train, compress, *_ = steps(tmp_path)
    for step in (train, compress):
        assert not is_done(tmp_path, step)
        step.leaves.parent.mkdir()
        step.leaves.touch()
        assert not is_done(tmp_path, step)  # it may have been interrupted
        note_done(tmp_path, step)
        assert is_done(tmp_path, step)
    train.leaves.unlink()
    assert not is_done(tmp_path, train)


def test_another_command_is_another_step_and_so_are_those_after_it(tmp_path):
    train, compress, *_ = steps(tmp_path)
    for step in (train, compress):
        step.leaves.parent.mkdir()
        step.leaves.touch()
        note_done(tmp_path, step)
    longer = steps(tmp_path, epochs=9)[0]
    assert not is_done(tmp_path, longer)
    note_done(tmp_path, longer)
    assert not is_done(tmp_path, compress)


def test_an_interrupted_note_is_no_note(tmp_path):
    (tmp_path / "steps.json").write_text("{broken")
    assert not is_done(tmp_path, steps(tmp_path)[0])


def test_a_labelled_folder_is_parted_into_links_and_stays_parted_as_it_grows(tmp_path):
    images = tmp_path / "images"
    for label in "ab":
        (images / label).mkdir(parents=True)
        for at in range(60):
            (images / label / f"{at}.png").write_bytes(b"x")

    def judging():
        folders = [tmp_path / "out" / f"images-{kind}" for kind in ("train", "test")]
        train, test = ({path.relative_to(one) for path in one.glob("*/*")} for one in folders)
        assert not train & test
        assert len(train | test) == len(list(images.glob("*/*")))
        return test

    told = part(str(images), tmp_path / "out", dry_run=True)
    assert not (tmp_path / "out").exists()
    assert part(str(images), tmp_path / "out") == told  # so that what a dry run prints is what is run
    assert told[2] == len(list((tmp_path / "out" / "images-train").glob("*/*")))
    before = judging()
    assert 0.5 < len(before) * TEST_EACH / 120 < 1.5
    (images / "a" / "new.png").write_bytes(b"x")
    part(str(images), tmp_path / "out")
    assert judging() >= before
    (images / "a" / "new.png").rename(images / "b" / "new.png")
    part(str(images), tmp_path / "out")
    judging()
    (tmp_path / "set.npz").touch()
    assert part(str(tmp_path / "set.npz"), tmp_path / "out") == (*(str(tmp_path / "set.npz"),) * 2, 0)


def test_what_is_no_image_is_not_parted(tmp_path):
    for name in ("a/1.png", "a/.DS_Store", "a/._1.png", "a/notes.txt", ".git/2.png"):
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / name).touch()
    for index in range(2, 20):
        (tmp_path / "images" / "a" / f"{index}.png").touch()
    part(str(tmp_path / "images"), tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").glob("*/*/*")} == {f"{index}.png" for index in range(1, 20)}


def test_a_folder_of_train_and_test_is_parted_as_it_is(tmp_path):
    for name in ("train/a/1.png", "train/b/1.png", "train/b/2.png", "test/a/1.png", "test/b/3.png", "test/.x/4.png"):
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / name).touch()
    train, test, images = part(str(tmp_path / "images"), tmp_path / "out")
    assert images == 3
    assert {str(one.relative_to(train)) for one in Path(train).glob("*/*")} == {"a/1.png", "b/1.png", "b/2.png"}
    assert {str(one.relative_to(test)) for one in Path(test).glob("*/*")} == {"a/1.png", "b/3.png"}
    (tmp_path / "images" / "train" / "toy.png").touch()  # two classes of these names
    with pytest.raises(DatasetError, match=r"(1 image .* 0|0 images .* 1) to judge by in test, train;"):
        part(str(tmp_path / "images"), tmp_path / "out")


@pytest.mark.parametrize("names", [("train/a/1.png", "val/a/1.png"), ("root/a/1.png", "root/b/1.png"), ("a/1.txt",)])
def test_a_folder_without_labelled_images_is_named_before_anything_is_made(names, tmp_path):
    for name in names:
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / name).touch()
    above = ", ".join(dict.fromkeys(name.split("/")[0] for name in names))
    told = rf"/images: 0 images to train by and 0 to judge by in {above}; wanted some of both: more CLASS/\*\.png"
    with pytest.raises(DatasetError, match=told):
        part(str(tmp_path / "images"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_another_folder_of_the_same_name_takes_the_place_of_its_links(tmp_path):
    for folder in ("a", "b"):
        for index in range(20):
            image = tmp_path / folder / "photos" / "x" / f"{folder if index else 'same'}{index}.png"
            image.parent.mkdir(parents=True, exist_ok=True)
            image.touch()
        parts = part(str(tmp_path / folder / "photos"), tmp_path / "out")[:2]
    links = [link for one in parts for link in Path(one).glob("*/*")]
    assert len(links) == 20 and all(link.readlink().parts[-4] == "b" for link in links)


def test_more_images_are_another_training(tmp_path):
    (tmp_path / "images" / "a").mkdir(parents=True)
    (tmp_path / "images" / "a" / "1.png").write_bytes(b"x")

    def first():
        return plan(tmp_path, str(tmp_path / "images"), "meters", "edge", "32,20,3", 3)[0]

    first().leaves.parent.mkdir()
    first().leaves.touch()
    note_done(tmp_path, first())
    assert is_done(tmp_path, first())
    os.utime(tmp_path / "images" / "a" / "1.png", (0, 0))  # copied again
    assert is_done(tmp_path, first())
    (tmp_path / "images" / "a" / "2.png").write_bytes(b"x")
    assert not is_done(tmp_path, first())


def test_an_image_more_to_judge_by_is_measured_and_not_trained(tmp_path):
    for side in ("train", "test"):
        (tmp_path / side / "a").mkdir(parents=True)
        (tmp_path / side / "a" / "1.png").write_bytes(b"x")

    def done():
        return [step.done for step in plan(tmp_path, str(tmp_path / "train"), str(tmp_path / "test"), "edge", "", 3)]

    before = done()
    (tmp_path / "test" / "a" / "2.png").write_bytes(b"x")
    assert [one == other for one, other in zip(before, done(), strict=True)] == [True, True, False, True]


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """What each command of a `new` in tmp_path/out leaves, in no time; `bench recommend` names static.tflite, within
    30,000 bytes small.tflite.  The commands that ran, and `models export` with the default that it packed."""
    (tmp_path / "images.npz").touch()
    out, ran = tmp_path / "out", []

    def fake(command, **_):
        said, bundle = "", out / "bundle"
        words = command[3:]
        name = " ".join(words[:2]) if words[0] in ("bench", "models") else words[0]
        if name == "compress":
            files = ("static.tflite", "small.tflite")
            made = tuple(Artifact(file, "tflite", "x", 9, "") for file in files)
            bundle.mkdir(parents=True, exist_ok=True)
            write_card(bundle, Card("x", ("a", "b"), (8, 8, 1), "stretch", default=files[0], artifacts=made))
        elif name == "bench recommend":
            small = "--max-bytes" in words
            said = json.dumps({"artifact": f"bundle/{'small' if small else 'static'}.tflite"})
        else:
            leaves = {"train": "run/card.json", "bench run": "bench/results.json", "models export": "bundle.zip"}[name]
            (out / leaves).parent.mkdir(parents=True, exist_ok=True)
            (out / leaves).touch()
        if name != "bench recommend":
            ran.append((name, read_bundle(bundle).card.default) if name == "models export" else name)
        return subprocess.CompletedProcess(command, 0, said, "")

    monkeypatch.setattr(module.subprocess, "run", fake)
    return ran


def again(tmp_path, *options):
    data = str(tmp_path / "images.npz")
    return CliRunner().invoke(new, [str(tmp_path / "out"), "--data", data, "--no-serve", *options])


def test_what_is_packed_runs_the_artifact_within_the_budget(commands, tmp_path):
    assert again(tmp_path, "--max-bytes", "30000").exit_code == 0
    assert commands == ["train", "compress", "bench run", ("models export", "small.tflite")]
    again(tmp_path, "--max-bytes", "30000")
    assert len(commands) == 4
    again(tmp_path)
    assert commands[4:] == [("models export", "static.tflite")]


def test_a_training_that_cannot_go_on_wants_a_new_folder(tmp_path, monkeypatch):
    def fails(command, **_):
        return subprocess.CompletedProcess(command, 2)

    (tmp_path / "images.npz").touch()
    monkeypatch.setattr(module.subprocess, "run", fails)
    assert "mend it, and the same line goes on" in str(again(tmp_path).exception)
    (tmp_path / "out" / "run").mkdir(parents=True)
    told = str(again(tmp_path, "--epochs", "9").exception)
    assert told.startswith(f"train: ended with 2; {tmp_path / 'out'} goes on with the images and options that it was")
    assert told.endswith("others want a new DIR")


def test_few_images_are_seen_more_often():
    assert [enough_epochs(images) for images in (1500, 600, 12, 0)] == [100, 200, 200, 40]

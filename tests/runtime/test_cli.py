"""The command as a person runs it: what it prints where, and how it ends."""

import json
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn import draw
from PIL import Image

from glyphlite.runtime.scale import IMAGENET

SAMPLE = Path(__file__).parents[2] / "models/samples/7-crossed.png"
GLYPHLITE = Path(sys.executable).with_name("glyphlite")
HEAVY = {"tensorflow", "keras", "tf_keras", "flask", "matplotlib", "scipy", "onnxruntime", "onnx", "sklearn"}


def run(*arguments, cwd, python=()):
    """(exit code, stdout, lines on stderr) of the command."""
    command = [sys.executable, *python, str(GLYPHLITE), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, cwd=cwd, timeout=120)
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace").splitlines()


def imported_in(log):
    """Packages that `python -X importtime` names."""
    return {line.rsplit("|", 1)[1].strip().split(".")[0] for line in log if line.startswith("import time:")}


def png_bomb():
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes(30_001) * 300)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Good images and bad ones."""
    path = tmp_path_factory.mktemp("images")
    cv2.imwrite(str(path / "four.png"), draw("4"))
    cv2.imwrite(str(path / "seven.jpg"), draw("7", height=500, pen=40, shape=(700, 600)))
    photo = (path / "seven.jpg").read_bytes()
    (path / "cut.jpg").write_bytes(photo[: len(photo) // 2])
    scratched = bytearray(photo)
    scratched[len(photo) // 2 : len(photo) // 2 + 40] = bytes(40)  # libjpeg complains on stderr and goes on
    (path / "scratched.jpg").write_bytes(scratched)
    drawing = (path / "four.png").read_bytes()
    (path / "cut.png").write_bytes(drawing[: len(drawing) // 2])
    Image.fromarray(draw("4")).save(path / "cut.gif")
    os.truncate(path / "cut.gif", 1200)  # OpenCV complains on stderr
    cv2.imwrite(str(path / "cut.bmp"), draw("4"))
    os.truncate(path / "cut.bmp", 2000)
    cv2.imwrite(str(path / "blank.png"), np.full((200, 200), 240, np.uint8))
    (path / "empty.png").touch()
    (path / "text.png").write_text("not an image\n")
    (path / "phone.JPG").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    (path / "bomb.png").write_bytes(png_bomb())
    (path / "folder").mkdir()
    return path


# --- predict ---------------------------------------------------------------------------------------------------------


def test_answers_go_to_stdout_and_nothing_to_stderr(folder, model_name):
    """Not even what the libraries have to say: LiteRT of its delegate, libjpeg of a scratch."""
    code, out, err = run("predict", "four.png", "seven.jpg", "scratched.jpg", "--model", model_name, cwd=folder)
    assert (code, err) == (0, [])
    lines = out.splitlines()
    assert lines[0].startswith("four.png:  4  ")
    assert lines[1].startswith("seven.jpg:  7  ")
    assert lines[0].endswith(" %")
    assert len(lines) == 3


def test_top_and_timing(folder, model_name):
    code, out, _ = run("predict", "four.png", "--top", "3", "--timing", "--model", model_name, cwd=folder)
    answer, timing = out.splitlines()
    assert code == 0
    assert answer.count("%") == 3
    assert timing.startswith("1 image, ")
    assert "ms an image" in timing
    code, out, err = run("predict", "four.png", "--json", "--timing", "--model", model_name, cwd=folder)
    assert json.loads(out)[0]["label"] == "4" and err[0].startswith("1 image, ")


BAD = {
    "missing.png": "cannot be read (No such file or directory); wanted an image file",
    "empty.png": "empty (0 bytes); wanted an image file",
    "text.png": "no image; wanted JPEG, PNG",
    "phone.JPG": "HEIC; wanted JPEG, PNG",
    "cut.jpg": "cut-short JPEG",
    "cut.png": "cut-short PNG",
    "cut.gif": "damaged GIF",
    "cut.bmp": "damaged BMP",
    "bomb.png": "30000 × 30000 pixels; wanted at most 50 million",
    "folder": "a folder; wanted an image file",
    "blank.png": "no character found",
}


def test_each_bad_file_gets_one_line_and_the_others_their_answers(folder, model_name):
    files = [file for bad in BAD for file in (bad, "four.png")]
    code, out, err = run("predict", *files, "--model", model_name, cwd=folder)
    assert code == 2
    assert [line.split(":")[0] for line in out.splitlines()] == ["four.png"] * len(BAD)
    assert len(err) == len(BAD)
    for line, (file, message) in zip(err, BAD.items(), strict=True):
        assert line.startswith(f"glyphlite: {file}: {message}")


@pytest.mark.parametrize("file", ["missing.png", "cut.jpg", "blank.png"])
def test_a_bad_file_alone(folder, model_name, file):
    code, out, err = run("predict", file, "--model", model_name, cwd=folder)
    assert (code, out, len(err)) == (2, "", 1)
    assert file in err[0]


def test_json_is_one_document(folder, model_name):
    code, out, err = run(
        "predict", "four.png", "text.png", "blank.png", "--json", "--top", 2, "--model", model_name, cwd=folder
    )
    good, text, blank = json.loads(out)
    assert (code, len(err)) == (2, 2)
    assert (good["file"], good["label"], len(good["top"]), len(good["box"])) == ("four.png", "4", 2, 4)
    assert 0.5 < good["confidence"] <= 1
    assert text["error"].startswith("text.png: no image")
    assert (blank["label"], blank["reason"]) == (None, "no character found")


def test_a_picture_is_annotated_only_as_what_its_name_says(folder):
    for name in ("out.txt", "out.gif"):
        code, out, err = run("read", "four.png", "--annotate", name, cwd=folder)
        assert (code, out) == (2, "") and not (folder / name).exists()
        assert err[-1] == f"Error: --annotate {name}: wanted a name that ends in .png, .jpg, .jpeg, .webp"


def test_a_keras_file_is_sent_to_compress(folder):
    code, _, err = run("predict", "four.png", "--model", "mine.h5", cwd=folder)
    wanted = "glyphlite: mine.h5: a Keras file; `glyphlite compress` makes of it what runs here"
    assert (code, err) == (2, [wanted])


def test_a_doubtful_answer_is_refused(folder, model_name):
    code, out, err = run("predict", "four.png", "--min-confidence", "1", "--model", model_name, cwd=folder)
    assert (code, len(err)) in ((2, 1), (0, 0))  # only a model that is wholly sure answers
    assert bool(out) == (code == 0)
    assert code == 0 or "four.png: not sure: " in err[0]


def test_a_file_name_that_is_no_text(folder, model_name):
    name = os.fsdecode(b"four\xff.png")
    (folder / name).write_bytes((folder / "four.png").read_bytes())
    for options in ([], ["--json"]):
        code, out, err = run("predict", name, *options, "--model", model_name, cwd=folder)
        assert (code, err) == (0, [])
        assert "four" in out


def test_no_image_is_a_usage_error(folder):
    code, out, err = run("predict", cwd=folder)
    assert (code, out) == (2, "")
    assert "Missing argument" in err[-1]


def test_what_cannot_be_written_is_named(tmp_path):
    sample = Path(__file__).parents[2] / "models/samples/4-pencil.png"
    (tmp_path / "file").touch()
    code, _, err = run("read", sample, "--annotate", tmp_path / "file" / "x.png", cwd=tmp_path)
    assert code == 2 and len(err) == 1 and "file" in err[0] and err[0].startswith("glyphlite: ")


def test_values_as_an_editor_saves_them_are_expected(tmp_path):
    sample = Path(__file__).parents[2] / "models/samples/4-pencil.png"
    (tmp_path / "values.txt").write_text("\ufeff4\n7\n", "utf-8")  # with a byte order mark
    code, out, _ = run("read", sample, "--expect", f"@{tmp_path / 'values.txt'}", cwd=tmp_path)
    assert code == 0 and out.split()[-1] == "4"


@pytest.mark.parametrize("option", [("--top", "0"), ("--min-confidence", "7"), ("--colour",)])
def test_options_that_make_no_sense(folder, option):
    assert run("predict", "four.png", *option, cwd=folder)[0] == 2


def test_unknown_models_and_commands(folder, tmp_path):
    code, out, err = run("predict", "four.png", "--model", "digits-egde", cwd=folder)
    assert (code, out, len(err)) == (2, "", 1)
    assert err[0].startswith("glyphlite: digits-egde: no such model")
    assert "There are: " in err[0]
    code, out, err = run("recognise", "four.png", cwd=folder)
    assert (code, out) == (2, "")
    assert "No such command 'recognise'" in err[-1]


def test_models_that_are_damaged(folder, tmp_path):
    (tmp_path / "page.tflite").write_text("<!DOCTYPE html>" * 20)
    (tmp_path / "card.json").write_text("{")
    for model, message in (("page.tflite", "card.json"), (".", "card.json")):
        code, out, err = run("predict", folder / "four.png", "--model", model, cwd=tmp_path)
        assert (code, out, len(err)) == (2, "", 1)
        assert message in err[0]


def test_predict_imports_nothing_heavy(folder, model_name):
    code, _, err = run("predict", "four.png", "--model", model_name, cwd=folder, python=["-X", "importtime"])
    imported = imported_in(err)
    assert code == 0
    assert {"numpy", "cv2", "ai_edge_litert"} <= imported
    assert not imported & HEAVY


def test_the_root_lists_every_command_without_importing_it(folder):
    code, out, err = run("--help", cwd=folder, python=["-X", "importtime"])
    assert code == 0
    for command in ("predict", "models", "data", "train", "compress", "bench", "serve"):
        assert f"\n  {command} " in out
    assert not HEAVY & imported_in(err)


def test_a_reader_that_goes_away_is_no_error(folder, model_name):
    """As `glyphlite predict … | head -1` does."""
    command = [str(GLYPHLITE), "predict", *["four.png"] * 40, "--model", model_name]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_a_bare_file_takes_pixels_as_it_is_told(tiny_tflite, tiny_weights, tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (12, 8, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "x.png"), image)
    for scale, low, high in (("-1,1", -1, 1), ("imagenet", *np.array(IMAGENET).reshape(3, 2).T)):
        arguments = ("predict", "--model", tiny_tflite["float32"], "--scale", scale, "--json", "x.png")
        code, out, err = run(*arguments, cwd=tmp_path)
        assert (code, err) == (0, [])
        scores = (image[..., ::-1] / 255 * (np.array(high) - low) + low).ravel() @ tiny_weights
        assert json.loads(out)[0]["label"] == str(scores.argmax())
    code, _, err = run("predict", "--scale", "0,1", "x.png", cwd=tmp_path)
    assert (code, err) == (2, ["glyphlite: scale 0,1: digits-edge has a card, which says 0,255"])


# --- models ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def bundle(tiny_tflite, tmp_path):
    """A bundle's folder with a good artifact and a second one, damaged."""
    from glyphlite.runtime.bundle import Artifact, Card, write_card
    from glyphlite.runtime.files import sha256_file

    folder = tmp_path / "tiny"
    folder.mkdir()
    artifacts = []
    for kind in ("float32", "uint8"):
        path = folder / f"{kind}.tflite"
        path.write_bytes(tiny_tflite[kind].read_bytes())
        artifacts.append(Artifact(path.name, "tflite", kind, path.stat().st_size, sha256_file(path)))
    data = bytearray((folder / "uint8.tflite").read_bytes())
    data[-1] ^= 255
    (folder / "uint8.tflite").write_bytes(data)
    card = Card(
        "tiny", ("a", "b", "c", "d"), (12, 8, 3), "stretch", default="float32.tflite", artifacts=tuple(artifacts)
    )
    write_card(folder, card)
    return folder


def test_models_list(tmp_path):
    code, out, err = run("models", "list", cwd=tmp_path)
    assert (code, err) == (0, [])
    listed = json.loads(run("models", "list", "--json", cwd=tmp_path)[1])
    assert [line.split()[0] for line in out.splitlines()[1:]] == [card["name"] for card in listed]


def test_models_show(bundle):
    code, out, err = run("models", "show", bundle, cwd=bundle)
    assert (code, err) == (0, [])
    assert "tiny: 4 classes (a b c d)" in out
    assert "input 12 × 8 × 3, scale 0,255, geometry stretch" in out
    assert "float32.tflite" in out
    shown = json.loads(run("models", "show", bundle, "--json", cwd=bundle)[1])
    assert shown["labels"] == ["a", "b", "c", "d"]
    assert [artifact["recipe"] for artifact in shown["artifacts"]] == ["float32", "uint8"]


def test_models_show_of_what_is_none(tmp_path):
    for name in ("whale", "."):
        code, out, err = run("models", "show", name, cwd=tmp_path)
        assert (code, out, len(err)) == (2, "", 1)


def test_models_verify_finds_the_damaged_one_and_goes_on(bundle):
    code, out, err = run("models", "verify", bundle, cwd=bundle)
    assert code == 2
    assert [line.split() for line in out.splitlines()] == [["ok", "tiny/float32.tflite"], ["BAD", "tiny/uint8.tflite"]]
    assert len(err) == 1
    assert "uint8.tflite: damaged: sha256" in err[0]
    code, out, _ = run("models", "verify", bundle, "--json", cwd=bundle)
    assert code == 2
    assert [(result["artifact"], result["ok"]) for result in json.loads(out)] == [
        ("float32.tflite", True),
        ("uint8.tflite", False),
    ]


def test_a_broken_model_among_the_installed_ones_hides_no_other(tmp_path, monkeypatch):
    monkeypatch.setenv("GLYPHLITE_MODELS", str(tmp_path))
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters/card.json").write_text("{")
    code, out, err = run("models", "list", cwd=tmp_path)
    assert (code, len(err)) == (2, 1)
    assert "letters/card.json" in err[0]
    assert "digits-edge" in out
    code, out, _ = run("models", "verify", cwd=tmp_path)
    assert code == 2
    assert [line for line in out.splitlines() if line.startswith("BAD")] == ["BAD letters"]


@pytest.mark.parametrize("options", [(), ("--json",)])
@pytest.mark.parametrize("encoding", ["utf-8:strict", "utf-8:surrogateescape", "ascii:strict"])
def test_a_name_of_any_bytes_ends_no_answers(tmp_path, monkeypatch, options, encoding):
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    name = b"\xff7.png"
    (tmp_path / os.fsdecode(name)).write_bytes(SAMPLE.read_bytes())
    command = [sys.executable, str(GLYPHLITE), "predict", *options, name, str(SAMPLE)]
    done = subprocess.run(command, capture_output=True, cwd=tmp_path, timeout=120)
    out = done.stdout.decode()  # raises where it is no UTF-8
    assert (done.returncode, done.stderr) == (0, b"")
    if options:
        assert [answer["label"] for answer in json.loads(out)] == ["7", "7"]
    else:
        assert [line.split(":")[0][-5:] for line in out.splitlines()] == ["7.png", "d.png"]


def test_the_shipped_models_are_what_their_cards_say(tmp_path):
    code, out, err = run("models", "verify", cwd=tmp_path)
    assert (code, err) == (0, [])
    assert "BAD" not in out

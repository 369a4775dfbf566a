"""A model as C source: what a compiler makes of it is the file, and it runs in the arena that is estimated."""

import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glyphlite.compress.arena import ALIGNMENT, estimate_arena, plan
from glyphlite.compress.c_array import export_c_array
from glyphlite.compress.tflite import TFLiteFile
from glyphlite.runtime import ArtifactError, Recognizer
from glyphlite.runtime.bundle import Artifact, Bundle, Card, find_bundle, read_bundle, shipped_models
from glyphlite.runtime.files import sha256_file

PROGRAM = """
#include <stdint.h>
#include <stdio.h>
#include "digits_edge.h"

int main(void) {
  fwrite(digits_edge_model, 1, DIGITS_EDGE_BYTES, stdout);
  for (int i = 0; i < DIGITS_EDGE_CLASSES; i++) fprintf(stderr, "%s ", digits_edge_labels[i]);
  fprintf(stderr, "%g %d %d", DIGITS_EDGE_INPUT_SCALE, DIGITS_EDGE_INPUT_ZERO_POINT, DIGITS_EDGE_ARENA_BYTES);
  return (uintptr_t)digits_edge_model % 16 != 0;
}
"""
# of tflite-micro 0.dev20261023 on x86-64, int8: bytes of the planned activations, and of everything
MEASURED = {
    "digits-edge": (14_624, 19_168),
    "digits-full": (40_064, 46_912),
    "digits-lenet5": (9_408, 14_736),
    "digits-micro": (9_824, 13_184),
}


@pytest.fixture(scope="module")
def edge():
    return find_bundle("digits-edge")


@pytest.mark.parametrize("compiler", ["gcc -std=c99", "gcc -std=c11", "g++ -xc++ -std=c++11"])
def test_the_compiled_array_is_the_file(edge, tmp_path, compiler):
    if shutil.which(compiler.split()[0]) is None:
        pytest.skip("gcc and g++ are not here: apt-get install g++")
    written = export_c_array(edge, tmp_path)
    (tmp_path / "main.c").write_text(PROGRAM)
    strict = ["-Wall", "-Wextra", "-Werror", "-pedantic"]
    subprocess.run([*compiler.split(), *strict, "main.c", "digits_edge.c", "-o", "program"], cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "program"], capture_output=True, check=True)
    assert done.stdout == edge.path(edge.card.artifact()).read_bytes()
    assert done.stderr.decode() == f"0 1 2 3 4 5 6 7 8 9 1 0 {written.arena.bytes}"


def test_labels_are_c_strings_whatever_they_hold(tiny_tflite, tmp_path):
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not here: apt-get install gcc")
    labels = ("ಅ", 'say "9\\', "??/0", "\n")
    artifact = Artifact(
        "int8.tflite", "tflite", "int8", tiny_tflite["int8"].stat().st_size, sha256_file(tiny_tflite["int8"])
    )
    card = Card("7 odd-name", labels, (12, 8, 3), "stretch", default="int8.tflite", artifacts=(artifact,))
    written = export_c_array(Bundle(tiny_tflite["int8"].parent, card), tmp_path)
    assert written.header.name == "m_7_odd_name.h"
    assert "INPUT_ZERO_POINT -128" in written.header.read_text()
    program = '#include "m_7_odd_name.h"\n#include <stdio.h>\n'
    program += 'int main(void) { for (int i = 0; i < 4; i++) printf("%s|", m_7_odd_name_labels[i]); return 0; }\n'
    (tmp_path / "main.c").write_text(program)
    subprocess.run(["gcc", "-std=c99", "main.c", "m_7_odd_name.c", "-o", "program"], cwd=tmp_path, check=True)
    printed = subprocess.run([tmp_path / "program"], capture_output=True, check=True).stdout.decode()
    assert printed == "".join(f"{label}|" for label in labels)


@pytest.mark.parametrize("name", MEASURED)
def test_the_estimate_is_what_the_interpreter_took(name):
    bundle = find_bundle(name)
    arena = estimate_arena(TFLiteFile(bundle.path(bundle.card.artifact()).read_bytes()))
    activations, whole = MEASURED[name]
    assert arena.activations == activations
    assert whole <= arena.activations + arena.kept < 1.1 * whole


@pytest.mark.parametrize("name", ["digits-edge", "digits-micro"])
def test_it_runs_in_its_arena_with_the_same_answers(name):
    bundle = find_bundle(name)
    micro = pytest.importorskip("tflite_micro.python.tflite_micro.runtime", reason="pip install tflite-micro")
    content = bundle.path(bundle.card.artifact()).read_bytes()
    interpreter = micro.Interpreter.from_bytes(content, arena_size=estimate_arena(TFLiteFile(content)).bytes)
    glyphs = np.random.default_rng(0).integers(0, 256, (8, 28, 28), np.uint8)
    expected = Recognizer.from_bundle(bundle).engine.run(glyphs[..., None])
    for glyph, logits in zip(glyphs, expected, strict=True):
        interpreter.set_input(glyph[None, :, :, None], 0)
        interpreter.invoke()
        step = 0.15  # of the int8 logits; kernels round otherwise
        np.testing.assert_allclose(interpreter.get_output(0)[0], logits, atol=2 * step)


@given(st.lists(st.tuples(st.integers(1, 5000), st.integers(0, 9), st.integers(0, 4)), min_size=1, max_size=12))
def test_a_plan_is_between_what_lives_at_once_and_everything(buffers):
    sizes = [-(-size // ALIGNMENT) * ALIGNMENT for size, _, _ in buffers]
    spans = [(first, first + length) for _, first, length in buffers]
    needed = max(sum(s for s, (a, b) in zip(sizes, spans, strict=True) if a <= step <= b) for step in range(15))
    assert needed <= plan([size for size, _, _ in buffers], spans) <= sum(sizes)


def test_a_name_without_a_letter_that_c_knows(tmp_path):
    bundle = read_bundle(shipped_models()["digits-micro"])
    named = replace(bundle, card=replace(bundle.card, name="数字"))
    assert export_c_array(named, tmp_path).header.name == "m___.h"


def test_what_cannot_be_c_is_named(tmp_path):
    with pytest.raises(ArtifactError, match="its size is open"):
        export_c_array(find_bundle("digits-line"), tmp_path)
    with pytest.raises(ArtifactError, match=r"a C array is made of a \.tflite"):
        export_c_array(find_bundle("digits-edge"), tmp_path, "float32.onnx")
    assert not list(tmp_path.iterdir())

"""`glyphlite models export --format c-array`: compiled by a C compiler, it is the model, byte by byte."""

import shutil
import subprocess

import numpy as np
import pytest
from click.testing import CliRunner

from glyphlite.runtime import ArtifactError, find_bundle
from glyphlite.runtime.c_array import write_c_array
from glyphlite.runtime.cli import root

MAIN = """
#include <stdint.h>
#include <stdio.h>
#include "digits_edge.h"
int main(void) {
    if ((uintptr_t)digits_edge_model % 16) return 1;
    fwrite(digits_edge_model, 1, DIGITS_EDGE_BYTES, stdout);
    for (int i = 0; i < DIGITS_EDGE_CLASSES; i++) fputs(digits_edge_labels[i], stdout);
    return 0;
}
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("c")
    done = CliRunner().invoke(root, ["models", "export", "digits-edge", str(out), "--format", "c-array"])
    assert done.exit_code == 0, done.output
    return out


@pytest.mark.skipif(not shutil.which("gcc"), reason="no gcc")
@pytest.mark.parametrize("compiler", [["gcc", "-std=c99"], ["gcc", "-x", "c++", "-std=c++11"]], ids=["c99", "c++11"])
def test_compiled_it_is_the_model(written, compiler, tmp_path):
    (tmp_path / "main.c").write_text(MAIN)
    program = tmp_path / "program"
    sources = [str(tmp_path / "main.c"), str(written / "digits_edge.c")]
    flags = ["-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{written}", "-o", str(program)]
    subprocess.run([*compiler, *flags, *sources], check=True, capture_output=True)
    told = subprocess.run([program], check=True, capture_output=True).stdout
    bundle = find_bundle("digits-edge")
    model = bundle.path(bundle.card.artifact()).read_bytes()
    assert told == model + b"0123456789"


def test_the_header_tells_what_goes_in_and_how_much_memory_it_takes(written):
    header = (written / "digits_edge.h").read_text()
    assert "Input: uint8 (1, 28, 28, 1)" in header and "Output: float32 (1, 10)" in header
    arena = int(header.split("ACTIVATION_BYTES ")[1].split()[0])
    # the first two layers' maps of int8 are alive together: 26 × 26 × 8 and 24 × 24 × 16
    assert 26 * 26 * 8 + 24 * 24 * 16 <= arena < 20_000


def test_what_no_microcontroller_runs_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match=r"runs no onnx; wanted a \.tflite"):
        write_c_array(find_bundle("digits-edge"), tmp_path, "float32.onnx")
    with pytest.raises(ArtifactError, match="its width is open"):
        write_c_array(find_bundle("digits-line"), tmp_path)
    assert not np.any(list(tmp_path.iterdir()))

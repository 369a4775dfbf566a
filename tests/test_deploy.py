"""What a board gets: pip's choice of the engine on each, and an installer that says what it lacks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "deploy"))

import wheelhouse  # noqa: E402


@pytest.mark.parametrize(
    ("machine", "python", "engines"),
    [
        ("aarch64", "3.11", ["ai-edge-litert"]),
        ("aarch64", "3.13", ["ai-edge-litert"]),
        ("armv7l", "3.11", ["tflite-runtime"]),
        ("armv8l", "3.11", ["tflite-runtime"]),  # what a 64-bit kernel says under linux32
        ("armv7l", "3.13", []),  # no engine has a wheel: the system's ONNX Runtime
        ("x86_64", "3.12", ["ai-edge-litert"]),
    ],
)
def test_every_board_gets_the_engine_that_has_a_wheel(machine, python, engines):
    asked = wheelhouse.requirements(machine, wheelhouse.BASE, python)
    names = [Requirement(line).name for line in asked]
    assert [name for name in names if name in ("ai-edge-litert", "tflite-runtime")] == engines
    assert names.count("numpy") == 1


def test_the_installer_names_what_is_missing(tmp_path):
    """A Python without venv, as Debian's is without python3-venv."""
    python = tmp_path / "python3"
    python.write_text('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\n')
    python.chmod(0o755)
    command = ["sh", ROOT / "deploy/install.sh", tmp_path / "target"]
    done = subprocess.run(
        command, env={**os.environ, "PYTHON": str(python)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == "install.sh: no venv here: sudo apt install python3-venv\n"
    assert not (tmp_path / "target").exists()

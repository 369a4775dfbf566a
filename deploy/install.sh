#!/bin/sh
# Installs glyphlite from the wheels beside this file, without a network, into a virtual environment of its own:
#     sudo sh install.sh [DIR]        DIR: /opt/glyphlite where none is named
# The system's Python is left as it is (PEP 668).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
target=${1:-/opt/glyphlite}
python=${PYTHON:-python3}

fail() { echo "install.sh: $*" >&2; exit 2; }

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    fail "no Python 3.11 or newer here; wanted Raspberry Pi OS Bookworm or newer"
"$python" -c 'import ensurepip' 2>/dev/null || fail "no venv here: sudo apt install python3-venv"
bits=$("$python" -c 'import struct; print(8 * struct.calcsize("P"))')

if [ "$bits" = 32 ]; then
    # PyPI has neither numpy nor OpenCV for 32-bit ARM: they are the system's
    "$python" -c 'import cv2, numpy' 2>/dev/null || fail "no OpenCV here: sudo apt install python3-opencv"
    "$python" -c 'import click, flask, waitress, prometheus_client' 2>/dev/null ||
        fail "no Flask here: sudo apt install python3-flask python3-waitress python3-prometheus-client"
    "$python" -m venv --system-site-packages "$target"
    set -- --no-deps
    if "$target/bin/pip" download --quiet --no-index --no-deps --find-links "$here" --dest "$target" tflite-runtime \
        2>/dev/null; then
        rm -f "$target"/tflite_runtime-*.whl
        set -- "$@" tflite-runtime
    else
        "$python" -c 'import onnxruntime' 2>/dev/null ||
            fail "no wheel of tflite-runtime for this Python: sudo apt install python3-onnxruntime"
    fi
    "$target/bin/pip" install --quiet --no-index --find-links "$here" "$@" glyphlite
else
    "$python" -m venv "$target"
    "$target/bin/pip" install --quiet --no-index --find-links "$here" 'glyphlite[web]'
fi
"$target/bin/glyphlite" --version
echo "next: $target/bin/glyphlite doctor"

"""A folder that installs glyphlite on a Raspberry Pi without a network: wheels of its architecture, and install.sh.

`python deploy/wheelhouse.py aarch64|armv7l [--python 3.13]`, as `make wheelhouse ARCH=…` does.  pip chooses the wheels
as it would on the board.  On 32-bit ARM, numpy, OpenCV and the web app's packages are the system's own.
"""

import argparse
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

SOURCE = Path(__file__).parents[1]
GLIBC = {"3.11": 36, "3.13": 41}  # minor versions: Debian 12's and 13's, the newest tag of a wheel that runs there
BASE = ("numpy", "opencv-python-headless", "click", "ai-edge-litert", "tflite-runtime")
WEB = ("flask", "waitress", "prometheus-client", "cryptography")
OF_THE_SYSTEM = {"armv7l": {"numpy", "opencv-python-headless", "click", *WEB}}  # PyPI has no such wheels, or not all
PIP = [sys.executable, "-m", "pip"]
QUIET = ["--quiet", "--disable-pip-version-check"]


def requirements(machine: str, names: tuple[str, ...], python: str) -> list[str]:
    """What pyproject.toml asks of these packages on that machine, by extras or not."""
    project = tomllib.loads((SOURCE / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    place = {"platform_machine": machine, "python_version": python, "python_full_version": f"{python}.0"}
    found: dict[str, str] = {}
    for line in map(Requirement, lines):
        if line.name in names and (line.marker is None or line.marker.evaluate(place)):
            found.setdefault(line.name, f"{line.name}{line.specifier}")
    return [found[name] for name in names if name in found]


def download(machine: str, folder: Path, names: tuple[str, ...], python: str = "3.11") -> None:
    """The wheels of these packages, and of what they want, as pip on that machine would choose them."""
    system = OF_THE_SYSTEM.get(machine, set())
    asked = requirements(machine, tuple(name for name in names if name not in system), python)
    if not asked:
        return
    tags = [f"manylinux_2_{minor}_{machine}" for minor in range(GLIBC[python], 16, -1)]
    platforms = [f"--platform={tag}" for tag in (*tags, f"manylinux2014_{machine}", f"linux_{machine}", "any")]
    pinned = ["--no-deps"] if system & set(names) else ["--constraint", str(SOURCE / "constraints.txt")]
    command = [*PIP, "download", *QUIET, "--only-binary=:all:", f"--python-version={python}", *platforms, *pinned]
    subprocess.run([*command, "--dest", str(folder), *asked], check=True)


def build(folder: Path) -> Path:
    """glyphlite's own wheel, as the source is now."""
    subprocess.run([*PIP, "wheel", *QUIET, "--no-deps", "--wheel-dir", str(folder), str(SOURCE)], check=True)
    return next(folder.glob("glyphlite-*.whl"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("machine", choices=["aarch64", "armv7l"], help="as `uname -m` says it")
    parser.add_argument("--python", choices=sorted(GLIBC), default="3.11", help="3.11: Bookworm; 3.13: Trixie")
    parser.add_argument("--out", type=Path, help="default: build/wheelhouse-MACHINE-PYTHON")
    chosen = parser.parse_args()
    folder = chosen.out or SOURCE / f"build/wheelhouse-{chosen.machine}-{chosen.python}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    build(folder)
    if (chosen.machine, chosen.python) != ("armv7l", "3.13"):  # where no engine has a wheel
        download(chosen.machine, folder, (*BASE, *WEB), chosen.python)
    shutil.copy(SOURCE / "deploy/install.sh", folder)
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    print(f"{folder}: {len(list(folder.glob('*.whl')))} wheels, {size:.1f} MB; copy it to the board: sh install.sh")


if __name__ == "__main__":
    main()

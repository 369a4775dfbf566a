"""What the base install costs on a Raspberry Pi: bytes to download and to keep, memory, time to start.

`python tests/footprint.py`, as `make footprint` runs it.  Bytes are those of the very wheels and packages; memory and
time are this machine's, natively, and under QEMU where that is here: its own memory is in the figure then.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import arm
import wheelhouse

PROGRAM = """
import json, time
start = time.perf_counter()
from glyphlite.runtime import Recognizer
from glyphlite.runtime.bundle import samples_folder
imported = time.perf_counter() - start
recognizer = Recognizer.load()
def mib(key):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith(key))
idle = mib("VmRSS")
recognizer.predict(samples_folder() / "0-marker.png")
print(json.dumps([imported, idle, mib("VmHWM")]))
"""


def of_wheels(folder: Path) -> dict[str, tuple[int, int]]:
    """Bytes downloaded and installed, by package."""
    found = {}
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            installed = sum(entry.file_size for entry in archive.infolist())
        found[wheel.name.split("-")[0]] = wheel.stat().st_size, installed
    return found


def of_debs(arch: arm.Arch) -> tuple[int, int]:
    """Of Debian's packages that a bare system with Python lacks."""
    bare = {path.name for path in arm.downloaded_debs(arch, "bookworm", ("python3",))}
    more = [path for path in arm.downloaded_debs(arch, "bookworm", arch.debs) if path.name not in bare]
    sizes = [subprocess.check_output(["dpkg-deb", "-f", path, "Installed-Size"], text=True) for path in more]
    return sum(path.stat().st_size for path in more), 1024 * sum(map(int, sizes))


def of_a_process(python: Path) -> str:
    """Import time, idle and peak memory of one `predict`."""
    done = subprocess.run([python, "-c", PROGRAM], capture_output=True, text=True, check=True)
    imported, idle, peak = json.loads(done.stdout)
    return f"import {imported:.2f} s, {idle:.0f} MiB idle, {peak:.0f} MiB peak of one predict"


def main() -> None:
    for arch in arm.ARCHES.values():
        with tempfile.TemporaryDirectory() as name:
            wheelhouse.download(arch.machine, Path(name), wheelhouse.BASE)
            wheelhouse.build(Path(name))
            rows = of_wheels(Path(name))
        if arch.machine in wheelhouse.OF_THE_SYSTEM:
            rows["Debian's numpy, OpenCV"] = of_debs(arch)
        print(f"\n{arch.debian:<26}{'download':>12}{'installed':>12}")
        rows["in all"] = tuple(map(sum, zip(*rows.values(), strict=True)))
        for package, sizes in sorted(rows.items(), key=lambda row: row[1][0]):
            if sizes[0] >= 1e5:
                print(f"{package:<26}" + "".join(f"{size / 1e6:>9.1f} MB" for size in sizes))
        if shutil.which(arch.qemu):
            root = arm.made_root(arch)
            arm.install(arch, root)
            print(f"under QEMU: {of_a_process(arm.python_of(root))}")
    print(f"\nthis machine: {of_a_process(Path(sys.executable))}")


if __name__ == "__main__":
    main()

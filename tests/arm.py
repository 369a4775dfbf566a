"""The runtime's tests on ARM code: the wheels that a Raspberry Pi gets, under user-mode QEMU.  No privileges needed.

`python tests/arm.py [ARCH…] [--short] [-- PYTEST OPTIONS]`; `make test-arm` runs both: arm64, as 64-bit Raspberry Pi OS
(ai-edge-litert), and armhf, as the 32-bit one (tflite-runtime on Debian's numpy and OpenCV).  What a run proves is that
the code works and answers as on x86-64; its times mean nothing.

An architecture's root is made once, in build/arm: Debian's packages, unpacked, and wheels beside them.  A script in it
stands for its Python, so that the tests' own child processes are ARM code as well.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parents[1]
sys.path.append(str(SOURCE / "deploy"))

import wheelhouse  # noqa: E402

BUILT = SOURCE / "build/arm"
MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
PYTHONS = {"bookworm": "3.11", "trixie": "3.13"}
TESTERS = ("pytest", "pytest-timeout", "hypothesis")
# what a processor may change: files of tests/runtime; the short ones are CI's, the golden answers in 8 bits among them
SHORT = ("test_golden.py", "test_engine.py")
LONG = (*SHORT, "test_glyph.py", "test_image.py", "test_ink.py", "test_ctc.py", "test_strip.py", "test_signs.py")
SHORT_CHOICE = "not test_golden or static"
GOLDEN_MACS = 1.7e9  # 1,000 glyphs through digits-edge, 130 through digits-full

APT = """APT::Architecture "{debian}"; APT::Architectures {{ "{debian}"; }}; APT::Install-Recommends "false";
Dir::State "{state}"; Dir::State::status "/dev/null"; Dir::Cache "{state}"; Dir::Cache::archives "{state}/archives";
Dir::Etc::sourcelist "{state}/sources.list"; Dir::Etc::sourceparts "-"; Debug::NoLocking "true";
"""
# LiteRT asks it which ARM core this is, and dies of the one of x86-64
CPUINFO = """processor\t: {number}
BogoMIPS\t: 108.00
Features\t: {features}
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: {variant}
CPU part\t: {part}
CPU revision\t: 1

"""
CORTEX_A76 = {
    "part": "0xd0b",
    "variant": "0x4",
    "features": "fp asimd evtstrm crc32 atomics fphp asimdhp cpuid asimdrdm asimddp",
}
CORTEX_A15 = {
    "part": "0xc0f",
    "variant": "0x2",
    "features": "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae",
}


@dataclass(frozen=True)
class Arch:
    """An architecture: Debian's name for it and Python's, QEMU's program and processor, and what the root gets.

    debs: Debian's packages.  wheels: requirements of ours that come as wheels; the others are among the packages.
    """

    debian: str
    machine: str
    triplet: str
    qemu: str
    core: str
    cpuinfo: dict[str, str]
    debs: tuple[str, ...]
    wheels: tuple[str, ...]
    choice: str = "test"  # of tests, as pytest's -k takes it


ARCHES = {
    "arm64": Arch(
        "arm64",
        "aarch64",
        "aarch64-linux-gnu",
        "qemu-aarch64-static",
        "cortex-a76",  # a Raspberry Pi 5's
        {
            "part": "0xd0b",
            "variant": "0x4",
            "features": "fp asimd evtstrm crc32 atomics fphp asimdhp cpuid asimdrdm asimddp",
        },
        ("python3", "libstdc++6"),
        ("numpy", "opencv-python-headless", "click", "ai-edge-litert", "pillow"),
    ),
    "armhf": Arch(
        "armhf",
        "armv7l",
        "arm-linux-gnueabihf",
        "qemu-arm-static",
        "cortex-a15",  # QEMU's nearest to a Raspberry Pi 3's 32-bit mode
        {
            "part": "0xc0f",
            "variant": "0x2",
            "features": "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae",
        },
        ("python3", "python3-numpy", "python3-opencv", "python3-pil", "python3-click"),
        ("tflite-runtime", *wheelhouse.OF_THE_SYSTEM["armv7l"]),
        "not GIF and not (several_frames and WebP)",  # OpenCV 4.6 reads neither; 4.11 does
    ),
}


def wanted(command: str, package: str) -> str:
    """Path of a program; ends the run where it is missing."""
    if not (path := shutil.which(command)):
        sys.exit(f"test-arm: no {command} here; wanted Debian's or Ubuntu's package {package}: apt install {package}")
    return path


def made_root(arch: Arch, suite: str = "bookworm", more: tuple[str, ...] = ()) -> Path:
    """The architecture's root, made where it is not there yet; more: further packages of Debian's."""
    root = BUILT / "-".join((suite, arch.debian, *more))
    stamp, contents = root / "made", repr((arch.debs, arch.wheels, arch.core, arch.cpuinfo, more))
    if stamp.exists() and stamp.read_text() == contents:
        return root
    shutil.rmtree(root, ignore_errors=True)
    for name in ("bin", "sbin", "lib"):  # Debian's merged /usr
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for deb in downloaded_debs(arch, suite, (*arch.debs, *more)):
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as tar:
            unpack = ["tar", "-x", "--keep-directory-symlink", "--exclude=./usr/share/doc", "--exclude=./usr/share/man"]
            subprocess.run([*unpack, "-C", root], stdin=tar.stdout, check=True)
    shutil.rmtree(root / "tmp", ignore_errors=True)  # the host's is used
    (root / "proc").mkdir(exist_ok=True)
    cores = [CPUINFO.format(number=number, **arch.cpuinfo) for number in range(os.cpu_count() or 1)]
    (root / "proc/cpuinfo").write_text("".join(cores))
    write_python(arch, root, PYTHONS[suite])
    stamp.write_text(contents)
    return root


def downloaded_debs(arch: Arch, suite: str, packages: tuple[str, ...]) -> list[Path]:
    """The packages and all that they depend on, by an apt of their own that leaves this machine's as it is."""
    state = BUILT / f"apt-{suite}-{arch.debian}"
    for folder in ("lists/partial", "archives/partial", "none/partial"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    (state / "apt.conf").write_text(APT.format(debian=arch.debian, state=state))
    (state / "sources.list").write_text(f"deb [signed-by={KEYRING}] {MIRROR} {suite} main\n")
    apt = {**os.environ, "APT_CONFIG": str(state / "apt.conf")}
    tool = wanted("apt-get", "apt")
    subprocess.run([tool, "-q", "update"], env=apt, check=True, stdout=subprocess.DEVNULL)
    install = [tool, "-q", "-y", "install", *packages]
    every = [*install, "--print-uris", "-o", f"Dir::Cache::archives={state}/none"]  # also those that are here already
    uris = subprocess.run(every, env=apt, check=True, stdout=subprocess.PIPE, text=True).stdout
    subprocess.run([*install, "--download-only"], env=apt, check=True, stdout=subprocess.DEVNULL)
    return [state / "archives" / line.split()[1] for line in uris.splitlines() if line.startswith("'")]


def write_python(arch: Arch, root: Path, python: str) -> None:
    """A script that runs the root's Python; Python takes it for itself, and starts it for its children."""
    script = python_of(root)
    libraries = root / "usr/lib" / arch.triplet
    paths = [path for name in ("blas", "lapack") if (path := libraries / name).is_dir()]
    variables = f"-E LD_LIBRARY_PATH={':'.join(map(str, paths))} " if paths else ""
    qemu = f"{wanted(arch.qemu, 'qemu-user-static')} -cpu {arch.core} -L {root} {variables}-0 {script}"
    script.write_text(f'#!/bin/sh\nexec {qemu} {root}/usr/bin/python{python} "$@"\n')
    script.chmod(0o755)


def python_of(root: Path) -> Path:
    """What runs the root's Python."""
    return root / "usr/bin/python-arm"


def install(arch: Arch, root: Path) -> None:
    """The wheels, and glyphlite as it is now, into the root."""
    site = root / "usr/lib/python3/dist-packages"
    wheels = root / "wheels"
    if not wheels.exists():
        part = Path(tempfile.mkdtemp(dir=root))
        wheelhouse.download(arch.machine, part, arch.wheels)
        wheelhouse.download(arch.machine, part, TESTERS)
        for wheel in part.glob("*.whl"):
            shutil.unpack_archive(wheel, site, "zip")
        part.rename(wheels)
    for old in site.glob("glyphlite*"):
        shutil.rmtree(old)
    with tempfile.TemporaryDirectory() as folder:
        shutil.unpack_archive(wheelhouse.build(Path(folder)), site, "zip")
    command = python_of(root).with_name("glyphlite")
    command.write_text(f"#!{python_of(root)}\nfrom glyphlite.runtime.cli import main\nmain()\n")
    command.chmod(0o755)


def run_tests(arch: Arch, short: bool, options: list[str]) -> int:
    """pytest's exit code on the architecture."""
    root = made_root(arch)
    install(arch, root)
    print(f"== {arch.debian}: {arch.qemu} -cpu {arch.core}", flush=True)
    choice = f"({arch.choice}) and ({SHORT_CHOICE})" if short else arch.choice
    chosen = [SOURCE / "tests/runtime" / name for name in (SHORT if short else LONG)]
    pytest = [python_of(root), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", choice]
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME")}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "GLYPHLITE_TINY_MODELS": str(tiny_models())}
    environment["GLYPHLITE_GOLDEN_MACS"] = f"{GOLDEN_MACS / (4 if short else 1):g}"
    return subprocess.run([*pytest, *options, *chosen], cwd=SOURCE, env=environment, check=False).returncode


def tiny_models() -> Path:
    """The tests' own small models, which only TensorFlow can write: made here, run there."""
    folder = BUILT / "tiny"
    if not folder.exists():
        part = Path(tempfile.mkdtemp(dir=BUILT))
        subprocess.run([sys.executable, SOURCE / "tests/tiny_models.py", part], check=True, capture_output=True)
        part.rename(folder)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("arches", nargs="*", metavar="ARCH", help=f"of {', '.join(ARCHES)}; default: both")
    parser.add_argument("--short", action="store_true", help="only what an architecture is likely to change")
    parser.add_argument("--options", nargs=argparse.REMAINDER, default=[], help="pytest's")
    chosen = parser.parse_args()
    if unknown := set(chosen.arches) - set(ARCHES):
        parser.error(f"{', '.join(sorted(unknown))}: no architecture; wanted {' or '.join(ARCHES)}")
    arches = [ARCHES[name] for name in chosen.arches or ARCHES]
    for arch in arches:
        wanted(arch.qemu, "qemu-user-static")
    sys.exit(max(run_tests(arch, chosen.short, chosen.options) for arch in arches))


if __name__ == "__main__":
    main()

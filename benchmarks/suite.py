"""Every figure of docs/benchmarks.md, made again: `python -m glyphlite.benchmarks.suite OUT.md RESULTS`.

Each command is run as a person would run it, and its output is kept word for word, with the machine that gave it.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..runtime import device
from ..runtime.bundle import samples_folder
from ..runtime.files import write_bytes


@dataclass(frozen=True)
class Step:
    """title: of its section.  command: as typed.  wants: a path below $GLYPHLITE_DATA."""

    title: str
    command: str
    wants: str = ""
    note: str = ""


def steps(results: Path) -> tuple[Step, ...]:
    """What the suite runs; results: the folder of reports."""
    sample = os.path.relpath(samples_folder() / "4-squared.png")
    cheques = "strings/orand-car-a"
    judged = f"glyphlite bench photos $GLYPHLITE_DATA/{cheques} --read --every 4"
    beside = f"glyphlite bench photos $GLYPHLITE_DATA/{cheques} --read --every 12 --peers"
    others = "--others $GLYPHLITE_DATA/letters/az.npz --without 8,14,18,25 --others $GLYPHLITE_DATA/meters/none"
    refused = f"glyphlite bench refusals --data mnist {others} --limit 500"
    meter, resnet = "third-party/dig-class11_1910_s2.tflite", "third-party/mlperf-tiny-pretrainedResnet.tflite"
    return (
        Step(
            "The shipped models, and what people would use otherwise",
            f"glyphlite bench run --data mnist --peers --out {results}/shipped",
            "mnist",
            "Peers are measured beside the first artifact; scikit-learn's learn from 10,000 images.",
        ),
        Step(
            "A user's own model: a meter reader of the field on its labelled folder",
            f"glyphlite bench run $GLYPHLITE_DATA/{meter} --data meters --quick --out {results}/meters",
            meter,
        ),
        Step("From bytes to label, stage by stage", f"glyphlite bench stages {sample}"),
        Step("From bytes to text, stage by stage", f"glyphlite bench stages --read {sample}"),
        Step("Photos", "glyphlite bench photos $GLYPHLITE_DATA/photos", "photos"),
        Step("Amounts on bank cheques, by the lattice", judged, cheques),
        Step("Amounts on bank cheques, by both readers", f"{judged} --coverage --model digits-line", cheques),
        Step(
            "Cheques beside RapidOCR and Tesseract",
            f"{beside} --model digits-line",
            cheques,
            "In turn on each cheque, one thread each; whole calls are timed, for Tesseract with its start.",
        ),
        Step("What `predict` refuses", refused, "letters"),
        Step("What `read` leaves out", f"{refused} --read --model digits-line", "letters"),
        Step(
            "Memory and time over 100,000 predictions",
            f"glyphlite bench soak --minutes 1 --predictions 100000 --max-growth-mib 2 --out {results}/soak",
        ),
        Step(
            "The timing loop beside the vendor's own",
            f"python -m glyphlite.benchmarks.vendor $GLYPHLITE_DATA/{resnet}",
            resnet,
            "MLPerf Tiny's ResNet8, one thread, in turn; the ai-edge-litert wheel brings `litert-benchmark`.",
        ),
    )


def run_step(step: Step) -> str:
    """A step's section: its command and what it printed, or why it was left out."""
    data = os.environ.get("GLYPHLITE_DATA", "")
    if step.wants and not (data and (Path(data) / step.wants).exists()):
        return f"## {step.title}\n\nNot run: `{step.wants}` is not in $GLYPHLITE_DATA.\n"
    name, *arguments = shlex.split(step.command.replace("$GLYPHLITE_DATA", shlex.quote(data)))
    program = Path(sys.executable).with_name(name)
    done = subprocess.run([str(program), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{step.command}: exit code {done.returncode}\n{done.stderr}")
    printed = done.stdout.replace(data, "$GLYPHLITE_DATA") if data else done.stdout
    note = f"\n{step.note}\n" if step.note else ""
    return f"## {step.title}\n\n    {step.command}\n{note}\n```\n{printed.rstrip()}\n```\n"


def forget(results: Path, data: str) -> None:
    """Take where this machine has its data out of the reports."""
    for path in results.rglob("*") if data else ():
        if path.suffix in {".json", ".md", ".html", ".svg"} and data in (content := path.read_text()):
            write_bytes(path, content.replace(data, "$GLYPHLITE_DATA").encode())


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m glyphlite.benchmarks.suite", description=__doc__)
    parser.add_argument("out", type=Path, metavar="OUT.md")
    parser.add_argument("results", type=Path, metavar="RESULTS")
    arguments = parser.parse_args()
    machine = device.describe()
    wanted = ("board", "cpu", "usable_cores", "memory_mib", "governor", "system", "python")
    described = ", ".join(f"{key.replace('_', ' ')} {machine[key]}" for key in wanted if key in machine)
    sections = []
    for step in steps(arguments.results):
        print(f"== {step.title}", flush=True)
        sections.append(run_step(step))
    forget(arguments.results, os.environ.get("GLYPHLITE_DATA", ""))
    head = (
        f"# Benchmarks\n\nMade by `make bench` on {datetime.now(UTC).date()}: {described}. Every section is a command "
        "and what it printed. Errors carry over to other machines; times do not, and\nratios of times only where int8 "
        "has the same instructions.\n"
    )
    write_bytes(arguments.out, "\n".join([head, *sections]).encode())
    print(f"wrote {arguments.out}")


if __name__ == "__main__":
    main()

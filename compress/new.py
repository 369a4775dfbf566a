"""`glyphlite new`: from a labelled folder to a served model, by the ordinary commands, each printed before it runs.

A step that is done is not done again; interrupted, the same line goes on where it was.  Whoever wants to change
something copies the printed commands.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from ..runtime import BudgetError, DatasetError, GlyphliteError
from ..runtime.bundle import read_bundle, write_card
from ..runtime.errors import counted
from ..runtime.files import sha256_file, write_json
from ..train.datasets import is_image, resolve

RECIPES = "float32,dynamic_wi8_afp32,static_wi8_ai8,weight_only_wi4_afp32"
PARTS = ("train", "test")  # the folders of a folder that is parted already; of another
TEST_EACH = 5  # one image in so many judges, and is not trained by
SEEN, EPOCHS = 150_000, (40, 200)  # images of all epochs together, and how many epochs at least and at most
DONE = "steps.json"  # the commands that ended well, by step
RUN = "import sys; sys.argv[0] = 'glyphlite'; from glyphlite.runtime.cli import main; main()"


@dataclass(frozen=True)
class Step:
    """One command of glyphlite's, what it is for, and what it leaves.  given: what its line does not tell: a hash of
    the images that it is given, or the artifact that is chosen."""

    name: str
    what: str
    arguments: tuple[str, ...]
    leaves: Path
    given: str = ""

    @property
    def line(self) -> str:
        """As a person types it."""
        return shlex.join(["glyphlite", *self.arguments])

    @property
    def done(self) -> str:
        """What is noted where it ended well."""
        return f"{self.line} # {self.given}" if self.given else self.line


@click.command()
@click.argument("out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@click.option("--data", required=True, metavar="PATH",
              help="A labelled folder: one folder a class, or those in train and test; or a data set.")  # fmt: skip
@click.option("--arch", default="edge", show_default=True, help="As of `glyphlite train`.")
@click.option("--shape", default="32,32,1", show_default=True, help="HEIGHT,WIDTH,CHANNELS that images become.")
@click.option("--epochs", type=click.IntRange(1), help="Of training.  [40 to 200, the more the fewer images]")
@click.option("--max-bytes", type=click.IntRange(1), help="The largest file that may be chosen.")
@click.option("--dry-run", is_flag=True, help="Print the commands and end.")
@click.option("--serve/--no-serve", default=True, help="End with the page, to try it.")
def new(
    out: Path, data: str, arch: str, shape: str, epochs: int | None, max_bytes: int | None, dry_run: bool, serve: bool
) -> int:
    """Make a model of labelled images: train, compress, measure, choose within a budget, pack, and try it in the page.

    All of it is left in DIR. The same line again goes on after the last step that was done; other images to train by,
    or other options of training, want a new DIR.
    """
    train, test, images = part(data, out, dry_run)
    *making, pack = plan(out, train, test, arch, shape, epochs or enough_epochs(images))
    if train != test and not dry_run:
        told = f"{counted(images, 'image')} to train by, the others for judging alone"
        click.echo(f"== links to {data}, {told}: {train}, {test}")
    limit = ("--max-bytes", str(max_bytes)) if max_bytes else ()
    choose = ("bench", "recommend", str(out / "bench"), *limit)
    choosing = shlex.join(["glyphlite", *choose])
    if dry_run:
        for line in (*(step.line for step in making), choosing, pack.line):
            click.echo(line)
        return 0
    count = len(making) + 3
    for number, step in enumerate(making, 1):
        do(out, step, f"{number} of {count}")
    click.echo(f"\n== {count - 2} of {count}: choose\n$ {choosing}")
    artifact = chosen(choose)
    click.echo(f"   {artifact}: the bundle's default now")
    set_default(out / "bundle", artifact)
    do(out, replace(pack, given=artifact), f"{count - 1} of {count}")
    page = ("serve", "--model", str(out / "bundle" / artifact))
    click.echo(f"\n== {count} of {count}: try it\n$ {shlex.join(['glyphlite', *page])}")
    return subprocess.run([sys.executable, "-c", RUN, *page], check=False).returncode if serve else 0


def do(out: Path, step: Step, number: str) -> None:
    """Do a step, unless it is done, and print it.  Raises GlyphliteError where it does not end well."""
    click.echo(f"\n== {number}: {step.what}\n$ {step.line}")
    if is_done(out, step):
        click.echo("   done before")
        return
    begun = step.name == "train" and step.leaves.parent.exists()
    code = subprocess.run([sys.executable, "-c", RUN, *step.arguments], check=False).returncode
    if code:
        go_on = "mend it, and the same line goes on from here"
        if begun:
            go_on = f"{out} goes on with the images and options that it was begun with; others want a new DIR"
        raise GlyphliteError(f"{step.name}: ended with {code}; {go_on}")
    note_done(out, step)


def part(data: str, out: Path, dry_run: bool = False) -> tuple[str, str, int]:
    """A labelled folder as two folders of links, to train by and to judge by, and how many images the first has; any
    other data set as it is, and 0.

    Where an image goes is told by its name alone: more images move none of those that are there.  A folder that holds
    train/CLASS and test/CLASS is parted already.
    dry_run: make no links.  Raises DatasetError where either would have none.
    """
    path, name = resolve(data)
    classes = sorted(one for one in path.glob("[!.]*") if one.is_dir())
    if not classes or any(path.glob("*ubyte*")):
        return data, data, 0
    parts = [out / f"{name}-{kind}" for kind in PARTS]
    loose = any(is_image(image) for one in classes for image in one.iterdir())
    is_parted = not loose and {one.name for one in classes} == set(PARTS)
    links = {}
    for image in sorted(filter(is_image, path.glob("[!.]*/[!.]*/*" if is_parted else "[!.]*/*"))):
        told = hashlib.sha256(f"{image.parent.name}/{image.name}".encode("utf-8", "surrogateescape")).digest()
        judges = image.parents[1].name == PARTS[1] if is_parted else told[0] % TEST_EACH == 0
        links[parts[judges] / image.parent.name / image.name] = image
    counts = [sum(one in link.parents for link in links) for one in parts]
    if not all(counts):
        folders = ", ".join(one.name for one in classes[:5]) + (", …" if len(classes) > 5 else "")
        found = f"{counted(counts[0], 'image')} to train by and {counts[1]} to judge by in {folders}"
        wanted = "some of both: more CLASS/*.png, or train/CLASS/*.png and test/CLASS/*.png"
        raise DatasetError(f"{data}: {found}; wanted {wanted}")
    if not dry_run:
        for old in (old for one in parts for old in one.glob("*/*") if old.is_symlink()):
            if old not in links or old.readlink() != links[old].resolve():
                old.unlink()  # its image was moved or deleted, or it is of another folder of that name
        for link, image in links.items():
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.is_symlink():
                link.symlink_to(image.resolve())
    return str(parts[0]), str(parts[1]), counts[0]


def enough_epochs(images: int) -> int:
    """For SEEN images in all epochs of a labelled folder of so many, within EPOCHS; the fewest where it is 0."""
    fewest, most = EPOCHS
    return min(most, max(fewest, SEEN // images)) if images else fewest


def plan(out: Path, data: str, test: str, arch: str, shape: str, epochs: int) -> list[Step]:
    """The steps that leave something, in order.  data: to train by; test: to judge by."""
    run, bundle, bench = out / "run", out / "bundle", out / "bench"
    small = ("--batch-size", "32", "--augment", "medium")  # a folder of one's own holds hundreds, not ten thousands
    train = ("train", "--resume", "--arch", arch, "--data", data, "--shape", shape, "--epochs", str(epochs), *small)
    compress = ("compress", str(run), "--recipe", RECIPES, "--data", data, "--out", str(bundle))
    measure = ("bench", "run", str(bundle), "--data", test, "--quick", "--out", str(bench))
    pack = ("models", "export", str(bundle), str(out / "bundle.zip"))
    return [
        Step("train", "part the images, train, calibrate", (*train, "--out", str(run)), run / "card.json", _hash(data)),
        Step("compress", "make it small", compress, bundle / "card.json"),
        Step("measure", "errors and latency of each file", measure, bench / "results.json", _hash(test)),
        Step("pack", "one file for `glyphlite models install`", pack, out / "bundle.zip"),
    ]


def is_done(out: Path, step: Step) -> bool:
    """Whether this very command has ended well, and what it left is there."""
    return _done(out).get(step.name) == step.done and step.leaves.exists()


def set_default(bundle: Path, artifact: str) -> None:
    """Let a bundle run this artifact where none is named."""
    card = read_bundle(bundle).card
    if card.default != artifact:
        write_card(bundle, replace(card, default=artifact))


def note_done(out: Path, step: Step) -> None:
    """Remember it; the steps after it are to be done again."""
    names = [one for one in _done(out) if one != step.name]
    order = ["train", "compress", "measure", "pack"]
    kept = {name: _done(out)[name] for name in names if order.index(name) < order.index(step.name)}
    write_json(out / DONE, {**kept, step.name: step.done})


def _hash(data: str) -> str:
    """Of a labelled folder's files by name, or of an `.npz`; '' of any other data set.  Not of their times: the same
    images copied again are the same training."""
    folder = Path(data)
    files = sorted(filter(Path.is_file, folder.glob("*/*"))) if folder.is_dir() else [folder] * folder.is_file()
    told = [f"{one.relative_to(folder)} {sha256_file(one)}" for one in files]
    return hashlib.sha256("\n".join(told).encode("utf-8", "surrogateescape")).hexdigest()[:16] if told else ""


def _done(out: Path) -> dict[str, str]:
    try:
        content: Any = json.loads((out / DONE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def chosen(arguments: Sequence[str]) -> str:
    """The artifact that `bench recommend` names.  Raises BudgetError where none is within the limits."""
    command = [sys.executable, "-c", RUN, *arguments, "--json"]
    told = subprocess.run(command, check=False, capture_output=True, text=True)
    if told.returncode:
        raise (BudgetError if told.returncode == BudgetError.exit_code else GlyphliteError)(
            told.stderr.strip().removeprefix("glyphlite: ") or "nothing could be chosen"
        )
    found: dict[str, Any] = json.loads(told.stdout)
    return Path(str(found["artifact"])).name

"""What is measured: models named on the command line become opened artifacts, each under a name of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..runtime.bundle import ARTIFACT_SUFFIXES, CARD_FILE, Artifact, Bundle, find_bundle, shipped_models
from ..runtime.errors import EngineError, UnknownModel
from ..runtime.files import sha256_files
from ..runtime.recognizer import Recognizer
from ..runtime.scale import WHOLE
from .keras_engine import NAME as KERAS
from .keras_engine import is_keras


@dataclass(frozen=True)
class Contender:
    """One opened artifact.

    name: 'MODEL/FILE', or 'FILE' of a bare file.  files: what it is made of, mostly `path` alone.  bare: no card
    vouches for it, so its labels are plain numbers.
    """

    name: str
    path: Path
    files: list[Path]
    artifact: Artifact
    recognizer: Recognizer
    bare: bool

    @property
    def model(self) -> str:
        """The card's name."""
        return self.recognizer.card.name


@dataclass(frozen=True)
class Skipped:
    """An artifact that is not measured, and why."""

    artifact: str
    reason: str


def open_contenders(
    models: Sequence[str],
    engine: str = "",
    threads: int = 1,
    value_range: tuple[float, ...] | None = None,
) -> tuple[list[Contender], list[Skipped]]:
    """The artifacts of shipped names, bundles' folders and files: `.tflite`, `.onnx`, or Keras's; all shipped models
    where none.

    An artifact that no engine here runs (or not the one asked for) is skipped, and so is a line reader's.
    value_range: what a bare file's float input makes of 0 and 255.
    Raises ModelError for a model that is not there or damaged, EngineError where nothing is left.
    """
    contenders: list[Contender] = []
    skipped: list[Skipped] = []
    seen: set[Path] = set()
    for name, path, bundle in _files(models):
        if path.resolve() in seen:
            continue
        seen.add(path.resolve())
        try:
            if is_keras(path):
                recognizer = _open_keras(path, engine, value_range)
            elif bundle is None:
                recognizer = Recognizer.load(path, threads=threads, engine=engine, value_range=value_range)
            else:
                recognizer = Recognizer.from_bundle(bundle, path.name, threads=threads, engine=engine)
        except EngineError as error:
            skipped.append(Skipped(name, str(error)))
            continue
        if recognizer.card.reads_lines:
            skipped.append(Skipped(name, "reads lines: `glyphlite bench photos` judges it"))
            continue
        files, artifact = [path], recognizer.card.artifact(path.name)
        if bundle is None:  # numbers that lie beside an .onnx are a part of it
            files = _files_of(path)
            artifact = replace(artifact, bytes=sum(one.stat().st_size for one in files), sha256=sha256_files(files))
        contenders.append(Contender(name, path, files, artifact, recognizer, bare=bundle is None))
    if not contenders:
        raise EngineError(f"nothing to measure: {'; '.join(entry.reason for entry in skipped) or 'no artifacts'}")
    counts = Counter(contender.name for contender in contenders)  # two folders may hold cards of one name
    return [replace(c, name=str(c.path)) if counts[c.name] > 1 else c for c in contenders], skipped


def is_bare(path: Path) -> bool:
    """Whether a model is a file of which no card tells what its input takes."""
    return _is_artifact(path) and not (path.parent / CARD_FILE).exists()


def _is_artifact(path: Path) -> bool:
    return path.suffix in ARTIFACT_SUFFIXES and not path.is_dir()


def _files(models: Sequence[str]) -> list[tuple[str, Path, Bundle | None]]:
    """(name, path, bundle) of every artifact; the bundle is None for a bare file."""
    named = list(models) or list(shipped_models())
    if not named:
        raise UnknownModel("no models are shipped here; name a bundle's folder, a .tflite or an .onnx")
    files: list[tuple[str, Path, Bundle | None]] = []
    for model in named:
        path = Path(model)
        if is_keras(path):
            files.append((path.name, path, None))
            continue
        if is_bare(path):
            files.append((path.name, path, None))
            continue
        bundle = find_bundle(path.parent if _is_artifact(path) else model)
        artifacts = (bundle.card.artifact(path.name),) if _is_artifact(path) else bundle.card.artifacts
        files += [(f"{bundle.card.name}/{one.file}", bundle.folder / one.file, bundle) for one in artifacts]
    return files


def _files_of(path: Path) -> list[Path]:
    try:
        from ..compress.inspect import model_files

        return model_files(path)
    except ImportError:  # of an .onnx, where the package onnx is not there
        return [path]


def _open_keras(path: Path, engine: str, value_range: tuple[float, ...] | None) -> Recognizer:
    from .keras_engine import KerasEngine

    if engine not in ("", KERAS):
        raise EngineError(f"{path}: {engine} runs no Keras model; leave --engine out")
    wanted = value_range or WHOLE
    return Recognizer.of_bare_file(path, KerasEngine(path, wanted), wanted)

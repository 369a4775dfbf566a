"""`results.json` read back, with `right.npz` beside it: which images each artifact got right."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..runtime.errors import DatasetError

RIGHT_FILE = "right.npz"
# of results.json that are read, the newest the one that is written; since 2: gzip bytes, agreement, ratios, right.npz;
# 3: partial, peers; 4: throughput, bounds, energy, stages; 5: zstd bytes; 6: the data's sha256
SCHEMAS = (1, 2, 3, 4, 5, 6)
SCHEMA_FILE = Path(__file__).with_name("bench.schema.json")  # JSON Schema of the newest

Right = NDArray[np.bool_]


@dataclass(frozen=True)
class Measured:
    """One artifact of a run.

    p50_us: of one image, with its 95 % interval.  right: (images,) which of them it answered right; None where the run
    did not keep it.
    """

    artifact: str
    bytes: int
    errors: int
    images: int
    p50_us: float
    p50_interval: tuple[float, float]
    right: Right | None

    @property
    def accuracy(self) -> float:
        """Share that is right."""
        return 1 - self.errors / self.images


@dataclass(frozen=True)
class Results:
    """A run.  judges: name and number of the images.  notes: to be known first.  sha256: of the data set that they are
    from; '' where the results are older than schema 6."""

    path: Path
    device: dict[str, Any]
    judges: tuple[str, int]
    rows: tuple[Measured, ...]
    notes: tuple[str, ...] = ()
    sha256: str = ""

    def has_judges_of(self, other: Results) -> bool:
        """Whether both were judged on the same images: by the data's sha256, or by its name where one has none."""
        if self.sha256 and other.sha256:
            return (self.sha256, self.judges[1]) == (other.sha256, other.judges[1])
        return self.judges == other.judges


def load_results(path: Path) -> Results:
    """Read a `results.json`, or the one in a folder.  Raises DatasetError naming what is wrong."""
    path = path / "results.json" if path.is_dir() else path
    try:
        document = json.loads(path.read_text("utf-8"))
        schema = document["schema"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DatasetError(f"{path}: no results of `bench run` ({type(error).__name__}: {error})") from None
    if schema not in SCHEMAS:
        raise DatasetError(f"{path}: schema {schema}; this glyphlite reads {', '.join(map(str, SCHEMAS))}")
    right = _right(path.parent / RIGHT_FILE)
    try:
        rows = tuple(_row(row, right.get(row["artifact"])) for row in document["results"])
        judges = str(document["data"]["name"]), int(document["data"]["images"])
        sha256 = str(document["data"].get("sha256", ""))
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{path}: a result without {error}") from None
    if not rows:
        raise DatasetError(f"{path}: holds no results")
    return Results(path, document.get("device", {}), judges, rows, tuple(document.get("notes", ())), sha256)


def validate(document: dict[str, Any]) -> None:
    """Hold a document of the newest schema against the published one.  Raises jsonschema.ValidationError."""
    import jsonschema

    jsonschema.validate(json.loads(json.dumps(document)), json.loads(SCHEMA_FILE.read_text("utf-8")))


def _row(row: dict[str, Any], right: Right | None) -> Measured:
    latency = row["latency_us"]
    same = right is not None and (len(right), int((~right).sum())) == (row["images"], row["errors"])
    kept = right if same else None  # else another run's, whose results lie in the same folder
    low, high = latency["p50_interval"]
    return Measured(row["artifact"], row["bytes"], row["errors"], row["images"], latency["p50"], (low, high), kept)


def _right(path: Path) -> dict[str, Right]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {str(name): archive[f"right_{index}"] for index, name in enumerate(archive["artifacts"])}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DatasetError(f"{path}: cannot be read ({error})") from None

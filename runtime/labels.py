"""What is written on the photos of a folder: its `labels.csv`."""

from __future__ import annotations

import csv
from pathlib import Path

from .errors import DatasetError

LABELS_FILE = "labels.csv"  # a table with the columns file, text


def read_labels(folder: Path) -> list[dict[str, str]]:
    """The rows of a folder's LABELS_FILE.  Raises DatasetError where it, a column or a field is missing."""
    path = folder / LABELS_FILE
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: cannot be read ({error}); wanted a table with columns file, text") from None
    if not rows or not {"file", "text"} <= set(rows[0]):
        raise DatasetError(f"{path}: columns {', '.join(rows[0]) if rows else 'none'}; wanted file, text")
    for number, row in enumerate(rows, 2):
        if row["file"] is None or row["text"] is None:
            raise DatasetError(f"{path}: line {number} has no {'text' if row['file'] else 'file'}; wanted file, text")
    return rows

"""What a run leaves: results.json for programs, results.md and a terminal's table for people, the picture, the page."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..runtime.files import replacing, write_bytes, write_json
from ..train.calibration import ECE_BINS
from .latency import BLOCK_CALLS, MIN_ROUNDS, SETTLING_CALLS, STABLE_BLOCKS, STABLE_SPREAD, Latency
from .results import RIGHT_FILE, validate
from .run import THROUGHPUT_BATCH, BenchmarkRun, PeerRow, Row

SCHEMA = 3  # 2: gzip bytes, agreement, ratios, right.npz; 3: partial, peers
JSON_FILE, MARKDOWN_FILE, PAGE_FILE = "results.json", "results.md", "index.html"
PLOT_FILE, VECTOR_FILE = "accuracy-latency.png", "accuracy-latency.svg"

UNITS = {
    "memory_mib": "memory (MiB)",
    "max_mhz": "highest clock (MHz)",
    "mhz": "clock (MHz)",
    "temperature_c": "temperature (°C)",
}

# header, and a row's cell; the first column aligns left, the others right
COLUMNS: tuple[tuple[str, Callable[[Row], str]], ...] = (
    ("artifact", lambda row: row.artifact),
    ("engine", lambda row: row.engine),
    ("bytes", lambda row: f"{row.bytes:,}"),
    ("gzip -9", lambda row: f"{row.gzip_bytes:,}"),
    ("errors", lambda row: f"{row.accuracy.errors:,}"),
    ("error % [95 %]", lambda row: share_with_interval(row)),
    ("as float %", lambda row: "–" if row.agreement is None else f"{100 * row.agreement:.1f}"),
    ("ECE %", lambda row: f"{100 * row.accuracy.ece:.2f}"),
    ("p50 µs", lambda row: microseconds(row.latency.p50)),
    ("p90 µs", lambda row: microseconds(row.latency.p90)),
    ("p99 µs", lambda row: microseconds(row.latency.p99)),
    ("bare p50 µs", lambda row: microseconds(row.bare.p50)),
    ("× bare", lambda row: f"{row.overhead:.2f}"),
    ("images/s", lambda row: _rounded(row.images_per_s)),
    ("start ms", lambda row: _rounded(row.cost.cold_start_ms if row.cost else None)),
    ("peak MiB", lambda row: _rounded(row.cost.peak_mib if row.cost else None)),
    ("× float32", lambda row: "–" if row.ratio is None else f"{row.ratio:.2f}"),
)
# too many for a terminal's line
REPORTS_ONLY = ("as float %", "ECE %", "p90 µs", "bare p50 µs", "× bare")


def to_json(run: BenchmarkRun) -> dict[str, Any]:
    """The document of `results.json`: bytes, µs, shares in [0, 1]."""
    settings = {key: value for key, value in asdict(run.settings).items() if value not in (None, "", ())}
    return {
        "schema": SCHEMA,
        "started": run.started,
        "partial": run.partial,
        "device": {**run.device, "before": run.before, "after": run.after},
        "settings": {**settings, "threads_used": run.threads, "plan": asdict(run.plan)},
        "data": run.dataset,
        "notes": list(run.notes),
        "results": [_row_to_json(row) for row in run.rows],
        "peers": [_peer_to_json(peer) for peer in run.peers],
        "skipped": [asdict(entry) for entry in run.skipped],
    }


def write_reports(folder: Path, run: BenchmarkRun) -> list[Path]:
    """Write the files, each whole or not at all; returns their paths, the data first."""
    from .page import page
    from .plot import accuracy_latency

    document = to_json(run)
    validate(document)
    write_json(folder / JSON_FILE, document)
    with replacing(folder / RIGHT_FILE) as temporary:
        rights: dict[str, Any] = {f"right_{index}": row.accuracy.right for index, row in enumerate(run.rows)}
        np.savez_compressed(temporary, artifacts=[row.artifact for row in run.rows], **rights)
    write_bytes(folder / MARKDOWN_FILE, markdown(run).encode())
    accuracy_latency([folder / PLOT_FILE, folder / VECTOR_FILE], run.rows, title(run))
    write_bytes(folder / PAGE_FILE, page(run, (folder / VECTOR_FILE).read_text("utf-8")).encode())
    return [folder / name for name in (JSON_FILE, RIGHT_FILE, MARKDOWN_FILE, PLOT_FILE, VECTOR_FILE, PAGE_FILE)]


def title(run: BenchmarkRun) -> str:
    """What was measured on what."""
    machine = run.device.get("board") or run.device.get("cpu") or run.device.get("machine", "")
    threads = "1 thread" if run.threads == 1 else f"{run.threads} threads"
    return f"{run.dataset['name']}, {run.dataset['images']:,} images · {machine}, {threads}"


def cells(rows: Sequence[Row], without: Container[str] = ()) -> list[list[str]]:
    """The table: its header and a list of cells for each row; without some columns."""
    columns = [(header, cell) for header, cell in COLUMNS if header not in without]
    return [[header for header, _ in columns], *([cell(row) for _, cell in columns] for row in rows)]


def peer_cells(peers: Sequence[PeerRow]) -> list[list[str]]:
    """The peers' table, as `cells`; empty where there are none."""
    if not peers:
        return []
    header = ["peer", "errors", "p50 µs", "p99 µs", f"× {peers[0].beside}"]
    rows = [
        [
            peer.name,
            "–" if peer.errors is None else f"{peer.errors:,}",
            microseconds(peer.latency.p50),
            microseconds(peer.latency.p99),
            f"{peer.ratio:,.1f}",
        ]
        for peer in peers
    ]
    return [header, *rows]


def text_table(run: BenchmarkRun) -> str:
    """The tables for a terminal: notes, title and aligned columns; the reports have more of them."""
    head = [f"! {note}" for note in run.notes] + [title(run)]
    tables = [_aligned(cells(run.rows, REPORTS_ONLY))]
    tables += [_aligned(peer_cells(run.peers))] if run.peers else []
    return "\n".join([*head, "", "\n\n".join(tables)])


def _aligned(table: list[list[str]]) -> str:
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    lines = [
        "  ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        )
        for line in table
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def markdown(run: BenchmarkRun) -> str:
    """`results.md`."""
    skipped = [f"- {entry.artifact}: {entry.reason}" for entry in run.skipped]
    parts = [
        f"# {title(run)}",
        *(f"> {note}" for note in run.notes),
        _piped(cells(run.rows)),
        *([_piped(peer_cells(run.peers))] if run.peers else []),
        f"![accuracy against latency]({PLOT_FILE})",
        *(["## Not measured", "\n".join(skipped)] if skipped else []),
        "## Machine",
        "\n".join(f"- {name}: {value}" for name, value in machine_lines(run)),
        "## Method",
        "\n".join(f"- {sentence}" for sentence in method(run)),
    ]
    return "\n\n".join(parts) + "\n"


def _piped(table: list[list[str]]) -> str:
    rule = ["---"] + ["---:"] * (len(table[0]) - 1)
    lines = (table[0], rule, *table[1:])
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def machine_lines(run: BenchmarkRun) -> list[tuple[str, str]]:
    """(name, value) of everything known about the machine; its state before → after the run."""
    lines = []
    for key, value in run.device.items():
        text = (
            ", ".join(f"{name} {number}" for name, number in value.items()) if isinstance(value, dict) else str(value)
        )
        lines.append((_name(key), text))
    for key, value in run.before.items():
        lines.append((_name(key), f"{value} → {run.after.get(key, '?')}"))
    return lines


def method(run: BenchmarkRun) -> list[str]:
    """How the figures were made, a sentence each."""
    judged = {"test": "test images", "all": "images"}.get(run.dataset["split"], "images")
    rounds = " or ".join(str(count) for count in sorted({row.latency.rounds for row in run.rows}))
    return [
        f"Started {run.started} by `{command(run)}`.",
        f"Errors: of {run.dataset['images']:,} {judged} of {run.dataset['name']}; Wilson's 95 % interval of the share.",
        f"ECE: expected calibration error of the probabilities, {ECE_BINS} bins.",
        "Latency: one image through Recognizer.predict_batch. Bare: the engine's own call on an input already in "
        "place. × bare: the median of the rounds' ratios of the two. × float32: of the bare call to that of the "
        "model's float32.tflite.",
        f"Images/s: in batches of {THROUGHPUT_BATCH}, on all usable cores. Start: a new Python process, imports and "
        "all, to its first answer, and its peak resident memory.",
        "As float: share of answers that are the float model's, on up to 1,000 images, by the card.",
        f"Every call is timed by itself, in {rounds} rounds over all artifacts, in a new random order each: up to "
        f"{BLOCK_CALLS} calls of each after {SETTLING_CALLS} that are not counted; at least {MIN_ROUNDS} rounds, at "
        f"most {run.plan.max_rounds} or {run.plan.budget_s:.3g} s.",
        f"Warm-up: until the medians of {STABLE_BLOCKS} blocks in a row lie within {100 * STABLE_SPREAD:.0f} % of each "
        f"other, at most {run.plan.warm_up_s:g} s for each. The garbage collector is off.",
        f"Threads of each engine: {run.threads}.",
    ]


def command(run: BenchmarkRun) -> str:
    """The command that makes such a report again."""
    settings = run.settings
    parts = ["glyphlite bench run", *settings.models, f"--data {settings.data}", "--out DIR"]
    parts += ["--quick"] if settings.quick else []
    parts += ["--peers"] if settings.peers else []
    parts += [f"--budget-s {settings.budget_s:g}"] if settings.budget_s else []
    parts += [f"--threads {settings.threads}"] if settings.threads != 1 else []
    parts += [f"--engine {settings.engine}"] if settings.engine else []
    parts += [f"--scale {settings.scale[0]:g},{settings.scale[1]:g}"] if settings.scale else []
    return " ".join(parts)


def share_with_interval(row: Row) -> str:
    """Error share in percent with its interval: '0.41 [0.30, 0.56]'."""
    low, high = row.accuracy.interval
    return f"{100 * row.accuracy.errors / row.accuracy.images:.2f} [{100 * low:.2f}, {100 * high:.2f}]"


def microseconds(value: float) -> str:
    """A latency with about three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _rounded(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _name(key: str) -> str:
    return UNITS.get(key, key.replace("_", " "))


def _row_to_json(row: Row) -> dict[str, Any]:
    return {
        "artifact": row.artifact,
        "model": row.model,
        "recipe": row.recipe,
        "engine": row.engine,
        "bytes": row.bytes,
        "gzip_bytes": row.gzip_bytes,
        "agreement": row.agreement,
        "top3": round(row.accuracy.top3, 5),
        "macro_f1": round(row.accuracy.macro_f1, 5),
        "images_per_s": row.images_per_s,
        "process": asdict(row.cost) if row.cost else None,
        "parameters": row.parameters,
        "macs": row.macs,
        "sha256": row.sha256,
        "errors": row.accuracy.errors,
        "images": row.accuracy.images,
        "accuracy": 1 - row.accuracy.errors / row.accuracy.images,
        "interval": list(row.accuracy.interval),  # of the error share
        "ece": row.accuracy.ece,
        "latency_us": _latency_to_json(row.latency),
        "bare_us": _latency_to_json(row.bare),
        "overhead": round(row.overhead, 4),
        "ratio_to_float32": None if row.ratio is None else round(row.ratio, 4),
    }


def _peer_to_json(peer: PeerRow) -> dict[str, Any]:
    return {
        "peer": peer.name,
        "errors": peer.errors,
        "images": peer.images,
        "latency_us": _latency_to_json(peer.latency),
        "ratio": round(peer.ratio, 3),
        "beside": peer.beside,
    }


def _latency_to_json(latency: Latency) -> dict[str, Any]:
    rounded = {key: round(value, 3) if isinstance(value, float) else value for key, value in asdict(latency).items()}
    return {**rounded, "p50_interval": [round(bound, 3) for bound in latency.p50_interval]}

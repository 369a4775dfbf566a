"""What a run leaves: results.json for programs, results.md for people, the picture, the page; terminal.py prints it."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..runtime.files import replacing, write_bytes, write_json
from ..runtime.scale import scale_text
from ..train.calibration import ECE_BINS
from .latency import BLOCK_CALLS, MIN_ROUNDS, SETTLING_CALLS, STABLE_BLOCKS, STABLE_SPREAD, Latency
from .result_file import RIGHT_FILE, SCHEMAS, validate
from .run import BenchmarkRun, PeerRow, Row
from .throughput import BATCH

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
    ("zstd -19", lambda row: f"{row.zstd_bytes:,}"),
    ("errors", lambda row: f"{row.accuracy.errors:,}"),
    ("error % [95 %]", lambda row: share_with_interval(row)),
    ("as float %", lambda row: "–" if row.agreement is None else f"{100 * row.agreement:.1f}"),
    ("ECE %", lambda row: f"{100 * row.accuracy.ece:.2f}"),
    ("p50 µs", lambda row: microseconds(row.latency.p50)),
    ("p90 µs", lambda row: microseconds(row.latency.p90)),
    ("p99 µs", lambda row: microseconds(row.latency.p99)),
    ("bare p50 µs", lambda row: microseconds(row.bare.p50)),
    ("× bare", lambda row: f"{row.overhead:.2f}"),
    ("images/s", lambda row: _rounded(row.throughput.images_per_s if row.throughput else None)),
    ("× one core", lambda row: _twice(row.throughput.gain if row.throughput else None)),
    ("start ms", lambda row: _rounded(row.cost.cold_start_ms if row.cost else None)),
    ("peak MiB", lambda row: _rounded(row.cost.peak_mib if row.cost else None)),
    ("× float32", lambda row: _twice(row.ratio)),
    ("bound µs", lambda row: microseconds(row.bound.us) if row.bound else "–"),
    ("binds", lambda row: row.bound.binds if row.bound else "–"),
    ("× bound", lambda row: "–" if row.times_bound is None else f"{row.times_bound:.1f}"),
    ("bytes to label µs", lambda row: microseconds(row.stages[-1][1]) if row.stages else "–"),
    ("µJ", lambda row: "–" if row.microjoules is None else microseconds(row.microjoules)),
)
OFTEN_UNKNOWN = ("µJ", "bytes to label µs")  # left out where no row has it


def to_json(run: BenchmarkRun) -> dict[str, Any]:
    """The document of `results.json`: bytes, µs, shares in [0, 1]."""
    settings = {key: value for key, value in asdict(run.settings).items() if value not in (None, "", ())}
    return {
        "schema": SCHEMAS[-1],
        "started": run.started,
        "partial": run.partial,
        "device": {**run.device, "before": run.before, "after": run.after, "peaks": _plain(run.peaks)},
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
    return f"{run.dataset['name']}, {run.dataset['images']:,} images · {machine}, {_threads(run.threads)}"


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def cells(rows: Sequence[Row], without: Container[str] = ()) -> list[list[str]]:
    """The table: its header and a list of cells for each row; without some columns."""
    unknown = [name for name, cell in COLUMNS if name in OFTEN_UNKNOWN and all(cell(row) == "–" for row in rows)]
    columns = [(header, cell) for header, cell in COLUMNS if header not in without and header not in unknown]
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
    if run.peaks:
        reached = f"{run.peaks.float32_gmacs:g} (float32) and {run.peaks.int8_gmacs:g} (int8) · 10⁹ MAC/s by "
        copied = f"ONNX Runtime's GEMM on {_threads(run.peaks.threads)}; {run.peaks.copy_gbytes:g} · 10⁹ bytes/s copied"
        lines.append(("reached", reached + copied))
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
        "model's float32.tflite, or float32.onnx.",
        f"Images/s: in batches of {run.settings.batch}, on all usable cores; × one core: by the same on one, in turn. "
        "Start: a new Python process, imports and all, to its first answer, and its peak resident memory.",
        "Bound: the larger of two least times, multiplications by what a GEMM of the artifact's kind reached here, and "
        "the file's bytes by what was copied; × bound: the bare call by it.",
        "As float: share of answers that are the float model's, on up to 1,000 images, by the card.",
        f"Every call is timed by itself, in {rounds} rounds over all artifacts, in a new random order each: up to "
        f"{BLOCK_CALLS} calls of each after {SETTLING_CALLS} that are not counted; at least {MIN_ROUNDS} rounds, at "
        f"most {run.plan.max_rounds} or {run.plan.budget_s:.3g} s.",
        f"Warm-up: until the medians of {STABLE_BLOCKS} blocks in a row lie within {100 * STABLE_SPREAD:.0f} % of each "
        f"other, at most {run.plan.warm_up_s:g} s for each. The garbage collector is off.",
        f"Threads of each engine: {run.threads}.",
        *_energy(run),
    ]


def _energy(run: BenchmarkRun) -> Iterator[str]:
    """How energy was found, where it was."""
    if run.settings.power_watts:
        yield f"µJ: of one image, {run.settings.power_watts:g} W by --power-watts × the mean latency."
    elif any(row.watts is not None for row in run.rows):
        yield "µJ: of one image, the watts of all rails of the power management chip while it runs × the mean latency."


def command(run: BenchmarkRun) -> str:
    """The command that makes such a report again."""
    settings = run.settings
    parts = ["glyphlite bench run", *settings.models, f"--data {settings.data}", "--out DIR"]
    parts += ["--quick"] if settings.quick else []
    parts += ["--peers"] if settings.peers else []
    parts += [f"--batch {settings.batch}"] if settings.batch != BATCH else []
    parts += [f"--power-watts {settings.power_watts:g}"] if settings.power_watts else []
    parts += [f"--budget-s {settings.budget_s:g}"] if settings.budget_s else []
    parts += [f"--threads {settings.threads}"] if settings.threads != 1 else []
    parts += [f"--engine {settings.engine}"] if settings.engine else []
    parts += [f"--scale {scale_text(settings.scale)}"] if settings.scale else []
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


def _twice(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _plain(value: Any) -> dict[str, Any] | None:
    """A dataclass as JSON takes it."""
    return None if value is None else asdict(value)


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
        "zstd_bytes": row.zstd_bytes,
        "agreement": row.agreement,
        "top3": round(row.accuracy.top3, 5),
        "macro_f1": round(row.accuracy.macro_f1, 5),
        "throughput": _plain(row.throughput),
        "process": _plain(row.cost),
        "bound": {**asdict(row.bound), "binds": row.bound.binds, "times": row.times_bound} if row.bound else None,
        "watts": row.watts,
        "energy_uj": row.microjoules,
        "operators": None if row.operators is None else [asdict(one) for one in row.operators],
        "stages_us": dict(row.stages) if row.stages else None,
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

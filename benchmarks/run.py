"""One benchmark run: open the artifacts, load their judges, count errors, time calls, describe the machine."""

from __future__ import annotations

import gzip
import re
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..runtime import device
from ..runtime.cores import usable_cores
from ..runtime.errors import ArtifactError, DatasetError, EngineError, counted
from ..runtime.recognizer import Recognizer
from ..train.datasets import resolve
from . import power
from .accuracy import MAX_IMAGES, SAMPLE_SEED, Accuracy, Judges, data_sha256, judge, load_judges
from .bound import Bound, Peaks, bound_of, measure_peaks
from .contenders import Contender, Skipped, open_contenders
from .keras_engine import NAME as KERAS
from .latency import Call, Latency, Plan, Timing, measure, ratio_of, summarise
from .operators import OperatorTime, operator_times
from .peers import Peer, open_peers
from .process import Cost, process_cost
from .stages import time_stages
from .throughput import BATCH, Throughput, throughput

Say = Callable[[str], None]

BUDGET_S, QUICK_BUDGET_S = 120.0, 10.0  # of timing; the images judged are the same
QUICK_TOTAL_S, QUICK_LEAST_S = 45.0, 2.0  # where judging took long, a quick run's timing gives way, down to the least
ROUNDS, QUICK_ROUNDS = 500, 50  # 10,000 and 1,000 calls of each artifact: a p99 of 100 and of 10 calls
BASES = ("float32.tflite", "float32.onnx")  # a model's other artifacts' times are divided by the first that it has
ZSTD_LEVEL = 19  # the last that needs no more memory to unpack
STARTS, QUICK_STARTS = 5, 1  # of a process for each artifact
ORDER_SHOWN = 12  # classes: folders 0 to 11 sort as 0, 1, 10, 11, 2
STAGES_S = 1.0  # of timing the way from bytes to label, for each artifact
INTEGER = re.compile(r"_ai8|int8|quant|_q\b")  # in a recipe or a file's name: its activations are int8
WARM_UP_S, QUICK_WARM_UP_S = 2.0, 0.3  # of each contender, at most


@dataclass(frozen=True)
class Settings:
    """What a person asked for.

    threads: of each engine, capped at the usable cores.  engine: '' is the first that runs the artifact.
    scale: what a bare file's float input makes of 0 and 255; None is 0 and 255.  budget_s: of timing; None by `quick`.
    peers: measure what people would use otherwise beside the first artifact.  batch: images a call, for throughput.
    power_watts: of the device at work, by a meter.
    """

    models: tuple[str, ...]
    data: str
    quick: bool = False
    budget_s: float | None = None
    threads: int = 1
    engine: str = ""
    scale: tuple[float, ...] | None = None
    peers: bool = False
    batch: int = BATCH
    power_watts: float | None = None

    def plan(self, elapsed_s: float = 0.0) -> Plan:
        """When the timing stops, where the run has taken elapsed_s seconds before it."""
        if self.quick:
            left = min(QUICK_BUDGET_S, max(QUICK_LEAST_S, QUICK_TOTAL_S - elapsed_s))
            return Plan(self.budget_s or left, QUICK_ROUNDS, QUICK_WARM_UP_S)
        return Plan(self.budget_s or BUDGET_S, ROUNDS, WARM_UP_S)


@dataclass(frozen=True)
class Row:
    """What was measured of one artifact.

    latency: one glyph through `Recognizer.predict_batch`.  bare: the engine's own call on the same glyph, in place.
    overhead: the median over the rounds of the first by the second.  gzip_bytes, zstd_bytes: as gzip -9 and zstd -19
    pack the file.
    agreement: share of answers that are its float model's, by the card.  ratio: the median over the rounds of its bare
    call by that of the same model's float32 `.tflite`; None where that is not measured.  cost: of a process of its own.
    throughput: of batches.  Both None where the run was interrupted before.  parameters: by the card.  macs: by the
    card, else counted in the file.  bound: the least time of one image here.  watts: of the device at work.  operators:
    as they run, where the engine tells.  stages: median µs of each from a PNG's bytes to the label, 'whole' the last;
    not of a quick run.  None where not known.
    """

    artifact: str
    model: str
    recipe: str
    engine: str
    bytes: int
    sha256: str
    accuracy: Accuracy
    latency: Latency
    bare: Latency
    overhead: float
    gzip_bytes: int
    zstd_bytes: int
    cost: Cost | None
    throughput: Throughput | None
    parameters: int | None = None
    macs: int | None = None
    agreement: float | None = None
    ratio: float | None = None
    bound: Bound | None = None
    watts: float | None = None
    operators: tuple[OperatorTime, ...] | None = None
    stages: tuple[tuple[str, float], ...] | None = None

    @property
    def times_bound(self) -> float | None:
        """The engine's own call by the least time that it could take."""
        return self.bare.p50 / self.bound.us if self.bound else None

    @property
    def microjoules(self) -> float | None:
        """Of one image: watts × µs."""
        return None if self.watts is None else self.watts * self.latency.mean


@dataclass(frozen=True)
class PeerRow:
    """What was measured of a peer.  ratio: the median over the rounds of its call by `predict_batch` of the artifact
    `beside`."""

    name: str
    errors: int | None
    images: int
    latency: Latency
    ratio: float
    beside: str


@dataclass(frozen=True)
class BenchmarkRun:
    """Everything that a report tells.

    threads: what each engine got.  partial: Ctrl-C ended it early.  before, after: the machine's state at the two
    ends of the run.  notes: what a reader should know before the figures.
    """

    settings: Settings
    plan: Plan
    threads: int
    started: str
    device: dict[str, Any]
    before: dict[str, Any]
    after: dict[str, Any]
    dataset: dict[str, Any]
    rows: tuple[Row, ...]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]
    partial: bool = False
    peers: tuple[PeerRow, ...] = ()
    peaks: Peaks | None = None


def run_benchmark(settings: Settings, say: Say = lambda line: None) -> BenchmarkRun:
    """Measure; `say` gets a line of progress now and then.

    Where no model was named, shipped ones that the data set does not fit are skipped; a named one must fit.
    Raises DatasetError, ModelError or EngineError.
    """
    clock = time.perf_counter()
    started = datetime.now(UTC).isoformat(timespec="seconds")
    machine, before = device.describe(), device.state()
    resolve(settings.data)  # a missing data set is told before models are opened
    threads = min(settings.threads, usable_cores())
    contenders, skipped = open_contenders(settings.models, settings.engine, threads, settings.scale)
    judged, unfit = _find_judges(contenders, settings)
    skipped += unfit
    for entry in skipped:
        say(f"skipped {entry.artifact}: {entry.reason}")
    first = judged[0][1]
    content = data_sha256(settings.data, first.split)
    accuracies = _judge_all(judged, say)
    packed = {one.name: _packed(one) for one, _ in judged}
    peers, absent = _open_peers(judged, settings, say)
    skipped += absent
    plan = settings.plan(time.perf_counter() - clock)
    timings, cut = _time_all(judged, peers, plan, say)
    after = device.state()
    rows = [_row(one, accuracies[one.name], packed[one.name], timings, settings) for one, _ in judged]
    missing, peaks = "fewer rounds than wanted were timed" if cut else "", None
    if not cut:
        say("processes of their own, bounds, and all cores")
        done = 0
        try:
            peaks = measure_peaks(threads)
            for done, pair in enumerate(judged):
                rows[done] = _further(rows[done], *pair, settings, peaks)
        except KeyboardInterrupt:
            short = f"{len(rows) - done} of {counted(len(rows), 'artifact')}"
            missing = f"start, memory, images/s and bound of {short} are not known"
    if missing:
        say("interrupted: writing what is complete")
    return BenchmarkRun(
        settings=settings,
        plan=plan,
        threads=threads,
        started=started,
        device=machine,
        before=before,
        after=after,
        dataset={
            "name": first.dataset,
            "split": first.split,
            "images": len(first),
            "available": first.available,
            "sha256": content,
        },
        rows=tuple(rows),
        skipped=tuple(skipped),
        notes=tuple(_notes(settings, before, after, [judges for _, judges in judged], contenders, rows, missing)),
        partial=bool(missing),
        peers=tuple(_peer_row(peer, judged[0], timings) for peer in peers),
        peaks=peaks,
    )


def _find_judges(
    contenders: Sequence[Contender], settings: Settings
) -> tuple[list[tuple[Contender, Judges]], list[Skipped]]:
    """Each contender with its images; artifacts of one card share them."""
    loaded: dict[Any, Judges] = {}
    judged: list[tuple[Contender, Judges]] = []
    unfit: list[Skipped] = []
    for contender in contenders:
        card = contender.recognizer.card
        key = (card.input_shape, card.geometry, card.labels, contender.bare)
        try:
            if key not in loaded:
                loaded[key] = load_judges(settings.data, card, contender.bare)
        except DatasetError as error:
            if settings.models:
                raise DatasetError(f"{contender.name}: {error}") from None
            unfit.append(Skipped(contender.name, str(error)))
            continue
        judged.append((contender, loaded[key]))
    if not judged:
        raise DatasetError(f"no shipped model fits {settings.data}: {unfit[0].artifact}: {unfit[0].reason}")
    return judged, unfit


def _judge_all(judged: Sequence[tuple[Contender, Judges]], say: Say) -> dict[str, Accuracy]:
    """The errors of all, as many artifacts at once as there are cores: nothing is timed yet."""
    found: dict[str, Accuracy] = {}
    with ThreadPoolExecutor(usable_cores()) as pool:
        largest_first = sorted(judged, key=lambda pair: -pair[0].artifact.bytes)  # so that no core is left with one
        jobs = {pool.submit(judge, contender.recognizer, judges): contender.name for contender, judges in largest_first}
        try:
            for job in as_completed(jobs):
                name, accuracy = jobs[job], job.result()
                found[name] = accuracy
                say(f"[{len(found)}/{len(jobs)}] {name}: {accuracy.errors} errors of {accuracy.images:,}")
        except BaseException:  # the first failure, or Ctrl-C, ends the run: do not judge the rest first
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return found


def _open_peers(
    judged: Sequence[tuple[Contender, Judges]], settings: Settings, say: Say
) -> tuple[list[Peer], list[Skipped]]:
    if not settings.peers:
        return [], []
    say("judging the peers")
    peers, absent = open_peers(*judged[0], settings.data)
    for entry in absent:
        say(f"skipped {entry.artifact}: {entry.reason}")
    return peers, absent


def _peer_row(peer: Peer, first: tuple[Contender, Judges], timings: dict[str, Timing]) -> PeerRow:
    contender, judges = first
    timing = timings[f"peer {peer.name}"]
    ratio = ratio_of(timing, timings[f"predict {contender.name}"])
    return PeerRow(peer.name, peer.errors, len(judges), summarise(timing), ratio, contender.name)


def _time_all(
    judged: Sequence[tuple[Contender, Judges]], peers: Sequence[Peer], plan: Plan, say: Say
) -> tuple[dict[str, Timing], bool]:
    """Timings by 'predict NAME', 'bare NAME' and 'peer NAME', and whether Ctrl-C cut them short."""
    calls: dict[str, Call] = {}
    for contender, judges in judged:
        recognizer, glyph = contender.recognizer, judges.glyphs[:1].copy()
        calls[f"predict {contender.name}"] = partial(recognizer.predict_batch, glyph)
        calls[f"bare {contender.name}"] = recognizer.engine.bare_call(glyph.reshape(1, *recognizer.card.input_shape))
    calls.update({f"peer {peer.name}": peer.call for peer in peers})
    say(f"timing {len(judged)} artifacts, at most {plan.budget_s:.3g} s")
    cut: list[bool] = []
    timings = measure(calls, plan, progress=say, interrupted=lambda: cut.append(True))
    return timings, bool(cut)


def _packed(contender: Contender) -> tuple[int, int]:
    """Bytes as gzip -9 and zstd -19 pack it."""
    import zstandard

    content = b"".join(file.read_bytes() for file in contender.files)
    return len(gzip.compress(content, 9)), len(zstandard.compress(content, ZSTD_LEVEL))


def _row(
    contender: Contender,
    accuracy: Accuracy,
    packed: tuple[int, int],
    timings: dict[str, Timing],
    settings: Settings,
) -> Row:
    predict, bare = timings[f"predict {contender.name}"], timings[f"bare {contender.name}"]
    bases = (timings.get(f"bare {contender.model}/{base}") for base in BASES)
    base = next((timing for timing in bases if timing), None)
    return Row(
        artifact=contender.name,
        model=contender.model,
        recipe=contender.artifact.recipe,
        engine=contender.recognizer.engine.name,
        bytes=contender.artifact.bytes,
        sha256=contender.artifact.sha256,
        accuracy=accuracy,
        latency=summarise(predict),
        bare=summarise(bare),
        overhead=ratio_of(predict, bare),
        gzip_bytes=packed[0],
        zstd_bytes=packed[1],
        cost=None,
        throughput=None,
        watts=settings.power_watts,
        parameters=contender.recognizer.card.parameters,
        macs=contender.recognizer.card.macs,
        agreement=contender.artifact.agreement,
        ratio=ratio_of(bare, base) if base else None,
    )


def _further(row: Row, contender: Contender, judges: Judges, settings: Settings, peaks: Peaks | None) -> Row:
    """A row with what is measured of each artifact by itself."""
    recognizer, is_keras = contender.recognizer, contender.recognizer.engine.name == KERAS
    macs = row.macs if row.macs is not None or is_keras else _counted_macs(contender.path)
    glyph = judges.glyphs[:1].copy()
    starts = QUICK_STARTS if settings.quick else STARTS
    measured = power.busy_watts(partial(recognizer.predict_batch, glyph)) if row.watts is None else None
    return replace(
        row,
        cost=None if is_keras else _cost(contender, settings, starts),
        throughput=throughput(contender, judges.glyphs, settings.batch),
        macs=macs,
        bound=bound_of(macs, row.bytes, bool(INTEGER.search(f"{row.recipe} {contender.path.name}")), peaks),
        watts=row.watts if measured is None else measured,
        operators=operator_times(contender.path, recognizer.engine.input_shape, min(settings.threads, usable_cores())),
        stages=None if settings.quick else _stages(recognizer, glyph[0]),
    )


def _cost(contender: Contender, settings: Settings, starts: int) -> Cost | None:
    """None where a process of its own fails: what was timed until then is worth keeping."""
    try:
        recognizer = contender.recognizer
        return process_cost(contender.path, recognizer.card.value_range, starts, recognizer.engine.name)
    except EngineError as error:
        warnings.warn(f"cold start and memory are not measured: {error}", stacklevel=2)
        return None


def _counted_macs(path: Path) -> int | None:
    from ..compress.inspect import inspect_file

    try:
        return inspect_file(path).macs or None
    except (ArtifactError, ImportError):  # onnx is not installed, or the file has what it does not know
        return None


def _stages(recognizer: Recognizer, glyph: NDArray[np.uint8]) -> tuple[tuple[str, float], ...]:
    """From a PNG of the glyph to its label."""
    _, png = cv2.imencode(".png", glyph if glyph.ndim == 2 else glyph[..., ::-1])
    _, stages = time_stages(recognizer, png.tobytes(), read=False, budget_s=STAGES_S)
    return tuple((stage.name, round(stage.latency.p50, 2)) for stage in stages)


def _notes(
    settings: Settings,
    before: dict[str, Any],
    after: dict[str, Any],
    judges: Sequence[Judges],
    contenders: Sequence[Contender],
    rows: Sequence[Row],
    missing: str,
) -> list[str]:
    """What a reader should know before the figures, the gravest first.  missing: of a run that was interrupted."""
    notes = []
    if missing:
        notes.append(f"Partial: the run was interrupted. What is here is complete; {missing}.")
    throttled = sorted({*before.get("throttled", ()), *after.get("throttled", ())})
    if throttled:
        notes.append(f"The machine was throttled ({', '.join(throttled)}): latencies are too long.")
    cores, load = usable_cores(), before.get("load_average", 0.0)
    if load > cores:
        notes.append(
            f"The machine was busy: load average {load:g} on {cores} usable cores when the run began. "
            "Errors and bytes hold; latencies are too long."
        )
    unstable = [row.artifact for row in rows if not (row.latency.stable and row.bare.stable)]
    if unstable:
        notes.append(f"Not stable when the warm-up ended: {', '.join(unstable)}.")
    if settings.threads > cores:
        notes.append(f"{settings.threads} threads were asked for; {cores} cores may be used, so {cores} were.")
    first = judges[0]
    if first.available > len(first):
        notes.append(
            f"{len(first):,} of {first.available:,} images were judged: a stratified sample (seed {SAMPLE_SEED}, "
            f"about {MAX_IMAGES:,})."
        )
    if order := next((one.order for one in judges if one.order), None):
        shown = ", ".join(order[:ORDER_SHOWN]) + (", …" if len(order) > ORDER_SHOWN else "")
        notes.append(
            f"Classes were matched by their order: class i of the data set is output i of the model. They are {shown}."
        )
    if settings.scale and not any(contender.bare for contender in contenders):
        notes.append("--scale was not used: every model has a card that says its range.")
    return notes

"""Search over recipes: Optuna proposes, each proposal is made and measured, and the Pareto front is what is left.

What is chosen by is the hold-out; the judged images are counted at the end, for the front alone.
"""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..runtime.bundle import Artifact, Card
from ..runtime.errors import BudgetError, ConversionError, GlyphliteError
from ..runtime.files import replacing, write_csv
from ..train.batches import as_input
from .examples import Examples
from .mixed import SCHEMES as MIXED
from .pack import Maker, Options, base_card, with_refusal, write_bundle
from .recipes import parse_recipe
from .sources import Source, input_text, opened
from .steps import Workshop

STUDY_FILE = "search.db"
WARM_UP, CALLS = 20, 200  # invocations, of which the median is an artifact's latency
FAR_BELOW = 0.05  # of the images: a proposal that misses the wanted accuracy by more after one epoch is given up
FIRST_EPOCHS = 1
STRUCTURES = ("", "channels25", "channels50", "channels65", "channels75", "lowrank90")
SPARSITIES = ("", "prune50", "prune80", "sparse2of4")
CLUSTERS = ("", "cluster16", "cluster32")
SCHEMES = (
    "static_wi8_ai8", "dynamic_wi8_afp32", "dynamic_wi4_afp32", "weight_only_wi4_afp32", "static_wi4_ai8",
    "mixed_wi48_afp32", "mixed_wi48_ai8", "float16",
)  # fmt: skip

MOST_PROPOSALS = 5  # for each trial: the sampler proposes again what it likes
USUAL = Options()

Say = Callable[[str], None]


@dataclass(frozen=True)
class Limits:
    """What an artifact must keep to; None: no limit.  accuracy: on the hold-out, in [0, 1]."""

    max_bytes: int | None = None
    max_ms: float | None = None
    min_accuracy: float | None = None

    def are_met(self, trial: Trial) -> bool:
        """Whether a trial keeps to all of them."""
        return (
            (self.max_bytes is None or trial.bytes <= self.max_bytes)
            and (self.max_ms is None or trial.ms <= self.max_ms)
            and (self.min_accuracy is None or trial.accuracy >= self.min_accuracy)
        )

    def __str__(self) -> str:
        told = []
        if self.max_bytes is not None:
            told.append(f"at most {self.max_bytes:,} bytes")
        if self.max_ms is not None:
            told.append(f"at most {self.max_ms:g} ms")
        if self.min_accuracy is not None:
            told.append(f"at least {100 * self.min_accuracy:g} % right")
        return ", ".join(told) or "no limit"


@dataclass(frozen=True)
class Trial:
    """One artifact that was made.  accuracy: on the hold-out.  ms: median of a bare call, one thread."""

    recipe: str
    calibration: str
    bytes: int
    accuracy: float
    ms: float

    def beats(self, other: Trial) -> bool:
        """No worse in anything, and better in something."""
        mine, theirs = ((t.bytes, -t.accuracy, t.ms) for t in (self, other))
        return all(a <= b for a, b in zip(mine, theirs, strict=True)) and mine != theirs


@dataclass(frozen=True)
class Found:
    """What a search ended with.  front: the trials that none beats, the smallest first.  card: of their bundle."""

    trials: tuple[Trial, ...]
    front: tuple[Trial, ...]
    met: bool
    card: Card


def search(
    source: Source,
    examples: Examples,
    out: Path,
    limits: Limits,
    trials: int,
    options: Options = USUAL,
    seed: int = 0,
    say: Say = print,
) -> Found:
    """Propose, make and measure until `trials` different artifacts were tried, those of an earlier, cut-off search
    included; leave in `out` the study, `trials.csv`, `front.png` and the bundle of the front.

    With other limits it is another study in the same folder, as they tell what is given up and how bits are mixed;
    what steps have trained is there already.
    Raises BudgetError where nothing could be made at all, ConversionError where `out` holds another model's search.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    out.mkdir(parents=True, exist_ok=True)
    examples = examples.to_choose()
    bench = _Bench(source, examples, out, limits, options, say)
    storage = f"sqlite:///{out / STUDY_FILE}"
    studies = optuna.get_all_study_summaries(storage, include_best_trial=False)
    if any(one.user_attrs.get("of", bench.identity) != bench.identity for one in studies):
        raise ConversionError(f"{out}: holds a search of another model, data, scale or --epochs; wanted a new folder")
    study = optuna.create_study(
        study_name=repr(limits),
        storage=storage,
        directions=["minimize"] * 3,
        sampler=optuna.samplers.TPESampler(seed=seed),
        load_if_exists=True,
    )
    study.set_user_attr("of", bench.identity)
    if not study.trials:
        for proposal in _first(source.model is not None):
            study.enqueue_trial(proposal)
    while len(_different(study)) < trials and len(_finished(study)) < MOST_PROPOSALS * trials:
        study.optimize(bench.objective, n_trials=1, catch=())
    made = tuple(
        dict.fromkeys(Trial(**trial.user_attrs["trial"]) for trial in study.trials if "trial" in trial.user_attrs)
    )
    if not made:
        raise BudgetError(f"no recipe of {trials} trials could be made of {source.path}")
    front = tuple(sorted((t for t in made if not any(o.beats(t) for o in made)), key=lambda t: t.bytes))
    card = bench.bundle(front)
    _write_trials(out / "trials.csv", made, front)
    plot(made, front, limits, out / "front.png")
    met = any(limits.are_met(trial) for trial in front)
    return Found(made, front, met, card)


def _finished(study: Any) -> list[Any]:
    return [trial for trial in study.trials if trial.state.is_finished()]


def _different(study: Any) -> set[str]:
    """What was proposed so far; a proposal may come again."""
    return {trial.user_attrs["name"] for trial in _finished(study) if "name" in trial.user_attrs}


def _first(has_layers: bool) -> list[dict[str, Any]]:
    """What is proposed before the sampler knows anything: int8, and 4 and 8 bits mixed; of a model with layers, of
    fewer channels too, which are trained once for both."""
    usual = {"calibration": "minmax", "structure": "", "sparsity": "", "cluster": "", "qat": False}
    return [
        {**usual, "structure": structure, "scheme": scheme}
        for structure in (("", "channels50", "channels75") if has_layers else ("",))
        for scheme in ("static_wi8_ai8", "mixed_wi48_ai8")
    ]


class _Bench:
    """Makes and measures what is proposed, each recipe once."""

    def __init__(
        self, source: Source, examples: Examples, out: Path, limits: Limits, options: Options, say: Say
    ) -> None:
        self._source, self._examples, self._out, self._limits = source, examples, out, limits
        self._options, self._say = options, say
        self._card = base_card(source, examples, options, out / "bundle")
        if source.card is None:
            say(input_text(source, self._card))
        self._work = out / "work"

    @property
    def identity(self) -> list[Any]:
        """What trials are measurements of."""
        made_of = self._card.compression
        assert made_of is not None
        return [made_of.source_sha256, made_of.dataset_sha256, list(self._card.value_range), self._options.epochs]

    def objective(self, proposal: Any) -> tuple[float, float, float]:
        import optuna

        name, calibration = self._proposed(proposal)
        proposal.set_user_attr("name", f"{name} {calibration}")
        before = self._known(proposal.study, name, calibration)
        if before is None:
            try:
                self._look_first(name, calibration)
                before = self._trial(name, calibration, self._options.epochs)
            except GlyphliteError as error:
                self._say(f"{name}: given up: {error}")
                raise optuna.TrialPruned(str(error)) from None
            right = f"{100 * before.accuracy:.2f} % of the hold-out"
            self._say(f"{name}: {before.bytes:,} bytes, {right}, {1000 * before.ms:.0f} µs")
        proposal.set_user_attr("trial", asdict(before))
        return before.bytes, 1 - before.accuracy, before.ms

    def _proposed(self, proposal: Any) -> tuple[str, str]:
        """A recipe's name and a calibration method."""
        scheme = proposal.suggest_categorical("scheme", SCHEMES)
        calibration = proposal.suggest_categorical("calibration", ("minmax", "percentile", "mse"))
        words: list[str] = []
        if self._source.model is not None:
            structure = proposal.suggest_categorical("structure", STRUCTURES)
            sparsity = proposal.suggest_categorical("sparsity", SPARSITIES)
            if structure.startswith("channels") and sparsity == "sparse2of4":
                sparsity = ""  # it wants multiples of four channels, which that leaves in no layer for sure
            cluster = proposal.suggest_categorical("cluster", CLUSTERS)
            aware = proposal.suggest_categorical("qat", (False, True)) and scheme == "static_wi8_ai8"
            words = [structure, "distill" if structure else "", sparsity, cluster, "qat" if aware else ""]
        return "_".join([*filter(None, words), scheme]), calibration if "_ai" in scheme else "minmax"

    def _known(self, study: Any, name: str, calibration: str) -> Trial | None:
        for trial in study.trials:
            known = trial.user_attrs.get("trial")
            if known and (known["recipe"], known["calibration"]) == (name, calibration):
                return Trial(**known)
        return None

    def _look_first(self, name: str, calibration: str) -> None:
        """Give up what is hopeless after little training."""
        wanted, allowed = self._limits.min_accuracy, self._limits.max_bytes
        if not parse_recipe(name).steps or self._options.epochs <= FIRST_EPOCHS or wanted is allowed is None:
            return
        first = self._trial(name, calibration, FIRST_EPOCHS)
        if wanted is not None and first.accuracy < wanted - FAR_BELOW:
            raise BudgetError(f"{100 * first.accuracy:.1f} % after {FIRST_EPOCHS} epoch; wanted {100 * wanted:g} %")
        if allowed is not None and first.bytes > allowed:
            raise BudgetError(f"{first.bytes:,} bytes; wanted {allowed:,}")

    def _trial(self, name: str, calibration: str, epochs: int) -> Trial:
        made = self._made(name, calibration, epochs)
        engine = opened(made.path, self._card.value_range, threads=1)
        holdout = self._examples.holdout
        answers = engine.run(as_input(holdout.images).astype(np.uint8)).argmax(1)
        call = engine.bare_call(np.zeros((1, *self._card.input_shape), np.uint8))
        return Trial(
            name, calibration, made.path.stat().st_size, float((answers == holdout.labels).mean()), _milliseconds(call)
        )

    def _made(self, name: str, calibration: str, epochs: int) -> Any:
        options = replace(self._options, calibration=calibration, epochs=epochs)
        folder = self._work / f"{calibration}-{epochs}"
        folder.mkdir(parents=True, exist_ok=True)
        recipe = parse_recipe(name)
        steps = Workshop(self._source, self._card, self._examples, epochs, self._work / "steps", lambda _: None)
        model, limit = steps.run(recipe.steps), self._limits.max_bytes
        made = Maker(self._source, self._card, self._examples, options, folder).made(recipe, "tflite", model)
        if recipe.scheme.name in MIXED and limit is not None and made.path.stat().st_size > limit:
            options = replace(options, max_bytes=limit)
            made = Maker(self._source, self._card, self._examples, options, folder).made(recipe, "tflite", model)
        return made

    def bundle(self, front: Sequence[Trial]) -> Card:
        """The bundle of the front: judged, and written."""
        artifacts: list[Artifact] = []
        gathered = self._work / "front"
        gathered.mkdir(parents=True, exist_ok=True)
        for trial in front:
            made = self._made(trial.recipe, trial.calibration, self._options.epochs)
            options = replace(self._options, calibration=trial.calibration)
            file = f"{trial.recipe}-{trial.calibration}.tflite" if "_ai" in trial.recipe else f"{trial.recipe}.tflite"
            shutil.copyfile(made.path, gathered / file)
            maker = Maker(self._source, self._card, self._examples, options, gathered)
            artifacts.append(maker.measured(replace(made, path=gathered / file)))
        default = artifacts[front.index(best(front, self._limits))].file
        card = replace(self._card, artifacts=tuple(artifacts), default=default)
        card = with_refusal(card, self._examples, gathered / default)
        write_bundle(card, self._source, gathered, [artifact.file for artifact in artifacts], self._out / "bundle")
        return card


def best(trials: Sequence[Trial], limits: Limits) -> Trial:
    """The one most often right on the hold-out, the smaller of equals; of those within the limits, if any is."""
    within = [trial for trial in trials if limits.are_met(trial)] or trials
    return min(within, key=lambda trial: (-trial.accuracy, trial.bytes))


def _milliseconds(call: Callable[[], object]) -> float:
    for _ in range(WARM_UP):
        call()
    times = []
    for _ in range(CALLS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return round(1000 * statistics.median(times), 5)


def _write_trials(path: Path, trials: Sequence[Trial], front: Sequence[Trial]) -> None:
    rows = [(*asdict(trial).values(), int(trial in front)) for trial in trials]
    write_csv(path, [("recipe", "calibration", "bytes", "accuracy", "ms", "front"), *rows])


def plot(trials: Sequence[Trial], front: Sequence[Trial], limits: Limits, path: Path) -> None:
    """Errors against bytes, the latency as colour, the front joined and named, as PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.subplots()
    errors = [100 * (1 - trial.accuracy) for trial in trials]
    dots = axes.scatter(
        [trial.bytes / 1000 for trial in trials],
        errors,
        c=[1000 * trial.ms for trial in trials],
        cmap="viridis_r",
        zorder=2,
    )
    figure.colorbar(dots, label="median of a call, µs")
    axes.plot(
        [t.bytes / 1000 for t in front], [100 * (1 - t.accuracy) for t in front], "o", mfc="none", ms=11, color="#c44"
    )
    for trial in front:
        axes.annotate(
            trial.recipe,
            (trial.bytes / 1000, 100 * (1 - trial.accuracy)),
            fontsize=7,
            rotation=60,
            xytext=(5, 5),
            textcoords="offset points",
        )
    if limits.max_bytes is not None:
        axes.axvline(limits.max_bytes / 1000, color="#999", linestyle=":")
    if limits.min_accuracy is not None:
        axes.axhline(100 * (1 - limits.min_accuracy), color="#999", linestyle=":")
    axes.set(xlabel="kB", ylabel="errors on the hold-out, %", xscale="log")
    for formatter in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        formatter("{x:g}")
    axes.margins(x=0.15, y=0.3)
    low, high = axes.get_ylim()
    axes.set_ylim(bottom=max(low, -0.1 * high))  # there are no fewer errors than none
    axes.set_title("what none beats in bytes, errors and time is ringed")
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)

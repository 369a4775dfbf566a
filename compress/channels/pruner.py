"""How many channels go, and when: in rounds, each followed by training, until a share of the MACs is gone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ...runtime.errors import BudgetError
from ...train.backend import keras
from ...train.complexity import count_macs, macs_by_layer
from ..tuning import Tuning, tune
from .dependencies import Dependencies, trace
from .importance import IMPORTANCES
from .surgery import without_units

ROUNDS = 3  # the same share of the multiplications goes in each
LEAST_SHARE = 0.1  # of a group's channels stay, and one at least
USUAL_IMPORTANCE = "taylor"


def prune_channels(
    model: keras.Model,
    share: float,
    tuning: Tuning,
    say: Callable[[str], None] = print,
    importance: str = USUAL_IMPORTANCE,
) -> keras.Model:
    """A smaller Keras 3 model, of which `share` of the multiply-accumulates are gone.

    importance: a key of IMPORTANCES.  tuning: its epochs are divided among the rounds.
    Raises BudgetError where the channels that may go are too few.
    """
    whole = count_macs(model)
    for step in range(ROUNDS):
        target = whole * (1 - share) ** ((step + 1) / ROUNDS)
        dependencies = trace(model)
        measured = IMPORTANCES[importance]
        gone = choose(model, dependencies, measured.measure(model, dependencies, tuning), target, measured.is_loss)
        model = without_units(model, dependencies, gone)
        epochs = tuning.epochs * (step + 1) // ROUNDS - tuning.epochs * step // ROUNDS
        say(f"{len(gone)} of {len(dependencies.units)} channels removed: {count_macs(model):,} MACs of {whole:,}")
        if epochs:
            tune(model, replace(tuning, epochs=epochs))
    return model


def choose(
    model: keras.Model, dependencies: Dependencies, worth: dict[int, float], macs: float, by_cost: bool = False
) -> set[int]:
    """The units that go until at most `macs` multiply-accumulates are left: first those that are worth least.

    worth: of each unit.  by_cost: for the multiply-accumulates that go with it.
    Raises BudgetError where too few may go.
    """
    left = {layers: len(units) for layers, units in dependencies.groups.items()}
    least = {layers: max(1, round(LEAST_SHARE * count)) for layers, count in left.items()}
    group_of = {unit.identity: layers for layers, units in dependencies.groups.items() for unit in units}
    costs = _Costs(model, dependencies)
    gone: set[int] = set()
    price = {unit: max(costs.of(unit), 1.0) if by_cost else 1.0 for unit in group_of}
    for unit in sorted(group_of, key=lambda unit: worth.get(unit, 0.0) / price[unit]):
        if costs.total() <= macs:
            return gone
        if left[group_of[unit]] > least[group_of[unit]]:
            left[group_of[unit]] -= 1
            gone.add(unit)
            costs.remove(unit)
    if costs.total() > macs:
        raise BudgetError(f"{model.name}: {costs.total():,.0f} MACs with the fewest channels; wanted {macs:,.0f}")
    return gone


class _Costs:
    """Multiply-accumulates as channels go: those of a layer fall with its inputs and with its outputs."""

    def __init__(self, model: keras.Model, dependencies: Dependencies) -> None:
        self._dependencies = dependencies
        self._macs = {name: float(macs) for name, macs in macs_by_layer(model).items() if macs}
        self._sides = [dependencies.inputs, dependencies.outputs]
        self._left = [{name: float(len(units)) for name, units in side.items()} for side in self._sides]
        self._counts = [
            {name: dict(zip(*np.unique(units, return_counts=True), strict=True)) for name, units in side.items()}
            for side in self._sides
        ]

    def of(self, unit: int) -> float:
        """What goes with one unit, while all others are there."""
        whole = 0.0
        for name, macs in self._macs.items():
            lost = [
                counts[name].get(unit, 0) / len(side[name])
                for counts, side in zip(self._counts, self._sides, strict=True)
            ]
            whole += macs * (sum(lost) if name in self._dependencies.makers else lost[1])
        return whole

    def remove(self, unit: int) -> None:
        for left, counts in zip(self._left, self._counts, strict=True):
            for name in left:
                left[name] -= counts[name].get(unit, 0)

    def total(self) -> float:
        """Of the model as it is now."""
        whole = 0.0
        for name, macs in self._macs.items():
            shares = [left[name] / len(side[name]) for left, side in zip(self._left, self._sides, strict=True)]
            whole += macs * (shares[0] * shares[1] if name in self._dependencies.makers else shares[1])
        return whole

"""How the last answers of a model were, beside what its card promises: a camera that went blurred shows here.

Probabilities are calibrated, so that on images like those of the test set their mean is the share of right answers.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from ..runtime import Artifact, Card

WINDOW = 1000  # answers; an alarm wants a few hundred, or it is raised by chance


class Drift:
    """The last WINDOW answers of one model; a refusal is one without a label.  artifact: the one that answers."""

    def __init__(self, card: Card, artifact: Artifact) -> None:
        self.card, self._artifact = card, artifact
        self._answers: deque[tuple[str | None, float]] = deque(maxlen=WINDOW)
        self._lock = threading.Lock()

    def add(self, label: str | None, confidence: float) -> None:
        """Take an answer."""
        with self._lock:
            self._answers.append((label, confidence))

    def gauges(self) -> Iterator[tuple[str, str, dict[str, str], float]]:
        """(name, help, labels, value) of each gauge; none of a mean or a share while there is no answer."""
        with self._lock:
            answers = list(self._answers)
        sure = [confidence for label, confidence in answers if label is not None]
        model = {"model": self.card.name}
        yield "glyphlite_window_answers", f"Last answers looked at, {WINDOW} at most.", model, len(answers)
        if answers:
            share = 1 - len(sure) / len(answers)
            yield "glyphlite_window_refusal_rate", "Share of them that was refused.", model, share
        if sure:
            mean = sum(sure) / len(sure)
            yield "glyphlite_window_confidence", "Mean confidence of those not refused.", model, mean
            counts = Counter(label for label, _ in answers)
            for label in self.card.labels:
                share = counts[label] / len(sure)
                yield "glyphlite_window_class_share", "Share of a class in them.", {**model, "label": label}, share
        artifact = self._artifact
        if not self.card.reads_lines and artifact.test_images and artifact.errors is not None:
            right = 1 - artifact.errors / artifact.test_images
            yield "glyphlite_card_accuracy", "By the card: what the mean confidence should be.", model, right
        if self.card.refusal:
            refused = self.card.refusal.characters_refused
            yield "glyphlite_card_refusal_rate", "By the card: share of characters refused.", model, refused


class DriftCollector:
    """Computes the gauges of some models when Prometheus asks."""

    def __init__(self) -> None:
        self.models: tuple[Drift, ...] = ()

    def collect(self) -> Iterator[Metric]:
        """The gauges, one family a name."""
        families: dict[str, GaugeMetricFamily] = {}
        for drift in self.models:
            for name, text, labels, value in drift.gauges():
                family = families.setdefault(name, GaugeMetricFamily(name, text, labels=list(labels)))
                family.add_metric(list(labels.values()), value)
        yield from families.values()

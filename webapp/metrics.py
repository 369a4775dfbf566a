"""What Prometheus reads: requests, their latency, those in flight, refusals, which model answers, and its drift."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from ..runtime import Recognizer
from .drift import Drift, DriftCollector

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4  # the text format, which generate_latest writes
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # a thumbnail's to a poor Pi's 48 MP


class Metrics:
    """The counters of one app, in a registry of its own, so that two apps in a process do not clash."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("glyphlite_requests", "Requests answered.", ["route", "status"], registry=self.registry)
        self.seconds = Histogram(
            "glyphlite_request_seconds",
            "Seconds from a request's arrival in the app to its answer.",
            ["route"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.in_flight = Gauge("glyphlite_in_flight", "Requests being answered.", registry=self.registry)
        self.refusals = Counter(
            "glyphlite_refusals", "Images that were read and held no character.", registry=self.registry
        )
        self._info = Info("glyphlite_model", "The model that answers.", registry=self.registry)
        self._drift = DriftCollector()
        self.registry.register(self._drift)

    def watch(self, recognizer: Recognizer, reader: Recognizer) -> None:
        """Describe the models that answer from now on; their windows begin empty."""
        artifact = recognizer.artifact
        self._info.info(
            {
                "name": recognizer.card.name,
                "artifact": artifact.file,
                "recipe": artifact.recipe,
                "engine": recognizer.engine.name,
            }
        )
        self.predictions = Drift(recognizer.card, artifact)
        self.readings = self.predictions if reader is recognizer else Drift(reader.card, reader.artifact)
        self._drift.models = tuple(dict.fromkeys((self.predictions, self.readings)))

    def count(self, route: str, status: int, seconds: float) -> None:
        """Count one request that was answered."""
        self.requests.labels(route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)

    def exposition(self) -> bytes:
        """All of it in Prometheus's text format."""
        return generate_latest(self.registry)

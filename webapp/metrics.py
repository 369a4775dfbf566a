"""What Prometheus reads: requests, their latency, refusals, and which model answers."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, Info, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4  # the text format, which generate_latest writes
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # a thumbnail's to a poor Pi's 48 MP


class Metrics:
    """The counters of one app, in a registry of its own, so that two apps in a process do not clash."""

    def __init__(self, model: str, artifact: str, recipe: str, engine: str) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("glyphlite_requests", "Requests answered.", ["route", "status"], registry=self.registry)
        self.seconds = Histogram(
            "glyphlite_request_seconds",
            "Seconds from a request's arrival in the app to its answer.",
            ["route"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.refusals = Counter(
            "glyphlite_refusals", "Images that were read and held no character.", registry=self.registry
        )
        info = Info("glyphlite_model", "The model that answers.", registry=self.registry)
        info.info({"name": model, "artifact": artifact, "recipe": recipe, "engine": engine})

    def count(self, route: str, status: int, seconds: float) -> None:
        """Count one request that was answered."""
        self.requests.labels(route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)

    def exposition(self) -> bytes:
        """All of it in Prometheus's text format."""
        return generate_latest(self.registry)

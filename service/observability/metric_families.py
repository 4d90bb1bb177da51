"""what the service counts ──▶ `FAMILIES`: the name, kind, labels and bounds of every metric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from service.observability.shared_memory import Rule

ROUTES = frozenset(
    {"/v1/predict", "/v1/embed", "/v1/models", "/predict", "/livez", "/readyz", "/healthz", "/metrics", "/docs.json"}
)
OTHER = "other"
STAGES = ("decode", "queue", "embed", "decide")
REASONS = ("full", "idle", "next")
CHANGES = ("ok", "refused")
LOOKUPS = ("hit", "miss")

REQUEST_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 7.5, 10, 15, 30, 60, 120, 600)
STAGE_S = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
IMAGES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: its name without `_total`, what it is, and how processes add up."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    rule: Rule = "total"
    bounds: tuple[float, ...] = ()


_FAMILIES = (
    Family("tandem_requests", "counter", "Requests by route and status.", ("route", "status")),
    Family("tandem_request_seconds", "histogram", "Time to answer.", ("route",), bounds=REQUEST_S),
    Family("tandem_refusals", "counter", "Requests answered with a problem, by its code.", ("code",)),
    Family("tandem_images", "counter", "Images by result: ok or an error code.", ("result",)),
    Family("tandem_image_warnings", "counter", "Harmless faults mended in images, by kind.", ("kind",)),
    Family("tandem_stage_seconds", "histogram", "Time in each stage.", ("stage",), bounds=STAGE_S),
    Family("tandem_batch_images", "histogram", "Images in one run of the embedder.", bounds=IMAGES),
    Family("tandem_batches", "counter", "Runs of the embedder by why they began.", ("reason",)),
    Family("tandem_cache_lookups", "counter", "Images looked up in the cache, by result.", ("result",)),
    Family("tandem_cache_bytes", "gauge", "Bytes of embeddings in the cache.", rule="livesum"),
    Family("tandem_cache_images", "gauge", "Embeddings in the cache.", rule="livesum"),
    Family("tandem_queue_images", "gauge", "Images admitted and not answered yet.", rule="livesum"),
    Family("tandem_requests_in_flight", "gauge", "Requests that are being answered.", rule="livesum"),
    Family("tandem_queue_wait_estimate_seconds", "gauge", "Estimated wait of a new image.", rule="livemax"),
    Family("tandem_buffered_bytes", "gauge", "Bytes of request bodies held.", rule="livesum"),
    Family("tandem_connections", "gauge", "Open connections.", rule="livesum"),
    Family(
        "tandem_model_info",
        "gauge",
        "Workers that serve the model.",
        ("model", "device", "precision"),
        rule="livesum",
    ),
    Family("tandem_model_changes", "counter", "Live changes of the model by result.", ("result",)),
    Family("tandem_ready", "gauge", "Workers that are ready.", rule="livesum"),
    Family("tandem_workers", "gauge", "Workers configured.", rule="livemax"),
    Family("tandem_deadline_seconds", "gauge", "The server's deadline for a request.", rule="livemax"),
    Family("tandem_log_lines_dropped", "counter", "Log lines dropped since nobody took them."),
)
FAMILIES = {family.name: family for family in _FAMILIES}
SAMPLED = frozenset(f.name for f in _FAMILIES if not f.labels and f.kind != "histogram")
"""What `sample` takes."""

"""what the service counts ──▶ `FAMILIES`: the name, kind, labels and bounds of every metric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from service.observability.shared_memory import Rule

STAGES = ("decode", "queue", "embed", "decide")
REASONS = ("full", "idle", "next")
CHANGES = ("ok", "refused")
AGREES = ("true", "false")
LOOKUPS = ("hit", "miss")

REQUEST_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 7.5, 10, 15, 30, 60, 120, 600)
STAGE_S = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
CONFIDENCE = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0)
DISTANCE = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2, 3, 5, 10)
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
    is_set_of_labels: bool = False
    """Whether a gauge tells by its labels what is so, and is left out where it is 0."""


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
        is_set_of_labels=True,
    ),
    Family("tandem_model_changes", "counter", "Live changes of the model by result.", ("result",)),
    Family("tandem_ready", "gauge", "Workers that are ready.", rule="livesum"),
    Family("tandem_workers", "gauge", "Workers configured.", rule="livemax"),
    Family("tandem_deadline_seconds", "gauge", "The server's deadline for a request.", rule="livemax"),
    Family("tandem_last_answer_timestamp_seconds", "gauge", "When an image was last answered.", rule="livemax"),
    Family(
        "tandem_decisions",
        "counter",
        "Decisions by head, label, what was decided, and the first reason.",
        ("head", "label", "decision", "reason"),
    ),
    Family("tandem_decision_confidence", "histogram", "Confidence of answers.", ("head",), bounds=CONFIDENCE),
    Family(
        "tandem_decision_distance",
        "histogram",
        "Distance from training, as a share of the greatest that is not unfamiliar.",
        ("head",),
        bounds=DISTANCE,
    ),
    Family("tandem_feedback_recorded", "counter", "Decisions recorded in the feedback database."),
    Family("tandem_feedback_dropped", "counter", "Decisions that could not be recorded."),
    Family("tandem_feedback_images_dropped", "counter", "Images of recorded decisions that could not be kept."),
    Family("tandem_feedback_queue", "gauge", "Decisions that wait to be recorded.", rule="livesum"),
    Family("tandem_shadow_decisions", "counter", "Decisions of the shadow by whether the champion agrees.", ("agree",)),
    Family("tandem_shadow_seconds", "counter", "Time of a core that the shadow has taken."),
    Family("tandem_shadow_dropped", "counter", "Images that the shadow was too slow for, or could not decide on."),
    Family("tandem_live_precision", "gauge", "Share of accepted decisions that is right.", ("head",), rule="livemax"),
    Family("tandem_live_precision_lower", "gauge", "Lower bound, at 95 %.", ("head",), rule="livemax"),
    Family("tandem_live_precision_upper", "gauge", "Upper bound, at 95 %.", ("head",), rule="livemax"),
    Family("tandem_live_precision_target", "gauge", "What the head's policy promises.", ("head",), rule="livemax"),
    Family("tandem_drift_statistic", "gauge", "Difference of the last window from the reference.", rule="livemax"),
    Family("tandem_drift_threshold", "gauge", "Statistic above which a window is drift.", rule="livemax"),
    Family("tandem_drift_alarm", "gauge", "1 if the last window is drift.", rule="livemax"),
    Family("tandem_log_lines_dropped", "counter", "Log lines dropped since nobody took them."),
)
FAMILIES = {family.name: family for family in _FAMILIES}
SAMPLED = frozenset(f.name for f in _FAMILIES if not f.labels and f.kind != "histogram")
"""What `sample` takes."""

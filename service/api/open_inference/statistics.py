"""metrics of all workers ──▶ the protocol's statistics of the model."""

from __future__ import annotations

from typing import Any

from models.bundle.manifest import Manifest
from service import coordination
from service.gateway.access import INFERENCE
from service.observability.shared_memory import Totals, read_totals

_NS = 1_000_000_000


def model_statistics(manifest: Manifest) -> dict[str, Any]:
    """What was inferred since the server started, over every route, by whichever version served then.

    Time is measured for all requests of a route together; it is split evenly between those that succeeded and those
    that failed. A request's queueing and decoding are those of its last image.
    """
    totals = read_totals(coordination.directory())
    succeeded = failed = seconds = 0.0
    for (name, labels), numbers in totals.numbers.items():
        if name == "tandem_requests" and labels[0] in INFERENCE:
            succeeded += numbers[0] if labels[1] == "200" else 0.0
            failed += numbers[0] if labels[1] != "200" else 0.0
        elif name == "tandem_request_seconds" and labels[0] in INFERENCE:
            seconds += numbers[-1]
    each_s = seconds / (succeeded + failed) if succeeded + failed else 0.0
    return {
        "model_stats": [
            {
                "name": manifest.name,
                "version": str(manifest.version),
                "last_inference": int(_one(totals, "tandem_last_answer_timestamp_seconds") * 1000),
                "inference_count": int(_one(totals, "tandem_images", "ok")),
                "execution_count": int(_count(totals, "tandem_batch_images")),
                "inference_stats": {
                    "success": _duration(succeeded, each_s * succeeded),
                    "fail": _duration(failed, each_s * failed),
                    "queue": _duration(succeeded, _stage_s(totals, "queue")),
                    "compute_input": _duration(succeeded, _stage_s(totals, "decode")),
                    "compute_infer": _duration(succeeded, _stage_s(totals, "embed") + _stage_s(totals, "decide")),
                    "compute_output": _duration(succeeded, 0.0),
                    "cache_hit": _duration(_one(totals, "tandem_cache_lookups", "hit"), 0.0),
                    "cache_miss": _duration(_one(totals, "tandem_cache_lookups", "miss"), 0.0),
                },
                "batch_stats": [],
            }
        ]
    }


def _duration(count: float, seconds: float) -> dict[str, int]:
    return {"count": int(count), "ns": int(seconds * _NS)}


def _one(totals: Totals, name: str, *labels: str) -> float:
    return next(iter(totals.numbers.get((name, labels), ())), 0.0)


def _stage_s(totals: Totals, stage: str) -> float:
    return totals.numbers.get(("tandem_stage_seconds", (stage,)), [0.0])[-1]


def _count(totals: Totals, histogram: str) -> float:
    return sum(totals.numbers.get((histogram, ()), [0.0])[:-1])

"""Rows and comparisons made by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from training.compare.report.comparison_rows import Comparison, Decision, Family, LeftOut, Network, Row, pack
from training.compare.report.paired_intervals import Hits, accuracy_interval

TEST_IMAGES = 1000


def row(family: Family, right: int, *, name: str = "", size: int = 100, first_wrong: int = 0, **values: float) -> Row:
    """A row that answers `right` of 1,000 test images right; the wrong ones begin at `first_wrong`, in a circle."""
    hits = np.ones(TEST_IMAGES, np.bool_)
    hits[(first_wrong + np.arange(TEST_IMAGES - right)) % TEST_IMAGES] = False
    return row_of(family, hits[None], name=name, size=size, **values)


def row_of(family: Family, hits: Hits, *, name: str = "", size: int = 100, **values: float) -> Row:
    """A row with these answers, `[S, N]`."""
    found = accuracy_interval(hits)
    figures = {"log_loss": 0.5, "ece": 0.02, "fit_seconds": 10.0, "predict_us": 100.0, **values}
    return Row(
        size=size,
        family=family,
        name=name or f"a model on {family}",
        accuracy=float(hits.mean()),
        low=found.low / 100,
        high=found.high / 100,
        size_bytes=1_000_000,
        explains=("pixels",),
        right=tuple(pack(each) for each in hits),
        **figures,
    )


def comparison(**changes: object) -> Comparison:
    values: dict[str, object] = {
        "data": "clothes",
        "classes": ("coat", "shirt"),
        "columns": (),
        "test_images": TEST_IMAGES,
        "copied": 0,
        "rows": (
            row(Family.PIXELS, 700),
            row(Family.HYBRID, 800),
            row(Family.NETWORK, 790),
            row(Family.PIXELS, 800, size=1000),
            row(Family.HYBRID, 900, size=1000),
        ),
        "left_out": (
            LeftOut(
                size=1000, name="slow one", reason="expected to take up to 99 s, with 3 s of the budget left for it"
            ),
            LeftOut(size=1000, name="slower one", reason="the budget is spent"),
        ),
        "networks": (Network(size=100, images=90, epochs=12, planned=12, seconds=3.5),),
        "margin": 1.0,
        "confidence": 0.95,
        "decision": Decision(recommended="a model on hybrid"),
        "verdict": ("Use the hybrid.", "It wins."),
        "interrupted": False,
        "command": "python -m training compare folder clothes",
        "seed": 0,
        "budget_minutes": 15.0,
        "seconds": 62.0,
        "created": datetime(2025, 6, 1, 9, 30, tzinfo=UTC),
        "hardware": "a processor, 2 cores",
        "versions": {"python": "3.11.7", "numpy": "2.4.6"},
    }
    return Comparison.model_validate({**values, **changes})

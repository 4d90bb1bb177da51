"""results of a training on numbers ──▶ `report.html`: one self-contained page for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from training.clean.findings.findings_page import Section
from training.reports import charts, html_page
from training.reports.class_report import SKIPPED_SHOWN, Counts, HeadChoice
from training.reports.evaluation_metrics import Errors
from training.reports.interval_coverage import coverage

TEMPLATE = "estimate.html.jinja"


@dataclass(frozen=True)
class Miss:
    """A test image whose number is far off; uint8 `[H, W, C]`, and the width over height that it had."""

    image: NDArray[np.uint8]
    truth: float
    value: float
    aspect: float = 1.0


@dataclass(frozen=True)
class EstimateReport:
    """Everything that the page shows.

    Attributes:
        model: `name@version`.
        head: name of the head.
        created: when the bundle was made, with a time zone.
        hardware: what it was trained on.
        settings: the training's settings, by name; values may be nested.
        counts: images in each part of the data.
        errors: the rows of the comparison by name, on the test images.
        served: which of those rows the bundle serves.
        values: the head's answers, float64 `[T]`.
        truths: the true numbers, float64 `[T]`.
        intervals: bounds of each answer, `[T, 2]`; None if there are none.
        accepted_share: share of the answers that are accepted, in [0, 1].
        steps: seconds of each stage of the training, by name.
        sizes: bytes of each file of the bundle, by name.
        misses: the numbers that are farthest off.
        head_choices: candidates of the head.
        validation: sentences on the held-out images, and why there are not more.
        criterion: a sentence on how the head was selected.
        on_choice: sentences on what the selected head is worth.
        copied: number of test images that have a copy, or an image of their group, in another part; all figures are
            without them.
        outliers: a sentence on the outlier limit, and the share of ordinary images beyond it.
        skipped: files left out of the data, each with the reason.
        findings: what is wrong with the data; None if nobody looked.
    """

    model: str
    head: str
    created: datetime
    hardware: str
    settings: Mapping[str, object]
    counts: Counts
    errors: Mapping[str, Errors]
    served: str
    values: NDArray[np.float64]
    truths: NDArray[np.float64]
    intervals: NDArray[np.floating] | None
    accepted_share: float
    steps: Mapping[str, float]
    sizes: Mapping[str, int]
    misses: Sequence[Miss] = ()
    head_choices: Sequence[HeadChoice] = ()
    validation: str = ""
    criterion: str = ""
    on_choice: tuple[str, ...] = ()
    copied: int = 0
    outliers: str = ""
    skipped: tuple[str, ...] = ()
    findings: Section | None = None


def render(report: EstimateReport) -> bytes:
    """Renders the page in UTF-8; it has no script and fetches nothing."""
    values = {
        "report": report,
        "served": report.errors[report.served],
        "rows": sorted(report.errors.items(), key=lambda row: row[0] != report.served),
        "created": report.created.astimezone(UTC),
        "coverage": None if report.intervals is None else coverage(report.values, report.truths, report.intervals),
        "chart": Markup(charts.estimates_chart(report.truths, report.values)),  # noqa: S704 (drawn here, from numbers)
        "choice_figure": html_page.figures,
        "settings": list(html_page.flatten(report.settings)),
        "skipped_shown": SKIPPED_SHOWN,
        "clean": report.findings,
    }
    return html_page.fill(TEMPLATE, values).encode()

"""results of a training on numbers ──▶ the report of a head that names one: one self-contained page for a person."""

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
        head: its name.
        created: when the bundle was made, with a time zone.
        hardware: what it was trained on.
        settings: the training's settings, by name; values may be nested.
        counts: images in each part of the data.
        errors: the rows of the comparison by name, on the test images.
        served: which of those rows the bundle serves.
        values: what it names, float64 `[T]`.
        truths: what is true, float64 `[T]`.
        intervals: the bounds of each, `[T, 2]`; None where there are none.
        accepted_share: share of the answers that nobody has to look at, in [0, 1].
        steps: seconds that each step of the training took, by name.
        sizes: bytes of each file of the bundle, by name.
        misses: the numbers that are farthest off.
        head_choices: the candidates for the head.
        judging: sentences on what head and limits were judged on, and why not on more.
        criterion: a sentence on how the best head was chosen.
        on_choice: sentences on what the chosen head is worth.
        copied: test images that have a copy in another part, or one of their group; all figures are without.
        novelty: a sentence on the limit of distance, and how many ordinary images are beyond.
        skipped: files left out of the data, each with the reason.
        findings: what is wrong with the data; None where nobody looked.
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
    judging: str = ""
    criterion: str = ""
    on_choice: tuple[str, ...] = ()
    copied: int = 0
    novelty: str = ""
    skipped: tuple[str, ...] = ()
    findings: Section | None = None


def render(report: EstimateReport) -> bytes:
    """The page, in UTF-8: no script, and nothing is fetched from anywhere."""
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

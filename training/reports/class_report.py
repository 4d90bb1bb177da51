"""results of a training ──▶ `report.html`: one self-contained page for a person.

This module defines the data of a report and computes what the page shows; text and layout are in `report.html.jinja`.
The same report gives the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from models.bundle.manifest import Variant
from training.network.history import History
from training.policy.promise import Promise
from training.reports import charts, html_page
from training.reports.class_figures import PLURAL_FROM, accepted_as_another, class_figures, confused
from training.reports.coverage import Coverage, Risk, automation, decisions, risk
from training.reports.evaluation_metrics import Reliability, Scores, balanced_accuracy

if TYPE_CHECKING:
    from training.clean.findings.findings_page import Section

TEMPLATE = "report.html.jinja"
TWO_DIGITS_FROM = 1000
"""Test images from which on percentages have two decimals."""
SKIPPED_SHOWN = 50
NAMED_PAIRS, LISTED_PAIRS = 8, 20
"""Pairs of confused classes in a sentence, and in a table if there are many classes."""
FEW_CLASSES, MATRIX_CLASSES = 12, 60
"""With more classes than the first number the confusion matrix is folded; with more than the second it is left out."""
EPOCHS_SHOWN = 40


@dataclass(frozen=True)
class Counts:
    """Number of images in each part; test images that have a copy elsewhere do not count."""

    train: int
    validation: int
    test: int


@dataclass(frozen=True)
class Mistake:
    """A test image with a wrong answer.

    Attributes:
        image: uint8 `[H, W, C]` with 1 or 3 channels.
        label: name of the true class.
        predicted: name of the answered class.
        confidence: probability of the answered class, in [0, 1].
        aspect: width over height to show it with; None for that of `image`.
    """

    image: NDArray[np.uint8]
    label: str
    predicted: str
    confidence: float
    aspect: float | None = None


@dataclass(frozen=True)
class HeadChoice:
    """A candidate of the head, with its out-of-fold figures by name."""

    name: str
    figures: Mapping[str, float]
    chosen: bool


@dataclass(frozen=True)
class Report:
    """Everything that the page shows.

    Attributes:
        model: `name@version`.
        head: name of the head.
        created: when the bundle was made, with a time zone.
        classes: K class names.
        hardware: what it was trained on.
        settings: the training's settings, by name; values may be nested.
        counts: images in each part of the data.
        scores: the rows of the comparison by name, on the test images.
        served: which of those rows the bundle serves.
        confusion: int64 `[K, K]` of the served row on the test images; rows are true, columns predicted classes.
        reliability: of the served row.
        coverage: of the served row.
        history: of the network's training; None if it was not trained.
        steps: seconds of each stage of the training, by name.
        sizes: bytes of each file of the bundle, by name.
        mistakes: the most confident wrong answers.
        head_choices: candidates of the head.
        variants: figures of each precision of the embedder, float32 first.
        skipped: files left out of the data, each with the reason.
        findings: what is wrong with the data, as `findings_page.show` gives it; None if nobody looked.
        promise: what is promised of accepted answers; None if that is not known.
        copied: number of test images that have a copy, or an image of their group, in another part; all other figures
            are without them.
        accuracy_with_copies: of the served row with them, in [0, 1].
        validation: sentences on the held-out images, and why there are not more.
        criterion: a sentence on how the head was selected.
        on_choice: sentences on what the selected head is worth.
        outliers: a sentence on the outlier limit, and the share of ordinary images beyond it.
    """

    model: str
    head: str
    created: datetime
    classes: tuple[str, ...]
    hardware: str
    settings: Mapping[str, object]
    counts: Counts
    scores: Mapping[str, Scores]
    served: str
    confusion: NDArray[np.int64]
    reliability: Reliability
    coverage: Coverage
    history: History | None
    steps: Mapping[str, float]
    sizes: Mapping[str, int]
    mistakes: Sequence[Mistake] = ()
    head_choices: Sequence[HeadChoice] = ()
    variants: Sequence[Variant] = ()
    on_choice: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    findings: Section | None = None
    promise: Promise | None = None
    copied: int = 0
    accuracy_with_copies: float = math.nan
    validation: str = ""
    criterion: str = ""
    outliers: str = ""


def render(report: Report) -> bytes:
    """Renders the page in UTF-8; it has no script and fetches nothing.

    Raises:
        KeyError: `served` names no row of `scores`.
    """
    found = risk(report.coverage)
    values = {
        "report": report,
        "digits": 2 if report.counts.test >= TWO_DIGITS_FROM else 1,
        "served": report.scores[report.served],
        "created": report.created.astimezone(UTC),
        "rows": _rows(report),
        "decisions": decisions(report.coverage),
        "automation": list(automation(found)),
        **_class_values(report),
        "bins": list(_bins(report.reliability)),
        "mean_confidence": _mean_confidence(report.reliability),
        "epochs": _epochs(report.history) if report.history else [],
        "charts": _charts(report, found),
        "choice_figure": partial(html_page.decimals, digits=4),
        "settings": list(html_page.flatten(report.settings)),
        "skipped_shown": SKIPPED_SHOWN,
        "clean": report.findings,
        "nan": math.nan,
    }
    return html_page.fill(TEMPLATE, values).encode()


def _class_values(report: Report) -> dict[str, object]:
    """Values of the page's part on classes."""
    accepted = report.coverage.accepted_confusion
    pairs = confused(report.classes, report.confusion)
    return {
        "by_class": class_figures(report.classes, report.confusion, accepted),
        "balanced_accuracy": balanced_accuracy(report.confusion),
        "misled": [] if accepted is None else accepted_as_another(report.classes, accepted),
        "pairs": pairs,
        "often": [pair for pair in pairs if pair.count >= PLURAL_FROM],
        "are_few": len(report.classes) <= FEW_CLASSES,
        "has_matrix": len(report.classes) <= MATRIX_CLASSES,
        "named_pairs": NAMED_PAIRS,
        "listed_pairs": LISTED_PAIRS,
    }


class _Row(NamedTuple):
    """One line of the comparison; `left`, `width` and `dot` place its interval on a scale of 0 to 100."""

    name: str
    scores: Scores
    served: bool
    errors: int
    difference: str
    low: float
    high: float
    left: float
    width: float
    dot: float


def _rows(report: Report) -> list[_Row]:
    """The comparison, the served row first."""
    n = report.counts.test
    accuracy = np.array([scores.accuracy for scores in report.scores.values()], np.float64)
    low, high = charts.wilson_interval(accuracy, np.full(len(accuracy), n))
    start, span = low.min(), max(high.max() - low.min(), 1e-9)
    served = report.scores[report.served].accuracy
    rows = [
        _Row(
            name=name,
            scores=scores,
            served=name == report.served,
            errors=round((1 - scores.accuracy) * n),
            difference=_difference(scores.accuracy - served, n),
            low=float(low[index]),
            high=float(high[index]),
            left=100 * float((low[index] - start) / span),
            width=100 * float((high[index] - low[index]) / span),
            dot=100 * float((scores.accuracy - start) / span),
        )
        for index, (name, scores) in enumerate(report.scores.items())
    ]
    return sorted(rows, key=lambda row: not row.served)


def _difference(difference: float, n: int) -> str:
    images = round(difference * n)
    if images == 0:
        return "as many right as the served one"
    return f"{abs(images):,} {'more' if images > 0 else 'fewer'} right than the served one"


def _bins(reliability: Reliability) -> Iterator[tuple[float, float, float, float, int]]:
    """Lower edge, upper edge, mean confidence, accuracy and count of each bin that holds an image."""
    size = len(reliability.count)
    for index, count in enumerate(reliability.count):
        if count:
            confidence, accuracy = reliability.confidence[index], reliability.accuracy[index]
            yield index / size, (index + 1) / size, float(confidence), float(accuracy), int(count)


def _mean_confidence(reliability: Reliability) -> float:
    filled = reliability.count > 0
    return float(np.average(reliability.confidence[filled], weights=reliability.count[filled]))


def _epochs(history: History) -> list[tuple[int, float, float, float]]:
    """Number, loss, validation accuracy and seconds of the epochs listed: evenly spaced, the last one among them."""
    total = len(history.loss)
    step = math.ceil(total / EPOCHS_SHOWN)
    listed = range(total - 1, -1, -step)[::-1]
    return [(i + 1, history.loss[i], history.validation_accuracy[i], history.seconds[i]) for i in listed]


def _charts(report: Report, found: Risk) -> dict[str, Markup]:
    history, reliability, coverage = report.history, report.reliability, report.coverage
    drawn = {
        "coverage": charts.coverage_chart(
            found.share, found.wrong, coverage.accepted_share, coverage.accepted_accuracy
        ),
        "reliability": charts.reliability_chart(reliability.confidence, reliability.accuracy, reliability.count),
    }
    if history:
        drawn["loss"] = charts.loss_curve(history.loss)
        drawn["accuracy"] = charts.accuracy_curve(history.validation_accuracy, report.counts.validation)
    return {name: Markup(svg) for name, svg in drawn.items()}  # noqa: S704 (drawn here, from numbers)

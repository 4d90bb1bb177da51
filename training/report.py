"""results of a training ──▶ `report.html`: one self-contained page for a person.

This module says what a report is made of and works out what the page shows of it; the page's text and looks are in
`report.html.jinja`. The same report gives the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from models.manifest import Variant
from training import charts, page
from training.metrics import Reliability, Scores

if TYPE_CHECKING:
    from training.clean.section import Section
    from training.fit import History

TEMPLATE = "report.html.jinja"
TWO_DIGITS_FROM = 1000
"""Test images from which on a second decimal of a percentage means something."""
SKIPPED_SHOWN = 50
AUTOMATION_ERRORS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
PAIRS_SHOWN = 8
MATRIX_CLASSES = 24
"""More classes than this make a matrix that nobody reads; the page then has the classes one a line."""
EPOCHS_SHOWN = 40


@dataclass(frozen=True)
class Counts:
    """How many images each part of the data has."""

    train: int
    validation: int
    test: int


@dataclass(frozen=True)
class Coverage:
    """What the policy does to the test images.

    Attributes:
        min_confidence: answers below it go to a person; None where each class has its own.
        max_distance: so do images farther from those of training; None where nobody looks.
        accepted_share: share of the answers that do not, in [0, 1].
        accepted_accuracy: share of right ones among those, in [0, 1]; NaN where there are none.
        unfamiliar_share: share of the images that are farther, in [0, 1].
        confidence: of each answer, `[T]`.
        hits: which of them are right, `[T]`.
    """

    min_confidence: float | None
    max_distance: float | None
    accepted_share: float
    accepted_accuracy: float
    unfamiliar_share: float
    confidence: NDArray[np.float32]
    hits: NDArray[np.bool_]


@dataclass(frozen=True)
class Mistake:
    """A test image that the served row got wrong.

    Attributes:
        image: uint8 `[H, W, C]` with 1 or 3 channels.
        label: name of the true class.
        predicted: name of the class answered.
        confidence: probability of the class answered, in [0, 1].
    """

    image: NDArray[np.uint8]
    label: str
    predicted: str
    confidence: float


@dataclass(frozen=True)
class HeadChoice:
    """A candidate for the head, and its figures on the validation images by their names."""

    name: str
    figures: Mapping[str, float]
    chosen: bool


@dataclass(frozen=True)
class Report:
    """Everything that the page shows.

    Attributes:
        model: `name@version`.
        head: the head that it is about.
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
        history: of the network's training, one entry an epoch; None where it was not trained.
        steps: seconds that each step of the training took, by name.
        sizes: bytes of each file of the bundle, by name.
        mistakes: the most confident wrong answers.
        head_choices: the candidates for the head.
        judged: how many validation images they were judged on.
        variants: what each precision of the embedder measured, float32 first.
        skipped: files left out of the data, each with the reason.
        findings: what was found wrong with the data, as `clean.section.show` gives it; None where nobody looked.
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
    judged: int = 0
    variants: Sequence[Variant] = ()
    skipped: tuple[str, ...] = ()
    findings: Section | None = None


def render(report: Report) -> bytes:
    """The page, in UTF-8: no script, and nothing is fetched from anywhere.

    Raises:
        KeyError: `served` names no row of `scores`.
    """
    values = {
        "report": report,
        "digits": 2 if report.counts.test >= TWO_DIGITS_FROM else 1,
        "served": report.scores[report.served],
        "created": report.created.astimezone(UTC),
        "rows": _rows(report),
        "decisions": _decisions(report),
        "automation": list(_automation(report.coverage)),
        "recall": _recall(report.confusion),
        "precision": _recall(report.confusion.T),
        "support": report.confusion.sum(axis=1),
        "confused": _confused(report),
        "matrix": len(report.classes) <= MATRIX_CLASSES,
        "bins": list(_bins(report.reliability)),
        "mean_confidence": _mean_confidence(report.reliability),
        "epochs": _epochs(report.history) if report.history else [],
        "charts": _charts(report),
        "settings": list(page.flatten(report.settings)),
        "skipped_shown": SKIPPED_SHOWN,
        "clean": report.findings,
    }
    return page.fill(TEMPLATE, values).encode()


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


class _Decisions(NamedTuple):
    """How many test images the policy accepts, rightly and wrongly, and how many it leaves to a person."""

    right: int
    wrong: int
    review: int


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


def _decisions(report: Report) -> _Decisions:
    accepted = round(report.coverage.accepted_share * report.counts.test)
    right = round(accepted * report.coverage.accepted_accuracy) if accepted else 0
    return _Decisions(right, accepted - right, report.counts.test - accepted)


def _automation(coverage: Coverage) -> Iterator[tuple[float, float, float]]:
    """Error, largest share accepted at no more of it, and the confidence from which on; the most confident first."""
    order = np.argsort(-coverage.confidence, kind="stable")
    wrong = np.cumsum(~coverage.hits[order]) / np.arange(1, len(order) + 1)
    for error in AUTOMATION_ERRORS:
        reached = np.flatnonzero(wrong <= error)
        if len(reached):
            last = int(reached[-1])
            yield error, (last + 1) / len(order), float(coverage.confidence[order[last]])


def _recall(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Diagonal over the sums of the rows, float64 `[K]`; NaN for an empty row."""
    totals = confusion.sum(axis=1)
    shares = np.full(len(totals), np.nan)
    np.divide(np.diag(confusion), totals, out=shares, where=totals > 0)
    return shares


def _confused(report: Report) -> list[tuple[str, str, int]]:
    """The most frequent errors as (true class, predicted class, images), most frequent first."""
    errors = report.confusion - np.diag(np.diag(report.confusion))
    order = np.argsort(-errors, axis=None, kind="stable")[:PAIRS_SHOWN]
    pairs = [(*divmod(int(position), len(report.classes)), int(errors.flat[position])) for position in order]
    return [(report.classes[true], report.classes[predicted], count) for true, predicted, count in pairs if count]


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


def _charts(report: Report) -> dict[str, Markup]:
    history, reliability = report.history, report.reliability
    coverage = report.coverage
    risk = charts.coverage_chart(
        coverage.confidence, coverage.hits, coverage.accepted_share, coverage.accepted_accuracy
    )
    drawn = {
        "coverage": risk,
        "reliability": charts.reliability_chart(reliability.confidence, reliability.accuracy, reliability.count),
    }
    if history:
        drawn["loss"] = charts.loss_curve(history.loss)
        drawn["accuracy"] = charts.accuracy_curve(history.validation_accuracy, report.counts.validation)
    return {name: Markup(svg) for name, svg in drawn.items()}  # noqa: S704 (drawn here, from numbers)

"""`Results` ──▶ the page of the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from models.bundle.manifest import Manifest
from training.clean.findings.findings_page import show
from training.data.images import Gone
from training.policy.outlier_detection import OutlierLimit
from training.reports import charts, class_report, evaluation_metrics, number_report
from training.reports.coverage import Coverage
from training.stages.evaluation import Evaluation
from training.stages.results import Results
from training.stages.training_notes import on_selection

MISTAKES_SHOWN = 24


def report_page(results: Results, manifest: Manifest, files: Mapping[str, bytes]) -> bytes:
    """Renders the report on a head; `files` are the bundle's, whose sizes it lists."""
    if not results.dataset.classes:
        return number_report.render(_estimate_report(results, manifest, files))
    whole, evaluation, held_out = results.evaluation, results.evaluation.without_copies(), results.head.held_out
    served = evaluation.answers
    shown = class_report.Report(
        **_common(results, manifest, files),
        classes=results.dataset.classes,
        scores=evaluation.scores(),
        confusion=evaluation_metrics.confusion(served, evaluation.labels),
        reliability=evaluation_metrics.reliability(served, evaluation.labels),
        coverage=_coverage(results, evaluation),
        history=results.history,
        mistakes=_mistakes(results, evaluation),
        variants=results.variants.specs,
        promise=held_out.promise if held_out else None,
        accuracy_with_copies=evaluation_metrics.score(whole.answers, whole.labels).accuracy,
    )
    return class_report.render(shown)


def _common(results: Results, manifest: Manifest, files: Mapping[str, bytes]) -> dict[str, Any]:
    """What the reports on classes and on numbers have in common."""
    parts, held_out, evaluation = results.parts, results.head.held_out, results.evaluation.without_copies()
    return {
        "model": manifest.model,
        "created": manifest.created,
        "hardware": results.hardware,
        "head": results.head.spec.name,
        "settings": results.settings,
        "counts": _counts(results),
        "served": results.evaluation.served,
        "steps": results.seconds,
        "sizes": {name: len(data) for name, data in files.items()},
        "head_choices": [
            class_report.HeadChoice(each.name, each.figures, each is results.candidates[0])
            for each in results.candidates
        ],
        "validation": _validation(results),
        "criterion": f"{_rule(results)} {results.criterion}." if results.candidates else "",
        "on_choice": (
            *results.learnt,
            *on_selection(results.candidates, results.ablations, len(results.data.held_out)),
        ),
        "copied": len(parts.copied),
        "outliers": _outliers(held_out.limit, evaluation) if held_out and held_out.limit else "",
        "skipped": results.dataset.skipped,
        "findings": show(results.dataset, results.findings) if results.findings is not None else None,
    }


def _counts(results: Results) -> class_report.Counts:
    """Image counts. Without a trained network there are no validation images: all but the test images fit heads."""
    parts, is_fitted = results.parts, results.history is not None
    train, validation = (parts.train, parts.validation) if is_fitted else (parts.known, parts.known[:0])
    return class_report.Counts(len(train), len(validation), len(parts.test) - len(parts.copied))


def _validation(results: Results) -> str:
    """Number of held-out images, and why not more; empty if the head was there before."""
    data = results.data
    if not results.candidates:
        return ""
    fewer = f" Not on more: {data.why_fewer}." if data.why_fewer else ""
    return f"Head and policy were validated on out-of-fold answers of {len(data.held_out):,} images.{fewer}"


def _rule(results: Results) -> str:
    losses = [each.loss for each in results.candidates if each.is_choice]
    is_best = not results.candidates[0].loss > min(losses)
    return "The best has the least" if is_best else "The cheapest serves of those that are as good as the best by"


def _outliers(limit: OutlierLimit, evaluation: Evaluation) -> str:
    """Share of ordinary images beyond the limit: the target, and the share on the test images."""
    share, count = evaluation.outliers.mean(), len(evaluation.outliers)
    low, high = charts.wilson_interval(np.array(share), np.array(count))
    share_on_test = f"{100 * share:.1f} % (95 % interval {100 * low:.1f} to {100 * high:.1f} %)"
    return f"{limit.sentence}; on the test images it is {share_on_test}."


def _estimate_report(results: Results, manifest: Manifest, files: Mapping[str, bytes]) -> number_report.EstimateReport:
    evaluation = results.evaluation.without_copies()
    values = evaluation.answers[:, 0].astype(np.float64)
    off = np.abs(values - evaluation.labels)
    worst = np.argsort(-off)[: _shown(results)]
    positions = evaluation.positions[worst]
    images, aspects = results.dataset.images[positions], results.dataset.aspects_at(positions)
    return number_report.EstimateReport(
        **_common(results, manifest, files),
        errors=evaluation.errors(),
        values=values,
        truths=evaluation.labels.astype(np.float64),
        intervals=evaluation.intervals,
        accepted_share=float(evaluation.accepted.mean()),
        misses=[
            number_report.Miss(image, float(evaluation.labels[i]), float(values[i]), aspect)
            for image, aspect, i in zip(images, aspects, worst, strict=True)
        ],
    )


def _coverage(results: Results, evaluation: Evaluation) -> Coverage:
    policy = results.head.spec.policy
    accepted, hits = evaluation.accepted, evaluation.answers.argmax(1) == evaluation.labels
    return Coverage(
        min_confidence=None if policy.min_confidence_of else policy.min_confidence,
        max_distance=policy.max_distance,
        accepted_share=float(accepted.mean()),
        accepted_accuracy=float(hits[accepted].mean()) if accepted.any() else float("nan"),
        unfamiliar_share=float(evaluation.outliers.mean()),
        confidence=evaluation.answers.max(1),
        hits=hits,
        eligible=evaluation.eligible,
        accepted_confusion=evaluation_metrics.confusion(evaluation.answers[accepted], evaluation.labels[accepted]),
    )


def _shown(results: Results) -> int:
    """How many mistakes the page shows; none if the images are gone."""
    return 0 if isinstance(results.dataset.images, Gone) else MISTAKES_SHOWN


def _mistakes(results: Results, evaluation: Evaluation) -> list[class_report.Mistake]:
    """The wrong answers on test images with the highest confidence."""
    labels, classes = evaluation.labels, results.dataset.classes
    predicted, confidence = evaluation.answers.argmax(1), evaluation.answers.max(1)
    wrong = np.flatnonzero(predicted != labels)
    worst = wrong[np.argsort(-confidence[wrong])][: _shown(results)]
    images, positions = results.dataset.images, evaluation.positions[worst]
    aspects = results.dataset.aspects_at(positions)
    return [
        class_report.Mistake(image, classes[labels[i]], classes[predicted[i]], float(confidence[i]), aspect)
        for image, aspect, i in zip(images[positions], aspects, worst, strict=True)
    ]

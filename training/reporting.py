"""what a training found ──▶ the report's page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from models.manifest import Manifest
from training import estimate_report, metrics, report
from training.clean.section import show
from training.heads import Candidate
from training.results import Evaluation, Results

MISTAKES_SHOWN = 24


def report_page(results: Results, manifest: Manifest, files: Mapping[str, bytes]) -> bytes:
    """The report on a head of a bundle of these files."""
    if not results.dataset.classes:
        return estimate_report.render(_estimate_report(results, manifest, files))
    evaluation = results.evaluation.without_copies()
    served = evaluation.answers
    shown = report.Report(
        **_common(results, manifest, files),
        classes=results.dataset.classes,
        scores=evaluation.scores(),
        confusion=metrics.confusion(served, evaluation.labels),
        reliability=metrics.reliability(served, evaluation.labels),
        coverage=_coverage(results, evaluation),
        history=results.history,
        mistakes=_mistakes(results, evaluation),
        variants=results.variants.specs,
    )
    return report.render(shown)


def _common(results: Results, manifest: Manifest, files: Mapping[str, bytes]) -> dict[str, Any]:
    """What the reports on classes and on numbers both tell."""
    parts = results.parts
    return {
        "model": manifest.model,
        "created": manifest.created,
        "hardware": results.hardware,
        "head": results.head.spec.name,
        "settings": results.settings,
        "counts": report.Counts(len(parts.train), len(parts.validation), len(parts.test) - len(parts.copied)),
        "served": results.evaluation.served,
        "steps": results.seconds,
        "sizes": {name: len(data) for name, data in files.items()},
        "head_choices": [
            report.HeadChoice(choice.name, _judged_figures(choice), choice is results.choices[0])
            for choice in results.choices
        ],
        "judged": len(results.material.judged),
        "skipped": results.dataset.skipped,
        "findings": show(results.dataset, results.findings) if results.findings is not None else None,
    }


def _judged_figures(choice: Candidate) -> dict[str, float]:
    if isinstance(choice.scores, metrics.Scores):
        return {"log loss": choice.scores.log_loss, "accuracy": choice.scores.accuracy}
    return {"RMSE": choice.scores.rmse, "MAE": choice.scores.mae}


def _estimate_report(
    results: Results, manifest: Manifest, files: Mapping[str, bytes]
) -> estimate_report.EstimateReport:
    evaluation = results.evaluation.without_copies()
    values = evaluation.answers[:, 0].astype(np.float64)
    off = np.abs(values - evaluation.labels)
    worst = np.argsort(-off)[:MISTAKES_SHOWN]
    images = results.dataset.images[evaluation.positions[worst]]
    return estimate_report.EstimateReport(
        **_common(results, manifest, files),
        errors=evaluation.errors(),
        values=values,
        truths=evaluation.labels.astype(np.float64),
        intervals=evaluation.intervals,
        accepted_share=float(evaluation.accepted.mean()),
        misses=[
            estimate_report.Miss(image, float(evaluation.labels[i]), float(values[i]))
            for image, i in zip(images, worst, strict=True)
        ],
    )


def _coverage(results: Results, evaluation: Evaluation) -> report.Coverage:
    policy = results.head.spec.policy
    accepted, hits = evaluation.accepted, evaluation.answers.argmax(1) == evaluation.labels
    return report.Coverage(
        min_confidence=None if policy.min_confidence_of else policy.min_confidence,
        max_distance=policy.max_distance,
        accepted_share=float(accepted.mean()),
        accepted_accuracy=float(hits[accepted].mean()) if accepted.any() else float("nan"),
        unfamiliar_share=float(evaluation.unfamiliar.mean()),
        confidence=evaluation.answers.max(1),
        hits=hits,
    )


def _mistakes(results: Results, evaluation: Evaluation) -> list[report.Mistake]:
    """The wrong test answers of highest confidence."""
    labels, classes = evaluation.labels, results.dataset.classes
    predicted, confidence = evaluation.answers.argmax(1), evaluation.answers.max(1)
    wrong = np.flatnonzero(predicted != labels)
    worst = wrong[np.argsort(-confidence[wrong])][:MISTAKES_SHOWN]
    images = results.dataset.images[evaluation.positions[worst]]
    return [
        report.Mistake(image, classes[labels[i]], classes[predicted[i]], float(confidence[i]))
        for image, i in zip(images, worst, strict=True)
    ]

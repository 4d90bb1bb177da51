"""`Dataset`, samples and minutes ──▶ `Comparison`: measured rows, what they were measured on, the conclusion."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from training.compare.budget import Budget
from training.compare.compared_models import ComparedModel, compared_models
from training.compare.comparison_run import ComparisonRun, Findings
from training.compare.model_measures import ModelMeasures
from training.compare.network_trainer import Trainer
from training.compare.report.comparison_rows import Comparison, Decision, LeftOut
from training.compare.report.conclusion import conclude, interrupted
from training.compare.report.hardware import hardware, versions
from training.compare.report.nested_samples import Sample
from training.compare.report.recommendation import CONFIDENCE
from training.compare.time_limit import Worker
from training.data.dataset import Dataset
from training.data.split import Split


def compare(
    dataset: Dataset,
    samples: Sequence[Sample],
    left_out: Sequence[LeftOut],
    *,
    budget: Budget,
    margin: float,
    trainer: Trainer,
    command: str,
) -> Comparison:
    """Compares all models; Ctrl-C ends the comparison with what there is.

    Args:
        dataset: images in memory.
        samples: as `training.compare.report.nested_samples.draw` gives them.
        left_out: sizes that the data set is too small for.
        budget: for all of it.
        margin: points by which the recommended model may be worse than the best.
        trainer: fits the networks; its seed is that of all models.
        command: that makes the same comparison again.
    """
    models = compared_models(has_columns=bool(dataset.columns))
    found = _run(dataset, samples, models, budget, margin=margin, trainer=trainer)
    parts = samples[0].parts
    decision, verdict = _conclusion(dataset, found, len(parts.test), margin, expected=len(samples) * len(models))
    return Comparison(
        **_facts(dataset, parts),
        rows=tuple(found.rows),
        left_out=(*left_out, *found.left_out),
        networks=tuple(found.networks),
        margin=margin,
        decision=decision,
        verdict=verdict,
        interrupted=found.interrupted,
        command=command,
        seed=trainer.seed,
        budget_minutes=budget.seconds / 60,
        seconds=budget.spent(),
    )


def _run(
    dataset: Dataset,
    samples: Sequence[Sample],
    models: Sequence[ComparedModel],
    budget: Budget,
    *,
    margin: float,
    trainer: Trainer,
) -> Findings:
    with Worker() as worker:
        measures = ModelMeasures(dataset, trainer.seed, worker, trainer)
        return ComparisonRun(measures, samples, models, budget, margin).run()


def _facts(dataset: Dataset, parts: Split) -> dict[str, Any]:
    """What the models were compared on: the data, the machine, and when."""
    return {
        "data": dataset.name,
        "classes": dataset.classes,
        "columns": tuple(column.name for column in dataset.columns),
        "test_images": len(parts.test),
        "copied": len(parts.copied),
        "skipped": dataset.skipped,
        "confidence": CONFIDENCE,
        "created": datetime.now(UTC).replace(microsecond=0),
        "hardware": hardware(),
        "versions": versions(),
    }


def _conclusion(
    dataset: Dataset, found: Findings, test_images: int, margin: float, *, expected: int
) -> tuple[Decision | None, tuple[str, ...]]:
    """What the rows show, of which `expected` were to be measured."""
    if found.interrupted:
        return None, interrupted(found.rows, expected)
    return conclude(dataset.name, found.rows, test_images, margin)

"""`Dataset`, samples and minutes ──▶ `Comparison`: the contest, what it was held on, and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from training.compare.budget import Budget
from training.compare.contenders import contenders
from training.compare.contest import Contest
from training.compare.contest_bench import Bench
from training.compare.report.comparison_rows import Comparison, LeftOut
from training.compare.report.hardware import hardware, versions
from training.compare.report.nested_samples import Sample
from training.compare.report.policy_outcome import CONFIDENCE
from training.compare.report.verdict import interrupted, judge
from training.compare.time_limit import Worker
from training.data.dataset import Dataset


def compare(
    dataset: Dataset,
    samples: Sequence[Sample],
    left_out: Sequence[LeftOut],
    *,
    seed: int,
    budget: Budget,
    margin: float,
    command: str,
) -> Comparison:
    """Holds the contest; Ctrl-C ends it with what there is.

    Args:
        dataset: images in memory.
        samples: as `training.compare.report.nested_samples.draw` gives them.
        left_out: sizes that cannot be had.
        seed: of models.
        budget: for all of it.
        margin: points by which what is recommended may be worse than the best.
        command: that makes the same again.
    """
    entered = contenders(has_columns=bool(dataset.columns))
    with Worker() as worker:
        found = Contest(Bench(dataset, seed, worker), samples, entered, budget, margin).hold()
    test_images = len(samples[0].parts.test)
    if found.interrupted:
        decision, verdict = None, interrupted(found.rows, len(samples) * len(entered))
    else:
        decision, verdict = judge(dataset.name, found.rows, test_images, margin)
    return Comparison(
        data=dataset.name,
        classes=dataset.classes,
        columns=tuple(column.name for column in dataset.columns),
        test_images=test_images,
        copied=len(samples[0].parts.copied),
        rows=tuple(found.rows),
        left_out=(*left_out, *found.left_out),
        networks=tuple(found.networks),
        margin=margin,
        confidence=CONFIDENCE,
        decision=decision,
        verdict=verdict,
        interrupted=found.interrupted,
        command=command,
        seed=seed,
        budget_minutes=budget.seconds / 60,
        seconds=budget.spent(),
        created=datetime.now(UTC).replace(microsecond=0),
        hardware=hardware(),
        versions=versions(),
        skipped=dataset.skipped,
    )

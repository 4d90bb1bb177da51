"""bundle and answers ──▶ its next version, whose head has learnt from them, as shadow; no network runs.

The old rows of the head, which the bundle keeps, and the answered decisions are fitted together as the head was fitted
before. The replay gate then compares it with the champion on rows that neither was fitted on.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feedback.reviews.answered import AnsweredDecision
from models.bundle.head_spec import HeadSpec
from models.bundle.kept_rows import KeptRows
from models.bundle.loading import Bundle
from models.bundle.manifest import Variant
from models.bundle.store import Store
from models.promotion.evidence import GATE
from training.arrays import Floats
from training.exceptions import DataError
from training.export.exported_head import ExportedHead
from training.progress import Stopwatch, stage
from training.quantization.precision_trial import Variants
from training.relearn.answered_rows import LearningRows, learning_rows
from training.relearn.head_again import fitting_again, kept_rows, networks_of, plan_again, takes_weights
from training.relearn.judged_rows import rows_to_judge
from training.relearn.judgement import Judgement, judge
from training.relearn.learning_data import learning_data
from training.relearn.old_weight import OldWeight, choose_old_weight
from training.relearn.renewed_examples import FROM_ANSWERS, Thumbnails, renewed_examples
from training.stages.evaluation import evaluate, evaluate_out_of_fold
from training.stages.head_plan import KEEP_ROWS_MIB, HeadPlan
from training.stages.model_selection import Selection, select_head
from training.stages.results import Results
from training.stages.row_keeping import rows_file
from training.stages.training_data import TrainingData
from training.workflows.next_version import write_with_head
from training.workflows.row_version import head_named

LEARNT = "relearnt"
"""Entry of a head's training in the manifest: what it has learnt from."""


@dataclass(frozen=True)
class RelearnPlan:
    """What a head learns, and where to write it.

    Attributes:
        head: its name; None for the bundle's default head.
        store: directory of the store.
        margin: of accuracy that must not be lost, or, of numbers, a share of the mean error; None for the default.
        keep_rows_mib: limit of the rows that the next version keeps.
        share: of the traffic that the next version decides on in shadow.
        thumbnails: of the answers' images, for explanations.
    """

    head: str | None
    store: Path
    margin: float | None = None
    keep_rows_mib: float = KEEP_ROWS_MIB
    share: float = 1.0
    thumbnails: Thumbnails = field(default=lambda _: None)


@dataclass(frozen=True)
class Relearnt:
    """The next version.

    Attributes:
        path: its directory.
        judgement: whether it may go on.
        is_shadow: whether it is the shadow now.
    """

    path: Path
    judgement: Judgement
    is_shadow: bool


def relearn(bundle: Bundle, decisions: Sequence[AnsweredDecision], plan: RelearnPlan) -> Relearnt:
    """Fits a head of a bundle again, to its old rows and the answers, and writes the next version with it.

    A version that passes the replay gate becomes the shadow of its store entry, unless it is its first champion. One
    that does not is written all the same, since its report says why, and is nobody's shadow.

    Args:
        bundle: the champion's.
        decisions: answered ones of the head, in the order of their answers.
        plan: the rest.

    Raises:
        DataError: the bundle keeps no rows of the head, or there are too few answers, or none that the champion has not
            learnt from before.
        ExportError: an exported graph does not compute what the fitted model computes.
        OSError: the store cannot be written to.
    """
    results, judgement = _learn(bundle, decisions, plan)
    with stage("write the bundle"):
        path = write_with_head(bundle, results, plan.store)
    store, name, version = Store(plan.store), bundle.manifest.name, int(path.name)
    if is_shadow := judgement.passed and store.champion(name) != version:
        store.set_shadow(name, version, plan.share)
    return Relearnt(path, judgement, is_shadow)


def _learn(bundle: Bundle, decisions: Sequence[AnsweredDecision], plan: RelearnPlan) -> tuple[Results, Judgement]:
    """Fits the head again, and judges it."""
    spec, watch = head_named(bundle, plan.head), Stopwatch()
    entry = bundle.manifest.training_of(spec.name)
    head_plan, kept = plan_again(spec, entry), kept_rows(bundle, spec)
    is_log = head_plan.target_transform == "log"
    learning = learning_rows(kept, decisions, spec, networks_of(bundle), is_log=is_log)
    is_new = _is_new(bundle, spec, learning, entry)
    with watch.step("weigh old rows"):
        old = _weigh(bundle, spec, learning, head_plan)
    examples, shown = renewed_examples(bundle, spec, old.rows, before=entry.get(LEARNT, {}), thumbnails=plan.thumbnails)
    with watch.step("fit the heads"):
        selection = select_head(old.data, head_plan, examples)
    with watch.step("judge"):
        rows = rows_to_judge(ExportedHead.from_bundle(bundle, spec), selection.head, old, learning, is_new)
        target = head_plan.targets.target_precision if head_plan.targets.costs is None else None
        judgement = judge(rows, selection.head.spec, spec.policy, margin=plan.margin, target=target)
    settings = {
        "seed": head_plan.seed,
        **head_plan.as_settings(),
        **selection.as_settings(),
        GATE: judgement.as_settings(bundle.manifest.model),
        LEARNT: {**_learnt(learning, is_new, old), FROM_ANSWERS: shown},
    }
    file = rows_file(learning.rows, int(plan.keep_rows_mib * 1024 * 1024), head_plan.seed)
    results = _results(bundle, _with_rows(selection, file), old, settings, watch)
    return replace(results, learnt=(*judgement.sentences, old.sentence, *learning.notes)), judgement


def _weigh(bundle: Bundle, spec: HeadSpec, learning: LearningRows, plan: HeadPlan) -> OldWeight:
    def make(rows: KeptRows, weights: Floats | None) -> TrainingData:
        return learning_data(rows, bundle, spec, weights=weights, seed=plan.seed)

    return choose_old_weight(learning.rows, make, spec, fitting_again(spec, plan), takes_weights=takes_weights(spec))


def _with_rows(selection: Selection, file: bytes | None) -> Selection:
    """The selection with a file of rows among those of its head."""
    head = selection.head
    files = head.files if file is None else {**head.files, head.spec.rows_file: file}
    return replace(selection, head=replace(head, files=files))


def _is_new(bundle: Bundle, spec: HeadSpec, learning: LearningRows, entry: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Which answers the champion has not learnt from, bool `[A]`.

    Raises:
        DataError: none.
    """
    known = kept_rows(bundle, spec).answer
    until = entry.get(LEARNT, {}).get("until")
    since = datetime.fromisoformat(until) if until else datetime.min.replace(tzinfo=UTC)
    is_late = np.array([each > since for each in learning.answered])
    is_new = is_late & ~np.isin(learning.rows.answer[learning.answers], known)
    if not is_new.any():
        raise DataError(f"head {spec.name!r} of {bundle.manifest.model} has learnt from all answers that there are")
    return is_new


def _learnt(learning: LearningRows, is_new: NDArray[np.bool_], old: OldWeight) -> dict[str, object]:
    """What was learnt from, as the manifest has it."""
    return {
        "answers": len(learning.answers),
        "new answers": int(is_new.sum()),
        "until": max(learning.answered).astimezone(UTC).isoformat(),
        "weight of old rows": old.weight,
    }


def _results(
    bundle: Bundle, selection: Selection, old: OldWeight, settings: Mapping[str, Any], watch: Stopwatch
) -> Results:
    data, head = old.data, selection.head
    with watch.step("evaluate"):
        evaluation = evaluate(head, data, {}) if len(data.parts.test) else evaluate_out_of_fold(head, data)
    return Results(
        data=data,
        head=head,
        evaluation=evaluation,
        variants=Variants(tuple(_unmeasured(each) for each in bundle.manifest.variants), {}),
        settings=settings,
        seconds=watch.seconds,
        hardware=f"{os.cpu_count()} CPU cores",
        selection=selection,
    )


def _unmeasured(variant: Variant) -> Variant:
    """A precision without the old head's figures; the new head's would take images."""
    kept = {name: value for name, value in variant.metrics.items() if name in ("ms_per_image", "size_bytes")}
    return variant.model_copy(update={"metrics": kept})

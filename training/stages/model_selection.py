"""labelled embeddings ──▶ candidates, cross-validated ──▶ the best one, finished."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from models.bundle.examples import Examples
from training.export.example_selection import choose_examples, make_examples
from training.export.exported_head import ExportedHead
from training.heads.head_fit import Fitting
from training.heads.registry import AUTO, BEST, kinds_for
from training.heads.selection.candidates import Candidate
from training.heads.selection.head_choice import cheapest_as_good
from training.heads.selection.search import Search
from training.heads.sources import Source
from training.policy.target_transform import better_transform, transforms
from training.stages.finishing import finish
from training.stages.head_plan import HeadPlan
from training.stages.row_keeping import rows_file, rows_of
from training.stages.training_data import TrainingData

Named = tuple[str, Candidate]
"""The name of a source, and a candidate that was fitted on it."""


@dataclass(frozen=True)
class Selection:
    """The best head, and the candidates that it was selected from.

    Attributes:
        head: the best one, fitted on all rows and exported.
        candidates: all of them, the best one first.
        source: of the best one.
        fitting: settings that the candidates share.
    """

    head: ExportedHead
    candidates: list[Candidate]
    source: Source
    fitting: Fitting

    def as_settings(self) -> dict[str, object]:
        """What was selected, as the manifest has it."""
        transform = {"target transform": "log"} if self.fitting.is_log else {}
        return {"head": self.candidates[0].name, **transform}


def select_head(data: TrainingData, plan: HeadPlan, examples: Examples | None = None) -> Selection:
    """Cross-validates all candidates and finishes the best one.

    Args:
        data: what heads are fitted on and validated with.
        plan: which head.
        examples: that explain the head; None for a choice of training images, if the plan wants some.

    Raises:
        DataError: the kind is not installed or is for another task; a policy target names an unknown class.
        ExportError: an exported graph does not compute what the fitted model computes.
    """
    fitting, candidates = _candidates(data, plan)
    name, best = _best(candidates, plan)
    source = data.sources[name]
    examples = examples or _examples(data, plan)
    head = finish(best, data.dataset, source, examples, name=plan.name, targets=plan.targets, seed=plan.seed)
    rows = rows_file(rows_of(data), plan.keep_rows_bytes, plan.seed) if plan.keep_rows_mib else None
    if rows is not None:
        head = replace(head, files={**head.files, head.spec.rows_file: rows})
    others = sorted((candidate for _, candidate in candidates if candidate is not best), key=lambda each: each.loss)
    return Selection(head, [best, *others], source, fitting)


def _candidates(data: TrainingData, plan: HeadPlan) -> tuple[Fitting, list[Named]]:
    """Cross-validates candidates; for numbers with both target transforms, unless one was asked for."""
    dataset = data.dataset
    fitting = Fitting(len(dataset.classes), dataset.columns, plan.seed, is_balanced=plan.balance == "weights")
    if dataset.classes:
        return fitting, _search(data, plan, fitting)
    options = transforms(dataset.labels[data.parts.known], plan.target_transform)
    fittings = [replace(fitting, is_log=transform == "log") for transform in options]
    tried = [_search(data, plan, each) for each in fittings]
    chosen = 0
    if len(tried) > 1:
        plain, logged = (_best(candidates, plan)[1].answers[:, 0] for candidates in tried)
        chosen = int(better_transform(dataset.labels[data.held_out], plain, logged) == "log")
    return fittings[chosen], tried[chosen]


def _search(data: TrainingData, plan: HeadPlan, fitting: Fitting) -> list[Named]:
    """Searches the default kinds on all sources, and further ones on the best source alone."""
    kinds = kinds_for(plan.kind, data.dataset)
    if plan.kind == BEST and fitting.is_balanced:
        kinds = [kind for kind in kinds if kind.takes_weights]
    first = [kind for kind in kinds_for(AUTO, data.dataset) if kind in kinds] if plan.kind == BEST else kinds
    searches = {}
    for name, source in data.sources.items():
        details = ["of logarithms"] if fitting.is_log else []
        details += [f"fitted on {name}"] if len(data.sources) > 1 else []
        searches[name] = Search(source, fitting, ", ".join(details))
        searches[name].choose(first)
    best = min(searches.values(), key=lambda search: search.candidates[0].loss)
    if plan.kind == BEST:
        best.choose([kind for kind in kinds if kind not in first])
        best.blend()
    return [(name, each) for name, search in searches.items() for each in search.candidates]


def _best(candidates: list[Named], plan: HeadPlan) -> Named:
    """The choice with the least loss; of all kinds the cheapest that is as good."""
    choices = [each for each in candidates if each[1].is_choice]
    if plan.kind != BEST:
        return min(choices, key=lambda each: each[1].loss)
    best = cheapest_as_good([candidate for _, candidate in choices])
    return next(each for each in choices if each[1] is best)


def _examples(data: TrainingData, plan: HeadPlan) -> Examples | None:
    """Training images that explain the head's answers."""
    if not plan.examples:
        return None
    labels, known = data.dataset.labels, data.parts.known
    chosen = choose_examples(labels, known, plan.examples, is_number=not data.dataset.classes, seed=plan.seed)
    thumbnails = data.thumbnails(chosen) if plan.thumbnails else None
    baseline = np.asarray(data.embedding[known].mean(0), np.float32)
    return make_examples(data.embedding[chosen], labels[chosen], baseline, thumbnails)

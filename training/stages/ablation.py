"""The selected head ──▶ heads on the image alone and on the columns alone: what each adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from models.columns import Column
from models.runtime.sessions import Probabilities
from training.heads.head_fit import Fitting
from training.heads.registry import REGISTRY
from training.heads.selection.boosting import separate_parts
from training.heads.selection.candidates import Candidate
from training.heads.selection.repeated import repeat
from training.heads.selection.search import fit_heads
from training.heads.sources import Source
from training.stages.model_selection import Selection
from training.stages.training_data import TrainingData

Part = Literal["image", "columns"]


@dataclass(frozen=True)
class Ablation:
    """The head on one part of its inputs.

    Attributes:
        part: which one.
        candidate: the head on it, validated on the same rows as the whole head.
        answers: calibrated, on the test images, float32 `[T, K]` or `[T, 1]`.
    """

    part: Part
    candidate: Candidate
    answers: Probabilities

    @property
    def title(self) -> str:
        """Name of its row in the report."""
        return f"{self.candidate.kind.title} on the {self.part} alone"


def ablate(data: TrainingData, selection: Selection) -> list[Ablation]:
    """The selected head on the image alone and on the columns alone; none if there are no columns.

    Setting and number of trees are the head's, as a search for each part would take as long as that for the head. A
    kind that ignores the embedding is its own columns part; its image part is trees on a linear margin.
    """
    dataset, test = data.dataset, data.test
    if not dataset.columns:
        return []
    parts: list[tuple[Part, Sequence[Column], int | None]] = [("image", (), None)]
    if not selection.candidates[0].kind.needs_columns:
        parts.append(("columns", dataset.columns, 0))
    ablations = []
    for part, columns, width in parts:
        source = selection.source.narrowed(width, with_columns=bool(columns))
        candidate = _refitted(selection, source, replace(selection.fitting, columns=columns))
        answers = candidate.finished(source)(test.embedding[:, :width], test.rows)
        ablations.append(Ablation(part, candidate, answers))
    return ablations


def _refitted(selection: Selection, source: Source, fitting: Fitting) -> Candidate:
    """The selected head on another source; trees on a linear margin in place of a kind that ignores the embedding."""
    best = selection.candidates[0]
    if not best.kind.needs_columns:
        return repeat(best, source, fitting)
    kind = REGISTRY["boosted_linear"]
    like = next((each for each in selection.candidates if each.is_choice and each.kind is kind), None)
    return fit_heads([kind], source, fitting)[0] if like is None else repeat(like, source, fitting)


def baseline_answers(
    data: TrainingData, selection: Selection, ablations: Sequence[Ablation]
) -> dict[str, Probabilities]:
    """Answers on the test images, `[T, K]` or `[T, 1]`, of the head's components and of the ablations, by row name."""
    test = data.test
    components = separate_parts(selection.candidates[0], selection.source) if len(test) else {}
    answers = {name: component(test.embedding, test.rows) for name, component in components.items()}
    return {**answers, **{each.title: each.answers for each in ablations}}

"""heads on a frozen network and on the tuned one ──▶ which of them serves, by a paired test of out-of-fold answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import ttest_1samp

from training.heads.selection.candidates import Candidate
from training.reports.evaluation_metrics import row_losses
from training.reports.html_page import figures
from training.stages.model_selection import Selection
from training.stages.training_data import TrainingData

LEVEL = 0.05
"""The tuned network is better if a gain as large would be seen less often than this between equal ones."""


@dataclass(frozen=True)
class TuningTrial:
    """Both networks on the images that the tuned one has not seen.

    Attributes:
        criterion: name of the loss.
        frozen: the loss on the frozen network.
        tuned: on the tuned one.
        images: how many.
        p_value: of the paired t-test of the units' losses, one-sided: of a gain as large between equal ones.
    """

    criterion: str
    frozen: float
    tuned: float
    images: int
    p_value: float

    @property
    def is_better(self) -> bool:
        """Whether the tuned network is shown to be better."""
        return self.p_value < LEVEL

    @property
    def sentence(self) -> str:
        """What was found."""
        verdict = "is better" if self.is_better else "is not shown to be better"
        return (
            f"the tuned network {verdict} than the frozen one: out-of-fold {self.criterion} {figures(self.tuned)} and "
            f"{figures(self.frozen)} on {self.images:,} images that neither was fitted on (p = {self.p_value:.2g})"
        )


def try_tuned(
    frozen: tuple[TrainingData, Selection], tuned: tuple[TrainingData, Selection], *, is_balanced: bool
) -> TuningTrial:
    """Compares the selected heads on the images that the tuned network has not seen.

    The head on the frozen network was fitted on more images, as it would be if it served.
    """
    (data, selection), (others, other) = frozen, tuned
    rows = np.searchsorted(data.held_out, others.held_out)
    labels = others.dataset.labels[others.held_out]

    def losses(candidate: Candidate, at: np.ndarray) -> np.ndarray:
        return row_losses(candidate.answers[at], labels, is_balanced=is_balanced)

    of_frozen = losses(selection.candidates[0], rows)
    of_tuned = losses(other.candidates[0], np.arange(len(labels)))
    gains = other.source.by_unit(of_frozen - of_tuned)
    p_value = float(ttest_1samp(gains, 0.0, alternative="greater").pvalue) if len(gains) > 1 else 1.0
    return TuningTrial(
        "log loss" if data.dataset.classes else "mean square error",
        float(of_frozen.mean()),
        float(of_tuned.mean()),
        len(labels),
        1.0 if np.isnan(p_value) else p_value,
    )

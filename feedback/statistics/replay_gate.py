"""champion's and candidate's answers on the same rows ──▶ `GateVerdict`: whether the candidate may go on, and why.

It passes if it is shown to lose less than a margin, is not shown worse in a class, and its accepted answers are not
shown to be wrong more often than the target allows. Only the first claim must be shown; so a candidate that is better
fails in a few of 100 cases, however many classes there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feedback.statistics.beta_distribution import rate_bounds
from feedback.statistics.paired_test import paired_p_value

Flags = NDArray[np.bool_]

MARGIN = 0.003
"""Of accuracy: 0.3 points, of 2,000 rows six."""
LEVEL = 0.05
"""Probability that a candidate that loses the margin passes, and that any class is falsely called worse."""


@dataclass(frozen=True)
class PairedCounts:
    """Two models on the same rows.

    Attributes:
        rows: all of them.
        both: rows where both are right.
        lost: rows where only the champion is right.
        won: rows where only the candidate is right.
    """

    rows: int
    both: int
    lost: int
    won: int

    @classmethod
    def of(cls, champion_right: Flags, candidate_right: Flags) -> PairedCounts:
        """Counts bool `[N]` of each."""
        both = int((champion_right & candidate_right).sum())
        return cls(len(champion_right), both, int(champion_right.sum()) - both, int(candidate_right.sum()) - both)

    @property
    def sentence(self) -> str:
        """The counts in words."""
        return (
            f"right on {self.both + self.won:,} of {self.rows:,} rows where the champion is on "
            f"{self.both + self.lost:,}; {self.won:,} won, {self.lost:,} lost"
        )


@dataclass(frozen=True)
class AcceptedError:
    """Errors among what the candidate accepts.

    Attributes:
        accepted: number of accepted rows.
        wrong: number of them that are wrong.
        limit: of the error: 1 - target.
        lower: exact bound of the error, with error `LEVEL`.
        upper: likewise.
    """

    accepted: int
    wrong: int
    limit: float
    lower: float
    upper: float

    @property
    def kept(self) -> bool:
        """Whether the error is shown to be within the limit."""
        return self.upper <= self.limit

    @property
    def broken(self) -> bool:
        """Whether the error is shown to be above the limit; few rows show neither."""
        return self.lower > self.limit

    @property
    def sentence(self) -> str:
        """The counts in words."""
        verdict = "kept" if self.kept else "broken" if self.broken else "neither shown kept nor broken"
        return (
            f"{self.wrong:,} of {self.accepted:,} accepted rows are wrong, at most {_points(self.upper)} % at "
            f"{100 * (1 - LEVEL):g} % confidence where {_points(self.limit)} % are allowed: {verdict}"
        )


@dataclass(frozen=True)
class GateVerdict:
    """Whether the candidate passes.

    Attributes:
        passed: whether it does.
        reasons: why not; empty if it passes.
        sentence: verdict, counts and reasons in words.
        counts: of all rows.
        p_value: of the hypothesis that the candidate loses the margin or more.
        worse: counts of the classes in which the candidate is shown to be worse, by name.
        accepted: errors among accepted rows; None if there is no target.
    """

    passed: bool
    reasons: tuple[str, ...]
    sentence: str
    counts: PairedCounts
    p_value: float
    worse: dict[str, PairedCounts]
    accepted: AcceptedError | None = None


def replay_gate(
    champion_right: Flags,
    candidate_right: Flags,
    *,
    margin: float = MARGIN,
    classes: NDArray[np.int64] | None = None,
    names: Sequence[str] = (),
    accepted: Flags | None = None,
    target: float | None = None,
) -> GateVerdict:
    """Compares two models on rows that neither was fitted on.

    Args:
        champion_right: bool `[N]`.
        candidate_right: bool `[N]`, of the same rows.
        margin: of accuracy, in [0, 1).
        classes: true class positions, int64 `[N]`: a class fails if it is shown to lose more than the margin, at a
            level of 5 % for all classes together (Holm 1979, https://www.jstor.org/stable/4615733).
        names: of the classes, by position; else they are called by their positions.
        accepted: what the candidate accepts, bool `[N]`.
        target: precision among accepted rows, in [0, 1].
    """
    counts = PairedCounts.of(champion_right, candidate_right)
    p_value = paired_p_value(counts.lost, counts.won, counts.rows, margin)
    worse = {} if classes is None else _worse_classes(champion_right, candidate_right, classes, names, margin)
    errors = None if accepted is None or target is None else _accepted_error(candidate_right[accepted], 1 - target)
    reasons = []
    if p_value > LEVEL:
        reasons.append(f"a loss of {_points(margin)} points is not ruled out (p = {p_value:.3f}, limit {LEVEL:g})")
    reasons += [f"class {name!r} is worse: {each.sentence}" for name, each in worse.items()]
    if errors is not None and errors.broken:
        reasons.append(errors.sentence)
    return GateVerdict(
        not reasons, tuple(reasons), _sentence(counts, reasons, p_value, margin, errors),
        counts, p_value, worse, errors,
    )  # fmt: skip


def _worse_classes(
    champion_right: Flags, candidate_right: Flags, classes: NDArray[np.int64], names: Sequence[str], margin: float
) -> dict[str, PairedCounts]:
    present = np.unique(classes).tolist()
    counts = {
        each: PairedCounts.of(champion_right[classes == each], candidate_right[classes == each]) for each in present
    }
    p_values = {each: paired_p_value(own.won, own.lost, own.rows, -margin) for each, own in counts.items()}
    worse: dict[str, PairedCounts] = {}
    for rank, each in enumerate(sorted(present, key=p_values.__getitem__)):
        if p_values[each] > LEVEL / (len(present) - rank):
            break
        worse[names[each] if names else str(each)] = counts[each]
    return worse


def _accepted_error(right: Flags, limit: float) -> AcceptedError:
    wrong = int((~right).sum())
    return AcceptedError(len(right), wrong, limit, *rate_bounds(wrong, len(right), LEVEL))


def _sentence(
    counts: PairedCounts, reasons: Sequence[str], p_value: float, margin: float, errors: AcceptedError | None
) -> str:
    said = [f"the candidate is {counts.sentence}"]
    if reasons:
        return f"refused: {'; '.join([*said, *reasons])}"
    said.append(f"a loss of {_points(margin)} points is ruled out (p = {p_value:.3f})")
    return f"passed: {'; '.join([*said, *([] if errors is None else [errors.sentence])])}"


def _points(share: float) -> str:
    return f"{100 * share:.3g}"

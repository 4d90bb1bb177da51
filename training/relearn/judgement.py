"""champion and candidate on rows that neither was fitted on ──▶ `Judgement`: whether the candidate may go on.

Old test rows are like the data that the head was made of. Answers are of the traffic, but not a fair sample of it:
people are asked about what the champion is unsure of, and about accepted decisions that were drawn. So answers never
decide alone unless some of them are of accepted decisions, or the champion accepts none; and neither group may be shown
to lose by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feedback.statistics.number_gate import MARGIN as NUMBER_MARGIN
from feedback.statistics.number_gate import NumberVerdict, comparable, number_gate
from feedback.statistics.replay_gate import MARGIN, GateVerdict, replay_gate
from models.bundle.head_spec import HeadSpec
from models.policy import NEVER, Policy
from training.relearn.judged_rows import JudgedRows

_ONE_SIDED = 1.645  # standard errors: 5 % in one tail


@dataclass(frozen=True)
class Judgement:
    """Whether the candidate may go on.

    Attributes:
        passed: whether it may.
        sentences: what was judged on what, and why it may or may not.
        rows: how many were judged on.
        margin: the loss that is ruled out.
    """

    passed: bool
    sentences: tuple[str, ...]
    rows: int
    margin: float

    def as_settings(self, champion: str) -> dict[str, object]:
        """The verdict as the manifest has it; `champion` is the model that it is against, `name@version`."""
        return {
            "passed": self.passed,
            "against": champion,
            "rows": self.rows,
            "margin": self.margin,
            "sentence": "; ".join(self.sentences),
        }


def judge(
    rows: JudgedRows, spec: HeadSpec, champion_policy: Policy, *, margin: float | None, target: float | None
) -> Judgement:
    """Judges a candidate by rows.

    Args:
        rows: at least one.
        spec: the candidate's entry in the manifest.
        champion_policy: of the head that serves.
        margin: of accuracy, or, for numbers, a share of the champion's mean error; None for the default.
        target: precision among accepted answers; None if there is none.
    """
    verdict: GateVerdict | NumberVerdict
    champion, candidate = rows.losses
    if spec.classes:
        margin = MARGIN if margin is None else margin
        fair = ~rows.is_answer | rows.is_audit
        verdict = replay_gate(
            champion == 0,
            candidate == 0,
            margin=margin,
            classes=rows.labels.astype(np.int64),
            names=spec.classes,
            accepted=rows.accepted & (fair if fair.any() else True),
            target=target,
        )
    else:
        champion, candidate = comparable(champion, candidate)
        margin = NUMBER_MARGIN if margin is None else margin
        verdict = number_gate(champion, candidate, margin=margin)
    loss = margin if spec.classes else margin * float(champion.mean())
    against = [*_alone(rows, champion_policy), *_losing(rows, candidate - champion, loss)]
    said = verdict.sentence if not against else verdict.sentence.replace("passed: ", "refused: ", 1)
    sentences = (_basis(rows), said, *against, _automation(rows))
    return Judgement(verdict.passed and not against, sentences, len(rows.labels), margin)


def _basis(rows: JudgedRows) -> str:
    """What was judged on."""
    old, answers = int((~rows.is_answer).sum()), int(rows.is_answer.sum())
    parts = []
    if old:
        parts.append(f"{old:,} old test rows, which stand for {rows.weight[~rows.is_answer].sum():,.0f}")
    if answers:
        parts.append(
            f"{answers:,} answers, of which {int(rows.was_accepted.sum()):,} are of accepted decisions and "
            f"{int(rows.is_audit.sum()):,} of those drawn at random; each by a head that was fitted without it"
        )
    return f"judged on {' and '.join(parts)}"


def _automation(rows: JudgedRows) -> str:
    """How much of the judged rows each head accepts."""
    ours, theirs = (100 * float(each.mean()) for each in (rows.accepted, rows.champion_accepted))
    return f"the candidate accepts {ours:.3g} % of these rows, the champion {theirs:.3g} %"


def _alone(rows: JudgedRows, champion_policy: Policy) -> list[str]:
    """The reason against a candidate that only unsure decisions speak for, though others are accepted."""
    least = min((champion_policy.min_confidence, *champion_policy.min_confidence_of.values()))
    if (~rows.is_answer).any() or rows.was_accepted.any() or least >= NEVER:
        return []
    return [
        "no judged row says anything of the decisions that are accepted: old rows do not count, and all answers are of "
        "decisions that were sent to people; answer some audits"
    ]


def _losing(rows: JudgedRows, more: NDArray[np.float64], margin: float) -> list[str]:
    """Reasons against a candidate that is shown to lose more than the margin in a group, weighted as it was sampled.

    `more` is what the candidate loses more than the champion, `[N]`.
    """
    reasons = []
    for name, inside in (("old test rows", ~rows.is_answer), ("answers", rows.is_answer)):
        if inside.sum() < 2:
            continue
        lost, weight = more[inside], rows.weight[inside] / rows.weight[inside].sum()
        mean = float((weight * lost).sum())
        error = float(np.sqrt((weight**2 * (lost - mean) ** 2).sum()))
        if mean - _ONE_SIDED * error > margin:
            reasons.append(f"on the {name}, weighted as they were sampled, the candidate loses {100 * mean:.2g} points")
    return reasons

"""head output ──policy──▶ label or number, confidence, decision and reasons, for service and scoring alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from models.bundle.head_spec import HeadSpec
from models.policy import UNITS, Decision, Reason
from models.runtime.engine_types import HeadOutput, Result


class Classified(NamedTuple):
    """The answer of a head with classes."""

    label: str
    confidence: float
    """Probability of the label, in whole millionths."""
    decision: Decision
    reasons: list[Reason]
    probabilities: list[float]
    """`[K]`, in the order of the head's classes, not rounded."""
    falling: list[int]
    """Positions of the classes by falling probability."""


class Estimated(NamedTuple):
    """The answer of a head that names a number, with the digits that float32 carries."""

    value: float
    decision: Decision
    reasons: list[Reason]
    interval: list[float] | None
    """Lower and upper bound; None if the head has none."""


class Answered(NamedTuple):
    """One image, or one instance, of a request, and what the heads that were asked answered."""

    place: int
    """Its index in the request, from 0."""
    image: bytes
    """Encoded, as it was sent; the first one of an instance."""
    result: Result
    heads: Sequence[HeadSpec]
    answers: Mapping[str, Classified | Estimated]
    """By the names of `heads`, in their order."""
    others: Sequence[bytes] = ()
    """Further images of the same instance, in their order."""


def answer_image(
    place: int, image: bytes, result: Result, heads: Sequence[HeadSpec], others: Sequence[bytes] = ()
) -> Answered:
    """Has each head that was asked answer one image, or an instance of it and others."""
    outputs = result.decisions
    answers = {head.name: answer_head(outputs[head.name], head) for head in heads}
    return Answered(place, image, result, heads, answers, others)


def answer_head(output: HeadOutput, head: HeadSpec) -> Classified | Estimated:
    """Decides by the policy of one head."""
    return classify(output, head) if head.classes else estimate(output, head)


def classify(output: HeadOutput, head: HeadSpec) -> Classified:
    """Chooses the most probable class and decides.

    Args:
        output: probabilities, float32 `[K]`, in the order of `head.classes`, and what else the policy looks at.
        head: the head that computed them.
    """
    # Sorted before rounding, so that the label is the graph's own where two classes are close
    values, policy, columns = output.output.tolist(), head.policy, output.columns
    falling = sorted(range(len(values)), key=values.__getitem__, reverse=True)
    label, confidence = head.classes[falling[0]], served(values[falling[0]])
    decision, reasons = policy.decide(
        confidence,
        label,
        distance=output.distance,
        missing=head.missing(columns) if columns else (),
        outside=head.outside(columns) if columns else (),
        probabilities=_not_to_miss(values, head) if policy.review_from else None,
    )
    return Classified(label, confidence, decision, reasons, values, falling)


def estimate(output: HeadOutput, head: HeadSpec) -> Estimated:
    """Shortens a number and its bounds, and decides.

    Args:
        output: the value, float32 `[1]`, its bounds, float32 `[2]`, if it has any, and what else the policy looks at.
        head: the head that computed it.
    """
    missing, outside = head.missing(output.columns), head.outside(output.columns)
    decision, reasons = head.policy.decide(1.0, distance=output.distance, missing=missing, outside=outside)
    interval = None if output.interval is None else [_shortened(bound) for bound in output.interval.tolist()]
    return Estimated(_shortened(float(output.output[0])), decision, reasons, interval)


def served(probability: float) -> float:
    """Rounds to whole millionths: a tenth of the cost of `round`, and the quotient has no digit too many."""
    return int(probability * UNITS + 0.5) / UNITS


def _not_to_miss(values: Sequence[float], head: HeadSpec) -> dict[str, float]:
    """Probabilities of the classes for whose sake the policy reviews other answers, as they are served."""
    return {name: served(values[head.classes.index(name)]) for name in head.policy.review_from}


def _shortened(value: float) -> float:
    return float(f"{value:.7g}")

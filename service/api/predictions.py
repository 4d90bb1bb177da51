"""probabilities ──policy──▶ `Prediction`: the answer that a caller reads."""

from __future__ import annotations

from collections.abc import Sequence

from models.bundle.head_spec import HeadSpec
from models.policy import UNITS
from models.runtime.engine_types import HeadOutput, Result
from service.api.query import Options
from service.api.schemas import Decisions, Estimate, Prediction, Timing


def to_prediction(found: HeadOutput, head: HeadSpec, model: str, top_k: int | None) -> Prediction:
    """Names classes, sorts them by falling probability and decides.

    Args:
        found: probabilities, float32 `[K]`, in the order of `head.classes`, and what else the policy looks at.
        head: the head that computed them.
        model: `name@version`.
        top_k: how many classes to show; None for all.
    """
    # Rounded to `UNITS`: that costs a tenth of `round`, and the quotient of two whole numbers has no digit too many.
    # Sorted before that, so that the label is the graph's own where two classes are close
    values, names, policy = found.output.tolist(), head.classes, head.policy
    columns = found.columns
    falling = sorted(range(len(values)), key=values.__getitem__, reverse=True)
    label, confidence = names[falling[0]], int(values[falling[0]] * UNITS + 0.5) / UNITS
    decision, reasons = policy.decide(
        confidence,
        label,
        distance=found.distance,
        missing=head.missing(columns) if columns else (),
        outside=head.outside(columns) if columns else (),
        probabilities=_not_to_miss(values, head) if policy.review_from else None,
    )
    return {
        "label": label,
        "confidence": confidence,
        "decision": decision,
        "reasons": reasons,
        "probabilities": {names[i]: int(values[i] * UNITS + 0.5) / UNITS for i in falling[:top_k]},
        "model": model,
        "head": head.name,
    }


def to_estimate(found: HeadOutput, head: HeadSpec, model: str) -> Estimate:
    """Tells a number, how far off it may be, and decides.

    Args:
        found: the value, float32 `[1]`, its bounds, float32 `[2]`, where it has any, and what the policy looks at.
        head: the head that computed it.
        model: `name@version`.
    """
    missing, outside = head.missing(found.columns), head.outside(found.columns)
    decision, reasons = head.policy.decide(1.0, distance=found.distance, missing=missing, outside=outside)
    estimate: Estimate = {
        "value": _shortened(float(found.output[0])),
        "decision": decision,
        "reasons": reasons,
        "model": model,
        "head": head.name,
    }
    if found.interval is not None:
        estimate["interval"] = [_shortened(bound) for bound in found.interval.tolist()]
    return estimate


def to_answer(outcome: Result, options: Options, model: str) -> Prediction | Estimate | Decisions:
    """What a caller reads of one image: the answer of the head he asked, or those of several by their names."""
    heads, top_k = options.heads, options.top_k
    answer: Prediction | Estimate | Decisions
    if len(heads) == 1:
        answer = _of_head(outcome, heads[0], model, top_k)
    else:
        answer = {"decisions": {head.name: _of_head(outcome, head, model, top_k) for head in heads}, "model": model}
    if options.timing:
        answer["timing_ms"] = _timing(outcome)
    return answer


def _of_head(outcome: Result, head: HeadSpec, model: str, top_k: int | None) -> Prediction | Estimate:
    found = outcome.decisions[head.name]
    shown = to_prediction(found, head, model, top_k) if head.classes else to_estimate(found, head, model)
    if outcome.explanations is not None:
        shown["explanation"] = outcome.explanations[head.name]
    return shown


def _timing(outcome: Result) -> Timing:
    return {
        "decode": round(outcome.decode_s * 1000, 3),
        "queue": round(outcome.queue_s * 1000, 3),
        "embed": round(outcome.embed_s * 1000, 3),
        "decide": round(outcome.decide_s * 1000, 3),
    }


def _not_to_miss(values: Sequence[float], head: HeadSpec) -> dict[str, float]:
    """Probabilities of the classes for whose sake the policy reviews other answers, as they are shown."""
    policy, classes = head.policy, head.classes
    return {name: int(values[classes.index(name)] * UNITS + 0.5) / UNITS for name in policy.review_from}


def _shortened(value: float) -> float:
    """With the digits that float32 carries."""
    return float(f"{value:.7g}")

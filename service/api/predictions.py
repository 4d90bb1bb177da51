"""heads' answers ──▶ `Prediction`: the answer that a caller reads."""

from __future__ import annotations

from models.bundle.head_spec import HeadSpec
from models.policy import UNITS
from models.runtime.engine_types import Result
from models.runtime.head_answers import Answered, Classified, Estimated
from service.api.query import Options
from service.api.schemas import Decisions, Estimate, Prediction, Timing


def to_prediction(answer: Classified, head: HeadSpec, model: str, top_k: int | None) -> Prediction:
    """Names the classes by falling probability.

    Args:
        answer: of the head.
        head: the head that gave it.
        model: `name@version`.
        top_k: how many classes to show; None for all.
    """
    label, confidence, decision, reasons, values, falling = answer
    names = head.classes
    return {
        "label": label,
        "confidence": confidence,
        "decision": decision,
        "reasons": reasons,
        "probabilities": {names[i]: int(values[i] * UNITS + 0.5) / UNITS for i in falling[:top_k]},
        "model": model,
        "head": head.name,
    }


def to_estimate(answer: Estimated, head: HeadSpec, model: str) -> Estimate:
    """Tells a number, and how far off it may be.

    Args:
        answer: of the head.
        head: the head that gave it.
        model: `name@version`.
    """
    shown: Estimate = {
        "value": answer.value,
        "decision": answer.decision,
        "reasons": answer.reasons,
        "model": model,
        "head": head.name,
    }
    if answer.interval is not None:
        shown["interval"] = answer.interval
    return shown


def to_answer(answered: Answered, options: Options, model: str) -> Prediction | Estimate | Decisions:
    """What a caller reads of one image: the answer of the head he asked, or those of several by their names."""
    heads, top_k = options.heads, options.top_k
    answer: Prediction | Estimate | Decisions
    if len(heads) == 1:
        answer = _of_head(answered, heads[0], model, top_k)
    else:
        answer = {"decisions": {head.name: _of_head(answered, head, model, top_k) for head in heads}, "model": model}
    if options.timing:
        answer["timing_ms"] = _timing(answered.result)
    return answer


def _of_head(answered: Answered, head: HeadSpec, model: str, top_k: int | None) -> Prediction | Estimate:
    answer, explanations = answered.answers[head.name], answered.result.explanations
    if isinstance(answer, Classified):
        shown: Prediction | Estimate = to_prediction(answer, head, model, top_k)
    else:
        shown = to_estimate(answer, head, model)
    if explanations is not None:
        shown["explanation"] = explanations[head.name]
    return shown


def _timing(result: Result) -> Timing:
    return {
        "decode": round(result.decode_s * 1000, 3),
        "queue": round(result.queue_s * 1000, 3),
        "embed": round(result.embed_s * 1000, 3),
        "decide": round(result.decide_s * 1000, 3),
    }

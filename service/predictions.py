"""probabilities ──policy──▶ `Prediction`: the answer that a caller reads."""

from __future__ import annotations

from models.errors import BadRequest
from models.manifest import HeadSpec
from models.sessions import Probabilities
from service.schemas import Prediction

DECIMALS = 6  # of a probability in JSON; float32 carries no more that would mean anything


def to_prediction(probabilities: Probabilities, head: HeadSpec, model: str, top_k: int | None) -> Prediction:
    """Names classes, sorts them by falling probability and decides.

    Args:
        probabilities: float32 `[K]`, in the order of `head.classes`.
        head: the head that computed them.
        model: `name@version`.
        top_k: how many classes to show; None for all.
    """
    # sorted before rounding, so that the label is the graph's own where two classes are close
    values, names = probabilities.tolist(), head.classes
    falling = sorted(range(len(values)), key=values.__getitem__, reverse=True)
    label, confidence = names[falling[0]], round(values[falling[0]], DECIMALS)
    decision, reasons = head.policy.decide(confidence)
    return {
        "label": label,
        "confidence": confidence,
        "decision": decision,
        "reasons": reasons,
        "probabilities": {names[index]: round(values[index], DECIMALS) for index in falling[:top_k]},
        "model": model,
        "head": head.name,
    }


def check_top_k(text: str, head: HeadSpec) -> int:
    """Reads the query's `top_k`.

    Raises:
        BadRequest: not a whole number from 1 to the number of classes.
    """
    count = len(head.classes)
    if not text.isascii() or not text.isdecimal() or len(text) > 9 or not 1 <= int(text) <= count:
        raise BadRequest(f"top_k must be a whole number from 1 to {count}; got {text[:40]!r}")
    return int(text)

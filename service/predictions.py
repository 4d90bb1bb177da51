"""probabilities ──policy──▶ `Prediction`: the answer that a caller reads."""

from __future__ import annotations

from models.errors import BadRequest
from models.manifest import HeadSpec
from models.sessions import Probabilities
from service.schemas import Prediction

# Probabilities are given in millionths, as float32 carries no more that would mean anything. Counting them costs a
# tenth of `round`, and the quotient of two whole numbers is written with no digit too many.
_UNITS = 1_000_000


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
    label, confidence = names[falling[0]], int(values[falling[0]] * _UNITS + 0.5) / _UNITS
    decision, reasons = head.policy.decide(confidence)
    return {
        "label": label,
        "confidence": confidence,
        "decision": decision,
        "reasons": reasons,
        "probabilities": {names[i]: int(values[i] * _UNITS + 0.5) / _UNITS for i in falling[:top_k]},
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

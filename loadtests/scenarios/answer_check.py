"""Body of a response ──▶ its labels, or what is wrong with it."""

import json
import re
from typing import TypeGuard

CONFIDENCE_TOLERANCE = 1e-5  # rounding
MODEL = re.compile(r"[^@\s]+@[0-9]+")
DECISIONS = ("accept", "review")


class WrongAnswerError(Exception):
    """A response with status 200 breaks the contract, or contradicts an earlier one."""


def read_single(content: bytes) -> str:
    """Return the label in the answer to one image.

    Raises:
        WrongAnswerError: Not one well-formed prediction.
    """
    return _label(_parsed(content))


def read_several(content: bytes, count: int) -> list[str]:
    """Return the ``count`` labels in the answer to ``count`` images, in order.

    Raises:
        WrongAnswerError: Another number of predictions, an error in place of one, or a malformed one.
    """
    answer = _parsed(content)
    predictions = answer.get("predictions") if isinstance(answer, dict) else None
    if not isinstance(predictions, list):
        raise WrongAnswerError('no list "predictions" in the answer')
    if len(predictions) != count:
        raise WrongAnswerError(f"{len(predictions)} predictions for {count} images")
    return [_label(prediction) for prediction in predictions]


def _parsed(content: bytes) -> object:
    try:
        answer: object = json.loads(content)
    except ValueError as error:
        raise WrongAnswerError(f"not JSON: {error}") from error
    return answer


def _label(prediction: object) -> str:
    if not isinstance(prediction, dict):
        raise WrongAnswerError(f"a prediction is an object, this is {type(prediction).__name__}")
    if "error" in prediction:
        raise WrongAnswerError(f"an error in place of a prediction: {prediction['error']}")
    label, probabilities = prediction.get("label"), prediction.get("probabilities")
    if not isinstance(probabilities, dict) or not all(map(_is_share, probabilities.values())):
        raise WrongAnswerError('"probabilities" is not an object of numbers from 0 to 1')
    if not isinstance(label, str) or label not in probabilities:
        raise WrongAnswerError(f'"label" {label!r} is not among the probabilities')
    confidence = prediction.get("confidence")
    if not _is_share(confidence) or abs(confidence - max(probabilities.values())) > CONFIDENCE_TOLERANCE:
        raise WrongAnswerError('"confidence" is not the highest probability')
    if prediction.get("decision") not in DECISIONS:
        raise WrongAnswerError(f'"decision" {prediction.get("decision")!r} is none of {", ".join(DECISIONS)}')
    if not isinstance(model := prediction.get("model"), str) or not MODEL.fullmatch(model):
        raise WrongAnswerError(f'"model" {model!r} is not of the form name@version')
    return label


def _is_share(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1

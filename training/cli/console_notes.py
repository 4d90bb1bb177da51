"""what a training found ──▶ sentences for console, report and manifest: what holds, how surely, and what does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from training.heads.candidates import Candidate
from training.heads.intervals import FEWEST_ROWS
from training.reports.class_figures import accepted_as_another
from training.reports.evaluation_metrics import Errors, confusion, errors
from training.reports.html_page import figures
from training.workflows.finishing import Judged
from training.workflows.model_selection import Alone, Part
from training.workflows.results import Results, image_counts, judging

_AS_GOOD = 1.02
"""Times the loss of a head that a part of it may have to be called as good."""


def told(results: Results) -> dict[str, Any]:
    """What the manifest tells of how a head was made."""
    return {
        **results.settings,
        "images": image_counts(results.parts),
        **judging(results),
        "notes": list(notes(results)),
        "seconds": {name: round(seconds, 1) for name, seconds in results.seconds.items()},
    }


def notes(results: Results) -> Iterator[str]:
    """One sentence each, the most important first."""
    judged = results.head.judged
    if judged is not None and judged.promise is not None:
        yield judged.promise.sentence
        yield from _missed(judged, results.dataset.classes)
    if judged is not None and not results.dataset.classes:
        yield from _of_numbers(judged, results.head.spec.interval_coverage)
    yield from adding_nothing(results.choices, results.alone)
    if judged is not None and judged.limit is not None:
        yield judged.limit.sentence
    if copied := len(results.parts.copied):
        yield (
            f"{copied:,} of {len(results.parts.test):,} test images have a copy, or an image of their group, among the "
            "training images; figures are of the others"
        )
    if results.choices and (note := results.choices[0].note):
        yield f"the best head was chosen by {results.criterion}; {note}"


def _missed(judged: Judged, classes: tuple[str, ...]) -> Iterator[str]:
    """Of classes that are mostly accepted as another one, by the out-of-fold answers, and what helps."""
    taken = judged.accepted
    for sentence in accepted_as_another(classes, confusion(judged.found[taken], judged.labels[taken])):
        yield f"{sentence}; --max-missed bounds that, and --balance weights finds more of a rare class"


def adding_nothing(choices: Sequence[Candidate], alone: Sequence[Alone]) -> Iterator[str]:
    """Says that image or columns add nothing, where heads without them are as good by their out-of-fold answers.

    Args:
        choices: the candidates for the head, the chosen one first; none where the head was there before.
        alone: what its kind makes of the image alone and of the columns alone.
    """
    if not choices or not len(choices[0].losses):
        return
    head = choices[0]
    asked = [each for each in choices if each.is_choice]
    if head.kind.needs_columns:
        if wider := [each for each in asked if not each.kind.needs_columns]:
            yield _nothing("image", "columns", head, min(wider, key=_loss))
        return
    of_columns = [each for each in asked if each.kind.needs_columns] + _on(alone, "columns")
    narrow = [("image", "columns", each) for each in of_columns] + [
        ("columns", "image", each) for each in _on(alone, "image")
    ]
    as_good = [each for each in narrow if _is_as_good(each[2], head)]
    if as_good:  # of two that are, which can hardly be without each other, the better one
        idle, other, best = min(as_good, key=lambda each: each[2].loss)
        yield _nothing(idle, other, best, head)


def _is_as_good(narrow: Candidate, head: Candidate) -> bool:
    """Whether less does as well, but for what nobody would notice; where few rows cannot tell, nothing is said."""
    return narrow.loss <= _AS_GOOD * head.loss


def _on(alone: Sequence[Alone], part: Part) -> list[Candidate]:
    return [each.candidate for each in alone if each.part == part]


def _loss(candidate: Candidate) -> float:
    return candidate.loss


def _nothing(idle: str, other: str, one: Candidate, both: Candidate) -> str:
    verb = "adds" if idle == "image" else "add"
    (name, of_one), (_, of_both) = _figure(one), _figure(both)
    return f"the {idle} {verb} nothing here: out-of-fold {name} is {of_one} with the {other} alone, {of_both} with both"


def _figure(candidate: Candidate) -> tuple[str, str]:
    """What a person understands best, and its value."""
    if isinstance(candidate.scores, Errors):
        return "mean absolute error", figures(candidate.scores.mae)
    return "log loss", figures(candidate.loss)


def _of_numbers(judged: Judged, covered: float | None) -> Iterator[str]:
    """What a head that names numbers cannot do."""
    if covered is None:
        yield (
            f"accepts nothing: {len(judged.labels):,} held-out images are too few for an interval, which takes "
            f"{FEWEST_ROWS}"
        )
    if len(judged.labels) and errors(judged.found, judged.labels).r2 <= 0:
        yield "naming the mean of all images would be as near to the numbers as this head is: it has learnt nothing"

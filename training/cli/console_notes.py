"""what a training found ──▶ sentences for console, report and manifest: what holds, how surely, and what does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from training.heads.intervals import FEWEST_ROWS
from training.heads.selection.candidates import Candidate
from training.reports.class_figures import accepted_as_another
from training.reports.evaluation_metrics import Errors, confusion
from training.reports.html_page import figures
from training.workflows.finishing import Judged
from training.workflows.model_selection import Alone, Part
from training.workflows.results import Results, image_counts, judging

_AS_GOOD = 1.02
"""Times the loss of a head that a part of it may have to be called as good."""
FEW_ROWS, FEW_UNITS = 300, 50
"""Judging rows, and groups of them, below which a choice among many candidates flatters the best: of 30 groups the
intervals of numbers held 82 % instead of 90 %."""


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
        yield from _of_intervals(judged, results.head.spec.interval_coverage)
    yield from on_choice(results.choices, results.alone, len(results.material.judged))
    if judged is not None and judged.limit is not None:
        yield judged.limit.sentence
    if copied := len(results.parts.copied):
        yield (
            f"{copied:,} of {len(results.parts.test):,} test images have a copy, or an image of their group, among the "
            "training images; figures are of the others"
        )
    if results.choices and results.choices[0].has_learnt and (note := results.choices[0].note):
        yield f"the best head was chosen by {results.criterion}; {note}"


def _missed(judged: Judged, classes: tuple[str, ...]) -> Iterator[str]:
    """Of classes that are mostly accepted as another one, by the out-of-fold answers, and what helps."""
    taken = judged.accepted
    for sentence in accepted_as_another(classes, confusion(judged.found[taken], judged.labels[taken])):
        yield f"{sentence}; --max-missed bounds that, and --balance weights finds more of a rare class"


def on_choice(choices: Sequence[Candidate], alone: Sequence[Alone], rows: int) -> Iterator[str]:
    """What the chosen head is worth, and how surely.

    Args:
        choices: the candidates for the head, the chosen one first; none where the head was there before.
        alone: what its kind makes of the image alone and of the columns alone.
        rows: how many judge.
    """
    if not choices or not len(choices[0].losses):
        return
    head = choices[0]
    if head.has_learnt:
        yield from adding_nothing(choices, alone)
    elif isinstance(head.scores, Errors):
        yield "naming the mean of all images would be as near to the numbers as this head is: it has learnt nothing"
    else:
        yield (
            f"naming the shares of the classes would be as good as this head is, whose out-of-fold {head.criterion} is "
            f"{figures(head.loss)}: it has learnt nothing"
        )
    yield from _of_few(head, rows)


def _of_few(head: Candidate, rows: int) -> Iterator[str]:
    """Says that figures are of few rows."""
    units = len(head.losses)
    if rows >= FEW_ROWS and units >= FEW_UNITS:
        return
    groups = "" if units == rows else f" in {units:,} groups"
    fewer = ", and intervals hold fewer than nine of ten" if isinstance(head.scores, Errors) else ""
    yield (
        f"{rows:,} images{groups} judged the head: with fewer than {FEW_ROWS} images or {FEW_UNITS} groups out-of-fold "
        f"figures flatter it{fewer}"
    )


def adding_nothing(choices: Sequence[Candidate], alone: Sequence[Alone]) -> Iterator[str]:
    """Says that image or columns add nothing, or harm, where heads without them are as good by out-of-fold answers.

    Args:
        choices: the candidates for the head, the chosen one first.
        alone: what its kind makes of the image alone and of the columns alone.
    """
    head = choices[0]
    asked = [each for each in choices if each.is_choice]
    if head.kind.needs_columns:
        if wider := [each for each in asked if not each.kind.needs_columns]:
            yield _told("image", "adds nothing here", "columns", head, min(wider, key=_loss))
        return
    of_columns = [each for each in asked if each.kind.needs_columns] + _on(alone, "columns")
    narrow = [("image", "columns", each) for each in of_columns] + [
        ("columns", "image", each) for each in _on(alone, "image")
    ]
    as_good = [each for each in narrow if _is_as_good(each[2], head)]
    if as_good:  # of two that are, which can hardly be without each other, the better one
        idle, other, best = min(as_good, key=lambda each: each[2].loss)
        s = "s" if idle == "image" else ""
        does = f"make{s} it worse" if best.clearly_beats(head) else f"add{s} nothing here"
        yield _told(idle, does, other, best, head)


def _is_as_good(narrow: Candidate, head: Candidate) -> bool:
    """Whether less does as well, but for what nobody would notice; where few rows cannot tell, nothing is said."""
    return narrow.loss <= _AS_GOOD * head.loss


def _on(alone: Sequence[Alone], part: Part) -> list[Candidate]:
    return [each.candidate for each in alone if each.part == part]


def _loss(candidate: Candidate) -> float:
    return candidate.loss


def _told(idle: str, does: str, other: str, one: Candidate, both: Candidate) -> str:
    (name, of_one), (_, of_both) = _figure(one), _figure(both)
    return f"the {idle} {does}: out-of-fold {name} is {of_one} with the {other} alone, {of_both} with both"


def _figure(candidate: Candidate) -> tuple[str, str]:
    """What a person understands best, and its value."""
    if isinstance(candidate.scores, Errors):
        return "mean absolute error", figures(candidate.scores.mae)
    return candidate.criterion, figures(candidate.loss)


def _of_intervals(judged: Judged, covered: float | None) -> Iterator[str]:
    """What a head without intervals cannot do."""
    if covered is None:
        yield (
            f"accepts nothing: {len(judged.labels):,} held-out images are too few for an interval, which takes "
            f"{FEWEST_ROWS}"
        )

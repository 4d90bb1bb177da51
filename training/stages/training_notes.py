"""`Results` ──▶ sentences for console, report and manifest: what holds, with which confidence, and what does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from training.export.exported_head import HeldOutDecisions
from training.heads.intervals import FEWEST_ROWS
from training.heads.selection.candidates import Candidate
from training.reports.class_figures import accepted_as_another
from training.reports.evaluation_metrics import Errors, confusion
from training.reports.html_page import figures
from training.stages.ablation import Ablation, Part
from training.stages.results import Results, image_counts, validation_entries

_AS_GOOD = 1.02
"""A part of the head is as good as the head if its loss is at most this many times the head's."""
FEW_ROWS, FEW_UNITS = 300, 50
"""Held-out rows, and groups of them, below which selection among many candidates flatters the best: with 30 groups the
intervals of numbers held 82 % instead of 90 %."""


def manifest_entry(results: Results) -> dict[str, Any]:
    """What the manifest says of the training of a head."""
    return {
        **results.settings,
        "images": image_counts(results.parts),
        **validation_entries(results),
        "notes": list(notes(results)),
        "seconds": {name: round(seconds, 1) for name, seconds in results.seconds.items()},
    }


def notes(results: Results) -> Iterator[str]:
    """One sentence each, the most important first."""
    yield from results.learnt
    held_out = results.head.held_out
    if held_out is not None and held_out.promise is not None:
        yield held_out.promise.sentence
        yield from _missed(held_out, results.dataset.classes)
    if held_out is not None and not results.dataset.classes:
        yield from _without_intervals(held_out, results.head.spec.interval_coverage)
    yield from on_selection(results.candidates, results.ablations, len(results.data.held_out))
    if (pooling := results.settings.get("pooling")) is not None:
        yield pooling
    if held_out is not None and held_out.limit is not None:
        yield held_out.limit.sentence
    if (tuning := results.settings.get("tuning")) is not None:
        yield tuning["result"]
    if copied := len(results.parts.copied):
        yield (
            f"{copied:,} of {len(results.parts.test):,} test images have a copy, or an image of their group, among the "
            "training images; figures are of the others"
        )
    if results.candidates and results.candidates[0].has_learnt and (note := results.candidates[0].note):
        yield f"the best head was chosen by {results.criterion}; {note}"


def _missed(held_out: HeldOutDecisions, classes: tuple[str, ...]) -> Iterator[str]:
    """Classes that are mostly accepted as another one, and what helps."""
    accepted = held_out.accepted
    for sentence in accepted_as_another(classes, confusion(held_out.answers[accepted], held_out.labels[accepted])):
        yield f"{sentence}; --max-missed bounds that, and --balance weights finds more of a rare class"


def on_selection(candidates: Sequence[Candidate], ablations: Sequence[Ablation], rows: int) -> Iterator[str]:
    """What the selected head is worth, and how reliable its figures are.

    Args:
        candidates: of the head, the selected one first; none if the head was there before.
        ablations: the head on the image alone and on the columns alone.
        rows: number of held-out rows.
    """
    if not candidates or not len(candidates[0].losses):
        return
    head = candidates[0]
    if head.has_learnt:
        yield from adding_nothing(candidates, ablations)
    elif isinstance(head.scores, Errors):
        yield "naming the mean of all images would be as near to the numbers as this head is: it has learnt nothing"
    else:
        yield (
            f"naming the shares of the classes would be as good as this head is, whose out-of-fold {head.criterion} is "
            f"{figures(head.loss)}: it has learnt nothing"
        )
    yield from _few_rows(head, rows)


def _few_rows(head: Candidate, rows: int) -> Iterator[str]:
    """Says that the figures are of few rows."""
    units = len(head.losses)
    if rows >= FEW_ROWS and units >= FEW_UNITS:
        return
    groups = "" if units == rows else f" in {units:,} groups"
    fewer = ", and intervals hold fewer than nine of ten" if isinstance(head.scores, Errors) else ""
    yield (
        f"{rows:,} images{groups} validated the head: with fewer than {FEW_ROWS} images or {FEW_UNITS} groups "
        f"out-of-fold figures flatter it{fewer}"
    )


def adding_nothing(candidates: Sequence[Candidate], ablations: Sequence[Ablation]) -> Iterator[str]:
    """Says that image or columns add nothing, or harm, if heads without them are as good out of fold.

    Args:
        candidates: of the head, the selected one first.
        ablations: the head on the image alone and on the columns alone.
    """
    head = candidates[0]
    choices = [each for each in candidates if each.is_choice]
    if head.kind.needs_columns:
        if wider := [each for each in choices if not each.kind.needs_columns]:
            yield _comparison("image", "adds nothing here", "columns", head, min(wider, key=lambda each: each.loss))
        return
    of_columns = [each for each in choices if each.kind.needs_columns] + _on(ablations, "columns")
    narrow = [("image", "columns", each) for each in of_columns]
    narrow += [("columns", "image", each) for each in _on(ablations, "image")]
    as_good = [each for each in narrow if each[2].loss <= _AS_GOOD * head.loss]
    if as_good:  # both parts can hardly be as good, as each lacks what the other has: the better one is named
        idle, other, best = min(as_good, key=lambda each: each[2].loss)
        s = "s" if idle == "image" else ""
        does = f"make{s} it worse" if best.clearly_beats(head) else f"add{s} nothing here"
        yield _comparison(idle, does, other, best, head)


def _on(ablations: Sequence[Ablation], part: Part) -> list[Candidate]:
    return [each.candidate for each in ablations if each.part == part]


def _comparison(idle: str, does: str, other: str, narrow: Candidate, whole: Candidate) -> str:
    (name, of_narrow), (_, of_whole) = _figure(narrow), _figure(whole)
    return f"the {idle} {does}: out-of-fold {name} is {of_narrow} with the {other} alone, {of_whole} with both"


def _figure(candidate: Candidate) -> tuple[str, str]:
    """Name and value of the figure that is easiest to understand."""
    if isinstance(candidate.scores, Errors):
        return "mean absolute error", figures(candidate.scores.mae)
    return candidate.criterion, figures(candidate.loss)


def _without_intervals(held_out: HeldOutDecisions, covered: float | None) -> Iterator[str]:
    """Says that a head without intervals accepts nothing."""
    if covered is None:
        yield (
            f"accepts nothing: {len(held_out.labels):,} held-out images are too few for an interval, which takes "
            f"{FEWEST_ROWS}"
        )

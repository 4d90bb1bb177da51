"""what a training found ──▶ sentences for console, report and manifest: what holds, how surely, and what does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from training.class_figures import accepted_as_another
from training.finish import Judged
from training.heads.intervals import FEWEST_ROWS
from training.metrics import confusion, errors
from training.results import Results, image_counts, judging


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


def _of_numbers(judged: Judged, covered: float | None) -> Iterator[str]:
    """What a head that names numbers cannot do."""
    if covered is None:
        yield (
            f"accepts nothing: {len(judged.labels):,} held-out images are too few for an interval, which takes "
            f"{FEWEST_ROWS}"
        )
    if len(judged.labels) and errors(judged.found, judged.labels).r2 <= 0:
        yield "naming the mean of all images would be as near to the numbers as this head is: it has learnt nothing"

"""what a training found ──▶ sentences for console, report and manifest: what holds, how surely, and what does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from training.finish import Judged
from training.results import Results

_MANY = 0.25
"""Share of a class's images that are accepted as another class, above which a sentence says so."""
_FEWEST = 5  # images of a class, by which that is said


def notes(results: Results) -> Iterator[str]:
    """One sentence each, the most important first."""
    judged = results.head.judged
    if judged is not None and judged.promise is not None:
        yield judged.promise.sentence
        yield from _accepted_as_another(judged, results.dataset.classes)
    if judged is not None and judged.limit is not None:
        limit = judged.limit
        yield (
            f"{limit.false_alarms:.3g} of ordinary images are to be called unfamiliar; judged on {limit.judged_on:,} "
            f"of them it is {limit.low:.2g} to {limit.high:.2g}, at 95 % confidence"
        )
    if copied := len(results.parts.copied):
        yield (
            f"{copied:,} of {len(results.parts.test):,} test images have a copy, or an image of their group, among the "
            "training images; figures are of the others"
        )
    if results.choices and (note := results.choices[0].note):
        yield f"the best head was chosen by {results.criterion}; {note}"


def _accepted_as_another(judged: Judged, classes: Sequence[str]) -> Iterator[str]:
    """Of each class that is often accepted as another one, by the out-of-fold answers."""
    given = judged.found.argmax(1)
    missed = judged.accepted & (given != judged.labels)
    for position, name in enumerate(classes):
        inside = judged.labels == position
        if inside.sum() >= _FEWEST and (share := float(missed[inside].mean())) > _MANY:
            instead = classes[int(np.bincount(given[missed & inside]).argmax())]
            yield (
                f"{share:.0%} of the images of {name!r} are accepted as another class, most of them as {instead!r}; "
                f"--max-missed {name}=0.05 bounds that, --balance weights finds more of a rare class"
            )

"""labels ──▶ sentences on what they are taken for, where a person may mean something else by them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from training.dataset import Dataset

SEPARATORS = (";", "|", ",")
_SCALES = (
    ("none", "minor", "major"),
    ("bad", "poor", "fair", "good", "excellent"),
    ("small", "medium", "large"),
    ("low", "medium", "high"),
    ("mild", "moderate", "severe"),
    ("xs", "s", "m", "l", "xl", "xxl"),
)
_FEWEST_RANKS = 3


def label_notes(dataset: Dataset) -> Iterator[str]:
    """What to know of the classes' names; nothing of numbers."""
    if several := _several(dataset.classes):
        yield (
            f"{several!r} and the like are taken for one class each. Several labels for one image are not supported: "
            "fit a head for each of them, on a column that says whether the image has it"
        )
    if ranks := _ranks(dataset.classes):
        yield (
            f"{', '.join(ranks)} are taken for classes without an order: a mistake by one step counts as much as any. "
            "Where the steps are numbers, --task regression of a table keeps the order"
        )


def _several(classes: Sequence[str]) -> str:
    """A name that is made of others, such as `Coat;new` beside `Coat` or `Dress;new`; empty where there is none."""
    for separator in SEPARATORS:
        parts = {name: [part.strip() for part in name.split(separator)] for name in classes}
        counts = Counter(part for found in parts.values() for part in set(found) if part)
        for name, found in parts.items():
            if len(found) > 1 and any(counts[part] > 1 for part in found):
                return name
    return ""


def _ranks(classes: Sequence[str]) -> list[str]:
    """The names in their order, where they are whole numbers in a row or words of one scale."""
    names = [name.strip().lower() for name in classes]
    if len(names) < _FEWEST_RANKS:
        return []
    if all(name.isascii() and name.isdigit() for name in names):
        numbers = sorted(int(name) for name in names)
        return [str(number) for number in numbers] if numbers[-1] - numbers[0] < len(numbers) else []
    for scale in _SCALES:
        if set(names) <= set(scale):
            return sorted(classes, key=lambda name: scale.index(name.strip().lower()))
    return []

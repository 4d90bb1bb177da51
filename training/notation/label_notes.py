"""labels and categories ──▶ sentences on what they are taken for, where a person may mean something else by them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from models.columns import Column
from training.data.dataset import Dataset

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
_RANK = re.compile(r"0|[1-9][0-9]{0,8}")
_NUMBER = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)?")
_SENTENCE_WORDS = 6  # from which a category is rather a sentence


def label_notes(dataset: Dataset) -> Iterator[str]:
    """What to know of the classes' names and of the columns' categories; nothing of numbers."""
    yield from class_notes(dataset.classes)
    for column in dataset.columns:
        yield from _category_notes(column)


def class_notes(classes: Sequence[str]) -> Iterator[str]:
    """What to know of the classes' names."""
    if several := _several(classes):
        yield (
            f"{several!r} and the like are taken for one class each. Several labels for one image are not supported: "
            "fit a head for each of them, on a column that says whether the image has it"
        )
    if ranks := _ranks(classes):
        yield (
            f"{', '.join(ranks)} are taken for classes without an order: a mistake by one step counts as much as any. "
            "Where the steps are numbers, --task regression of a table keeps the order"
        )


def _category_notes(column: Column) -> Iterator[str]:
    if several := _several(column.categories):
        yield (
            f"column {column.name!r}: {several!r} and the like are taken for one category each; a column of yes and no "
            "for each of their parts tells more"
        )
    if ranks := _ranks(column.categories):
        yield (
            f"column {column.name!r}: {', '.join(ranks)} are taken for categories without an order; numbers, such as "
            f"1 to {len(ranks)}, keep it"
        )
    if lengthy := next((text for text in column.categories if len(text.split()) >= _SENTENCE_WORDS), ""):
        yield (
            f"column {column.name!r}: texts such as {lengthy[:60]!r} are taken for categories: what they "
            "say is not understood"
        )


def _several(classes: Sequence[str]) -> str:
    """A name that is made of others, such as `Coat;new` beside `Coat` or `Dress;new`; empty where there is none."""
    for separator in SEPARATORS:
        parts = {name: [part.strip() for part in name.split(separator)] for name in classes}
        counts = Counter(part for found in parts.values() for part in set(found) if part)
        for name, found in parts.items():
            if len(found) > 1 and any(counts[part] > 1 for part in found) and not _is_of_numbers(name, found):
                return name
    return ""


def _is_of_numbers(name: str, parts: Sequence[str]) -> bool:
    """Whether it is a decimal number, such as `1,5`, or several, such as `48.0, 11.0`; `1;3` may be two labels."""
    return ("," in name or "." in name) and all(map(_NUMBER.fullmatch, parts))


def _ranks(classes: Sequence[str]) -> list[str]:
    """The names in their order, where they are whole numbers in a row, no codes, or words of one scale."""
    names = [name.strip().lower() for name in classes]
    if len(names) < _FEWEST_RANKS:
        return []
    if all(map(_RANK.fullmatch, names)):
        numbers = sorted(int(name) for name in names)
        return [str(number) for number in numbers] if numbers[-1] - numbers[0] < len(numbers) else []
    for scale in _SCALES:
        if set(names) <= set(scale):
            return sorted(classes, key=lambda name: scale.index(name.strip().lower()))
    return []

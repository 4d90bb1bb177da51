"""the cells of the label column ──▶ classes or numbers, and what to say of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from models.manifest import Task
from training.column_types import RawColumn, describe, find_numbers, most_frequent
from training.errors import DataError
from training.number_notation import RULE, is_number
from training.spellings import merge_spellings, refuse_number_forms

NUMBERS_FROM = 20
"""Labels that are all numbers, and more than so many different ones, are numbers to be named where they have fractions
or hardly come twice; else they are classes."""
_NUMBERS_SHARE = 0.05  # of the rows: so many different whole numbers hardly come twice
MIN_NUMBERS = 2


@dataclass(frozen=True)
class LabelColumn:
    """What is to be predicted.

    Attributes:
        values: texts, or numbers; None for a row without a label.
        said: how they were read, in sentences without the column's name.
        described: `category` or `number`, and what there is of it.
    """

    values: list[str | None] | list[float | None]
    said: tuple[str, ...]
    described: str


def read_labels(raw: RawColumn, task: Task | None) -> LabelColumn:
    """Classes or numbers, as it was asked for or as they look.

    Raises:
        DataError: labels that are no numbers where numbers were asked for; one number in several forms as classes.
    """
    if task != "classification" and (numbers := _numbers(raw, is_asked=task == "regression")) is not None:
        return numbers
    cells, said = raw.missing.named(raw.cells)
    try:
        refuse_number_forms(cell for cell in cells if cell is not None)
    except DataError as error:
        raise DataError(f"label column {raw.name!r}: {error}") from error
    values, sentences = merge_spellings(cells)
    return LabelColumn(values, (*sentences, *said), describe("category", most_frequent(values), values))


def _numbers(raw: RawColumn, *, is_asked: bool) -> LabelColumn | None:
    """The labels as numbers; None where they are classes."""
    cells, said = raw.missing.measured(raw.cells)
    counts = Counter(cell for cell in cells if cell is not None)
    try:
        found, how = find_numbers(raw, counts)
    except DataError as error:
        if is_asked:
            raise DataError(f"label column {raw.name!r} {error}") from error
        return None
    if not found and counts and is_asked:
        wrong = next((text for text in counts if not is_number(text)), next(iter(counts)))
        raise DataError(f"label column {raw.name!r} is to hold numbers, but has {raw.at(wrong)}; {RULE}")
    values = [found.get(cell or "") for cell in cells]
    given = [value for value in values if value is not None]
    if not given or not (is_asked or _are_measured(given)):
        return None
    if len(set(given)) < MIN_NUMBERS:
        raise DataError(f"the labels are all {next(iter(counts))}; there is nothing to predict")
    extent = f"{min(given):.12g} to {max(given):.12g}"
    return LabelColumn(values, (*how, *said), describe("number", extent, values, (*how, *said)))


def _are_measured(numbers: Sequence[float]) -> bool:
    different = set(numbers)
    if len(different) <= NUMBERS_FROM:
        return False
    has_fractions = any(not number.is_integer() for number in different)
    return has_fractions or len(different) > _NUMBERS_SHARE * len(numbers)

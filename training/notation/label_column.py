"""the cells of the label column ──▶ classes or numbers, and what to say of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from models.bundle.head_spec import Task
from models.notation.number_notation import RULE
from models.notation.number_text import guess, is_number
from models.tables.raw_column import RawColumn
from training.exceptions import DataError
from training.notation.column_types import describe, find_numbers, most_frequent
from training.notation.number_doubts import why_no_numbers
from training.notation.spellings import merge_spellings, refuse_number_forms

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
        notes: how they were read, in sentences without the column's name.
        described: `category` or `number`, and what there is of it.
    """

    values: list[str | None] | list[float | None]
    notes: tuple[str, ...]
    described: str


def read_labels(raw: RawColumn, task: Task | None) -> LabelColumn:
    """Classes or numbers, as it was asked for or as they look.

    Raises:
        DataError: labels that are no numbers where numbers were asked for, or where the others are measured numbers;
            one number in several forms as classes.
    """
    if task == "classification":
        return _classes(raw)
    cells, notes = raw.missing.measured(raw.cells)
    counts = Counter(cell for cell in cells if cell is not None)
    try:
        found, how = find_numbers(raw, counts)
    except DataError as error:
        if task is None and not _are_measured([number for cell in cells if (number := guess(cell or "")) is not None]):
            return _classes(raw, f"taken for classes, although it {error}")
        hint = "" if task else "; or take all labels for classes with --task classification"
        raise DataError(f"label column {raw.name!r} {error}{hint}") from error
    if task is None and not _are_measured([found[cell] for cell in cells if cell is not None and cell in found]):
        return _classes(raw, *(() if found else why_no_numbers(counts, raw.at)))
    if not found and counts:
        wrong = next((text for text in counts if not is_number(text)), next(iter(counts)))
        raise DataError(f"label column {raw.name!r} is to hold numbers, but has {raw.at(wrong)}; {RULE}")
    return _numbers([found.get(cell or "") for cell in cells], (*how, *notes))


def _classes(raw: RawColumn, *doubts: str) -> LabelColumn:
    cells, notes = raw.missing.named(raw.cells)
    try:
        refuse_number_forms(cell for cell in cells if cell is not None)
    except DataError as error:
        raise DataError(f"label column {raw.name!r}: {error}") from error
    values, sentences = merge_spellings(cells)
    described = describe("category", most_frequent(values), values)
    return LabelColumn(values, (*doubts, *sentences, *notes), described)


def _numbers(values: list[float | None], notes: tuple[str, ...]) -> LabelColumn:
    given = [value for value in values if value is not None]
    if given and len(set(given)) < MIN_NUMBERS:
        raise DataError(f"the labels are all {given[0]:.12g}; there is nothing to predict")
    extent = f"{min(given):.12g} to {max(given):.12g}" if given else "no value"
    return LabelColumn(values, notes, describe("number", extent, values, notes))


def _are_measured(numbers: Sequence[float]) -> bool:
    different = set(numbers)
    if len(different) <= NUMBERS_FROM:
        return False
    has_fractions = any(not number.is_integer() for number in different)
    return has_fractions or len(different) > _NUMBERS_SHARE * len(numbers)

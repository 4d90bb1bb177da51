"""Labels: classes or numbers, and one class for its spellings."""

from __future__ import annotations

from typing import Literal

import pytest

from models.tables.missing_values import SURE
from tests.training.notation.test_column_types import raw
from training.exceptions import DataError
from training.notation.label_column import LabelColumn, read_labels


def labels(*cells: str | None, task: Literal["classification", "regression"] | None = None) -> LabelColumn:
    return read_labels(raw(*cells), task)


def test_spellings_of_one_class_are_merged_and_said() -> None:
    found = labels("Fish", "fish ", "Fish", "cup")
    assert found.values == ["Fish", "Fish", "Fish", "cup"]
    assert found.notes == ("spellings taken for one class, 'Fish': 'Fish' (2), 'fish ' (1)",)
    assert found.described == "category, 2 values: Fish (3), cup (1)"


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["none", "crack", "none"], ["none", "crack", "none"]),
        (["none", "crack", "crack"], [None, "crack", "crack"]),
        ([f"{SURE}none", "crack", "crack"], ["none", "crack", "crack"]),
        (["NA", "FR", "NA", "FR"], ["NA", "FR", "NA", "FR"]),
        (["0", "1", "none", "none"], ["0", "1", "none", "none"]),
        (["yes", "no", "null", "null"], ["yes", "no", "null", "null"]),
        (["", "crack", None], [None, "crack", None]),
    ],
    ids=["twice", "once", "once and quoted", "a country", "beside numbers", "beside booleans", "empty"],
)
def test_a_word_for_missing_is_a_class_where_it_is_sure_or_frequent(
    cells: list[str | None], values: list[str | None]
) -> None:
    assert labels(*cells).values == values


@pytest.mark.parametrize("cells", [("1", "1.0", "2"), ("01", "1", "2"), ("1", "2", "2.0", "none", "none")])
def test_one_number_in_two_forms_is_asked_about(cells: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match=r"label column 'x': the labels .* are the same number in different forms"):
        labels(*cells)


def test_many_numbers_are_to_be_named_in_any_notation() -> None:
    cells = [f"{row},5 kg" for row in range(30)]
    found = labels(*cells, "NA")
    assert found.values == [row + 0.5 for row in range(30)] + [None]
    assert found.described == "number, 0.5 to 29.5, 1 of 31 missing, decimal comma, unit 'kg', missing: 1 of 'NA'"
    assert labels(*cells, task="classification").values == cells


MEASURED = [f"{row}.5" for row in range(60)]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ([*MEASURED, "-"], "has numbers, but '-' in row 62; "),
        ([*MEASURED, "12.x5"], "has numbers, but '12.x5' in row 62; "),
        ([*map(str, range(60)), "?"], "has numbers, but '?' in row 62; "),
        ([*MEASURED, "1,25"], "has decimal points, as '0.5' in row 2, and decimal commas, as '1,25' in row 62"),
        ([*(f"{number} g" for number in MEASURED), "1 kg"], "has numbers of several units: 'g' ('0.5 g' in row 2)"),
    ],
    ids=["a dash", "a typing error", "whole numbers that hardly come twice", "both decimal signs", "two units"],
)
def test_measured_numbers_with_a_wrong_cell_are_not_taken_for_classes(cells: list[str], reason: str) -> None:
    with pytest.raises(DataError) as caught:
        labels(*cells)
    assert str(caught.value).startswith(f"label column 'x' {reason}")
    assert str(caught.value).endswith("; or take all labels for classes with --task classification")
    assert labels(*cells, task="classification").values == cells


@pytest.mark.parametrize(
    ("cells", "notes"),
    [
        (["1", "2", "1", "2", "x"], "taken for classes, although it has numbers, but 'x' in row 6; "),
        (["9 g", "8 kg"], "taken for classes, although it has numbers of several units"),
        (["00:30", "01:30"], "looks like numbers, but '00:30' in row 2 is none; "),
    ],
    ids=["one that is none", "units", "times"],
)
def test_classes_that_look_like_numbers_are_said(cells: list[str], notes: str) -> None:
    found = labels(*cells)
    assert found.values == cells
    assert found.notes[0].startswith(notes)
    assert not labels(*cells, task="classification").notes


def test_a_few_numbers_are_classes_without_a_remark() -> None:
    assert not labels("1", "2", "1", "2").notes
    assert not labels("cup", "pen 2").notes


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (["1", "2", "cheap", "4"], "label column 'x' has numbers, but 'cheap' in row 4"),
        (
            ["cup", "1", "pen", "pen"],
            "label column 'x' is to hold numbers, but has 'cup' in row 2; a number is written",
        ),
        (["1", "cup", "pen"], "label column 'x' is to hold numbers, but has 'cup' in row 3"),
        (["007", "12"], "label column 'x' is to hold numbers, but has '007' in row 2"),
        (["7", "7.0"], "the labels are all 7; there is nothing to predict"),
        (["9 g", "9 kg"], "label column 'x' has numbers of several units"),
    ],
    ids=["one word", "words", "words behind a number", "codes", "one number", "two units"],
)
def test_labels_that_are_to_be_numbers_and_are_none_are_named(cells: list[str], reason: str) -> None:
    with pytest.raises(DataError) as caught:
        labels(*cells, task="regression")
    assert str(caught.value).startswith(reason)

"""Labels that may mean something else than a class."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.columns import Column
from tests.training.squares import squares
from training.data.dataset import Dataset
from training.notation.label_notes import label_notes


def named(*classes: str) -> Dataset:
    return replace(squares(9), classes=classes)


@pytest.mark.parametrize(
    "classes",
    [("Coat", "Coat;new", "Dress"), ("red|old", "red|new", "blue"), ("a, b", "b", "c"), ("1;3", "1", "7")],
    ids=["beside its part", "parts shared", "with commas", "of numbers"],
)
def test_several_labels_in_one_are_not_supported(classes: tuple[str, ...]) -> None:
    (note,) = label_notes(named(*classes))
    assert "Several labels for one image are not supported: fit a head for each of them" in note


@pytest.mark.parametrize(
    "classes",
    [("1", "3", "2"), ("medium", "low", "high"), ("L", "S", "M", "XL"), ("Poor", "good", "Fair")],
    ids=["numbers", "words", "sizes", "in any case"],
)
def test_an_order_is_not_used(classes: tuple[str, ...]) -> None:
    (note,) = label_notes(named(*classes))
    assert "are taken for classes without an order" in note


@pytest.mark.parametrize(
    "classes",
    [("cat", "dog"), ("T-shirt, top", "Bag", "Coat"), ("2017", "1998", "5"), ("high", "low"), (),
     ("48.0, 11.0", "48.0, 12.0", "49.0, 11.0"), ("48.0;11.0", "48.0;-12.0"), ("1,5", "2,5", "3,5"), ("007", "7", "8"),
     ("01", "02", "03")],
    ids=["words", "a comma in a name", "numbers far apart", "two ends", "numbers to be named", "places on a map",
         "places with semicolons", "decimal commas", "codes and numbers", "codes"],
)  # fmt: skip
def test_of_others_nothing_is_said(classes: tuple[str, ...]) -> None:
    assert not list(label_notes(named(*classes)))


@pytest.mark.parametrize(
    ("categories", "notes"),
    [
        (
            ("red", "red;blue", "blue"),
            "'red;blue' and the like are taken for one category each; a column of yes and no",
        ),
        (
            ("small", "large", "medium"),
            "small, medium, large are taken for categories without an order; numbers, such as 1",
        ),
        (("a scratch on the left side, deep", "ok"), "texts such as 'a scratch on the left side, deep' are taken for"),
    ],
    ids=["several values in one cell", "an order", "sentences"],
)
def test_a_column_s_categories_may_mean_something_else(categories: tuple[str, ...], notes: str) -> None:
    column = Column(name="x", type="category", categories=categories)
    (note,) = label_notes(replace(named("cat", "dog"), columns=(column,)))
    assert note.startswith(f"column 'x': {notes}")


def test_of_other_columns_nothing_is_said() -> None:
    columns = (Column(name="x", type="category", categories=("zinc", "tin")), Column(name="y", type="number"))
    assert not list(label_notes(replace(named("cat", "dog"), columns=columns)))

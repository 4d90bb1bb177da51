"""What stands for a missing value, and what is a class of its own."""

from __future__ import annotations

import pytest

from models.tables.missing_values import SURE, Missing

USUAL = Missing.of(None)


@pytest.mark.parametrize("word", ["NA", "n/a", "N/A", "nan", "NaN", "null", "NULL", "none", "None", ""])
def test_one_cell_of_a_usual_word_is_missing(word: str) -> None:
    assert USUAL.named(["cup", word]) == (["cup", None], (f"missing: 1 of {word!r}",) if word else ())
    assert USUAL.measured(["1", word, word, word])[0] == ["1", None, None, None]


@pytest.mark.parametrize("word", ["NA", "none", "null", "None"])
def test_a_word_in_two_rows_is_a_class_or_category(word: str) -> None:
    cells, notes = USUAL.named(["cup", word, "pen", word])
    assert cells == ["cup", word, "pen", word]
    assert notes == (f"2 of {word!r} are a value of their own",)


def test_a_word_in_two_forms_is_counted_together() -> None:
    assert USUAL.named(["none", "None", "cup"])[0] == ["none", "None", "cup"]


def test_a_word_that_is_certain_is_a_class_even_once() -> None:
    assert USUAL.named(["cup", f"{SURE}none"])[0] == ["cup", "none"]


def test_where_a_word_is_quoted_in_some_rows_the_others_are_missing() -> None:
    cells, notes = USUAL.named([f"{SURE}NA", "NA", "NA", "NA", "cup"])
    assert cells == ["NA", None, None, None, "cup"]
    assert notes == ("missing: 3 of 'NA'", "1 of 'NA' are a value of their own")


def test_numbers_have_no_such_class_however_often_or_quoted() -> None:
    cells, notes = USUAL.measured(["1", "NA", f"{SURE}NA", None])
    assert (cells, notes) == (["1", None, None, None], ("missing: 2 of 'NA'",))


def test_words_that_a_person_names_are_missing_always_and_no_others_are() -> None:
    asked = Missing.of(["unknown", "-"])
    assert asked.named(["Unknown", "unknown", "-", "NA", "", "cup"])[0] == [None, None, None, "NA", None, "cup"]
    assert asked.measured(["-", "NA", "1"])[0] == [None, "NA", "1"]
    assert Missing.of([]).named(["NA", ""])[0] == ["NA", None]


def test_the_rule_names_the_words() -> None:
    assert "NA, N/A, NaN, null, None" in USUAL.rule
    assert Missing.of(["-"]).rule == "missing: an empty cell, '-'"


def test_a_cell_of_nothing_but_invisible_characters_is_empty() -> None:
    assert USUAL.named(["\u200b", "\ufeff\u00a0", "cup"])[0] == [None, None, "cup"]

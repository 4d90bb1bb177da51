"""Labels that are spelt in several ways."""

from __future__ import annotations

import pytest

from training.exceptions import DataError
from training.notation.spellings import merge_spellings, refuse_number_forms


@pytest.mark.parametrize(
    ("labels", "merged"),
    [
        (["Fish", "fish", "fish"], "fish"),
        (["Fish", "fish"], "Fish"),
        (["fish ", " fish", "FISH"], "fish"),
        (["caf\u00e9", "cafe\u0301"], "caf\u00e9"),
        (["cafe\u0301", "cafe\u0301", "CAF\u00c9"], "caf\u00e9"),
        (["red  fish", "red fish"], "red fish"),
        (["red\u00a0fish", "red fish"], "red fish"),
        (["STRASSE", "stra\u00dfe", "stra\u00dfe"], "stra\u00dfe"),
        (["\ufefffish", "fish"], "fish"),
    ],
    ids=[
        "the most frequent case stands for all",
        "the first of equally frequent ones does",
        "spaces at the ends do not count",
        "composed and decomposed letters are the same",
        "the composed form is kept",
        "two spaces are as one",
        "a no-break space is a space",
        "a sharp s is two of them",
        "a byte order mark is no letter",
    ],
)
def test_spellings_that_look_the_same_are_one_class(labels: list[str], merged: str) -> None:
    found, (sentence,) = merge_spellings(labels)
    assert found == [merged] * len(labels)
    assert sentence.startswith(f"spellings taken for one class, {merged!r}: ")


def test_each_spelling_is_said_with_its_count_the_most_frequent_first() -> None:
    _, sentences = merge_spellings(["fish", "Fish", "Fish", "cup", "Pen", "pen"])
    assert sentences == [
        "spellings taken for one class, 'Fish': 'Fish' (2), 'fish' (1)",
        "spellings taken for one class, 'Pen': 'Pen' (1), 'pen' (1)",
    ]


def test_what_is_missing_stays_in_its_place() -> None:
    assert merge_spellings(["fish", None, "Fish", "fish", None])[0] == ["fish", None, "fish", "fish", None]


def test_letters_that_look_the_same_are_said_in_escapes() -> None:
    _, (sentence,) = merge_spellings(["\u00e9", "e\u0301"])
    assert sentence.endswith(r"'\xe9' (1), 'e\u0301' (1)")


def test_other_labels_stay_as_they_are() -> None:
    labels = ["fish", "fish 2", "fi sh", "cafe", "caf\u00e9"]
    assert merge_spellings(labels) == (labels, [])


@pytest.mark.parametrize(
    "labels", [["1", "1.0"], ["01", "1"], ["2.5", "2.50"], ["+1", "1"], ["1,0", "1"]],
    ids=["with a fraction", "with a zero before", "with a zero behind", "with a sign", "with a decimal comma"],
)  # fmt: skip
def test_one_number_in_two_forms_is_asked_about(labels: list[str]) -> None:
    with pytest.raises(DataError, match="are the same number in different forms: are they one class"):
        refuse_number_forms([*labels, "7", "pen"])


def test_numbers_in_one_form_are_classes() -> None:
    refuse_number_forms(["1.0", "2.0", "1.0", "03", "1.5", "v1"])


@pytest.mark.parametrize(
    "labels", [[str(10**17 + n) for n in range(3)], [str(2**60 + n) for n in range(5)], ["0." + "0" * 400 + "1", "0"]],
    ids=["seventeen zeros", "keys of a database", "a fraction too small for a float"],
)  # fmt: skip
def test_numbers_that_only_floats_take_for_one_are_classes(labels: list[str]) -> None:
    refuse_number_forms(labels)


def test_of_many_forms_some_are_named() -> None:
    with pytest.raises(DataError, match=r"the labels '0000001', .*, '001' and 2 more are the same number") as caught:
        refuse_number_forms(["0" * n + "1" for n in range(7)])
    assert str(caught.value).count("'") == 2 * 5


def test_codes_are_asked_about() -> None:
    with pytest.raises(DataError, match="the labels '007' and '7' are the same number"):
        refuse_number_forms(["007", "7", "8"])

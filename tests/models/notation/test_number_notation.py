"""Numbers as people and spreadsheets write them."""

from __future__ import annotations

from collections import Counter

import pytest

from models.errors import DataError
from models.notation.number_notation import DecimalRule, Notation, decimal_shown, read_numbers
from models.notation.number_text import is_number
from models.notation.units import UNITS, is_unit


def read(*texts: str, rule: DecimalRule | None = None) -> Notation:
    return read_numbers(Counter(texts), rule or DecimalRule(), lambda text: f"{text!r} in row 7")


def values(*texts: str, rule: DecimalRule | None = None) -> list[float | None]:
    found = read(*texts, rule=rule).values
    return [found.get(text) for text in texts]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        pytest.param(["1.5", "-2", "+5", "1e3", ".5", "5.", "-3E-2"], [1.5, -2, 5, 1000, 0.5, 5, -0.03], id="plain"),
        pytest.param(["1,5", "2", "-0,25", "1,5e3"], [1.5, 2, -0.25, 1500], id="a decimal comma"),
        pytest.param(
            ["1.234,5", "2.000", "1.234.567"], [1234.5, 2000, 1234567], id="a comma, points between thousands"
        ),
        pytest.param(
            ["1,234.5", "2,000", "1,234,567"], [1234.5, 2000, 1234567], id="a point, commas between thousands"
        ),
        pytest.param(["1 234,5", "12"], [1234.5, 12], id="a comma, spaces between thousands"),
        pytest.param(["1\u00a0234.5", "1\u202f234"], [1234.5, 1234], id="no-break spaces between thousands"),
        pytest.param(["1'234.5", "1\u2019234"], [1234.5, 1234], id="apostrophes between thousands"),
        pytest.param(["1,23,456", "12,34,567.5"], [123456, 1234567.5], id="commas as in India"),
        pytest.param(["0,123"], [0.123], id="no thousands begin with 0, so it is a decimal comma"),
        pytest.param(["1234,567"], [1234.567], id="no group has four digits, so it is a decimal comma"),
        pytest.param(["1.234", "0.5"], [1.234, 0.5], id="three digits behind a point among others"),
        pytest.param(["1.234", "2.000"], [1.234, 2], id="three digits behind every point"),
        pytest.param(["\u22121.5", "2", "1e\u22123"], [-1.5, 2, 0.001], id="the minus sign of typesetters"),
        pytest.param(["(1.50)", "2", "(1,234.5)", "(3)"], [-1.5, 2, -1234.5, -3], id="brackets of accountants"),
        pytest.param(["(1,50)", "2,5"], [-1.5, 2.5], id="brackets and a decimal comma"),
        pytest.param([str(2**53 - 1), "1700000050"], [2**53 - 1, 1700000050], id="large ones, as float64"),
    ],
)
def test_a_number_is_read_in_either_notation(texts: list[str], expected: list[float]) -> None:
    assert values(*texts) == expected


@pytest.mark.parametrize(
    "text",
    ["1_2", "\uff11\uff12", "\u0663", "\u0967", "inf", "-Infinity", "nan", "0x1f", "1e999", "\u2013\u22125", "--5",
     "5\u00bd", "1.2.3", "31.12.2024", "10:30", "12 5", "1,23,4", "5'11\"", "2021-01-03", "one", "e5", ".", ",",
     "1.5,5.1", "12 345 6"],
)  # fmt: skip
def test_other_notations_are_no_numbers(text: str) -> None:
    assert values(text, "cup", "pen") == [None, None, None]
    assert not is_number(text)


@pytest.mark.parametrize(
    ("texts", "expected", "unit"),
    [
        (["9.9 g", "10g"], [9.9, 10], "g"),
        (["9,9\u00a0kg", "-1 kg"], [9.9, -1], "kg"),
        (["12 %", "5%"], [12, 5], "%"),
        (["\u20ac 5", "\u20ac1.234,50", "-\u20ac3", "\u20ac-3"], [5, 1234.5, -3, -3], "\u20ac"),
        (["5 \u20ac", "1.234,50 \u20ac"], [5, 1234.5], "\u20ac"),
        (["$1,200.50", "-$5"], [1200.5, -5], "$"),
        (["USD 5", "7 USD"], [5, 7], "USD"),
        (["36.6 \u00b0C", "37\u00b0C"], [36.6, 37], "\u00b0C"),
        (["5 \u00b5m", "6 \u03bcm"], [5, 6], "\u03bcm"),
        (["5 m\u00b2", "6 m2"], [5, 6], "m2"),
        (["90 km/h"], [90], "km/h"),
        (["1 day", "3 days"], [1, 3], "days"),
        (["3 stars", "5 stars"], [3, 5], "stars"),
        (["3stars", "5stars"], [3, 5], "stars"),
        (["3 Stars", "5 Stars"], [3, 5], "Stars"),
        (["($1.50)", "$2", "$(3)", "$ (4.5)"], [-1.5, 2, -3, -4.5], "$"),
        (["(1.50) \u20ac", "(2 \u20ac)", "3 \u20ac"], [-1.5, -2, 3], "\u20ac"),
        (["(1.5%)", "2%"], [-1.5, 2], "%"),
        (["\u22125 kg", "6 kg"], [-5, 6], "kg"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_unit_is_left_out_and_said(texts: list[str], expected: list[float], unit: str) -> None:
    assert values(*texts) == expected
    assert f"unit {unit!r}" in read(*texts).notes


@pytest.mark.parametrize(
    ("texts", "listed"),
    [
        (["9 g", "8 kg"], "'g' ('9 g' in row 7), 'kg' ('8 kg' in row 7)"),
        (["9 g", "8 g", "8"], "'g' ('9 g' in row 7), none ('8' in row 7)"),
        (["$5", "5 \u20ac"], "'$' ('$5' in row 7), '\u20ac' ('5 \u20ac' in row 7)"),
        (["5 %", "0.05"], "'%' ('5 %' in row 7), none ('0.05' in row 7)"),
    ],
    ids=["of one kind", "one without", "currencies", "a share and a percentage"],
)
def test_several_units_are_named(texts: list[str], listed: str) -> None:
    with pytest.raises(DataError) as caught:
        read(*texts)
    assert str(caught.value) == f"has numbers of several units: {listed}; convert them to one"


@pytest.mark.parametrize(
    "texts",
    [["12a", "12b"], ["1st", "2nd"], ["5 Main St", "7 Oak Ave"], ["A4", "A5"], ["007", "12"], ["00501", "10001"],
     ["0XL", "1XL", "3XL"], ["2xl", "3xl"], ["2 XL", "3 XL"], ["3X", "4X", "12X"], ["(1)", "(2)"], ["\u2212007", "12"],
     ["(030)", "12"], ["2 apples", "great"], ["0151 123", "151 124", "151 125"], ["+49 151 123"],
     ["+4915112345", "12"]],
    ids=["house numbers", "ordinals", "addresses", "letters before", "codes", "zip codes", "sizes",
         "sizes in lower case", "sizes with a space", "a capital letter", "nothing but brackets",
         "codes with a minus sign", "codes in brackets", "text",
         "telephone numbers", "telephone numbers with spaces", "telephone numbers with a dialling code"],
)  # fmt: skip
def test_codes_and_words_are_no_numbers(texts: list[str]) -> None:
    assert not read(*texts).values


def test_brackets_are_said() -> None:
    assert read("(1.50)", "2").notes == ("'(1.50)' is taken for -1.5",)


def test_a_fraction_may_have_zeros_before_it() -> None:
    assert values("0.5", "00.5", "0", "1") == [0.5, 0.5, 0, 1]


@pytest.mark.parametrize(
    ("texts", "rule", "expected"),
    [
        pytest.param(["1,234"], DecimalRule(separator=","), 1234.0, id="between commas a comma groups thousands"),
        pytest.param(["1,234"], DecimalRule(separator=";"), 1.234, id="between semicolons it is a decimal comma"),
        pytest.param(["1,234"], DecimalRule(), 1234.0, id="elsewhere it groups thousands"),
        pytest.param(["1,234"], DecimalRule(seen=",", separator="\t"), 1.234, id="other columns have decimal commas"),
        pytest.param(["1.234"], DecimalRule(separator=";"), 1.234, id="a point is a decimal point unless others show"),
        pytest.param(["1.234"], DecimalRule(seen=",", separator=";"), 1234.0, id="so their points group thousands"),
        pytest.param(["1,234"], DecimalRule(seen=".", separator=";"), 1234.0, id="other columns have decimal points"),
    ],
)
def test_an_ambiguous_number_is_read_by_a_rule_that_is_said(
    texts: list[str], rule: DecimalRule, expected: float
) -> None:
    notation = read(*texts, rule=rule)
    assert list(notation.values.values()) == [expected]
    assert f"{texts[0]!r} is taken for {expected!r}, as " in notation.notes[0]
    assert "--decimal" in notation.notes[0]


@pytest.mark.parametrize(("asked", "expected"), [(",", 1.234), (".", 1234.0)])
def test_what_a_person_says_of_the_decimal_sign_decides(asked: str, expected: float) -> None:
    assert values("1,234", rule=DecimalRule(asked, ".", ",")) == [expected]
    assert values("1,5", rule=DecimalRule(".", ",", ";")) == [None]


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (["1.5", "2,5"], "has decimal points, as '1.5' in row 7, and decimal commas, as '2,5' in row 7"),
        (["1.234", "1,234"], "has '1.234' in row 7 and '1,234' in row 7, and nothing says which sign is the decimal"),
    ],
    ids=["both are certain", "neither is"],
)
def test_both_decimal_signs_in_a_column_are_refused(texts: list[str], reason: str) -> None:
    with pytest.raises(DataError) as caught:
        read(*texts)
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize(
    ("texts", "shown"),
    [(["1,5", "2"], ","), (["1.5"], "."), (["1", "1,234"], ""), (["1,5", "1.5"], ",."), (["1,5", "cup"], "")],
    ids=["a comma", "a point", "neither", "both", "no numbers"],
)
def test_a_column_shows_its_decimal_sign(texts: list[str], shown: str) -> None:
    assert decimal_shown(texts) == shown


def test_units_are_few_words() -> None:
    assert all(map(is_unit, [*UNITS, "A$"]))
    assert not any(map(is_unit, ["a", "b", "B1", "st.", "", "apples"]))

"""the text of one cell ──▶ its sign, digits, power and unit; its value depends on the column's decimal sign."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass

from models.notation.units import CURRENCIES, SYMBOLS

DECIMALS = (".", ",")
_SIGNS = str.maketrans("\u00a0\u2009\u202f\u2019\u2212", "   '-")  # Swiss thousands; the typographic minus
_BRACKETS = re.compile(rf"\(([0-9., '%A-Z{SYMBOLS}]*)\)")  # as accountants write it: (1.50) is -1.50
_CELL = re.compile(
    rf"(?P<sign>[+-]?) ?(?P<before>[A-Z]{{0,3}}[{SYMBOLS}]|{'|'.join(CURRENCIES)})? ?(?P<inner>[+-]?)"
    r"(?P<digits>[0-9.,](?:[0-9.,' ]*[0-9.,])?)(?P<power>[eE][+-]?[0-9]+)?"
    rf" ?(?P<after>(?:[^\W\d_]|[%‰°{SYMBOLS}])(?:[^\W\d_]|[%‰°/·*^. -]|(?<=[^\W\d^])\^?[23](?![0-9])){{0,11}})?"
)
_PLAIN = {
    ".": re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+"),
    ",": re.compile(r"[0-9]+(?:,[0-9]+)?|,[0-9]+"),
}
_GROUPED = {  # in threes; in India commas come before the last three digits and before every two before those
    ".": re.compile(
        r"(?:[1-9][0-9]{0,2}([,' ])[0-9]{3}(?:\1[0-9]{3})*|[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3})(?:\.[0-9]+)?"
    ),
    ",": re.compile(r"[1-9][0-9]{0,2}([.' ])[0-9]{3}(?:\1[0-9]{3})*(?:,[0-9]+)?"),
}
_CODE = re.compile(r"[+-]?0[0-9][0-9 ()/-]*|\+[0-9]{8,15}")  # a plus sign and many digits is a telephone number


@dataclass(frozen=True)
class Parts:
    """The parts of a cell.

    Attributes:
        sign: empty for none.
        digits: with whatever is between them.
        power: of ten, with its `e`.
        unit: the text before or after, in Unicode's form NFKC.
        is_attached: whether the unit follows the digits without a space.
    """

    sign: str
    digits: str
    power: str
    unit: str
    is_attached: bool

    def value(self, decimal: str) -> float | None:
        """The number, if it is one with this decimal sign."""
        digits = self.digits
        if not self.power and self.sign != "+" and _GROUPED[decimal].fullmatch(digits):
            digits = re.sub(rf"[^0-9{decimal}]", "", digits)
        elif not _PLAIN[decimal].fullmatch(digits):
            return None
        number = float(self.sign + digits.replace(decimal, ".") + self.power)
        return number if math.isfinite(number) else None

    def group(self, decimal: str) -> str:
        """The sign between its thousands with this decimal sign; empty for none."""
        match = _GROUPED[decimal].fullmatch(self.digits)
        return (match[1] or ",") if match else ""

    def shows(self) -> str:
        """Its decimal sign; `?` and the sign if it is a number with either, such as 1,234; else empty."""
        values = {decimal: value for decimal in DECIMALS if (value := self.value(decimal)) is not None}
        if len(values) == 1:
            return next(iter(values))
        return "?" + re.sub(r"[^.,]", "", self.digits) if len(set(values.values())) > 1 else ""


def is_code(text: str) -> bool:
    """Whether it is digits that begin with a zero or a dialling code, such as zip codes and telephone numbers."""
    return _CODE.fullmatch(_plain(text)) is not None


def is_number(text: str) -> bool:
    """Whether it is a number with either decimal sign, perhaps with a unit, and no code."""
    return guess(text) is not None


def is_bracketed(text: str) -> bool:
    """Whether it is a negative number as accountants write it."""
    return "(" in text and is_number(text)


def guess(text: str) -> float | None:
    """Its number with one decimal sign or the other; None for anything else, and for a code."""
    part = None if is_code(text) else parse(text)
    if part is None:
        return None
    return next((value for sign in DECIMALS if (value := part.value(sign)) is not None), None)


def parse(text: str) -> Parts | None:
    """The parts of a cell; None if it does not look like a number."""
    text = _plain(text)
    found = _CELL.fullmatch(text)
    if found is None or (found["before"] and found["after"]) or (found["sign"] and found["inner"]):
        return None
    unit = (found["before"] or found["after"] or "").strip()
    if any(letter.isnumeric() for letter in unit if letter not in "23²³"):
        return None
    sign, unit = found["sign"] or found["inner"], unicodedata.normalize("NFKC", unit)
    is_attached = bool(found["after"]) and text[found.start("after") - 1] != " "
    return Parts(sign, found["digits"], found["power"] or "", unit, is_attached)


def _plain(text: str) -> str:
    """The text with one form of minus sign and space, and brackets as a minus sign."""
    text = text.translate(_SIGNS)
    return _BRACKETS.sub(r"-\1", text) if "(" in text else text

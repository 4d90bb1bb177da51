"""texts of one column ──▶ numbers: ASCII decimal notation, with either decimal sign, thousands and one unit."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from training.errors import DataError
from training.units import CURRENCIES, SYMBOLS, is_unit

RULE = "a number is written in ASCII digits, such as 12.5, -3e2 or 1,234.5, and in one unit a column"
DECIMALS = (".", ",")
_SPACES = str.maketrans("\u00a0\u2009\u202f\u2019", "   '")  # what groups thousands in French and Swiss spreadsheets
_CELL = re.compile(
    rf"(?P<sign>[+-]?) ?(?P<before>[A-Z]{{0,3}}[{SYMBOLS}]|{'|'.join(CURRENCIES)})? ?(?P<inner>[+-]?)"
    r"(?P<digits>[0-9.,](?:[0-9.,' ]*[0-9.,])?)(?P<power>[eE][+-]?[0-9]+)?"
    rf" ?(?P<after>(?:[^\W\d_]|[%‰°{SYMBOLS}])(?:[^\W\d_]|[%‰°/·*^. -]|(?<=[^\W\d^])\^?[23](?![0-9])){{0,11}})?"
)
_PLAIN = {
    ".": re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+"),
    ",": re.compile(r"[0-9]+(?:,[0-9]+)?|,[0-9]+"),
}
_GROUPED = {  # in threes; in India commas stand before the last three digits and every two before those
    ".": re.compile(
        r"(?:[1-9][0-9]{0,2}([,' ])[0-9]{3}(?:\1[0-9]{3})*|[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3})(?:\.[0-9]+)?"
    ),
    ",": re.compile(r"[1-9][0-9]{0,2}([.' ])[0-9]{3}(?:\1[0-9]{3})*(?:,[0-9]+)?"),
}
_ASCII = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_CODE = re.compile(r"[+-]?0[0-9][0-9 ()/-]*|\+[0-9]{8,15}")  # a plus sign and many digits is a telephone number
At = Callable[[str], str]
"""Gives a cell with its first row, as `'1,5' in row 3`."""


@dataclass(frozen=True)
class DecimalRule:
    """What is known of a file's numbers before one of its columns is read.

    Attributes:
        asked: the decimal sign that a person named; None to find out.
        seen: the one that the file's first rows show; None where they show none, or both.
        separator: what is between cells; None in a file without separators.
    """

    asked: str | None = None
    seen: str | None = None
    separator: str | None = None


@dataclass(frozen=True)
class Notation:
    """The numbers of a column.

    Attributes:
        values: of each text that is a number.
        said: how they were read, where there is more than digits and a decimal point.
        unit: what stands before or behind them; empty for none.
    """

    values: Mapping[str, float]
    said: tuple[str, ...] = ()
    unit: str = ""


@dataclass(frozen=True)
class _Parts:
    sign: str
    digits: str
    power: str
    unit: str

    def value(self, decimal: str) -> float | None:
        """The number, if it is one with this decimal sign."""
        digits = self.digits
        if not self.power and self.sign != "+" and _GROUPED[decimal].fullmatch(digits):
            digits = re.sub(rf"[^0-9{decimal}]", "", digits)
        elif not _PLAIN[decimal].fullmatch(digits):
            return None
        number = float(self.sign + digits.replace(decimal, ".") + self.power)
        return number if math.isfinite(number) else None

    def shows(self) -> str:
        """Its decimal sign; `?` and the sign where it is a number either way, as 1,234 is; else nothing."""
        values = {decimal: value for decimal in DECIMALS if (value := self.value(decimal)) is not None}
        if len(values) == 1:
            return next(iter(values))
        return "?" + re.sub(r"[^.,]", "", self.digits) if len(set(values.values())) > 1 else ""


def is_code(text: str) -> bool:
    """Whether it is digits that begin with a zero or a dialling code, as zip codes, part and telephone numbers do."""
    return _CODE.fullmatch(text) is not None


def is_number(text: str) -> bool:
    """Whether it is a number with either decimal sign, perhaps with a unit, and no code."""
    part = _parts(text)
    return part is not None and not is_code(text) and any(part.value(decimal) is not None for decimal in DECIMALS)


def decimal_shown(texts: Iterable[str]) -> str:
    """The decimal signs that a column's texts show; none where one of them is no number."""
    texts = list(texts)
    if not all(map(is_number, texts)):
        return ""
    parts = [part for text in texts if (part := _parts(text)) is not None]
    return "".join(sorted({part.shows() for part in parts} & set(DECIMALS)))


def read_numbers(counts: Counter[str], rule: DecimalRule, at: At) -> Notation:
    """Reads the texts of one column, without those that stand for a missing value.

    Returns:
        The numbers; none at all where the column is of codes or words.

    Raises:
        DataError: several units, or both decimal signs.
    """
    if any(is_code(text) for text in counts):
        return Notation({})
    if "," not in (rule.asked, rule.seen) and rule.separator != ";" and all(map(_ASCII.fullmatch, counts)):  # quick
        return Notation({text: number for text in counts if math.isfinite(number := float(text))})
    parts = _in_plural({text: found for text in counts if (found := _parts(text)) is not None})
    unit = _unit(counts, parts, at)
    if unit is None:
        return Notation({})
    parts = {text: found for text, found in parts.items() if found.unit == unit}
    decimal, said = _decimal(parts, rule, at)
    values = {text: value for text, found in parts.items() if (value := found.value(decimal)) is not None}
    groups = {match[1] or "," for text in values if (match := _GROUPED[decimal].fullmatch(parts[text].digits))}
    said += tuple(f"{group!r} groups thousands" for group in sorted(groups))
    return Notation(values, (*said, f"unit {unit!r}") if unit else said, unit)


def _parts(text: str) -> _Parts | None:
    found = _CELL.fullmatch(text.translate(_SPACES))
    if found is None or (found["before"] and found["after"]) or (found["sign"] and found["inner"]):
        return None
    unit = (found["before"] or found["after"] or "").strip()
    if any(letter.isnumeric() for letter in unit if letter not in "23²³"):
        return None
    sign, unit = found["sign"] or found["inner"], unicodedata.normalize("NFKC", unit)
    return _Parts(sign, found["digits"], found["power"] or "", unit)


def _in_plural(parts: dict[str, _Parts]) -> dict[str, _Parts]:
    """The same, with `days` for `day` where both are there."""
    units = {part.unit for part in parts.values()}
    several = {unit: f"{unit}s" for unit in units if len(unit) > 1 and f"{unit}s" in units}
    if not several:
        return parts
    return {text: replace(part, unit=several.get(part.unit, part.unit)) for text, part in parts.items()}


def _unit(counts: Counter[str], parts: Mapping[str, _Parts], at: At) -> str | None:
    """The unit of most of the column's numbers, empty for none; None where words behind numbers are no units."""
    found: Counter[str] = Counter()
    example: dict[str, str] = {}
    for text, part in parts.items():
        found[part.unit] += counts[text]
        example.setdefault(part.unit, text)
    if len(found) == 1:
        (unit,) = found
        return unit if not unit or is_unit(unit) or len(parts) == len(counts) else None
    known = {unit: count for unit, count in found.items() if not unit or is_unit(unit)}
    if sum(known.values()) * 2 <= counts.total():
        return None
    if len(known) == 1:
        return next(iter(known))
    listed = ", ".join(f"{unit!r} ({at(example[unit])})" if unit else f"none ({at(example[''])})" for unit in known)
    raise DataError(f"has numbers of several units: {listed}; convert them to one")


def _decimal(parts: Mapping[str, _Parts], rule: DecimalRule, at: At) -> tuple[str, tuple[str, ...]]:
    """The column's decimal sign, and what is to be said of it."""
    if rule.asked:
        return rule.asked, ("decimal comma",) if rule.asked == "," else ()
    example: dict[str, str] = {}
    for text, part in parts.items():
        example.setdefault(part.shows(), text)
    if "." in example and "," in example:
        raise DataError(
            f"has decimal points, as {at(example['.'])}, and decimal commas, as {at(example[','])}; write one of them"
        )
    for decimal, said in ((",", ("decimal comma",)), (".", ())):
        if decimal in example:
            return decimal, said
    unclear = {sign: example["?" + sign] for sign in DECIMALS if "?" + sign in example}
    return _ambiguous(unclear, parts, rule, at) if unclear else (".", ())


def _ambiguous(
    unclear: Mapping[str, str], parts: Mapping[str, _Parts], rule: DecimalRule, at: At
) -> tuple[str, tuple[str, ...]]:
    """The decimal sign of a column whose numbers, `1,234` or `1.234`, do not tell; `unclear` has one for each sign."""
    if rule.seen:
        decimal, reason = rule.seen, "as the file's other columns have it"
    elif len(unclear) > 1:
        raise DataError(
            f"has {at(unclear['.'])} and {at(unclear[','])}, and nothing says which sign is the decimal one; name it "
            "with --decimal"
        )
    elif "," in unclear:
        decimal = "," if rule.separator == ";" else "."
        reason = f"as cells are separated by {rule.separator!r}" if rule.separator else "as nothing says otherwise"
    elif rule.separator == ";":  # of spreadsheets that often group thousands by points
        decimal, reason = ".", "as no number has a decimal comma"
    else:
        return ".", ()
    text = next(iter(unclear.values()))
    other = DECIMALS[decimal == "."]
    value, otherwise = parts[text].value(decimal), parts[text].value(other)
    return decimal, (f"{text!r} is taken for {value!r}, {reason} (--decimal '{other}' reads {otherwise!r})",)

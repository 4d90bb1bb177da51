"""texts of one column ──▶ numbers: ASCII decimal notation, with either decimal sign, thousands and one unit."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from models.errors import DataError
from models.notation.number_text import DECIMALS, Parts, is_bracketed, is_code, is_number, parse
from models.notation.units import is_unit

RULE = "a number is written in ASCII digits, such as 12.5, -3e2 or 1,234.5, and in one unit a column"
_ASCII = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_FRACTION = re.compile(r"[0-9][.,][0-9]")
_SIZE = re.compile("x+[sl]", re.IGNORECASE)  # of clothes
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
        notes: how they were read, where there is more than digits and a decimal point.
        unit: what stands before or behind them; empty for none.
    """

    values: Mapping[str, float]
    notes: tuple[str, ...] = ()
    unit: str = ""


def decimal_shown(texts: Iterable[str]) -> str:
    """The decimal signs that a column's texts show; none where one of them is no number."""
    texts = list(texts)
    if not all(map(is_number, texts)):
        return ""
    parts = [part for text in texts if (part := parse(text)) is not None]
    return "".join(sorted({part.shows() for part in parts} & set(DECIMALS)))


def read_numbers(counts: Counter[str], rule: DecimalRule, at: At) -> Notation:
    """Reads the texts of one column, without those that stand for a missing value.

    Returns:
        The numbers; none at all where the column is of codes or words.

    Raises:
        DataError: several units, or both decimal signs.
    """
    codes = [text for text in counts if is_code(text)]
    if codes and (2 * sum(counts[text] for text in codes) > counts.total() or not any(map(_FRACTION.search, counts))):
        return Notation({})
    counts = Counter({text: count for text, count in counts.items() if text not in codes}) if codes else counts
    if "," not in (rule.asked, rule.seen) and rule.separator != ";" and all(map(_ASCII.fullmatch, counts)):  # quick
        return Notation({text: number for text in counts if math.isfinite(number := float(text))})
    parts = _in_plural({text: found for text in counts if (found := parse(text)) is not None})
    unit = _unit(counts, parts, at)
    if unit is None:
        return Notation({})
    parts = {text: found for text, found in parts.items() if found.unit == unit}
    decimal, notes = _decimal(parts, rule, at)
    values = {text: value for text, found in parts.items() if (value := found.value(decimal)) is not None}
    bracketed = [text for text in values if is_bracketed(text)]
    if bracketed and len(bracketed) == len(values):
        return Notation({})
    groups = {parts[text].group(decimal) for text in values} - {""}
    notes += tuple(f"{group!r} groups thousands" for group in sorted(groups))
    notes += tuple(f"{text!r} is taken for {values[text]!r}" for text in bracketed[:1])
    return Notation(values, (*notes, f"unit {unit!r}") if unit else notes, unit)


def _in_plural(parts: dict[str, Parts]) -> dict[str, Parts]:
    """The same, with `days` for `day` where both are there."""
    units = {part.unit for part in parts.values()}
    several = {unit: f"{unit}s" for unit in units if len(unit) > 1 and f"{unit}s" in units}
    if not several:
        return parts
    return {text: replace(part, unit=several.get(part.unit, part.unit)) for text, part in parts.items()}


def _unit(counts: Counter[str], parts: Mapping[str, Parts], at: At) -> str | None:
    """The unit of most of the column's numbers, empty for none; None where words behind numbers are no units."""
    found: Counter[str] = Counter()
    example: dict[str, str] = {}
    for text, part in parts.items():
        found[part.unit] += counts[text]
        example.setdefault(part.unit, text)
    if len(found) == 1:
        (unit,) = found
        return unit if not unit or is_unit(unit) or (len(parts) == len(counts) and _may_be_unit(unit, parts)) else None
    known = {unit: count for unit, count in found.items() if not unit or is_unit(unit)}
    if sum(known.values()) * 2 <= counts.total():
        return None
    if len(known) == 1:
        return next(iter(known))
    listed = ", ".join(f"{unit!r} ({at(example[unit])})" if unit else f"none ({at(example[''])})" for unit in known)
    raise DataError(f"has numbers of several units: {listed}; convert them to one")


def _may_be_unit(unit: str, parts: Mapping[str, Parts]) -> bool:
    """Whether a word behind every number is one: not XL, nor a letter of a code, such as 3B."""
    is_attached = any(part.is_attached for part in parts.values())
    return not _SIZE.fullmatch(unit) and (unit == unit.lower() or not is_attached)


def _decimal(parts: Mapping[str, Parts], rule: DecimalRule, at: At) -> tuple[str, tuple[str, ...]]:
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
    for decimal, notes in ((",", ("decimal comma",)), (".", ())):
        if decimal in example:
            return decimal, notes
    unclear = {sign: example["?" + sign] for sign in DECIMALS if "?" + sign in example}
    return _ambiguous(unclear, parts, rule, at) if unclear else (".", ())


def _ambiguous(
    unclear: Mapping[str, str], parts: Mapping[str, Parts], rule: DecimalRule, at: At
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

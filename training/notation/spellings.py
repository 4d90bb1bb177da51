"""labels or categories as people wrote them ──▶ one spelling for each, and sentences on merged ones."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TypeVar

from models.text import clean, key
from training.exceptions import DataError

_Text = TypeVar("_Text", str, str | None)
_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?", re.ASCII)
_SHOWN = 5
_MOST_DIGITS = 60  # of a number in an error


def merge_spellings(labels: Sequence[_Text]) -> tuple[list[_Text], list[str]]:
    """Merges texts that differ only in case, spaces or Unicode form (`models.text.key`).

    Returns:
        The spelling of each text: the most frequent one (the first, if several are), without spaces at its ends; None
        for None. And a sentence for each text that was spelt in several ways.
    """
    counts = Counter(label for label in labels if label is not None)
    spellings: dict[str, list[str]] = {}
    for spelling in counts:
        spellings.setdefault(key(spelling), []).append(spelling)
    winners = {group: _winner(members, counts) for group, members in spellings.items()}
    winner_of = {spelling: winners[group] for group, members in spellings.items() for spelling in members}
    sentences = [
        f"spellings taken for one class, {winners[group]!r}: {shown(members, counts)}"
        for group, members in spellings.items()
        if len(members) > 1
    ]
    return [None if label is None else winner_of[label] for label in labels], sentences


def refuse_number_forms(labels: Iterable[str]) -> None:
    """Refuses labels that write one number in several ways: only their author knows if `1` and `1.0` differ.

    Raises:
        DataError: with the forms, and what to do.
    """
    forms: dict[Decimal, set[str]] = {}  # exact, as floats of 17 digits and more are not
    for label in set(labels):
        if _NUMBER.fullmatch(text := label.strip()):
            forms.setdefault(Decimal(text.replace(",", ".")), set()).add(text)
    if several := sorted((value, sorted(texts)) for value, texts in forms.items() if len(texts) > 1):
        found = _listed(several[0][1])
        raise DataError(
            f"the labels {found} are the same number in different forms: are they one class? Write one form "
            "if they are, and put a letter before the number if they are not"
        )


def _listed(forms: Sequence[str]) -> str:
    words = [repr(form[:_MOST_DIGITS]) for form in forms[:_SHOWN]]
    last = f"{len(forms) - _SHOWN:,} more" if len(forms) > _SHOWN else words.pop()
    return f"{', '.join(words)} and {last}"


def shown(spellings: Sequence[str], counts: Counter[str]) -> str:
    """Spellings with their counts; escaped if two of them would look the same."""
    look_alike = len({clean(spelling) for spelling in spellings}) < len({spelling.strip() for spelling in spellings})
    show = ascii if look_alike else repr
    listed = sorted(spellings, key=lambda spelling: -counts[spelling])
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(f"{show(spelling)} ({counts[spelling]:,})" for spelling in listed[:_SHOWN]) + more


def _winner(members: Sequence[str], counts: Counter[str]) -> str:
    cleaned: Counter[str] = Counter()
    for spelling in members:
        cleaned[clean(spelling)] += counts[spelling]
    return max(cleaned, key=lambda spelling: cleaned[spelling])

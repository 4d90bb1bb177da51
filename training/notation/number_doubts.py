"""texts of a column that is taken for categories ──▶ why it is no numbers, where a person may take it for numbers."""

from __future__ import annotations

import re
from collections import Counter

from models.notation.number_notation import RULE, At
from models.notation.number_text import is_bracketed, is_code, is_number, parse
from models.notation.units import is_unit

_LETTER = re.compile(r"[^\W\d_½¼¾⅓⅔²³]")
_DIGIT = re.compile(r"\d")
_FEWEST = 2  # different texts: a single one is a name
_SHARE = 0.25  # of the cells: so many of digits and signs are no chance


def why_no_numbers(counts: Counter[str], at: At) -> tuple[str, ...]:
    """A sentence without the column's name; none where nobody would expect numbers."""
    if code := next((text for text in counts if is_code(text)), ""):
        is_dialled = code.startswith("+") and not code.startswith("+0")
        return (f"telephone numbers, as {code!r}" if is_dialled else f"leading zeros, as {code!r}: codes, no numbers",)
    if unit := _unknown_unit(counts):
        return (
            f"looks like numbers, but {unit!r} is no unit that is known; if it is one, write it in lower case or with "
            "a space before it",
        )
    like = [text for text in counts if _DIGIT.search(text) and not _LETTER.search(text)]
    if len(like) < _FEWEST or sum(counts[text] for text in like) < _SHARE * counts.total():
        return ()
    if all(map(is_bracketed, counts)):
        return ("looks like numbers, but all are in brackets, which make a number negative only beside others",)
    wrong = next((text for text in (*like, *counts) if not is_number(text)), "")
    return (f"looks like numbers, but {at(wrong)} is none; {RULE}",) if wrong else ()


def _unknown_unit(counts: Counter[str]) -> str:
    """What stands behind each number, and is not read as a unit; else nothing."""
    units = {part.unit if (part := parse(text)) and is_number(text) else "" for text in counts}
    return "".join(unit for unit in units if len(units) == 1 and not is_unit(unit))

"""cells of one column ──▶ the same cells, with None for missing values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from models.text import clean, key

WORDS = ("NA", "N/A", "NaN", "null", "None")
"""Words that stand for a missing value by default, in upper or lower case; an empty cell always does."""
KEPT_FROM = 2
"""A word in at least this many rows is a class or category of its own: a class needs as many."""
SURE = "\0"
"""Marks a word that the file itself says is not a missing value: quoted in CSV, or a text in parquet."""

Cells = Sequence[str | None]


@dataclass(frozen=True)
class Missing:
    """Which words stand for a missing value.

    Attributes:
        words: as `models.text.key` gives them.
        asked: whether somebody named them, so that there is no doubt about them.
    """

    words: frozenset[str] = frozenset(key(word) for word in WORDS)
    asked: bool = False

    @classmethod
    def of(cls, words: Sequence[str] | None) -> Missing:
        """The given words; the default ones for None."""
        return cls() if words is None else cls(frozenset(key(word) for word in words), asked=True)

    @property
    def rule(self) -> str:
        """What stands for a missing value, in a sentence."""
        if self.asked:
            return f"missing: an empty cell, {', '.join(map(repr, sorted(self.words)))}"
        return (
            f"missing: an empty cell, in any case {', '.join(WORDS)}; a class or category where quoted, or in "
            f"{KEPT_FROM} rows or more (--missing A,B names other words)"
        )

    def measured(self, cells: Cells) -> tuple[list[str | None], tuple[str, ...]]:
        """Cells of numbers, dates or booleans, where such a word is always a missing value; and sentences on them."""
        return self._without(cells, lambda cell: self._is_word(cell.removeprefix(SURE)))

    def named(self, cells: Cells) -> tuple[list[str | None], tuple[str, ...]]:
        """Cells of classes or categories, where a marked or frequent word is a value; and sentences on them."""
        texts = {cell for cell in set(cells) if cell and self._is_word(cell.removeprefix(SURE))}
        if not texts or self.asked:
            return self.measured(cells)
        counts = Counter(cell for cell in cells if cell in texts)
        sure = {key(text.removeprefix(SURE)) for text in texts if text.startswith(SURE)}
        frequent = {word for word, count in _by_word(counts).items() if count >= KEPT_FROM}
        lost = {
            text for text in texts if not text.startswith(SURE) and (key(text) in sure or key(text) not in frequent)
        }
        kept = Counter({text: count for text, count in counts.items() if text not in lost})
        found, notes = self._without(cells, lambda cell: cell in lost)
        return found, (
            *notes,
            *(f"{count:,} of {text!r} are a value of their own" for text, count in _plain(kept).items()),
        )

    def _is_word(self, text: str) -> bool:
        return key(text) in self.words

    def _without(self, cells: Cells, is_missing: Callable[[str], bool]) -> tuple[list[str | None], tuple[str, ...]]:
        found = {
            cell: None if _is_empty(cell) or is_missing(cell) else cell.removeprefix(SURE)
            for cell in set(cells)
            if cell is not None
        }
        lost = Counter(cell for cell in cells if cell and found[cell] is None)
        notes = tuple(f"missing: {count:,} of {text!r}" for text, count in _plain(lost).items())
        return [None if cell is None else found[cell] for cell in cells], notes


def _is_empty(text: str) -> bool:
    """Whether a cell shows nothing."""
    return not text or not (text.isascii() or clean(text))


def _by_word(counts: Counter[str]) -> Counter[str]:
    words: Counter[str] = Counter()
    for text, count in counts.items():
        words[key(text.removeprefix(SURE))] += count
    return words


def _plain(counts: Counter[str]) -> Counter[str]:
    plain: Counter[str] = Counter()
    for text, count in counts.items():
        plain[text.removeprefix(SURE)] += count
    return plain

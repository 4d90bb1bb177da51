"""FILE.csv, .tsv or .txt ──▶ `TableFile`: its dialect is detected unless it is given."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from models.errors import DataError
from models.notation.number_notation import DecimalRule, decimal_shown
from models.tables.dialect import SEPARATORS, Dialect, check_encoding, find_encoding, find_separator
from models.tables.missing_values import SURE, WORDS, Missing
from models.tables.table_file import ValueType, check_names, clean_names
from models.text import key

_CELL_CHARACTERS = 1024 * 1024
_SAMPLE_CHARACTERS = 1024 * 1024
_SAMPLE_ROWS = 1000
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)  # what Excel reads and writes, and does not show
_SHOWN, _SHOWN_CHARACTERS = 8, 30
_REASONS = {
    "unexpected end of data": "a cell begins with a quote that is never closed",
    "field larger": f"a cell begins with a quote that is never closed, or has over {_CELL_CHARACTERS:,} characters",
    "expected after": "text follows the quote that closes a cell; quotes within a cell are to be doubled",
}


@dataclass(frozen=True)
class CsvTable:
    """A text file of cells between separators; see `TableFile`."""

    path: Path
    header: tuple[str, ...]
    how: tuple[str, ...]
    decimals: DecimalRule
    encoding: str
    separator: str
    has_separator_line: bool
    quoted_words: re.Pattern[str]
    types: Mapping[str, ValueType] = field(default_factory=dict)
    unusable: Mapping[str, str] = field(default_factory=dict)

    def rows(self, names: Sequence[str]) -> Iterator[tuple[int, Sequence[str | None]]]:
        """See `TableFile`."""
        positions = check_names(self.path, self.header, names)
        for number, row in self._records():
            if len(row) != len(self.header):
                raise DataError(f"{self.path}, row {number}: {self._wrong_width(row)}")
            yield number, [row[position].strip() for position in positions]

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        """Rows behind the header that have a cell with text."""
        csv.field_size_limit(_CELL_CHARACTERS)
        with self.path.open(newline="", encoding=self.encoding) as file:
            if self.has_separator_line:
                file.readline()
            records = csv.reader(self._marked(file), delimiter=self.separator, strict=True, skipinitialspace=True)
            number, is_header = 0, True
            while True:
                number += 1
                try:
                    row = next(records, None)
                except csv.Error as error:
                    raise DataError(f"{self.path}, row {number}: {_reason(error)}") from error
                except UnicodeError as error:
                    raise DataError(
                        f"{self.path}, row {number} or soon after it, is not in {self.encoding}: {error}"
                    ) from error
                if row is None:
                    return
                if "".join(row).strip():
                    if not is_header:
                        yield number, row
                    is_header = False

    def _marked(self, lines: Iterable[str]) -> Iterator[str]:
        """Lines in which words that may stand for a missing value are marked where they are quoted.

        A quote that opens behind a separator and closes before one cannot be within a cell, where quotes are doubled.
        """
        for line in lines:
            if "\0" in line:
                raise csv.Error("it has a NUL character, which text has not; is --encoding right?")
            yield self.quoted_words.sub(rf'\1"{SURE}\2"', line) if '"' in line else line

    def _wrong_width(self, row: Sequence[str]) -> str:
        cells = ", ".join(repr(cell.removeprefix(SURE)[:_SHOWN_CHARACTERS]) for cell in row[:_SHOWN])
        than = "more" if len(row) > len(self.header) else "fewer"
        advice = f"; a cell that holds {self.separator!r} is to be in double quotes" if than == "more" else ""
        more = ", ..." if len(row) > _SHOWN else ""
        return f"{len(row)} cells, {than} than the {len(self.header)} of the header: {cells}{more}{advice}"


def open_csv(path: Path, dialect: Dialect) -> CsvTable:
    """Detects how a file is written, from all its bytes and its first rows.

    Raises:
        DataError: it is empty, or not a text file.
    """
    if dialect.encoding:
        encoding, notes = check_encoding(dialect.encoding), f"{dialect.encoding}, as asked for"
    else:
        encoding, notes = find_encoding(path)
    lines = _first_lines(path, encoding)
    line = _SEPARATOR_LINE.fullmatch(lines[0].strip("\ufeff\r\n")) if lines else None
    lines = lines[1:] if line else lines
    separator = dialect.separator or (line[1] if line else find_separator(lines))
    try:
        first = [row for row in csv.reader(lines, delimiter=separator, skipinitialspace=True) if "".join(row).strip()]
    except csv.Error as error:
        raise DataError(f"{path}: {_reason(error)}") from error
    if not first:
        raise DataError(f"{path} is empty")
    missing = Missing.of(dialect.missing)
    word = next((name for name, sign in SEPARATORS.items() if sign == separator), repr(separator))
    return CsvTable(
        path=path,
        header=clean_names(first[0]),
        how=(f"encoding: {notes}", f"separator: {word}"),
        decimals=DecimalRule(dialect.decimal, _decimal(first, missing), separator),
        encoding=encoding,
        separator=separator,
        has_separator_line=line is not None,
        quoted_words=_quoted(WORDS, separator),
    )


def _first_lines(path: Path, encoding: str) -> list[str]:
    """The first lines, at most about a thousand."""
    csv.field_size_limit(_CELL_CHARACTERS)
    try:
        with path.open(newline="", encoding=encoding) as file:
            text = file.read(_SAMPLE_CHARACTERS)
    except UnicodeError as error:
        raise DataError(f"{path} is not in {encoding}: {error}; name its encoding with --encoding") from error
    lines = list(io.StringIO(text, newline=""))[: _SAMPLE_ROWS + 1]
    return lines[:-1] if len(text) == _SAMPLE_CHARACTERS and len(lines) > 1 else lines


def _decimal(rows: Sequence[Sequence[str]], missing: Missing) -> str | None:
    """The decimal sign in the first rows; None if they have none, or both."""
    shown: set[str] = set()
    for cells in zip(*(row for row in rows[1:] if len(row) == len(rows[0])), strict=True):
        texts, _ = missing.measured([cell.strip() for cell in cells])
        shown.update(decimal_shown({text for text in texts if text}))
    return shown.pop() if len(shown) == 1 else None


def _quoted(words: Sequence[str], separator: str) -> re.Pattern[str]:
    listed = "|".join(re.escape(key(word)) for word in words)
    mark = re.escape(separator)
    return re.compile(rf'((?:^|{mark}) *)" *({listed}) *"(?=[\r\n]|{mark}|$)', re.IGNORECASE)


def _reason(error: csv.Error) -> str:
    return next((reason for part, reason in _REASONS.items() if part in str(error)), str(error))

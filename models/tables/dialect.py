"""first bytes and lines of a text file ──▶ its encoding and its separator."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models.errors import DataError

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_SINGLE_BYTE = (
    "cp1252"  # what spreadsheets of Western Europe and America write, and ISO 8859-1 without its control codes
)
_SAMPLE_BYTES = 4096
_CHUNK = 1 << 20
_FEW = 0.1
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_INVALID = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Dialect:
    """How a table is written; None for what is detected.

    Attributes:
        separator: the character between cells.
        decimal: the decimal sign, a point or a comma.
        encoding: as Python's codecs name it.
        missing: words that stand for a missing value, in any case; an empty cell always does.
    """

    separator: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    missing: tuple[str, ...] | None = None


def find_encoding(path: Path) -> tuple[str, str]:
    """The encoding of a text file, and a note on it; the whole file is read.

    Raises:
        DataError: it is damaged UTF-8, or not text in a known encoding.
    """
    with path.open("rb") as file:
        start = file.read(_SAMPLE_BYTES)
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if start.startswith(mark):
            return encoding, f"{'UTF-8' if encoding == 'utf-8-sig' else encoding.upper()} with a byte order mark"
    if wide := _wide(start):
        return wide, f"{wide.upper()} without a byte order mark"
    valid, invalid, example = _look_at_utf8(path)
    if not invalid:
        return "utf-8", "UTF-8"
    if valid >= invalid:
        raise DataError(f"{path} is UTF-8 but for {invalid:,} bytes, {example}; save it as UTF-8 again")
    try:
        words = _words(path)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is neither UTF-8 nor Windows-1252 ({error}); name its encoding with --encoding"
        ) from error
    return _SINGLE_BYTE, f"Windows-1252, as it is not UTF-8: {words!r} (--encoding names another)"


def _wide(start: bytes) -> str:
    """UTF-16 of mostly Western letters, where every other byte is 0; else empty."""
    even, odd = start[::2].count(0), start[1::2].count(0)
    if max(even, odd) * 4 < len(start) or min(even, odd) > _FEW * max(even, odd):
        return ""
    return "utf-16-le" if odd > even else "utf-16-be"


def _look_at_utf8(path: Path) -> tuple[int, int, str]:
    """The number of valid UTF-8 characters beyond ASCII, of invalid bytes, and the first invalid one."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    valid, invalid, example, lines = 0, 0, "", 1
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            text = decoder.decode(chunk)
            if not text.isascii():
                found = _INVALID.findall(text)
                if found and not example:
                    before = text[: text.index(found[0])]
                    example = (
                        f"the first of them 0x{ord(found[0]) - 0xDC00:02X} in line {lines + before.count(chr(10))}"
                    )
                invalid += len(found)
                valid += sum(map(len, _NOT_ASCII.findall(text))) - len(found)
            lines += text.count("\n")
        invalid += len(decoder.decode(b"", final=True))
    return valid, invalid, example or "at its end"


def _words(path: Path) -> str:
    """The word with the first character beyond ASCII."""
    shown = ""
    with path.open(encoding=_SINGLE_BYTE) as file:
        for line in file:
            if not shown and (found := re.search(r"\w*[^\x00-\x7f]+\w*", line)):
                shown = found[0][:40]
    return shown


def check_encoding(name: str) -> str:
    """Checks that Python knows a text encoding of this name, and returns it.

    Raises:
        DataError: it does not.
    """
    try:
        known = codecs.lookup(name)
        known.decode(b"")
        "".encode(name)
    except (LookupError, ValueError, TypeError) as error:
        raise DataError(f"{name!r} is no encoding; utf-8, utf-16, cp1252, cp1251 and shift_jis are some") from error
    return "utf-8-sig" if known.name == "utf-8" else name


def find_separator(lines: Sequence[str]) -> str:
    """The separator that gives most lines as many cells as the header, and many cells; a comma if none does."""
    scores = {separator: _score(lines, separator) for separator in SEPARATORS.values()}
    return max(scores, key=lambda separator: scores[separator])


def _score(lines: Sequence[str], separator: str) -> tuple[float, int]:
    """The header's cells times the share of rows with the same number, 0 for one cell; and the header's cells."""
    try:
        header, *rows = [row for row in csv.reader(lines, delimiter=separator, skipinitialspace=True) if row]
    except (ValueError, csv.Error):
        return 0.0, 0
    if len(header) < 2:
        return 0.0, 0
    share = sum(len(row) == len(header) for row in rows) / len(rows) if rows else 1.0
    return len(header) * share, len(header)

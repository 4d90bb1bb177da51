"""words of a command line ──▶ `Dialect`: the options on how a table is written."""

from __future__ import annotations

import argparse
import csv

from models.errors import DataError
from models.notation.number_text import DECIMALS
from models.tables.dialect import SEPARATORS, Dialect, check_encoding
from models.tables.missing_values import KEPT_FROM, WORDS


def add_dialect(command: argparse.ArgumentParser) -> None:
    """Adds the options for a table's dialect."""
    command.add_argument(
        "--separator", type=separator, metavar="CHARACTER",
        help="between cells: comma, semicolon, tab, pipe or any other character (default: found from the first rows)",
    )  # fmt: skip
    command.add_argument(
        "--decimal", type=decimal, metavar="SIGN",
        help="decimal sign, point or comma (default: found for each column)",
    )  # fmt: skip
    command.add_argument(
        "--encoding", type=encoding, metavar="NAME",
        help="of a text file (default: by its byte order mark, else UTF-8, else Windows-1252)",
    )  # fmt: skip
    command.add_argument(
        "--missing", type=names, metavar="A,B",
        help=f"words for a missing value, as an empty cell is; '' for none (default: {', '.join(WORDS)}, in any case; "
        f"but where a class or category is expected they are one if quoted, or in {KEPT_FROM} rows or more)",
    )  # fmt: skip


def dialect_of(arguments: argparse.Namespace) -> Dialect:
    """What the options say."""
    return Dialect(arguments.separator, arguments.decimal, arguments.encoding, arguments.missing)


def names(text: str) -> tuple[str, ...]:
    """Parses names as a row of CSV: a name with a comma is in double quotes."""
    try:
        found = next(csv.reader([text], skipinitialspace=True, strict=True), [])
    except csv.Error as error:
        raise argparse.ArgumentTypeError(
            f"{text[:80]!r} is no list of names such as A,B or '\"A, with a comma\",B': {error}"
        ) from error
    return tuple(name.strip() for name in found if name.strip())


def separator(text: str) -> str:
    """Parses the separator of cells: its name, or the character."""
    found = SEPARATORS.get(text.lower(), {"\\t": "\t", "space": " "}.get(text.lower(), text))
    if len(found) != 1 or found in '"\r\n\0' or found.isalnum():
        raise argparse.ArgumentTypeError(f"{text!r} is no separator: {', '.join(SEPARATORS)}, or one character")
    return found


def decimal(text: str) -> str:
    """Parses the decimal sign: its name, or the character."""
    found = {"point": ".", "comma": ","}.get(text.lower(), text)
    if found not in DECIMALS:
        raise argparse.ArgumentTypeError(f"{text!r} is no decimal sign: point or comma")
    return found


def encoding(text: str) -> str:
    """Parses the name of an encoding."""
    try:
        return check_encoding(text)
    except DataError as error:
        raise argparse.ArgumentTypeError(str(error)) from error

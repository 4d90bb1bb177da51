"""words of a command line ──▶ checked values: the options on data, which trainings and the dry run share."""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, get_args

from pydantic import TypeAdapter, ValidationError

from models.bundle.head_spec import Name
from models.bundle.input_spec import Fit, InputSpec
from models.bundle.store import DEFAULT_ROOT
from training.data import fashion_mnist, folder
from training.data.dataset import Dataset
from training.exceptions import DataError
from training.notation.number_text import DECIMALS
from training.tables.dialect import SEPARATORS, Dialect, check_encoding
from training.tables.missing_values import KEPT_FROM, WORDS
from training.tables.table import TableLayout

SMALLEST_SIDE, LARGEST_SIDE = 8, 4096  # pixels; the network halves 8 to 1, and the manifest ends at 4096
LARGEST_SEED = 2**32 - 1  # scikit-learn's
LAYOUT = "one folder a class in it, or train, validation and test, and the classes in those"
DATA = f"a folder with one folder a class in it, or the word {fashion_mnist.NAME}"


class Commands(Protocol):
    """What `ArgumentParser.add_subparsers` returns; argparse has no public name for its class."""

    def add_parser(self, name: str, /, *, help: str) -> argparse.ArgumentParser:
        """Adds a command."""


def add_name(command: argparse.ArgumentParser) -> None:
    """Adds the option for the bundle's name."""
    command.add_argument(
        "--name", required=True, type=name_of, help="name of the bundle: lower case letters, digits, . _ -"
    )


def add_limit(command: argparse.ArgumentParser) -> None:
    """Adds the option that limits the number of images."""
    command.add_argument("--limit", type=integer, metavar="N", help="use only about N images")


def add_folder_command(commands: Commands) -> argparse.ArgumentParser:
    """Adds a command on a folder of images."""
    command = commands.add_parser("folder", help="your images, in DIR/<class>/...")
    command.add_argument("directory", type=Path, metavar="DIR", help=LAYOUT)
    add_links(command)
    return command


def add_table_command(commands: Commands) -> argparse.ArgumentParser:
    """Adds a command on a table of images."""
    command = commands.add_parser("table", help="your images with labels and columns from a CSV or parquet file")
    command.add_argument("table", type=Path, metavar="FILE", help="its images are in its folder, or below it")
    add_table(command)
    return command


def add_links(command: argparse.ArgumentParser) -> None:
    """Adds the option not to follow symbolic links."""
    command.add_argument(
        "--no-links", dest="follow", action="store_false",
        help="do not follow symbolic links in the folder of the images; else they may lead anywhere",
    )  # fmt: skip


def add_data(command: argparse.ArgumentParser) -> None:
    """Adds the options for limit, seed and store."""
    add_limit(command)
    command.add_argument("--seed", type=seed, default=0, help="same seed, data and machine: same figures")
    command.add_argument("--out", type=Path, default=DEFAULT_ROOT, metavar="STORE", help="default: %(default)s")


def add_fit(command: argparse.ArgumentParser) -> None:
    """Adds the option for images of another shape than the network's."""
    command.add_argument(
        "--fit", choices=get_args(Fit), default="stretch",
        help="images of another shape than the network's: squeeze them, show all of them with the background around "
        "them, or their middle part (default: %(default)s)",
    )  # fmt: skip


def add_table(command: argparse.ArgumentParser) -> None:
    """Adds the options for a table's columns."""
    command.add_argument(
        "--image-column", default="image", metavar="NAME", help="paths, relative to the folder of images"
    )
    command.add_argument("--label-column", default="label", metavar="NAME", help="what is to be predicted")
    command.add_argument(
        "--columns",
        type=names,
        default=(),
        metavar="A,B",
        help="what stands beside the image; a name with a comma is in double quotes: '\"A, of all\",B'",
    )
    command.add_argument(
        "--optional-columns", type=names, default=(), metavar="A,B",
        help="those of them that requests may lack though no row does; a person is then asked",
    )  # fmt: skip
    command.add_argument(
        "--split-column", metavar="NAME", help="train, validation or test; else rows are split at random"
    )
    command.add_argument(
        "--group-column", metavar="NAME",
        help="rows of one value, as of one product or patient, are all for training or all for the test",
    )  # fmt: skip
    command.add_argument(
        "--task", choices=["classification", "regression"],
        help="default: regression where the labels are more than 20 different numbers, with fractions or rare",
    )  # fmt: skip
    command.add_argument(
        "--images-root", type=Path, metavar="DIR", help="the folder of images (default: the one that the table is in)"
    )
    add_links(command)
    add_dialect(command)


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


def ask(arguments: argparse.Namespace) -> TableLayout:
    """What the options say of the table's columns."""
    return TableLayout(
        image=arguments.image_column,
        label=arguments.label_column,
        columns=arguments.columns,
        split=arguments.split_column,
        group=arguments.group_column,
        optional=arguments.optional_columns,
        task=arguments.task,
        dialect=Dialect(arguments.separator, arguments.decimal, arguments.encoding, arguments.missing),
        images_root=arguments.images_root,
        follow=arguments.follow,
    )


def stream_data(data: str, name: str, spec: InputSpec, *, follow: bool = True) -> Dataset:
    """Streams the images of a folder, or of Fashion-MNIST, at a network's input size."""
    if data == fashion_mnist.NAME:
        return fashion_mnist.stream(name=name, spec=spec)
    return folder.stream(Path(data), name=name, spec=spec, follow=follow)


def name_of(text: str) -> str:
    """Parses a bundle's or a head's name."""
    try:
        return str(TypeAdapter(Name).validate_python(text))
    except ValidationError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a name: up to 64 of a-z, 0-9, '.', '_' and '-', a letter or digit at either end"
        ) from error


def names(text: str) -> tuple[str, ...]:
    """Parses names as a row of CSV: a name with a comma is in double quotes."""
    try:
        found = next(csv.reader([text], skipinitialspace=True, strict=True), [])
    except csv.Error as error:
        raise argparse.ArgumentTypeError(
            f"{text[:80]!r} is no list of names such as A,B or '\"A, with a comma\",B': {error}"
        ) from error
    return tuple(name.strip() for name in found if name.strip())


def listed(values: Iterable[str]) -> str:
    """Writes names as `names` reads them."""
    row = io.StringIO()
    csv.writer(row, lineterminator="").writerow(values)
    return row.getvalue()


def written(option: str, value: str) -> list[str]:
    """An option and its value as words of a command; one word where the value would be taken for an option."""
    return [f"{option}={value}"] if value.startswith("-") else [option, value]


def path_of(path: Path) -> str:
    """A path as a word of a command that is not taken for an option."""
    return f"./{path}" if str(path).startswith("-") else str(path)


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


def side(text: str) -> int:
    """Parses a side in pixels."""
    return within(integer(text), SMALLEST_SIDE, LARGEST_SIDE)


def seed(text: str) -> int:
    """Parses a random seed."""
    return within(integer(text), 0, LARGEST_SEED)


def integer(text: str) -> int:
    """Parses a whole number."""
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from error


def within(value: int, low: int, high: int) -> int:
    """Returns the value if it is from `low` to `high`."""
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{value} is not within {low} and {high}")
    return value

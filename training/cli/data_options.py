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
from models.tables.dialect_options import add_dialect, dialect_of, names
from training.backbones.names import DEFAULT as BACKBONE
from training.backbones.names import SYNTAX as BACKBONES
from training.data import fashion_mnist, folder
from training.data.dataset import Dataset
from training.network.presets import NetworkKind
from training.tables.table import TableLayout
from training.tuning.tuning_plan import TuneOption, TuningPlan

SMALLEST_SIDE, LARGEST_SIDE = 8, 4096  # pixels; the network halves 8 to 1, and the manifest ends at 4096
_MOST_MINUTES = 10_000  # a week
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


def add_fit(command: argparse.ArgumentParser, default: Fit | None = "stretch") -> None:
    """Adds the option for images of another shape than the network's; the default None is the network's own."""
    command.add_argument(
        "--fit", choices=get_args(Fit), default=default,
        help="images of another shape than the network's: squeeze them, show all of them with the background around "
        f"them, or their middle part (default: {default or 'as the network was fitted'})",
    )  # fmt: skip


def add_backbone(command: argparse.ArgumentParser) -> None:
    """Adds the option for the network, and for how it is given images of another shape."""
    command.add_argument(
        "--backbone", default=BACKBONE, metavar="NAME",
        help=f"the network: {BACKBONES} (default: %(default)s)",
    )  # fmt: skip
    add_fit(command, None)


def add_network_kind(command: argparse.ArgumentParser) -> None:
    """Adds the option on the kind of network that is fitted."""
    command.add_argument(
        "--network", choices=get_args(NetworkKind), default="cnn",
        help="a residual network, a compact convolutional transformer, or recurrent units over the rows of an image "
        "(default: %(default)s)",
    )  # fmt: skip


def add_tuning(command: argparse.ArgumentParser) -> None:
    """Adds the options on the tuning of the network."""
    command.add_argument(
        "--tune", choices=get_args(TuneOption), default=TuningPlan.option,
        help="fit the network to the images, too: its last blocks, products of low rank beside their matrices, or all "
        "of it; auto: the last blocks, kept only if out-of-fold answers are shown to be better (default: %(default)s)",
    )  # fmt: skip
    command.add_argument(
        "--tune-minutes", type=_minutes, default=TuningPlan.minutes, metavar="MINUTES",
        help="what the tuning may take, about (default: %(default)g)",
    )  # fmt: skip


def fitted(spec: InputSpec, arguments: argparse.Namespace) -> InputSpec:
    """A network's input with the fit that was asked for, if one was."""
    return spec if arguments.fit is None else spec.model_copy(update={"fit": arguments.fit, "center": 1.0})


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
        dialect=dialect_of(arguments),
        images_root=arguments.images_root,
        follow=arguments.follow,
    )


def stream_data(data: str, name: str, spec: InputSpec, *, follow: bool = True) -> Dataset:
    """Streams the images of a folder, or of Fashion-MNIST, at a network's input size."""
    if data == fashion_mnist.NAME:
        return fashion_mnist.stream(name=name, spec=spec)
    return folder.stream(Path(data), name=name, spec=spec, follow=follow)


def stream_new(data: str, name: str, spec: InputSpec, *, follow: bool) -> Dataset:
    """The same for a network that has no bundle yet: the background is the data's."""
    if data == fashion_mnist.NAME:
        spec = spec.model_copy(update={"background": fashion_mnist.BACKGROUND})
    return stream_data(data, name, spec, follow=follow)


def name_of(text: str) -> str:
    """Parses a bundle's or a head's name."""
    try:
        return str(TypeAdapter(Name).validate_python(text))
    except ValidationError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a name: up to 64 of a-z, 0-9, '.', '_' and '-', a letter or digit at either end"
        ) from error


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


def side(text: str) -> int:
    """Parses a side in pixels."""
    return within(integer(text), SMALLEST_SIDE, LARGEST_SIDE)


def _minutes(text: str) -> float:
    """Parses a positive number of minutes."""
    try:
        minutes = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from error
    if not 0 < minutes <= _MOST_MINUTES:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and at most {_MOST_MINUTES}")
    return minutes


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

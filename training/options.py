"""words of a command line ──▶ checked values: the options that several trainings share."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from models.manifest import InputSpec, Name, Task
from models.store import DEFAULT_ROOT
from training import fashion_mnist, folder
from training.catalogue import BEST, CATALOGUE
from training.clean.kinds import add_drop
from training.dataset import Dataset
from training.examples import COUNT
from training.policies import Aims, Costs
from training.table import Ask
from training.teach import HeadPlan

SMALLEST_SIDE, LARGEST_SIDE = 8, 4096  # pixels; the network halves 8 to 1, and the manifest ends at 4096
LARGEST_SEED = 2**32 - 1  # scikit-learn's
DATA = f"DIR/<class>/*.{{jpg,png,webp}}, or the word {fashion_mnist.NAME}"
_MOST_EXAMPLES = 100_000


def add_name(command: argparse.ArgumentParser) -> None:
    """The bundle's name."""
    command.add_argument(
        "--name", required=True, type=name_of, help="name of the bundle: lower case letters, digits, . _ -"
    )


def add_limit(command: argparse.ArgumentParser) -> None:
    """How many images."""
    command.add_argument("--limit", type=integer, metavar="N", help="use only about N images")


def add_data(command: argparse.ArgumentParser) -> None:
    """How many images, in which order, and where to."""
    add_limit(command)
    command.add_argument("--seed", type=seed, default=0, help="same seed, data and machine: same figures")
    command.add_argument("--out", type=Path, default=DEFAULT_ROOT, metavar="STORE", help="default: %(default)s")


def add_table(command: argparse.ArgumentParser) -> None:
    """Which columns of a table are what."""
    command.add_argument(
        "--image-column", default="image", metavar="NAME", help="paths, relative to the table's folder"
    )
    command.add_argument("--label-column", default="label", metavar="NAME", help="what is to be predicted")
    command.add_argument("--columns", type=names, default=(), metavar="A,B", help="what stands beside the image")
    command.add_argument(
        "--optional-columns", type=names, default=(), metavar="A,B",
        help="those of them that requests may lack though no row does; a person is then asked",
    )  # fmt: skip
    command.add_argument(
        "--split-column", metavar="NAME", help="train, validation or test; else rows are split at random"
    )
    command.add_argument(
        "--task", choices=["classification", "regression"],
        help="default: regression where the labels are more than 20 different numbers, with fractions or rare",
    )  # fmt: skip


def add_head(command: argparse.ArgumentParser, *, kind: str = "") -> None:
    """What decides, and when it is sure enough."""
    default = kind or "logistic_regression for classes, hist_gradient_boosting for numbers"
    command.add_argument(
        "--head", choices=[*CATALOGUE, BEST], default=kind,
        help=f"what decides on the embedding; best tries all of them (default: {default})",
    )  # fmt: skip
    command.add_argument(
        "--target-precision", type=share, default=Aims.target_precision, metavar="SHARE",
        help="accept only so confidently that this share is right, else review (default: %(default)s)",
    )  # fmt: skip
    command.add_argument(
        "--costs", type=Path, metavar="FILE.json",
        help='instead of that, what reviews and mistakes cost: {"review": 1, "error": 20}',
    )  # fmt: skip
    command.add_argument(
        "--false-alarms", type=share, default=Aims.false_alarms, metavar="SHARE",
        help="share of images like those of training that may be called unfamiliar (default: %(default)s)",
    )  # fmt: skip
    command.add_argument(
        "--examples", type=_examples, default=COUNT, metavar="N",
        help="training images that explanations may show; 0 for none (default: %(default)s)",
    )  # fmt: skip
    command.add_argument("--thumbnails", action="store_true", help="with small pictures of them")
    add_drop(command)


def head_plan(arguments: argparse.Namespace, task: Task, name: str | None = None) -> HeadPlan:
    """The head that was asked for.

    Raises:
        DataError: the costs cannot be read.
    """
    default = "logistic_regression" if task == "classification" else "hist_gradient_boosting"
    costs = Costs.read(arguments.costs) if arguments.costs is not None else None
    return HeadPlan(
        kind=arguments.head or default,
        name=name or HeadPlan.name,
        aims=Aims(arguments.target_precision, costs, arguments.false_alarms),
        examples=arguments.examples,
        thumbnails=arguments.thumbnails,
        drop=arguments.drop,
        seed=arguments.seed,
    )


def ask(arguments: argparse.Namespace) -> Ask:
    """Which columns of the table are what."""
    return Ask(
        image=arguments.image_column,
        label=arguments.label_column,
        columns=arguments.columns,
        split=arguments.split_column,
        optional=arguments.optional_columns,
        task=arguments.task,
    )


def stream_data(data: str, name: str, spec: InputSpec) -> Dataset:
    """The images of a folder, or those that are named instead of one, for an input."""
    if data == fashion_mnist.NAME:
        return fashion_mnist.stream(name=name, spec=spec)
    return folder.stream(Path(data), name=name, spec=spec)


def name_of(text: str) -> str:
    """A bundle's or a head's name."""
    try:
        return str(TypeAdapter(Name).validate_python(text))
    except ValidationError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a name: up to 64 of a-z, 0-9, '.', '_' and '-', a letter or digit at either end"
        ) from error


def names(text: str) -> tuple[str, ...]:
    """Names with commas between them."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def side(text: str) -> int:
    """A side in pixels."""
    return _within(integer(text), SMALLEST_SIDE, LARGEST_SIDE)


def seed(text: str) -> int:
    """What random numbers begin with."""
    return _within(integer(text), 0, LARGEST_SEED)


def integer(text: str) -> int:
    """A whole number."""
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from error


def _within(value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{value} is not within {low} and {high}")
    return value


def share(text: str) -> float:
    """A share above 0."""
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0 and at most 1")
    return share


def _examples(text: str) -> int:
    return _within(integer(text), 0, _MOST_EXAMPLES)

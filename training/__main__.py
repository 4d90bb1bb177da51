"""`python -m training fashion-mnist | folder`: from images to a bundle that serves."""

from __future__ import annotations

import argparse
import logging
import math
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from models.bundle import Bundle
from models.errors import TandemError
from models.manifest import HeadSpec, Name
from models.store import DEFAULT_ROOT
from training import fashion_mnist, folder
from training.dataset import Dataset, subset
from training.fit import CHECKPOINT
from training.recipe import PRESETS
from training.run import Plan, train

WORK = Path("build") / "training"
INTERRUPTED = 130  # 128 + SIGINT, as shells report it
SMALLEST_SIDE, LARGEST_SIDE = 8, 4096  # pixels; the network halves 8 to 1, and the manifest ends at 4096
LARGEST_SEED = 2**32 - 1  # scikit-learn's


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one training; returns 0, 1 after one line on stderr that says why not, or 130 if interrupted."""
    arguments = _parser().parse_args(argv)
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a kill leaves by the same door as Ctrl-C
    load: Callable[[argparse.Namespace], Dataset] = arguments.load
    plan = _plan(arguments)
    try:
        dataset = load(arguments)
        if arguments.limit is not None:
            dataset = subset(dataset, arguments.limit, arguments.seed)
        _tell_skipped(dataset)
        path = train(dataset, plan)
    except (TandemError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\ninterrupted; {_way_on(plan)}", file=sys.stderr)
        return INTERRUPTED
    _tell_result(path)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description="Train a bundle from images.")
    commands = parser.add_subparsers(required=True, metavar="DATA")

    command = commands.add_parser("fashion-mnist", help="70,000 small pictures of clothes in 10 classes")
    command.add_argument("--data", type=Path, help="folder with the four IDX files")
    command.set_defaults(load=lambda arguments: fashion_mnist.load(arguments.data), name=fashion_mnist.NAME)
    _add_common(command, preset="best")

    command = commands.add_parser("folder", help="your images, in DIR/<class>/*.{jpg,png,webp}")
    command.add_argument("directory", type=Path, metavar="DIR")
    command.add_argument(
        "--name", required=True, type=_name, help="name of the bundle: lower case letters, digits, . _ -"
    )
    command.add_argument("--image-size", type=_side, default=64, metavar="PIXELS", help="side (default: %(default)s)")
    command.add_argument(
        "--mirror", action="store_true", help="mirrored images are as likely as the images: clothes yes, digits no"
    )
    command.set_defaults(load=_load_folder)
    _add_common(command, preset="quick")
    return parser


def _add_common(command: argparse.ArgumentParser, *, preset: str) -> None:
    command.add_argument("--preset", choices=sorted(PRESETS), default=preset, help="default: %(default)s")
    command.add_argument("--limit", type=_integer, metavar="N", help="use only about N images")
    command.add_argument("--seed", type=_seed, default=0, help="same seed, data and machine: same figures")
    command.add_argument("--out", type=Path, default=DEFAULT_ROOT, metavar="STORE", help="default: %(default)s")
    command.add_argument(
        "--target-precision", type=_share, default=0.99, metavar="SHARE",
        help="accept only so confidently that this share is right, else review (default: %(default)s)",
    )  # fmt: skip
    command.add_argument("--resume", action="store_true", help="continue after the last whole epoch")


def _name(text: str) -> str:
    try:
        return str(TypeAdapter(Name).validate_python(text))
    except ValidationError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a bundle's name: up to 64 of a-z, 0-9, '.', '_' and '-', a letter or digit at either end"
        ) from error


def _side(text: str) -> int:
    return _within(_integer(text), SMALLEST_SIDE, LARGEST_SIDE)


def _seed(text: str) -> int:
    return _within(_integer(text), 0, LARGEST_SEED)


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from error


def _within(value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{value} is not within {low} and {high}")
    return value


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0 and at most 1")
    return share


def _load_folder(arguments: argparse.Namespace) -> Dataset:
    return folder.load(
        arguments.directory, name=arguments.name, image_size=arguments.image_size, mirror=arguments.mirror
    )


def _plan(arguments: argparse.Namespace) -> Plan:
    return Plan(
        recipe=PRESETS[arguments.preset],
        preset=arguments.preset,
        seed=arguments.seed,
        store=arguments.out,
        work=WORK / arguments.name,
        target_precision=arguments.target_precision,
        resume=arguments.resume,
    )


def _way_on(plan: Plan) -> str:
    if (plan.work / CHECKPOINT).is_file():
        return "the same command with --resume continues after the last whole epoch"
    return "no epoch was finished, so there is nothing to --resume: start again"


def _tell_skipped(dataset: Dataset) -> None:
    for reason in dataset.skipped:
        print(f"skipped {reason}", file=sys.stderr)


def _tell_result(path: Path) -> None:
    manifest = Bundle.open(path).manifest
    head: HeadSpec = manifest.default_head
    figures = ", ".join(f"{name} {value:.4f}" for name, value in head.metrics.items())
    print(f"{manifest.model}: {figures}")
    print(f"wrote {path}; serve it with TANDEM_BUNDLE={path}")


if __name__ == "__main__":
    sys.exit(main())

"""`python -m training fashion-mnist | folder | pretrained | variants`: from images to a bundle that serves."""

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
from models.manifest import HeadSpec, InputSpec, Name
from models.store import DEFAULT_ROOT, resolve
from training import fashion_mnist, folder
from training.dataset import Dataset, subset
from training.fit import CHECKPOINT
from training.pretrained import INPUT, load_network
from training.pretrained import NAME as NETWORK
from training.recipe import PRESETS
from training.run import Plan, train
from training.transfer import Transfer, transfer
from training.upgrade import upgrade
from training.variants import OTHERS

WORK = Path("build") / "training"
INTERRUPTED = 130  # 128 + SIGINT, as shells report it
SMALLEST_SIDE, LARGEST_SIDE = 8, 4096  # pixels; the network halves 8 to 1, and the manifest ends at 4096
LARGEST_SEED = 2**32 - 1  # scikit-learn's
_DATA = f"DIR/<class>/*.{{jpg,png,webp}}, or the word {fashion_mnist.NAME}"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one training; returns 0, 1 after one line on stderr that says why not, or 130 if interrupted."""
    arguments = _parser().parse_args(argv)
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a kill leaves by the same door as Ctrl-C
    run: Callable[[argparse.Namespace], Path] = arguments.run
    try:
        path = run(arguments)
    except (TandemError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\ninterrupted; {_way_on(arguments)}", file=sys.stderr)
        return INTERRUPTED
    _tell_result(path)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description="Train a bundle from images.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("fashion-mnist", help="70,000 small pictures of clothes in 10 classes")
    command.add_argument("--data", type=Path, help="folder with the four IDX files")
    command.set_defaults(run=_train, load=lambda given: fashion_mnist.load(given.data), name=fashion_mnist.NAME)
    _add_network(command, preset="best")
    _add_common(command)

    command = commands.add_parser("folder", help="your images, in DIR/<class>/*.{jpg,png,webp}")
    command.add_argument("directory", type=Path, metavar="DIR")
    _add_name(command)
    command.add_argument("--image-size", type=_side, default=64, metavar="PIXELS", help="side (default: %(default)s)")
    command.add_argument(
        "--mirror", action="store_true", help="mirrored images are as likely as the images: clothes yes, digits no"
    )
    command.set_defaults(run=_train, load=_load_folder)
    _add_network(command, preset="quick")
    _add_common(command)

    command = commands.add_parser("pretrained", help="your images, by a network that knows ImageNet: minutes, no GPU")
    command.add_argument("data", metavar="DATA", help=_DATA)
    _add_name(command)
    command.set_defaults(run=_transfer)
    _add_common(command)

    command = commands.add_parser("variants", help="a bundle's embedder in other precisions, as its next version")
    command.add_argument("bundle", type=Path, help="its directory, or a store entry, whose champion is taken")
    command.add_argument("data", metavar="DATA", help=f"what it was made of: {_DATA}")
    command.add_argument("--precisions", nargs="+", choices=OTHERS, default=OTHERS, help="default: all of these")
    _add_limit(command)
    command.add_argument("--out", type=Path, metavar="STORE", help="default: the store that the bundle is in")
    command.set_defaults(run=_upgrade)
    return parser


def _add_name(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--name", required=True, type=_name, help="name of the bundle: lower case letters, digits, . _ -"
    )


def _add_network(command: argparse.ArgumentParser, *, preset: str) -> None:
    command.add_argument("--preset", choices=sorted(PRESETS), default=preset, help="default: %(default)s")
    command.add_argument("--resume", action="store_true", help="continue after the last whole epoch")


def _add_common(command: argparse.ArgumentParser) -> None:
    _add_limit(command)
    command.add_argument("--seed", type=_seed, default=0, help="same seed, data and machine: same figures")
    command.add_argument("--out", type=Path, default=DEFAULT_ROOT, metavar="STORE", help="default: %(default)s")
    command.add_argument(
        "--target-precision", type=_share, default=0.99, metavar="SHARE",
        help="accept only so confidently that this share is right, else review (default: %(default)s)",
    )  # fmt: skip


def _add_limit(command: argparse.ArgumentParser) -> None:
    command.add_argument("--limit", type=_integer, metavar="N", help="use only about N images")


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


def _train(arguments: argparse.Namespace) -> Path:
    load: Callable[[argparse.Namespace], Dataset] = arguments.load
    plan = Plan(
        recipe=PRESETS[arguments.preset],
        preset=arguments.preset,
        seed=arguments.seed,
        store=arguments.out,
        work=WORK / arguments.name,
        target_precision=arguments.target_precision,
        resume=arguments.resume,
    )
    return train(_limited(load(arguments), arguments.limit, arguments.seed), plan)


def _transfer(arguments: argparse.Namespace) -> Path:
    network = load_network()
    on_black = arguments.data == fashion_mnist.NAME
    spec = INPUT.model_copy(update={"background": fashion_mnist.BACKGROUND}) if on_black else INPUT
    dataset = _limited(_stream(arguments.data, arguments.name, spec), arguments.limit, arguments.seed)
    plan = Transfer(arguments.seed, arguments.out, f"{NETWORK}, fitted on ImageNet", arguments.target_precision)
    return transfer(dataset, network, plan)


def _upgrade(arguments: argparse.Namespace) -> Path:
    bundle = Bundle.open(resolve(arguments.bundle))
    manifest = bundle.manifest
    dataset = _stream(arguments.data, manifest.name, manifest.input)
    dataset = _limited(dataset, arguments.limit, int(manifest.training.get("seed", 0)))
    return upgrade(bundle, dataset, arguments.precisions, arguments.out or bundle.path.parent.parent)


def _stream(data: str, name: str, spec: InputSpec) -> Dataset:
    """The images of a folder, or those that are named instead of one, for an input."""
    if data == fashion_mnist.NAME:
        return fashion_mnist.stream(name=name, spec=spec)
    return folder.stream(Path(data), name=name, spec=spec)


def _limited(dataset: Dataset, limit: int | None, seed: int) -> Dataset:
    _tell_skipped(dataset)
    return dataset if limit is None else subset(dataset, limit, seed)


def _way_on(arguments: argparse.Namespace) -> str:
    if arguments.run is not _train:
        return "nothing was written: start again"
    if (WORK / arguments.name / CHECKPOINT).is_file():
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

"""`python -m training compare fashion-mnist | folder | table`: from the command line to three files."""

from __future__ import annotations

import argparse
import math
import re
import shlex
from collections.abc import Callable
from pathlib import Path

from models.runtime.embedding_files import DEFAULT_ROOT
from training.clean.copies.kept_images import kept_copies
from training.cli import data_options
from training.cli.overview import tell as tell_of
from training.compare.budget import Budget
from training.compare.report import comparison_page
from training.compare.report.comparison_rows import Comparison
from training.compare.report.nested_samples import DEFAULT_SIZES, draw, parse_sizes
from training.compare.report.recommendation import DEFAULT_MARGIN
from training.data import fashion_mnist, folder
from training.data.dataset import Dataset
from training.data.file_reading import printable
from training.data.split import tie
from training.exceptions import DataError
from training.network.presets import PRESETS
from training.progress import stage
from training.tables import tabular
from training.tables.table import read

ROOT = Path("build") / "compare"
HTML, MARKDOWN, JSON = "compare.html", "compare.md", "compare.json"
_DEFAULT_MINUTES = "15"
_SMALLEST_SIDE, _LARGEST_SIDE = 8, 1024  # pixels; the network halves 8 to 1, and all images are held in memory
_LARGEST_SEED = 2**32 - 1  # scikit-learn's


def add_parser(commands: data_options.Commands) -> None:
    """Adds the command to those of `python -m training`."""
    parser = commands.add_parser("compare", help="classical, deep and hybrid models side by side on your data")
    sources = parser.add_subparsers(required=True, metavar="DATA")

    source = sources.add_parser("fashion-mnist", help="70,000 small pictures of clothes in 10 classes")
    source.add_argument("--data", type=Path, help="folder with the four IDX files")
    source.set_defaults(load=lambda given: fashion_mnist.load(given.data), name=lambda _: fashion_mnist.NAME)
    _add_common(source, "fashion-mnist", has_size=False)

    source = data_options.add_folder_command(sources)
    source.set_defaults(load=_load_folder, name=lambda given: given.directory.resolve().name)
    _add_common(source, "folder")

    source = data_options.add_table_command(sources)
    source.set_defaults(load=_load_table, name=lambda given: given.table.stem)
    _add_common(source, "table")


def run(arguments: argparse.Namespace) -> Path:
    """Compares, writes the three files and returns their folder.

    Raises:
        DataError: the arguments or the data are wrong; its message says how.
        OSError: the folder cannot be written to.
        KeyboardInterrupt: somebody stopped it; what was measured is written, and the message says where.
    """
    from training.compare.comparison import compare  # noqa: PLC0415 (imports torch, which other commands do without)
    from training.compare.network_trainer import Trainer  # noqa: PLC0415

    minutes, seed, sizes = _minutes(arguments.budget), _seed(arguments.seed), parse_sizes(arguments.sizes)
    margin = _margin(arguments.margin)
    _check_side(getattr(arguments, "image_size", _SMALLEST_SIDE))
    name = _file_name(arguments.name(arguments))
    path: Path = arguments.out or ROOT / name
    load: Callable[[argparse.Namespace], Dataset] = arguments.load
    dataset = tell_of(load(arguments))
    budget = Budget(60 * minutes)
    with stage("find copies"):
        copies = kept_copies(dataset, DEFAULT_ROOT)
    dataset = tie(dataset, [group.positions for group in copies.groups])
    samples, left_out = draw(dataset, sizes, seed)
    path.mkdir(parents=True, exist_ok=True)  # fails now rather than after a quarter of an hour
    comparison = compare(
        *(dataset, samples, left_out),
        budget=budget,
        margin=margin,
        trainer=Trainer(dataset, seed, hyperparameters=PRESETS["quick"].of(arguments.network)),
        command=_command(arguments),
    )
    _write(path, comparison)
    if comparison.interrupted:
        raise KeyboardInterrupt(f"{len(comparison.rows)} rows are measured and written to {path / HTML}")
    return path


def tell(path: Path, _: argparse.Namespace) -> None:
    """Prints the conclusion, and where the rest is."""
    comparison = Comparison.model_validate_json((path / JSON).read_text(encoding="utf-8"))
    for sentence in comparison.verdict:
        print(sentence)
    print(f"{len(comparison.rows)} rows measured, {len(comparison.left_out)} left out; wrote {path / HTML}")


def _add_common(source: argparse.ArgumentParser, source_name: str, *, has_size: bool = True) -> None:
    if has_size:
        source.add_argument("--image-size", default=64, metavar="PIXELS", help="side (default: %(default)s)")
        source.add_argument("--mirror", action="store_true", help="mirrored images are as likely as the images")
        data_options.add_fit(source)
    source.add_argument("--sizes", default=DEFAULT_SIZES, metavar="N,N", help="training images (default: %(default)s)")
    source.add_argument("--budget", default=_DEFAULT_MINUTES, metavar="MINUTES", help="in all (default: %(default)s)")
    source.add_argument(
        "--margin",
        default=f"{DEFAULT_MARGIN:g}",
        metavar="POINTS",
        help="what is recommended is shown to be worse than the best by so many points at most (default: %(default)s)",
    )
    data_options.add_network_kind(source)
    source.add_argument("--seed", default=0, help="of samples and models")
    source.add_argument("--out", type=Path, metavar="DIR", help=f"default: {ROOT}/<name>")
    source.set_defaults(run=run, tell=tell, source=source_name)


def _load_folder(arguments: argparse.Namespace) -> Dataset:
    directory: Path = arguments.directory
    size = _check_side(arguments.image_size)
    return folder.load(
        directory,
        name=printable(directory.resolve().name),
        image_size=size,
        mirror=arguments.mirror,
        fit=arguments.fit,
        follow=arguments.follow,
    )


def _load_table(arguments: argparse.Namespace) -> Dataset:
    table = read(arguments.table, data_options.ask(arguments))
    if isinstance(table.labels[0], float):
        raise DataError(
            f"column {arguments.label_column!r} holds numbers: to predict it is regression, and compare knows classes "
            "only; name a column of classes with --label-column, or say --task classification"
        )
    size = _check_side(arguments.image_size)
    return tabular.load(table, name=arguments.table.stem, image_size=size, mirror=arguments.mirror, fit=arguments.fit)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _minutes(text: str) -> float:
    minutes = _number(text)
    if minutes is None or minutes <= 0:
        raise DataError(f"a budget of {text!r} is none; give minutes above 0, for example --budget {_DEFAULT_MINUTES}")
    return minutes


def _margin(text: str) -> float:
    margin = _number(text)
    if margin is None or not 0 < margin < 100:
        raise DataError(f"a margin of {text!r} is none; give points between 0 and 100, for example --margin 1")
    return margin


def _seed(value: str | int) -> int:
    return _whole("seed", value, 0, _LARGEST_SEED)


def _check_side(value: str | int) -> int:
    return _whole("image size", value, _SMALLEST_SIDE, _LARGEST_SIDE)


def _whole(what: str, value: str | int, low: int, high: int) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
        raise DataError(f"{text!r} is no {what}; give a whole number from {low} to {high:,}")
    return int(text)


def _file_name(text: str) -> str:
    """A folder name made from the name of the data."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.") or "data"


def _command(arguments: argparse.Namespace) -> str:
    """The command that makes the same comparison again, defaults included."""
    given = [str(value) for value in (getattr(arguments, name, None) for name in ("directory", "table")) if value]
    names = ("data", "image_column", "label_column", "columns", "split_column", "image_size", "fit", "sizes", "budget")
    options = [
        (f"--{name.replace('_', '-')}", getattr(arguments, name, None))
        for name in (*names, "margin", "network", "seed", "out")
    ]
    words = [word for name, value in options if value not in (None, "") for word in (name, str(value))]
    mirror = ["--mirror"] if getattr(arguments, "mirror", False) else []
    return shlex.join(["python", "-m", "training", "compare", arguments.source, *given, *words, *mirror])


def _write(path: Path, comparison: Comparison) -> None:
    """Writes all three files, each replaced in one rename."""
    texts = {
        JSON: comparison.model_dump_json(indent=1) + "\n",
        MARKDOWN: comparison_page.markdown(comparison),
        HTML: comparison_page.html(comparison),
    }
    for name, text in texts.items():
        staging = path / f".{name}.tmp"
        staging.write_text(text, encoding="utf-8")
        staging.replace(path / name)

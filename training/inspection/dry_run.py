"""`python -m training inspect folder DIR | table FILE`: what a training would make of the data, in seconds."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from models.bundle.input_spec import InputSpec
from models.imaging.types import Pixels
from training.cli import data_options
from training.data import folder
from training.data.dataset import Dataset
from training.data.file_reading import printable, read_all
from training.data.picture import Picture, notes_of, read_picture
from training.data.split_parts import PARTS
from training.exceptions import DataError
from training.inspection.facts import Facts
from training.inspection.prospects import copies_of, words_on_copies, words_on_promises
from training.inspection.sizes import Sizes
from training.notation.label_notes import label_notes
from training.progress import stage
from training.tables import tabular
from training.tables.table import Table, read
from training.tables.table_survey import UNUSABLE, survey

SMALL = InputSpec(height=32, width=32, channels=3, decoder="fraction")
"""How images are decoded to check that they can be, and to find copies."""
_read_picture = partial(read_picture, spec=SMALL, keep=True)
_FROM_SCRATCH = 5000  # with this many small images, training a network is worth the time
_SMALL_SIDE = 64  # in pixels: a network for photos would have to enlarge such images
_MOST_NAME = 64
_NAME = "inspected"
_TABLE_OPTIONS = (
    "image_column", "label_column", "columns", "optional_columns", "split_column", "group_column", "task",
    "images_root", "separator", "decimal", "encoding", "missing",
)  # fmt: skip


def add_parser(commands: data_options.Commands) -> None:
    """Adds the command to those of `python -m training`."""
    parser = commands.add_parser("inspect", help="what a training would make of your data, in seconds: a dry run")
    sources = parser.add_subparsers(required=True, metavar="DATA")

    source = data_options.add_folder_command(sources)
    _add_common(source, _folder)

    source = data_options.add_table_command(sources)
    _add_common(source, _table)


def _add_common(source: argparse.ArgumentParser, examine: Callable[[argparse.Namespace], Facts]) -> None:
    source.add_argument("--json", type=Path, metavar="FILE", help="write the same as JSON, too")
    source.add_argument("--name", type=data_options.name_of, help="of the bundle, for the command that trains")
    source.set_defaults(run=_run, examine=examine, parser=source)


def _run(arguments: argparse.Namespace) -> None:
    """Prints what was found, and raises what stops a training.

    Raises:
        DataError: nothing could be read, or what was read cannot be trained on.
        OSError: the JSON cannot be written.
    """
    facts: Facts = arguments.examine(arguments)
    for line in facts.lines():
        print(line)
    sys.stdout.flush()  # before an error on stderr
    if arguments.json:
        arguments.json.write_text(facts.as_json(), encoding="utf-8")
    if facts.problem:
        raise DataError(facts.problem)


def _folder(arguments: argparse.Namespace) -> Facts:
    found = folder.listing(arguments.directory, _read_picture, follow=arguments.follow)
    counts, parts = Counter(found.labels), Counter(found.parts)
    dataset, problem = _checked(lambda: found.checked().dataset(_NAME, _pixels(found.pictures), SMALL))
    return _facts(
        dataset,
        found.pictures,
        data=printable(arguments.directory),
        images=len(found.pictures),
        classes={name: counts[name] for name in found.classes},
        split={name: parts[name] for name in PARTS if parts[name]},
        not_used=found.not_used,
        skipped=found.skipped,
        notes=found.notes,
        problem=problem,
        command=_command(arguments, "folder", arguments.directory, found.pictures) if dataset else "",
    )


def _table(arguments: argparse.Namespace) -> Facts:
    seen = survey(arguments.table, replace(data_options.ask(arguments), optional=()))  # it picks the columns itself
    arguments.columns = arguments.columns or seen.columns
    arguments.split_column = arguments.split_column or seen.split
    known: dict[str, Any] = {"data": printable(arguments.table), "columns": seen.described}
    try:
        table = read(arguments.table, data_options.ask(arguments))
    except DataError as error:
        said = f"{UNUSABLE}: {error}"  # once is enough
        known["columns"] = {name: UNUSABLE if text == said else text for name, text in seen.described.items()}
        return Facts(**known, images=0, classes={}, notes=seen.how, problem=str(error))
    return _of_table(table, arguments, known)


def _of_table(table: Table, arguments: argparse.Namespace, known: Mapping[str, Any]) -> Facts:
    found = read_all(table.images, _read_picture)
    dataset, problem = _checked(lambda: tabular.dataset_of(table, found, _pixels(found.values), SMALL, name=_NAME))
    read_rows = set(table.rows_of(found.positions).tolist())
    counts = Counter(label for label in (table.labels[row] for row in read_rows) if isinstance(label, str))
    split = {name: len(read_rows.intersection(rows.tolist())) for name, rows in (table.parts or {}).items()}
    return _facts(
        dataset,
        found.values,
        **known,
        images=len(read_rows),
        classes=dict(sorted(counts.items())),
        split={name: count for name, count in split.items() if count},
        not_used=tabular.not_used(table, found),
        skipped=(*table.skipped, *found.skipped),
        notes=(*table.how, *notes_of(found.values), *tabular.on_photos(table, found)),
        problem=problem,
        command=_command(arguments, "table", arguments.table, found.values) if dataset else "",
    )


def _facts(dataset: Dataset | None, pictures: Sequence[Picture], **known: Any) -> Facts:
    """The facts, with copies and promises if a training would take the data."""
    sizes = Sizes.of(pictures)
    if dataset is None:
        return Facts(**known, sizes=sizes)
    with stage("looking for copies"):
        tied, groups = copies_of(dataset)
    known["notes"] = (*known["notes"], *label_notes(dataset))
    copies, promises = tuple(words_on_copies(dataset, groups)), tuple(words_on_promises(tied))
    return Facts(**known, sizes=sizes, copies=copies, promises=promises)


def _checked(make: Callable[[], Dataset]) -> tuple[Dataset | None, str]:
    """The data set, or what is wrong with it."""
    try:
        return make(), ""
    except DataError as error:
        return None, str(error)


def _pixels(pictures: Sequence[Picture]) -> Pixels:
    """The pixels of all pictures, uint8 `[N, 32, 32, 3]`; grey ones have three channels, too."""
    kept = [picture.pixels for picture in pictures if picture.pixels is not None]
    return np.stack(kept) if kept else np.empty((0, SMALL.height, SMALL.width, SMALL.channels), np.uint8)


def _command(arguments: argparse.Namespace, source: str, data: Path, pictures: Sequence[Picture]) -> str:
    """The command that trains on the data: with pretrained features, or with a network for many small images."""
    side = int(np.median([max(picture.width, picture.height) for picture in pictures]))
    name = arguments.name or _name_of(data.resolve().stem if source == "table" else data.resolve().name)
    if source == "table":
        words = ["table", data_options.path_of(data), *_given(arguments)]
    elif side <= _SMALL_SIDE and len(pictures) >= _FROM_SCRATCH:
        words = ["folder", data_options.path_of(data), "--image-size", str(max(side, data_options.SMALLEST_SIDE))]
    else:
        words = ["pretrained", data_options.path_of(data)]
    links = [] if arguments.follow else ["--no-links"]
    return printable(shlex.join(["python", "-m", "training", *words, *links, "--name", name]))


def _given(arguments: argparse.Namespace) -> Iterator[str]:
    """The table's options that are not the default ones."""
    for option in _TABLE_OPTIONS:
        value = getattr(arguments, option, None)
        if value is not None and value != arguments.parser.get_default(option):
            text = data_options.listed(value) if isinstance(value, tuple) else str(value)
            yield from data_options.written(f"--{option.replace('_', '-')}", text)


def _name_of(text: str) -> str:
    """A bundle's name made from the name of the data."""
    plain = re.sub(r"[^a-z0-9._-]+", "-", text.lower())[:_MOST_NAME].strip("._-")
    return plain or "my-images"

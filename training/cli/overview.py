"""`Dataset` ──▶ lines for the console: what was read, as what, and what is not used; the same for every command."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from training.data.dataset import Dataset
from training.data.file_reading import one_line
from training.data.split_parts import PARTS
from training.notation.label_notes import label_notes

NOT_USED = "NOT USED"
_MOST_CLASSES = 20  # that a training lists; `inspect` lists all
_MOST_SKIPPED = 20


def overview(dataset: Dataset) -> Iterator[str]:
    """A few lines on the data set, printed before a training begins."""
    counts = class_counts(dataset)
    few = len(counts) <= _MOST_CLASSES
    yield headline(len(dataset.labels), counts)
    if counts and not few:
        yield f"their classes have {min(counts.values()):,} to {max(counts.values()):,} images each"
    yield from lines_of(counts if few else {})
    yield from lines_of(part_counts(dataset))
    yield from (f"{one_line(name)}: {one_line(said)}" for name, said in dataset.described.items())
    yield from not_used_lines(dataset.not_used)
    yield from skipped_lines(dataset.skipped, _MOST_SKIPPED)
    yield from (f"note: {note}" for note in (*dataset.notes, *label_notes(dataset)))


def tell(dataset: Dataset) -> Dataset:
    """Prints the overview to stderr; returns the data set."""
    for line in overview(dataset):
        print(line, file=sys.stderr)
    return dataset


def headline(images: int, counts: Mapping[str, int]) -> str:
    """Number of images and classes."""
    if not images:
        return "no image can be used"
    return f"{images:,} images {f'in {len(counts):,} classes' if counts else 'with numbers as labels'}"


def class_counts(dataset: Dataset) -> dict[str, int]:
    """Number of images of each class, in the order of the classes; empty for numbers."""
    if not dataset.classes:
        return {}
    counts = Counter(dataset.labels.tolist())
    return {name: counts[index] for index, name in enumerate(dataset.classes)}


def part_counts(dataset: Dataset) -> dict[str, int]:
    """Number of images of each part; empty unless the data came split."""
    given = {"validation": dataset.official_validation, "test": dataset.official_test}
    counts = {name: len(positions) for name, positions in given.items() if positions is not None}
    if not counts:
        return {}
    counts["train"] = len(dataset.labels) - sum(counts.values())
    return {name: counts[name] for name in PARTS if name in counts}


def lines_of(counts: Mapping[str, int]) -> Iterator[str]:
    """One line each, `NAME: COUNT`."""
    yield from (f"{one_line(name)}: {count}" for name, count in counts.items())


def not_used_lines(not_used: Mapping[str, int]) -> Iterator[str]:
    """One line per reason."""
    yield from (f"{NOT_USED} {reason}: {count}" for reason, count in not_used.items())


def skipped_lines(skipped: Sequence[str], most: int) -> Iterator[str]:
    """The first of the skipped files, each with the reason."""
    yield from (f"skipped {one_line(reason)}" for reason in skipped[:most])
    if len(skipped) > most:
        yield f"and {len(skipped) - most:,} more files are skipped; the report and `inspect --json FILE` list them"

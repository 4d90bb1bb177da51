"""what was read ──▶ `Facts`: all that a dry run reports, as lines for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field

from training.cli.overview import headline, lines_of, not_used_lines, skipped_lines
from training.data.file_reading import one_line
from training.inspection.sizes import Sizes

_MOST_SKIPPED = 50  # the JSON has all of them


@dataclass(frozen=True)
class Facts:
    """What a dry run found out.

    Attributes:
        data: the folder or the table.
        images: how many can be used.
        classes: images of each class; empty if the labels are numbers.
        split: images of each part, if the data names parts.
        columns: type and contents of each column.
        not_used: files left out for each reason.
        skipped: files that people should look at, each with what is wrong.
        notes: sentences on how the data was read.
        sizes: of the images; None if there are none.
        copies: sentences on images that are the same.
        promises: sentences on the precision that this many images can show.
        problem: what stops a training; empty if nothing does.
        command: that trains; empty if nothing can be trained.
    """

    data: str
    images: int
    classes: Mapping[str, int]
    split: Mapping[str, int] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    not_used: Mapping[str, int] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    sizes: Sizes | None = None
    copies: tuple[str, ...] = ()
    promises: tuple[str, ...] = ()
    problem: str = ""
    command: str = ""

    def lines(self) -> Iterator[str]:
        """For the console."""
        yield f"{one_line(self.data)}: {headline(self.images, self.classes)}"
        yield from lines_of(self.classes)
        yield from lines_of(self.split)
        yield from (f"{one_line(name)}: {one_line(text)}" for name, text in self.columns.items())
        yield from not_used_lines(self.not_used)
        yield from skipped_lines(self.skipped, _MOST_SKIPPED)
        if self.sizes is not None:
            yield from self.sizes.lines()
        yield from (f"note: {one_line(note)}" for note in self.notes)
        yield from (one_line(sentence) for sentence in (*self.copies, *self.promises))
        if self.command:
            yield f"train with: {self.command}"

    def as_json(self) -> str:
        """The same as JSON, with all names as they are."""
        return json.dumps(asdict(self), indent=1) + "\n"

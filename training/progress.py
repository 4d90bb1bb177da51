"""steps of a long job ──▶ a bar with the time left; where there is no terminal, a line twice a minute."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, TextIO, TypeVar

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 30

_LINE = "{desc}: {n_fmt} of {total_fmt} {unit}s, {elapsed} gone, {remaining} left{postfix}"

Step = TypeVar("Step")


class Lines(tqdm):  # type: ignore[type-arg]  # generic in the stubs only
    """A bar for logs: a new line each time, nothing drawn over."""

    @staticmethod
    def status_printer(file: TextIO | Any) -> Callable[[str], None]:
        """What tqdm calls with each new state; it ends the last line itself."""
        ends = iter([""])

        def write(text: str) -> None:
            file.write(next(ends, "\n") + text)
            file.flush()

        return write


def progress(
    steps: Iterable[Step], title: str, unit: str, *, total: int | None = None, done: int = 0, part: bool = False
) -> tqdm[Step]:
    """Iterates over `steps` and tells on stderr how far it has come.

    Args:
        steps: what is iterated over.
        title: what is being done.
        unit: what a step is called.
        total: number of steps, where `steps` does not say it.
        done: steps that an earlier run has done.
        part: it belongs to a longer job that tells its progress too: its bar vanishes, and no lines are printed.
    """
    if sys.stderr.isatty():
        return tqdm(steps, title, total, initial=done, unit=unit, leave=not part)
    return Lines(
        steps,
        title,
        total,
        initial=done,
        unit=unit,
        bar_format=_LINE,
        mininterval=SECONDS_BETWEEN_LINES,
        maxinterval=SECONDS_BETWEEN_LINES,
        disable=part,
    )

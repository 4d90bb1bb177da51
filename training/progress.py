"""steps of a long job ──▶ a bar with the time left; where there is no terminal, a line twice a minute."""

from __future__ import annotations

import io
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, TypeVar

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 30
_SECONDS_BETWEEN_LOOKS = 1  # at the clock: of a stage that tells nothing of itself

_LINE = "{desc}: {n_fmt} of {total_fmt} {unit}s, {elapsed} gone, {remaining} left{postfix}"

Step = TypeVar("Step")


class _Log:
    """What is written to a log: when the last line was, and the bars of parts that write none themselves."""

    def __init__(self) -> None:
        self.last = time.monotonic()
        self.parts: list[Part] = []

    def write(self, text: str) -> None:
        """Writes to stderr, at once."""
        self.last = time.monotonic()
        sys.stderr.write(text)
        sys.stderr.flush()


_log = _Log()


class Lines(tqdm):  # type: ignore[type-arg]  # generic in the stubs only
    """A bar for logs: a new line each time, nothing drawn over."""

    @staticmethod
    def status_printer(_: TextIO | Any) -> Callable[[str], None]:
        """What tqdm calls with each new state; it ends the last line itself."""
        ends = iter([""])
        return lambda text: _log.write(next(ends, "\n") + text)


class Part(tqdm):  # type: ignore[type-arg]
    """A bar that writes nothing: the stage that it belongs to tells how far it is."""

    def __init__(self, steps: Iterable[Any], title: str, total: int | None, *, done: int, unit: str) -> None:
        nowhere = io.StringIO()
        super().__init__(
            steps, title, total, initial=done, unit=unit, bar_format=_LINE, miniters=1, mininterval=0, file=nowhere
        )
        _log.parts.append(self)

    def display(self, *_: Any, **__: Any) -> None:
        """Writes nothing; tqdm calls this after each step, and would put the state into words."""

    def close(self) -> None:
        """Forgets it; tqdm calls this at the end, and sometimes again."""
        super().close()
        if self in _log.parts:
            _log.parts.remove(self)


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
        part: it belongs to a longer job: its bar vanishes, and a log is told of it only by the `stage` around it.
    """
    if sys.stderr.isatty():
        return tqdm(steps, title, total, initial=done, unit=unit, leave=not part)
    if part:
        return Part(steps, title, total, done=done, unit=unit)
    return Lines(
        steps,
        title,
        total,
        initial=done,
        unit=unit,
        bar_format=_LINE,
        mininterval=SECONDS_BETWEEN_LINES,
        maxinterval=SECONDS_BETWEEN_LINES,
    )


@contextmanager
def stage(title: str) -> Iterator[None]:
    """Tells on stderr what is being done, for as long as it takes, and how far its parts are.

    A terminal gets a bar that vanishes. A log gets a line whenever nothing has been written for half a minute.
    """
    if sys.stderr.isatty():
        with tqdm(desc=title, bar_format="{desc}: {elapsed}", leave=False) as bar, _repeated(bar.refresh):
            yield
        return
    started = time.monotonic()

    def tell() -> None:
        if time.monotonic() - _log.last >= SECONDS_BETWEEN_LINES:
            gone = f"{tqdm.format_interval(time.monotonic() - started)} gone"
            _log.write(f"{title}: {'; '.join([gone, *map(str, _log.parts[-1:])])}\n")

    with _repeated(tell):
        yield


@contextmanager
def _repeated(tell: Callable[[], object]) -> Iterator[None]:
    """Calls a function every second, in another thread."""
    over = threading.Event()

    def repeat() -> None:
        while not over.wait(_SECONDS_BETWEEN_LOOKS):
            tell()

    thread = threading.Thread(target=repeat, name="stage", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()

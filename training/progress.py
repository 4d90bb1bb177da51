"""steps of a long job ──▶ a bar with the time left, or without a terminal a line twice a minute; and a stopwatch."""

from __future__ import annotations

import io
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TextIO, TypeVar

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 30
_SECONDS_BETWEEN_LOOKS = 1  # at the clock, in a stage without a bar of its own

_LINE = "{desc}: {n_fmt} of {total_fmt} {unit}s, {elapsed} gone, {remaining} left{postfix}"

Step = TypeVar("Step")


class _Log:
    """A log's state: when its last line was written, and the bars of parts, which write no lines themselves."""

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
    """A bar for logs: writes a new line each time and overwrites nothing."""

    @staticmethod
    def status_printer(_: TextIO | Any) -> Callable[[str], None]:
        """Returns what tqdm calls with each new state. A line ends when the next one begins, or with the bar."""
        ends = iter([""])
        return lambda text: _log.write(next(ends, "\n") + text)


class Part(tqdm):  # type: ignore[type-arg]
    """A bar that writes nothing: the stage around it shows how far it is."""

    def __init__(self, steps: Iterable[Any], title: str, total: int | None, *, done: int, unit: str) -> None:
        nowhere = io.StringIO()
        super().__init__(
            steps, title, total, initial=done, unit=unit, bar_format=_LINE, miniters=1, mininterval=0, file=nowhere
        )
        _log.parts.append(self)

    def display(self, *_: Any, **__: Any) -> None:
        """Writes nothing; tqdm calls this after each step."""

    def close(self) -> None:
        """Removes it from the log's parts; tqdm calls this at the end, sometimes more than once."""
        super().close()
        if self in _log.parts:
            _log.parts.remove(self)


def progress(
    steps: Iterable[Step], title: str, unit: str, *, total: int | None = None, done: int = 0, part: bool = False
) -> tqdm[Step]:
    """Iterates over `steps` and shows on stderr how many are done.

    Args:
        steps: what is iterated over.
        title: what is being done.
        unit: what a step is called.
        total: number of steps, if `steps` has no length.
        done: number of steps that an earlier run did.
        part: whether it belongs to a longer job: then its bar vanishes, and only the `stage` around it writes to a log.
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
    """Shows on stderr what is being done while it lasts, and how far its parts are.

    A terminal shows a bar that vanishes. A log gets a line if nothing was written for half a minute.
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


@dataclass
class Stopwatch:
    """Seconds of each stage, in order."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Times a stage, and shows it on stderr while it lasts."""
        started = time.perf_counter()
        with stage(name):
            yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started


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

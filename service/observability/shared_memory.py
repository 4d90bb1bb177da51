"""numbers of one process ──▶ a file mapped into memory ──▶ sums over all processes, living and departed.

Counting is a store into shared memory (some 100 ns), so nothing is flushed and a killed process loses nothing. Each
process holds a lock on its own file for as long as it lives; the kernel lets go of it however the process ends,
so that neither a reused process id nor a container's own numbering can make a dead process look alive. The totals of
the departed are folded into one file, by whoever reads or starts next; their gauges vanish.
"""

from __future__ import annotations

import bisect
import contextlib
import fcntl
import json
import logging
import mmap
import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from models.errors import TandemError

logger = logging.getLogger(__name__)

Rule = Literal["total", "livesum", "livemax"]
"""How processes add up: for ever, the sum of the living, the largest of the living."""
Key = tuple[str, tuple[str, ...]]
"""A family's name and the values of its labels."""

SUFFIX = ".tally"
DEPARTED = "departed.json"
_WORD = 8
_SLOTS = 4096  # numbers; ten routes with all statuses and all histograms take some 600
_TEXT_START = _WORD * (1 + _SLOTS)
_TEXT_BYTES = 128 * 1024
_SIZE = _TEXT_START + _TEXT_BYTES
_ATTEMPTS = 10


class TallyError(TandemError):
    """The file for the metrics cannot be made."""


class Counter:
    """A number that grows, or a gauge; to be written by one thread."""

    __slots__ = ("_index", "_view")

    def __init__(self, view: memoryview[float], index: int) -> None:
        self._view = view
        self._index = index

    def inc(self, amount: float = 1.0) -> None:
        """Adds."""
        self._view[self._index] += amount

    def set(self, value: float) -> None:
        """Replaces."""
        self._view[self._index] = value


class Histogram:
    """Counts by upper bound, and the sum of what was observed; to be written by one thread.

    Args:
        view: numbers.
        start: where the counts begin: one for each bound, one for what is above them, then the sum.
        bounds: inclusive upper bounds, ascending.
    """

    __slots__ = ("_bounds", "_start", "_sum", "_view")

    def __init__(self, view: memoryview[float], start: int, bounds: Sequence[float]) -> None:
        self._view = view
        self._start = start
        self._bounds = bounds
        self._sum = start + len(bounds) + 1

    def observe(self, value: float) -> None:
        """Counts one value."""
        view = self._view
        view[self._start + bisect.bisect_left(self._bounds, value)] += 1.0
        view[self._sum] += value


class Tally:
    """The numbers of this process: `_SLOTS` of them and the names that say which is which, in one file."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self.path = path
        self._descriptor = descriptor
        self._map = mmap.mmap(descriptor, _SIZE)
        self._values = memoryview(self._map)[_WORD:_TEXT_START].cast("d")
        self._used_slots = 0
        self._used_text = 0
        self._lock = threading.Lock()
        self._full = False

    @classmethod
    def open(cls, directory: Path) -> Tally:
        """Makes this process's file, and folds the files of the departed.

        Raises:
            TallyError: there is no room, or no right, to write there.
        """
        try:
            fold_departed(directory)
            descriptor, name = tempfile.mkstemp(prefix=f"{os.getpid()}-", suffix=".new", dir=directory)
            os.posix_fallocate(descriptor, 0, _SIZE)  # a full disk is an error now, not a SIGBUS later
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            path = Path(name).with_suffix(SUFFIX)
            Path(name).rename(path)
        except OSError as error:
            raise TallyError(f"the metrics need {_SIZE} bytes in {directory}: {error.strerror}") from error
        return cls(descriptor, path)

    def close(self) -> None:
        """Departs: what was counted stays counted, what is counted from now on is lost."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def counter(self, name: str, labels: tuple[str, ...] = (), rule: Rule = "total") -> Counter:
        """A new number; to be asked for once for each name and labels."""
        return Counter(*self._take(name, labels, 1, rule))

    def histogram(self, name: str, labels: tuple[str, ...], bounds: Sequence[float]) -> Histogram:
        """A new histogram; to be asked for once for each name and labels."""
        return Histogram(*self._take(name, labels, len(bounds) + 2, "total"), bounds)

    def _take(self, name: str, labels: tuple[str, ...], width: int, rule: Rule) -> tuple[memoryview[float], int]:
        with self._lock:
            start = self._used_slots
            line = json.dumps([name, labels, rule, start, width]).encode() + b"\n"
            if start + width > _SLOTS or self._used_text + len(line) > _TEXT_BYTES:
                return self._private(name, width), 0
            at = _TEXT_START + self._used_text
            self._map[at : at + len(line)] = line
            self._used_slots += width
            self._used_text += len(line)
            self._map[:_WORD] = self._used_text.to_bytes(_WORD, "little")  # last: what a reader believes
            return self._values, start

    def _private(self, name: str, width: int) -> memoryview[float]:
        """Numbers that nobody sees: labels are bounded, so this is a mistake, and must not cost a request."""
        if not self._full:
            self._full = True
            logger.error("the metrics' file is full: %s and further new series are not shown", name)
        return memoryview(bytearray(width * _WORD)).cast("d")


@dataclass
class Totals:
    """Sums over processes; a histogram's numbers are its counts and its sum."""

    numbers: dict[Key, list[float]] = field(default_factory=dict)

    def add(self, key: Key, rule: Rule, values: Sequence[float]) -> None:
        """Adds one process's numbers."""
        known = self.numbers.get(key)
        if known is None:
            self.numbers[key] = list(values)
        elif rule == "livemax":
            self.numbers[key] = [max(pair) for pair in zip(known, values, strict=True)]
        elif len(known) == len(values):
            self.numbers[key] = [one + other for one, other in zip(known, values, strict=True)]


def read_totals(directory: Path) -> Totals:
    """The numbers of all processes; folds the files of the departed first."""
    fold_departed(directory)
    totals = Totals()
    for _ in range(_ATTEMPTS):  # again where somebody folds at the same time, lest totals go down for a moment
        before = _stamp(directory)
        totals = _read_once(directory)
        if _stamp(directory) == before:
            break
    return totals


def fold_departed(directory: Path) -> None:
    """Adds the totals of dead processes to one file and removes theirs; leaves it to another who does so now.

    A kill in between loses and doubles nothing: the file of sums names those that it has in it, and replaces the
    former one in one rename before they are removed.
    """
    if not any(_is_dead(path) for path in directory.glob(f"*{SUFFIX}")):
        return
    # Somebody else is at it, or there is no room: the files are read where they are.
    with contextlib.suppress(OSError), _locked(directory / "fold.lock"):
        totals, folded = _read_departed(directory)
        dead = [path for path in directory.glob(f"*{SUFFIX}") if _is_dead(path)]
        for path in dead:
            if path.name not in folded:
                for key, rule, values in _read_series(path):
                    if rule == "total":
                        totals.add(key, rule, values)
        rows = [[name, labels, values] for (name, labels), values in totals.numbers.items()]
        new = directory / f"{DEPARTED}.new"
        new.write_text(json.dumps({"folded": [path.name for path in dead], "totals": rows}))
        new.rename(directory / DEPARTED)
        for path in dead:
            path.unlink(missing_ok=True)


def _read_once(directory: Path) -> Totals:
    totals, folded = _read_departed(directory)
    for path in directory.glob(f"*{SUFFIX}"):
        if path.name in folded:
            continue
        alive = not _is_dead(path)
        for key, rule, values in _read_series(path):
            if alive or rule == "total":
                totals.add(key, rule, values)
    return totals


def _read_series(path: Path) -> Iterator[tuple[Key, Rule, memoryview[float]]]:
    """The series of one file; none where it has gone meanwhile."""
    try:
        with path.open("rb", buffering=0) as file:
            head = file.read(_TEXT_START)
            text = file.read(int.from_bytes(head[:_WORD], "little"))
    except FileNotFoundError:
        return
    numbers = memoryview(head)[_WORD:].cast("d")
    for name, labels, rule, start, width in json.loads(b"[" + text.rstrip(b"\n").replace(b"\n", b",") + b"]"):
        yield (name, tuple(labels)), rule, numbers[start : start + width]


def _read_departed(directory: Path) -> tuple[Totals, frozenset[str]]:
    try:
        document = json.loads((directory / DEPARTED).read_bytes())
    except FileNotFoundError:
        return Totals(), frozenset()
    totals = Totals({(name, tuple(labels)): values for name, labels, values in document["totals"]})
    return totals, frozenset(document["folded"])


def _is_dead(path: Path) -> bool:
    """Whether nobody holds the file's lock."""
    try:
        with _locked(path, os.O_RDONLY, fcntl.LOCK_SH):
            return True
    except BlockingIOError:
        return False
    except FileNotFoundError:
        return True


@contextlib.contextmanager
def _locked(path: Path, flags: int = os.O_RDWR | os.O_CREAT, kind: int = fcntl.LOCK_EX) -> Iterator[None]:
    """Holds a file's lock.

    Raises:
        BlockingIOError: somebody else holds it.
    """
    descriptor = os.open(path, flags, 0o600)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _stamp(directory: Path) -> tuple[int, int] | None:
    try:
        status = (directory / DEPARTED).stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns

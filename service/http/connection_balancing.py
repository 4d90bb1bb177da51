"""connections of one worker ──▶ whether a new one is for it to take: who has more than the others leaves it to them.

All workers wait on one listening socket, and the first to wake would take every connection that arrives together; one
core would then answer them all while the others are idle.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import time
from pathlib import Path

from service import coordination

LISTED_S = 0.1
"""The others are looked up again after so long: a worker that has come or gone is not noticed before."""
_SLACK = 16  # of so many connections a worker may have one more than the others, so that a crowd is taken quickly
_BYTES = 4
_NONE = 2**31 - 1


class ConnectionBalance:
    """How many connections this process has, and the others, in memory that they share.

    Making it does no I/O; until `open` and after `close` the process neither counts nor leaves anything to others.
    """

    def __init__(self) -> None:
        self._mine: memoryview[int] | None = None
        self._path = Path()
        self._others: dict[str, memoryview[int]] = {}
        self._listed_at = 0.0

    def open(self) -> None:
        """Shows itself to the others; by then this process takes connections, or is about to."""
        self._path = coordination.directory() / coordination.CONNECTIONS.format(os.getpid())
        unnamed = self._path.with_suffix(".new")  # whoever finds the file finds all of it
        unnamed.write_bytes(bytes(_BYTES))
        unnamed.rename(self._path)
        self._mine = _mapped(self._path)

    def close(self) -> None:
        """Takes no part any more."""
        if self._mine is not None:
            self.set(_NONE)
            self._path.unlink(missing_ok=True)
            self._mine = None

    def set(self, connections: int) -> None:
        """Says how many this process has."""
        if self._mine is not None:
            self._mine[0] = connections

    def is_exceeded(self) -> bool:
        """Whether another process has fewer, so that a new one is for it to take."""
        if self._mine is None:
            return False
        mine = self._mine[0]
        return mine - mine // _SLACK > min((other[0] for other in self._list_others()), default=_NONE)

    def _list_others(self) -> list[memoryview[int]]:
        now = time.monotonic()
        if now - self._listed_at > LISTED_S:
            self._listed_at = now
            found = {}
            for path in self._path.parent.glob(coordination.CONNECTIONS.format("*")):
                if path != self._path:
                    with contextlib.suppress(FileNotFoundError):  # the worker has just ended
                        found[path.name] = self._others.get(path.name) or _mapped(path)
            self._others = found
        return list(self._others.values())


def _mapped(path: Path) -> memoryview[int]:
    with path.open("r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), _BYTES)).cast("i")

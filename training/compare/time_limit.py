"""a function and a time limit ──▶ its result, from another process, which is ended when the time is up.

A scikit-learn fit cannot be stopped inside its own process. The process stays for the next call. A new one is forked
from a server that has only imported the libraries, which takes milliseconds.
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import Any, TypeVar

Result = TypeVar("Result")

_PRELOADED = ["training.compare.model_job", "training.compare.network_trainer"]


class Ended(Exception):
    """A call took too long, or its process died, perhaps because memory ran out."""


class Worker:
    """Calls functions in another process, one after the other."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOADED)
        self._process: ForkServerProcess | None = None
        self._connection: Connection | None = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __call__(self, function: Callable[..., Result], *arguments: object, seconds: float) -> Result:
        """Calls a function.

        Args:
            function: defined in a module; its arguments, its result and its exceptions can be pickled.
            arguments: passed to it.
            seconds: the limit, after which the process is ended.

        Raises:
            Ended: the time is up, or the process died.
        """
        started = time.monotonic()
        connection = self._connection or self._start()
        try:
            connection.send((function, arguments))
            if not connection.poll(max(0.0, seconds - (time.monotonic() - started))):
                self.close()
                raise Ended(f"ended after {time.monotonic() - started:.0f} s, the budget was spent")
            is_result, found = connection.recv()
        except (EOFError, ConnectionError) as error:
            self.close()
            raise Ended("its process died, for want of memory perhaps") from error
        except KeyboardInterrupt:
            self.close()
            raise
        if is_result:
            result: Result = found
            return result
        raise found

    def close(self) -> None:
        """Ends the process, whatever it is doing."""
        if self._process is not None and self._connection is not None:
            self._process.kill()
            self._process.join()
            self._connection.close()
        self._process = self._connection = None

    def _start(self) -> Connection:
        ours, theirs = self._context.Pipe()
        self._process = self._context.Process(target=_serve, args=(theirs,))  # no daemon: joblib has one thread there
        self._process.start()
        theirs.close()
        self._connection = ours
        return ours


def _serve(connection: Connection) -> None:
    """Answers one call after the other until the connection closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the other process, which ends this one
    while True:
        try:
            function, arguments = connection.recv()
        except EOFError:
            return
        answer: tuple[bool, Any]
        try:
            answer = True, function(*arguments)
        except Exception as error:
            answer = False, error
        connection.send(answer)

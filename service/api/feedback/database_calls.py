"""a query of the feedback database ──▶ its result, from a thread: a slow database holds up nobody else."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from feedback.database.database import Database, DatabaseError
from models.errors import NotReady, Overloaded, StoreError

logger = logging.getLogger(__name__)

_THREADS = 2
_MOST_WAITING = 64
"""Calls that wait for a thread; more would outlive their requests' deadlines behind a slow database."""

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class DatabaseCalls:
    """Runs what asks the database, or the image store beside it.

    Args:
        database: connected to when the first call needs it.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="feedback")
        self._waiting = 0
        self._is_migrated = False

    async def run(
        self, query: Callable[_Arguments, _Result], *arguments: _Arguments.args, **named: _Arguments.kwargs
    ) -> _Result:
        """The result of a call.

        Raises:
            Overloaded: too many wait.
            NotReady: the database, or the store of images, cannot be reached or written; the log says why.
        """
        if self._waiting >= _MOST_WAITING:
            raise Overloaded(f"{self._waiting} calls wait for the feedback database; the limit is {_MOST_WAITING}")
        self._waiting += 1
        call = asyncio.get_running_loop().run_in_executor(
            self._threads, functools.partial(self._migrated, query, *arguments, **named)
        )
        call.add_done_callback(self._done)
        return await asyncio.shield(call)  # the thread goes on when the request's deadline passes

    def close(self) -> None:
        """Waits for the calls that run, drops those that wait, and closes the database."""
        self._threads.shutdown(cancel_futures=True)
        self.database.close()

    def _migrated(
        self, query: Callable[_Arguments, _Result], *arguments: _Arguments.args, **named: _Arguments.kwargs
    ) -> _Result:
        try:
            if not self._is_migrated:
                self.database.migrate()
                self._is_migrated = True
            return query(*arguments, **named)
        except (DatabaseError, StoreError) as error:
            what = "database" if isinstance(error, DatabaseError) else "image store"
            logger.error("the feedback %s failed: %s", what, error)
            raise NotReady(f"the feedback {what} cannot be reached or written now; try again") from error

    def _done(self, call: asyncio.Future[Any]) -> None:
        self._waiting -= 1
        if not call.cancelled():
            call.exception()  # seen, even if nobody waits any more

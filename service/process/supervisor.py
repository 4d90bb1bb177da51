"""`Supervisor`: circus' arbiter, that replaces a dead worker at once and gives up where none can start.

BentoML looks after its workers every ten seconds, not at all in a container, restarts one that cannot start for ever,
and opens a port by which any user of the machine may have it run programs.

The port refuses connections until a worker listens. Where later all workers are gone, `FallbackListener` answers until
there is one again. SIGHUP replaces the workers one after the other, none of them before its successor is ready.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any

from circus.arbiter import Arbiter
from circus.exc import ConflictError
from tornado import gen

from service import coordination
from service.process.companions import check_port
from service.process.fallback_listener import PATIENCE_S, FallbackListener
from service.settings import Settings

logger = logging.getLogger(__name__)

CHECK_S = 0.2
MAX_FAILURES = 3
"""So many workers in a row that end before they are ready end the server, if no other one is ready."""
KILLED_AFTER_S = 5.0  # beyond the grace that workers keep by themselves
STOP_RETRY_S = 0.05
REPLACED_WITHIN_S = 300.0
"""A successor that is not ready by then is given up, and its predecessor stays."""


class Supervisor(Arbiter):  # type: ignore[misc]  # circus has no types
    """Watches the workers of one server.

    Args:
        watchers: circus' description of the workers.
        **circus: further arguments; how often to look, and by what to be controlled, are replaced.
    """

    def __init__(self, watchers: list[Any], **circus: Any) -> None:
        own = coordination.directory()  # for this user alone, unlike a port of the machine
        circus |= {"endpoint": f"ipc://{own}/control", "pubsub_endpoint": f"ipc://{own}/events", "check_delay": CHECK_S}
        super().__init__(watchers, **circus)
        self.exit_stack = contextlib.ExitStack()
        """What BentoML has to be undone at the end."""
        self._failures = 0
        self._reason = ""
        self._is_ending = False
        self._is_replacing = self._is_asked_to_replace = False
        self._was_ready = False
        self._fallbacks: list[FallbackListener] = []
        for listener in self.sockets.values():
            listener.listen = lambda _: None  # bound, not yet listening: workers listen when they are ready
        for watcher in watchers:
            watcher.respawn = True
            watcher.graceful_timeout = grace_of(watcher.args) + KILLED_AFTER_S
            watcher.hooks["after_reap"] = self._reaped

    def initialize(self) -> None:
        """Binds the sockets.

        Raises:
            SystemExit: with the reason, where a port cannot be had.
        """
        try:
            super().initialize()
        except OSError as error:
            where = ", ".join(f"{each.host}:{each.port}" for each in self.sockets.values())
            raise SystemExit(f"tandem cannot start: {where}: {error.strerror or error}") from error
        if port := Settings.from_environment().grpc_port:
            for listener in self.sockets.values():
                check_port(listener.host, port)

    def start(self, cb: Callable[[Any], Any] | None = None) -> None:
        """Runs the server to its end.

        Raises:
            SystemExit: with the reason, where no worker can start.
        """
        with self.exit_stack:
            ended = super().start(cb)
        if error := ended.exception():
            raise error
        if self._reason:
            raise SystemExit(f"tandem cannot start: {self._reason}")

    def start_io_loop(self) -> None:
        """Runs until the workers have ended, and lets fallback listeners answer those whom they have begun to hear."""
        super().start_io_loop()
        for fallback in self._fallbacks:
            fallback.close()
        loop = self.loop.asyncio_loop
        if tasks := asyncio.all_tasks(loop):
            loop.run_until_complete(asyncio.wait(tasks, timeout=PATIENCE_S))

    def stop(self) -> Any:
        """Ends all workers, and waits for them."""
        if self._is_ending:
            return None
        coordination.end()
        try:
            stopping = super().stop()
        except ConflictError:  # it is just looking after them
            self.loop.call_later(STOP_RETRY_S, self.stop)
            return None
        self._is_ending = True
        return stopping

    def start_watchers(self, *arguments: Any, **named: Any) -> Any:
        """Starts the workers; called by circus once the sockets are bound."""
        self._fallbacks = [FallbackListener(listener, self.loop.asyncio_loop) for listener in self.sockets.values()]
        return super().start_watchers(*arguments, **named)

    def manage_watchers(self) -> Any:
        """Looks after the workers; called by circus every `CHECK_S`."""
        self._look_after_callers()
        try:
            return super().manage_watchers()
        except ConflictError:  # they are just being started, or stopped
            return None

    def reload(self, graceful: bool = True, sequential: bool = False) -> Any:  # noqa: ARG002 (circus')
        """Replaces the workers one after the other, once more where they are just being; called by circus on SIGHUP."""
        self._is_asked_to_replace = True
        if not self._is_ending and not self._is_replacing:
            self._is_replacing = True
            self.loop.add_callback(self._replace_workers)

    @gen.coroutine
    def _replace_workers(self) -> Any:
        try:
            while self._is_asked_to_replace:
                self._is_asked_to_replace = False
                for watcher in self.watchers:
                    for pid in list(watcher.get_active_pids()):
                        is_replaced = yield self._replace_worker(watcher, pid)
                        if not is_replaced:
                            return
        finally:
            self._is_replacing = False

    @gen.coroutine
    def _replace_worker(self, watcher: Any, pid: int) -> Any:
        """Has one worker more until it is ready, then ends `pid`; one that does not become ready is ended instead."""
        count, former = watcher.numprocesses, set(watcher.get_active_pids())
        watcher.numprocesses = count + 1
        deadline = time.monotonic() + REPLACED_WITHIN_S
        is_ready = False
        while not is_ready and not self._is_ending and time.monotonic() < deadline:
            yield gen.sleep(CHECK_S)
            is_ready = len(coordination.ready_workers(watcher.get_active_pids())) > count
        if not is_ready and not self._is_ending:
            logger.error("worker %d stays: its successor is not ready after %.0f s", pid, REPLACED_WITHIN_S)
        leaving = {pid} if is_ready else set(watcher.get_active_pids()) - former
        for each in leaving & watcher.processes.keys():
            watcher.processes[each].started = 0.0  # of workers that are too many circus ends the oldest
        watcher.numprocesses = count
        while leaving & set(watcher.get_active_pids()) and not self._is_ending:
            yield gen.sleep(CHECK_S)
        return is_ready

    def _look_after_callers(self) -> None:
        ready = coordination.ready_workers(self._pids())
        if ready:
            self._was_ready, self._failures = True, 0
        for fallback in self._fallbacks:
            if self._was_ready and not ready and not self._is_ending:
                fallback.open()
            else:
                fallback.close()

    def _pids(self) -> set[int]:
        return {pid for watcher in self.watchers for pid in watcher.get_active_pids()}

    def _reaped(self, *, process_pid: int, exit_code: int, **_: Any) -> bool:
        """Notes a worker's end; the hook of circus."""
        if self._is_ending or self._reason:
            return True
        was_ready, reason = coordination.forget_worker(process_pid)
        self._was_ready = self._was_ready or was_ready  # it may have come and gone between two looks
        self._failures = 0 if was_ready else self._failures + 1
        how = f"signal {-exit_code}" if exit_code < 0 else f"status {exit_code}"
        if exit_code or not was_ready:
            logger.error("worker %d ended with %s%s", process_pid, how, "" if was_ready else " before it was ready")
        if self._failures >= MAX_FAILURES and not coordination.ready_workers(self._pids()):
            self._reason = reason or f"{self._failures} workers in a row ended before they were ready, by {how}"
            self.loop.add_callback(self.stop)
        return True


def grace_of(arguments: list[str]) -> float:
    """The seconds of `--timeout-graceful-shutdown` in a worker's command line; a day where it has none."""
    name = "--timeout-graceful-shutdown"
    return float(arguments[arguments.index(name) + 1]) if name in arguments else 86400.0

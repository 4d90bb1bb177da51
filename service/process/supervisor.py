"""`Supervisor`: BentoML's, which is circus', that replaces a dead worker at once and gives up where none can start.

BentoML looks after its workers every ten seconds, not at all in a container, restarts one that cannot start for ever,
and opens a port by which any user of the machine may have it run programs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import bentoml._internal.utils.circus as bentoml_circus
from circus.exc import ConflictError

from service.process import coordination
from service.process.fallback_listener import PATIENCE_S, Doorman

logger = logging.getLogger(__name__)

CHECK_S = 0.2
MAX_FAILURES = 3
"""So many workers in a row that end before they are ready end the server, if no other one is ready."""
KILLED_AFTER_S = 5.0  # beyond the grace that workers keep by themselves
STOP_RETRY_S = 0.05


def supervise() -> None:
    """Has `bentoml serve`, which makes an `Arbiter` once it has called the hooks of the deployment, make ours."""
    bentoml_circus.Arbiter = Supervisor  # type: ignore[misc]


class Supervisor(bentoml_circus.Arbiter):
    """Watches the workers of one server.

    Args:
        watchers: circus' description of the workers.
        **circus: further arguments; how often to look, and by what to be controlled, are replaced.
    """

    def __init__(self, watchers: list[Any], **circus: Any) -> None:
        own = coordination.directory()  # for this user alone, unlike a port of the machine
        circus |= {"endpoint": f"ipc://{own}/control", "pubsub_endpoint": f"ipc://{own}/events", "check_delay": CHECK_S}
        super().__init__(watchers, **circus)
        self._failures = 0
        self._reason = ""
        self._doormen: list[Doorman] = []
        for watcher in watchers:
            watcher.respawn = True
            watcher.graceful_timeout = grace_of(watcher.args) + KILLED_AFTER_S
            watcher.hooks["after_reap"] = self._reaped

    def start(self, cb: Callable[[Any], Any] | None = None) -> None:
        """Runs the server to its end.

        Raises:
            SystemExit: with the reason, where no worker can start.
        """
        super().start(cb)
        if self._reason:
            raise SystemExit(f"tandem cannot start: {self._reason}")

    def start_io_loop(self) -> None:
        """Runs until the workers have ended, and lets the doormen answer those whom they have begun to listen to."""
        super().start_io_loop()
        for doorman in self._doormen:
            doorman.close()
        loop = self.loop.asyncio_loop
        if tasks := asyncio.all_tasks(loop):
            loop.run_until_complete(asyncio.wait(tasks, timeout=PATIENCE_S))

    def stop(self) -> Any:
        """Ends all workers, and waits for them."""
        if self._stopping:
            return None
        coordination.end()
        try:
            return super().stop()
        except ConflictError:  # it is just looking after them
            self.loop.call_later(STOP_RETRY_S, self.stop)
            return None

    def start_watchers(self, *arguments: Any, **named: Any) -> Any:
        """Starts the workers; called by circus once the sockets listen."""
        self._doormen = [Doorman(listener, self.loop.asyncio_loop) for listener in self.sockets.values()]
        self._look_after_callers()
        return super().start_watchers(*arguments, **named)

    def manage_watchers(self) -> Any:
        """Looks after the workers; called by circus every `CHECK_S`."""
        self._look_after_callers()
        try:
            return super().manage_watchers()
        except ConflictError:  # they are just being started, or stopped
            return None

    def _look_after_callers(self) -> None:
        is_left = not self._stopping and not coordination.ready_workers(self._pids())
        for doorman in self._doormen:
            if is_left:
                doorman.open()
            else:
                doorman.close()

    def _pids(self) -> set[int]:
        return {pid for watcher in self.watchers for pid in watcher.get_active_pids()}

    def _reaped(self, *, process_pid: int, exit_code: int, **_: Any) -> bool:
        """Notes a worker's end; the hook of circus."""
        if self._stopping or self._reason:
            return True
        was_ready, reason = coordination.forget_worker(process_pid)
        self._failures = 0 if was_ready else self._failures + 1
        how = f"signal {-exit_code}" if exit_code < 0 else f"status {exit_code}"
        logger.error("worker %d ended with %s%s", process_pid, how, "" if was_ready else " before it was ready")
        if self._failures >= MAX_FAILURES and not coordination.ready_workers(self._pids()):
            self._reason = reason or f"{self._failures} workers in a row ended before they were ready, by {how}"
            self.loop.add_callback(self.stop)
        return True


def grace_of(arguments: list[str]) -> float:
    """The seconds of `--timeout-graceful-shutdown` in a worker's command line; a day where it has none."""
    name = "--timeout-graceful-shutdown"
    return float(arguments[arguments.index(name) + 1]) if name in arguments else 86400.0

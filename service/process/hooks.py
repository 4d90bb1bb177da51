"""Every hook into BentoML, uvicorn and circus, each with its reason; `docs/architecture.md` lists them.

1. `uvicorn.Server`: BentoML's worker script makes one of its configuration and runs it. Ours takes its place, since
   uvicorn's costs a twentieth of a small request's CPU, drops requests at its end and has no limits on slow callers.
   Without it stock uvicorn serves the same application through `service.http.asgi`.
2. `bentoml._internal.utils.circus.Arbiter`: `bentoml serve` makes one of the workers' descriptions. `Supervisor` takes
   its place, since BentoML's looks after dead workers every ten seconds and restarts those for ever that cannot start.
   Without it BentoML's own supervises.

Both are looked up by name; where one is gone, the server says so in its log and goes on without.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import logging
import socket
import sys
from typing import Any

import uvicorn
import uvloop
from uvicorn.config import STARTUP_FAILURE

from service import coordination
from service.http.server import GRACE_AFTER_DEADLINE_S, Grace, Server
from service.process.companions import companions
from service.process.supervisor import Supervisor
from service.process.worker import Worker

logger = logging.getLogger(__name__)

SERVER = "uvicorn", "Server"
ARBITER = "bentoml._internal.utils.circus", "Arbiter"


def serve_with(worker: Worker) -> None:
    """Has BentoML's worker script run our server."""
    _replace(*SERVER, functools.partial(BentoServer, worker=worker))


def supervise() -> None:
    """Has `bentoml serve` supervise its workers by ours; to be called when it deploys the service."""
    _replace(*ARBITER, Supervisor)


def _replace(module: str, name: str, replacement: Any) -> None:
    try:
        found = importlib.import_module(module)
        getattr(found, name)
    except (ImportError, AttributeError):
        logger.warning("%s.%s is not there: the server goes on without what takes its place", module, name)
        return
    setattr(found, name, replacement)


class BentoServer:
    """What BentoML's worker script makes and runs, as it would uvicorn's server.

    Args:
        config: uvicorn's, which BentoML filled in.
        worker: what the process has once.
    """

    def __init__(self, config: uvicorn.Config, *, worker: Worker) -> None:
        self._config = config
        self._worker = worker

    def run(self, sockets: list[socket.socket]) -> None:
        """Serves on bound sockets until the process is told to end."""
        self._config.load()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve(sockets))

    async def _serve(self, sockets: list[socket.socket]) -> None:
        config, worker = self._config, self._worker
        finish_s = config.timeout_graceful_shutdown or worker.settings.deadline_ms / 1000 + GRACE_AFTER_DEADLINE_S
        server = Server(
            lambda: worker.gateway,
            worker.connections,
            worker.lifecycle,
            worker.balance,
            Grace(worker.settings.drain_s, finish_s),
            is_whole=coordination.is_ending,
            leave=coordination.mark_leaving,
            companions=companions(worker, config, sockets),
        )
        await server.serve(
            sockets,
            _Lifespan(config),
            backlog=config.backlog,
            tls=config.ssl,
            started=coordination.mark_ready,
        )


class _Lifespan:
    """The start and end of an ASGI application, as uvicorn asks for them."""

    def __init__(self, config: uvicorn.Config) -> None:
        self._lifespan = config.lifespan_class(config)

    async def __aenter__(self) -> None:
        await self._lifespan.startup()
        if self._lifespan.should_exit:
            sys.exit(STARTUP_FAILURE)

    async def __aexit__(self, *_: object) -> None:
        await self._lifespan.shutdown()

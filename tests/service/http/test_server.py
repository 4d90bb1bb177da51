"""One worker's server, from its first request to an end that loses none."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from service.process.server import GRACE_AFTER_DEADLINE_S, Server, serve_with
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from service import coordination
from service.gateway.gateway import Gate
from service.http.listening_socket import waiting
from service.process import server as module
from service.process.worker import Worker
from tests.service.callers import GET, HOST, POST, Answer, App, Caller, run
from tests.service.serving import PATIENCE_S, until, worker_of

LONG_S = 1000.0


@pytest.fixture(autouse=True)
def _all_end(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server all of whose workers end, and brief times where nobody comes."""
    coordination.end()
    monkeypatch.setattr(module, "TURN_AWAY_S", (0.05, 0.1))
    monkeypatch.setattr(module, "QUIET_S", 0.05)
    monkeypatch.setattr(module, "SETTLE_S", 0.02)


class Running:
    """A server that serves an application behind the gate."""

    def __init__(self, server: Server, listener: socket.socket, worker: Worker, app: App) -> None:
        self.server, self.listener, self.worker, self.app = server, listener, worker, app
        self.port = listener.getsockname()[1]
        self.ended = asyncio.create_task(server._serve(sockets=[listener]))
        self._stack = contextlib.AsyncExitStack()

    async def caller(self) -> Caller:
        caller = await Caller.connect(self.port)
        self._stack.push_async_callback(caller.leave)
        return caller

    async def ask(self, path: bytes = b"a") -> Answer:
        """One request on a connection of its own."""
        return await (await self.caller()).ask(GET % path)

    async def held(self, path: bytes = b"held") -> Caller:
        """A caller whose request is under way until the application is released."""
        self.app.release.clear()
        caller = await self.caller()
        await caller.send(GET % path)
        await until(lambda: f"/{path.decode()}" in self.app.began)
        return caller

    def end(self) -> None:
        self.server.handle_exit(signal.SIGTERM, None)

    async def end_and_wait(self) -> None:
        self.end()
        async with asyncio.timeout(PATIENCE_S):
            await self.ended

    async def close(self) -> None:
        """Leaves nothing behind."""
        await self._stack.aclose()
        self.server.force_exit = True
        self.app.release.set()
        await self.end_and_wait()
        await until(lambda: not self.server.server_state.connections and not self.server.server_state.tasks)


@contextlib.asynccontextmanager
async def serving(app: ASGIApp | None = None, deadline_ms: int = 10_000, **options: Any) -> AsyncIterator[Running]:
    worker = worker_of(Path("unused"), deadline_ms=deadline_ms)
    inner = App()
    gate = Gate(app or inner, routes=Starlette(), worker=worker)
    config = uvicorn.Config(gate, log_config=None, **{"lifespan": "off", **options})  # type: ignore[arg-type]
    with socket.create_server((HOST, 0)) as listener:
        running = Running(Server(config, worker=worker), listener, worker, inner)
        try:
            await until(lambda: running.server.started)
            yield running
        finally:
            await running.close()


def with_server(test: Callable[[Running], Awaitable[None]], **options: Any) -> None:
    """Runs a test with a server."""

    async def serve() -> None:
        async with serving(**options) as running:
            await test(running)

    run(serve())


def check_turned_away(answer: Answer) -> None:
    assert (answer.status, answer.headers["connection"]) == (503, "close")
    assert json.loads(answer.body)["code"] == "not_ready"


# ---------------------------------------------------------------- while it serves


def test_bentomls_worker_makes_a_server_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uvicorn, "Server", uvicorn.Server)
    serve_with(worker_of(Path("unused")))
    assert isinstance(uvicorn.Server(uvicorn.Config(App())), Server)  # type: ignore[arg-type]


def test_a_server_answers_and_counts_its_connections() -> None:
    async def test(running: Running) -> None:
        caller = await running.caller()
        assert (await caller.ask(GET % b"a")).body == b"/a"
        assert len(running.worker.lifecycle.connections) == 1
        await caller.leave()
        await until(lambda: len(running.worker.lifecycle.connections) == 0)

    with_server(test)


def test_a_server_speaks_no_websockets() -> None:
    async def test(running: Running) -> None:
        upgrade = b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        assert (await (await running.caller()).ask(upgrade)).status == 200

    with_server(test)


def test_a_server_looks_after_its_connections() -> None:
    async def test(running: Running) -> None:
        caller = await running.caller()
        await caller.send(b"GET /a")
        (await caller.answer()).problem(504, "deadline_exceeded")
        assert await caller.rest() == b""

    with_server(test, deadline_ms=50)


def test_a_server_goes_on_as_long_as_nobody_ends_it() -> None:
    async def test(running: Running) -> None:
        assert [await running.server.on_tick(counter) for counter in range(4)] == [False] * 4

    with_server(test)


# ---------------------------------------------------------------- its end


def test_the_end_is_known_at_once() -> None:
    async def test(running: Running) -> None:
        assert not running.worker.lifecycle.draining
        running.end()
        assert running.worker.lifecycle.draining

    with_server(test)


def test_a_server_with_nothing_to_do_ends_and_listens_no_more() -> None:
    async def test(running: Running) -> None:
        await running.end_and_wait()
        with pytest.raises(ConnectionRefusedError):
            await running.caller()

    with_server(test)


@pytest.mark.parametrize(
    ("options", "grace_s"),
    [
        pytest.param({"timeout_graceful_shutdown": 7}, 7.0, id="as it was told"),
        pytest.param({"deadline_ms": 3000}, 3.0 + GRACE_AFTER_DEADLINE_S, id="beyond a request's deadline"),
    ],
)
def test_the_end_has_a_grace(options: dict[str, Any], grace_s: float) -> None:
    async def test(running: Running) -> None:
        assert running.server._grace_s == grace_s

    with_server(test, **options)


def test_a_second_signal_gives_no_more_time() -> None:
    async def test(running: Running) -> None:
        running.end()
        ends_at = running.server._ends_at
        running.end()
        assert running.server._ends_at == ends_at

    with_server(test)


def test_callers_are_turned_away_as_long_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TURN_AWAY_S", (0.0, LONG_S))

    async def test(running: Running) -> None:
        held = await running.held()
        running.end()
        for _ in range(20):
            check_turned_away(await running.ask())
        running.app.release.set()
        assert (await held.answer()).body == b"/held"
        async with asyncio.timeout(PATIENCE_S):
            await running.ended

    with_server(test)


def test_callers_are_turned_away_for_no_longer_than_the_bound() -> None:
    async def test(running: Running) -> None:
        held = await running.held()
        running.end()
        await until(lambda: running.listener.fileno() == -1)
        running.app.release.set()
        assert (await held.answer()).body == b"/held"

    with_server(test)


def test_a_caller_who_keeps_a_connection_is_answered_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TURN_AWAY_S", (0.0, LONG_S))

    async def test(running: Running) -> None:
        kept = await running.caller()
        assert (await kept.ask(GET % b"a")).status == 200
        await running.held()
        running.end()
        check_turned_away(await kept.ask(GET % b"b"))
        assert await kept.rest() == b""

    with_server(test)


@pytest.mark.parametrize("speaks", [GET % b"a", b""], ids=["having asked", "without a word"])
def test_connections_that_wait_when_the_door_is_closed_are_not_reset(
    speaks: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    callers: list[socket.socket] = []
    take_no_more = module.take_no_more

    def just_before(listener: socket.socket) -> None:
        for _ in range(5):
            caller = socket.create_connection(listener.getsockname(), PATIENCE_S)
            caller.sendall(speaks)
            callers.append(caller)
        assert waiting(listener) == 5
        take_no_more(listener)

    monkeypatch.setattr(module, "take_no_more", just_before)

    async def test(running: Running) -> None:
        await running.end_and_wait()
        for caller in callers:
            received = b""
            while data := caller.recv(65536):
                received += data
            assert received.startswith(b"HTTP/1.1 503 ") == bool(speaks)

    try:
        with_server(test)
    finally:
        for caller in callers:
            caller.close()
    assert len(callers) == 5


def test_what_is_under_way_is_finished() -> None:
    async def test(running: Running) -> None:
        callers = [await running.held(b"%d" % number) for number in range(3)]
        running.end()
        await until(lambda: running.listener.fileno() == -1)
        running.app.release.set()
        for number, caller in enumerate(callers):
            answer = await caller.answer()
            assert (answer.body, answer.headers["connection"]) == (b"/%d" % number, "close")
            assert await caller.rest() == b""
        async with asyncio.timeout(PATIENCE_S):
            await running.ended

    with_server(test)


def test_after_the_grace_what_is_under_way_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TURN_AWAY_S", (0.0, LONG_S))

    async def test(running: Running) -> None:
        held = await running.held()
        await running.end_and_wait()
        with contextlib.suppress(ConnectionResetError):
            assert await held.rest() == b""
        assert running.worker.lifecycle.in_flight == 0

    with_server(test, timeout_graceful_shutdown=0.1)


def test_who_is_sent_a_second_interrupt_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TURN_AWAY_S", (LONG_S, LONG_S))

    async def test(running: Running) -> None:
        await running.held()
        running.server.handle_exit(signal.SIGINT, None)
        running.server.handle_exit(signal.SIGINT, None)
        async with asyncio.timeout(PATIENCE_S):
            await running.ended

    with_server(test)


def test_the_application_learns_of_the_end_when_all_requests_are_answered() -> None:
    ended_with: list[int] = []

    async def test() -> None:
        inner = App()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                await inner(scope, receive, send)
                return
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            ended_with.append(len(inner.bodies))
            await send({"type": "lifespan.shutdown.complete"})

        async with serving(app, lifespan="on") as running:
            running.app = inner
            await running.held()
            running.end()
            await until(lambda: running.listener.fileno() == -1)
            assert ended_with == []
            inner.release.set()
            async with asyncio.timeout(PATIENCE_S):
                await running.ended

    run(test())
    assert ended_with == [1]


# ---------------------------------------------------------------- whose end it is


def test_a_worker_that_ends_alone_leaves_the_door_to_the_others(shared: Path) -> None:
    (shared / "ending").unlink()
    asyncio.run(coordination.mark_ready())

    async def test(running: Running) -> None:
        with running.listener.dup() as others:
            others.setblocking(False)
            held = await running.held()
            running.end()
            await until(lambda: running.listener.fileno() == -1)
            assert not running.ended.done()
            assert coordination.ready_workers({os.getpid()}) == set()
            caller = await running.caller()
            accepted, _ = await asyncio.get_running_loop().sock_accept(others)
            with accepted:
                accepted.sendall(b"another worker")
            assert await caller.rest() == b"another worker"
            running.app.release.set()
            assert (await held.answer()).body == b"/held"

    with_server(test)


def test_a_worker_that_ends_alone_turns_nobody_away_who_has_come_to_it(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUIET_S", LONG_S)
    (shared / "ending").unlink()

    async def test(running: Running) -> None:
        kept, silent = await running.caller(), await running.caller()
        assert (await kept.ask(GET % b"a")).status == 200
        await until(lambda: len(running.worker.lifecycle.connections) == 2)
        held = await running.held()
        running.end()
        await until(lambda: running.listener.fileno() == -1)
        running.app.release.set()
        for caller in (kept, silent):
            answer = await caller.ask(GET % b"b")
            assert (answer.status, answer.headers["connection"]) == (200, "close")
            assert await caller.rest() == b""
        assert (await held.answer()).headers["connection"] == "close"

    with_server(test)


def test_the_end_of_one_worker_becomes_the_end_of_all_when_the_supervisor_says_so(shared: Path) -> None:
    (shared / "ending").unlink()

    async def test(running: Running) -> None:
        running.end()
        assert not running.worker.lifecycle.draining
        coordination.end()
        running.end()
        assert running.worker.lifecycle.draining

    with_server(test)


def test_a_worker_whose_supervisor_is_gone_ends_as_the_whole_server_does(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TURN_AWAY_S", (0.0, LONG_S))
    (shared / "ending").unlink()

    async def test(running: Running) -> None:
        held = await running.held()
        monkeypatch.setattr(os, "getppid", lambda: 1)
        await until(lambda: running.worker.lifecycle.draining)
        check_turned_away(await running.ask())
        running.app.release.set()
        assert (await held.answer()).body == b"/held"
        async with asyncio.timeout(PATIENCE_S):
            await running.ended

    with_server(test)


def test_a_body_that_is_being_sent_is_waited_for() -> None:
    async def test(running: Running) -> None:
        caller = await running.caller()
        await caller.send(POST % (b"a", 6) + b"abc")
        await until(lambda: running.app.began == ["/a"])
        running.end()
        assert (await caller.ask(b"def")).body == b"/a"

    with_server(test)

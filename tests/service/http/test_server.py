"""One worker's server, from its first request to an end that loses none."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from models.errors import NotReady
from service.gateway.transaction import Transaction
from service.http import server as module
from service.http.connection_balancing import ConnectionBalance
from service.http.listening_socket import waiting
from service.http.server import Grace, Server
from service.messages import TEXT, Response
from tests.service.rig.callers import GET, HOST, POST, Answer, Caller, run
from tests.service.rig.sites import App, Site
from tests.service.serving import PATIENCE_S, until

LONG_S = 1000.0
BRIEF_S = 0.05


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUIET_S", 0.05)
    monkeypatch.setattr(module, "SETTLE_S", 0.02)
    monkeypatch.setattr(module, "CHECK_S", 0.02)


class Running:
    """A server of an `App`; what befalls it is noted in `events`."""

    def __init__(self, listener: socket.socket, grace: Grace, **settings: Any) -> None:
        self.site, self.app, self.events = Site(**settings), App(), []
        self.is_whole = True
        self.listener = listener
        self.port = listener.getsockname()[1]
        self.server = Server(
            lambda: self.gateway,
            self.site.connections,
            self.site.lifecycle,
            ConnectionBalance(),
            grace,
            is_whole=lambda: self.is_whole,
            leave=lambda: self.events.append("left"),
        )
        self.gateway = self.site.gateway(self.app, {"/readyz": {"GET": self._ready}})
        self._stack = contextlib.AsyncExitStack()
        self.ended = asyncio.create_task(
            self.server.serve([listener], self._application(), backlog=100, started=self._started)
        )

    def _ready(self, _: Transaction) -> Response:
        if self.site.lifecycle.draining:
            raise NotReady("the server is draining")
        return Response(200, b"\n", TEXT)

    @contextlib.asynccontextmanager
    async def _application(self) -> AsyncIterator[None]:
        with pytest.raises(ConnectionRefusedError):
            await Caller.connect(self.port)
        self.events.append("started")
        yield
        self.events.append(f"stopped after {self.site.connections.answered}")

    async def _started(self) -> None:
        self.events.append("listens")

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
        await until(lambda: f"/{path.decode()}" in self.app.paths)
        return caller

    async def wait(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self.ended

    async def closed(self) -> None:
        """Waits until the listening socket is closed."""
        await until(lambda: self.listener.fileno() == -1)

    async def close(self) -> None:
        """Leaves nothing behind."""
        await self._stack.aclose()
        self.app.release.set()
        self.server.end()
        self.server.end()
        await self.wait()
        await until(lambda: self.site.lifecycle.in_flight == len(self.site.connections) == 0)


def with_server(
    test: Callable[[Running], Awaitable[None]], *, drain_s: float = 0.0, finish_s: float = LONG_S, **settings: Any
) -> None:
    """Runs a test with a server that listens."""

    async def serve() -> None:
        with socket.socket() as listener:
            listener.bind((HOST, 0))
            running = Running(listener, Grace(drain_s, finish_s), **settings)
            try:
                await until(lambda: "listens" in running.events or running.ended.done())
                await test(running)
            finally:
                await running.close()

    run(serve())


# ---------------------------------------------------------------- while it serves


def test_connections_are_refused_until_the_application_has_started() -> None:
    async def test(running: Running) -> None:
        assert running.events == ["started", "listens"]  # the application tries to connect before
        assert (await running.ask()).body == b"/a"

    with_server(test)


def test_a_server_counts_its_connections() -> None:
    async def test(running: Running) -> None:
        caller = await running.caller()
        await caller.ask(GET % b"a")
        assert len(running.site.connections) == 1
        await caller.leave()
        await until(lambda: len(running.site.connections) == 0)

    with_server(test)


@pytest.mark.parametrize(
    ("begun", "status"),
    [
        pytest.param(b"GET /a", 504, id="headers that do not end"),
        pytest.param(POST % (b"a", 6) + b"abc", 504, id="a body that does not end"),
        pytest.param(b"", None, id="silence"),
    ],
)
def test_a_server_ends_connections_of_callers_who_take_too_long(begun: bytes, status: int | None) -> None:
    async def test(running: Running) -> None:
        caller = await running.caller()
        await caller.send(begun)
        if status is not None:
            (await caller.answer()).problem(status, "deadline_exceeded")
        assert await caller.rest() == b""

    with_server(test, deadline_ms=50)


def test_a_server_closes_idle_connections_after_their_time() -> None:
    async def test(running: Running) -> None:
        caller = await running.caller()
        await caller.ask(GET % b"a")
        began = time.monotonic()
        assert await caller.rest() == b""
        assert time.monotonic() - began > 0.9

    with_server(test, keep_alive_s=1)


# ---------------------------------------------------------------- its end


def test_the_end_is_known_at_once_and_everything_is_answered_as_always_while_it_drains() -> None:
    async def test(running: Running) -> None:
        kept = await running.caller()
        await kept.ask(GET % b"a")
        os.kill(os.getpid(), signal.SIGTERM)
        await until(lambda: running.site.lifecycle.draining)
        (await running.ask(b"readyz")).problem(503, "not_ready", is_last=False)
        for _ in range(20):
            for answer in (await running.ask(), await kept.ask(GET % b"b")):
                assert (answer.status, "connection" in answer.headers) == (200, False)

    with_server(test, drain_s=LONG_S)


def test_after_the_drain_open_connections_are_answered_once_more_and_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUIET_S", LONG_S)

    async def test(running: Running) -> None:
        kept, silent = await running.caller(), await running.caller()
        await kept.ask(GET % b"a")
        await until(lambda: len(running.site.connections) == 2)
        running.server.end()
        await running.closed()
        with pytest.raises(ConnectionRefusedError):
            await running.caller()
        for caller in (kept, silent):
            answer = await caller.ask(GET % b"b")
            assert (answer.status, answer.headers["connection"]) == (200, "close")
            assert await caller.rest() == b""
        await running.wait()

    with_server(test)


def test_quiet_connections_do_not_hold_up_the_end() -> None:
    async def test(running: Running) -> None:
        kept, silent = await running.caller(), await running.caller()
        await kept.ask(GET % b"a")
        await until(lambda: len(running.site.connections) == 2)
        running.server.end()
        await running.wait()
        assert await kept.rest() == await silent.rest() == b""

    with_server(test)


def test_what_is_under_way_is_finished_and_then_the_application_ends() -> None:
    async def test(running: Running) -> None:
        callers = [await running.held(b"%d" % number) for number in range(3)]
        sending = await running.caller()
        await sending.send(POST % (b"a", 6) + b"abc")
        await until(lambda: running.site.admission.bytes == 3)
        running.server.end()
        await running.closed()
        assert len(running.events) == 2
        running.app.release.set()
        for number, caller in enumerate(callers):
            answer = await caller.answer()
            assert (answer.body, answer.headers["connection"]) == (b"/%d" % number, "close")
            assert await caller.rest() == b""
        assert (await sending.ask(b"def")).body == b"/a"
        await running.wait()
        assert running.events[2:] == ["stopped after 4"]

    with_server(test)


@pytest.mark.parametrize("speaks", [GET % b"a", b""], ids=["having asked", "without a word"])
def test_connections_that_the_kernel_has_taken_are_not_reset(speaks: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
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
        running.server.end()
        await running.wait()
        for caller in callers:
            received = b""
            while data := caller.recv(65536):
                received += data
            assert received.startswith(b"HTTP/1.1 200 ") == bool(speaks)

    try:
        with_server(test)
    finally:
        for caller in callers:
            caller.close()
    assert len(callers) == 5


def test_after_the_grace_what_is_under_way_is_broken_off() -> None:
    async def test(running: Running) -> None:
        held = await running.held()
        running.server.end()
        await running.wait()
        with contextlib.suppress(ConnectionResetError):
            assert await held.rest() == b""
        await until(lambda: running.site.lifecycle.in_flight == 0)

    with_server(test, finish_s=BRIEF_S, drain_s=LONG_S)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(number: signal.Signals) -> None:
    async def test(running: Running) -> None:
        await running.held()
        os.kill(os.getpid(), number)
        await until(lambda: running.site.lifecycle.draining)
        assert not running.ended.done()
        os.kill(os.getpid(), number)
        await running.wait()

    with_server(test, drain_s=LONG_S)


# ---------------------------------------------------------------- whose end it is


def test_a_worker_that_ends_alone_leaves_the_socket_to_the_others_at_once() -> None:
    async def test(running: Running) -> None:
        running.is_whole = False
        with running.listener.dup() as others:
            others.setblocking(False)
            held = await running.held()
            running.server.end()
            await running.closed()
            assert (running.events[2:], running.site.lifecycle.draining) == (["left"], False)
            caller = await running.caller()
            accepted, _ = await asyncio.get_running_loop().sock_accept(others)
            with accepted:
                accepted.sendall(b"another worker")
            assert await caller.rest() == b"another worker"
            running.app.release.set()
            answer = await held.answer()
            assert (answer.body, answer.headers["connection"]) == (b"/held", "close")

    with_server(test, drain_s=LONG_S)


def test_a_worker_that_ends_alone_answers_who_has_come_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUIET_S", LONG_S)

    async def test(running: Running) -> None:
        running.is_whole = False
        kept = await running.caller()
        await kept.ask(GET % b"a")
        running.server.end()
        await running.closed()
        assert (await kept.ask(GET % b"readyz")).status == 200
        assert await kept.rest() == b""
        await running.wait()

    with_server(test, drain_s=LONG_S)


def test_a_worker_whose_supervisor_is_gone_ends_as_the_whole_server_does(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(running: Running) -> None:
        running.is_whole = False
        monkeypatch.setattr(os, "getppid", lambda: 1)
        await until(lambda: running.site.lifecycle.draining)
        assert (await running.ask()).body == b"/a"
        await running.wait()
        assert "left" not in running.events

    with_server(test, drain_s=0.3)

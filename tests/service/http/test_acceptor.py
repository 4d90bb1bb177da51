"""Connections taken from a socket that several processes balance."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.http import acceptor as module
from service.http.acceptor import Acceptor
from service.http.connection_balancing import ConnectionBalance
from tests.service.rig.callers import HOST, run
from tests.service.serving import until


class Others(ConnectionBalance):
    """A balance that another process exceeds, or not, as the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[int] = []
        self.most = 10_000

    def set(self, connections: int) -> None:
        self.told.append(connections)

    def is_exceeded(self) -> bool:
        return bool(self.told) and self.told[-1] >= self.most


class Room:
    """What the connections come into."""

    def __init__(self) -> None:
        self.transports: list[asyncio.BaseTransport] = []

    def protocol(self) -> asyncio.Protocol:
        room = self

        class Guest(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                room.transports.append(transport)

        return Guest()


@contextlib.asynccontextmanager
async def accepting(
    balance: ConnectionBalance, listener: Any = None
) -> AsyncIterator[tuple[Acceptor, Room, tuple[str, int]]]:
    room = Room()
    with socket.create_server((HOST, 0)) as real:
        real.setblocking(False)
        acceptor = Acceptor(
            listener(real) if listener else real, room.protocol, count=lambda: len(room.transports), balance=balance
        )
        try:
            yield acceptor, room, real.getsockname()
        finally:
            acceptor.close()
            for transport in room.transports:
                transport.close()


def connect(address: tuple[str, int], count: int, stack: contextlib.ExitStack) -> list[socket.socket]:
    return [stack.enter_context(socket.create_connection(address)) for _ in range(count)]


def test_all_that_wait_are_taken_and_told() -> None:
    async def test() -> None:
        balance = Others()
        async with accepting(balance) as (acceptor, room, address):
            with contextlib.ExitStack() as stack:
                connect(address, 5, stack)
                await until(lambda: len(room.transports) == 5)
                await until(lambda: not acceptor.is_establishing)
                assert balance.told[-1] == 5

    run(test())


def test_those_over_the_share_are_left_to_the_others_until_these_have_fewer() -> None:
    async def test() -> None:
        balance = Others()
        balance.most = 2
        async with accepting(balance) as (_, room, address):
            with contextlib.ExitStack() as stack:
                connect(address, 3, stack)
                await until(lambda: len(room.transports) == 2)
                balance.most = 3
                await until(lambda: len(room.transports) == 3)

    run(test())


def test_what_nobody_takes_is_taken_in_the_end_and_then_without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        balance = Others()
        balance.most = 0
        balance.told.append(0)
        async with accepting(balance) as (_, room, address):
            with contextlib.ExitStack() as stack:
                connect(address, 1, stack)
                await until(lambda: len(room.transports) == 1)
                monkeypatch.setattr(module, "PATIENCE_S", 1000.0)
                connect(address, 20, stack)
                await until(lambda: len(room.transports) == 21)

    run(test())


def test_a_closed_acceptor_takes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with accepting(Others()) as (acceptor, room, address):
            acceptor.close()
            with contextlib.ExitStack() as stack:
                connect(address, 1, stack)
                await asyncio.sleep(0.02)
                assert room.transports == []

    run(test())


class Exhausted:
    """A listener of a process that has no descriptor left, once."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.failures = [errno.EMFILE, errno.ECONNABORTED]

    def fileno(self) -> int:
        return self.listener.fileno()

    def accept(self) -> tuple[socket.socket, Any]:
        if self.failures:
            number = self.failures.pop(0)
            raise OSError(number, os.strerror(number))
        return self.listener.accept()


def test_a_process_without_descriptors_goes_on_when_it_has_some(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EXHAUSTED_S", 0.01)

    async def test() -> None:
        async with accepting(Others(), Exhausted) as (_, room, address):
            with contextlib.ExitStack() as stack:
                connect(address, 1, stack)
                await until(lambda: len(room.transports) == 1)

    run(test())
    assert "no connection can be taken: Too many open files" in caplog.text

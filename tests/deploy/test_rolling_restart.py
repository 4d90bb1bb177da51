"""Two servers that are restarted in turn lose no request of 12 keep-alive clients: directly, and behind proxies."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.chaos.rig.servers import HOST, free_port, serving, until
from tests.tiny_bundle import GREYS, solid_image

CONFIGURATIONS = Path(__file__).parents[2] / "deploy" / "proxies"
REQUESTS = 10_000
RESTARTS = 4
CLIENTS = 12
PAUSE_S = 0.01
DRAIN_S = 2.0
BETWEEN_S = {"direct": 0.0, "nginx": 11.0, "haproxy": 1.5, "caddy": 1.5}
"""Until the proxy asks a server again: by its checks; nginx has none, and leaves out one that refused for 10 s."""
COMMANDS = {
    "nginx": ("nginx.conf", "nginx -p . -c nginx.conf -g"),
    "haproxy": ("haproxy.cfg", "haproxy -f haproxy.cfg"),
    "caddy": ("Caddyfile", "caddy run --config Caddyfile --adapter caddyfile"),
}
IMAGE = solid_image(GREYS["mid"])


class Clients:
    """Clients that keep their connections, and open another one where they are told to or are refused."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.ports = ports
        self.seen: Counter[str] = Counter()
        self.is_over = False

    @property
    def requests(self) -> int:
        return sum(self.seen.values())

    async def ask(self) -> None:
        """One client, until it is over."""
        connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while not self.is_over:
            connection = connection or await self._connect()
            reader, writer = connection
            try:
                is_last = await self._ask_once(reader, writer)
            except (OSError, EOFError, TimeoutError) as error:
                self.seen[f"lost: {type(error).__name__}"] += 1
                is_last = True
            if is_last:
                await _close(writer)
                connection = None
            await asyncio.sleep(PAUSE_S * random.random())
        if connection is not None:
            await _close(connection[1])

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to any of the servers that listens."""
        for port in random.sample(self.ports, len(self.ports)):
            with contextlib.suppress(ConnectionRefusedError):
                return await asyncio.open_connection(HOST, port)
        raise AssertionError("no server listens")

    async def _ask_once(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether the connection ends with it."""
        head = f"POST /v1/predict HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: image/png\r\nContent-Length: {len(IMAGE)}"
        writer.write(head.encode() + b"\r\n\r\n" + IMAGE)
        async with asyncio.timeout(30):
            block = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(block.split(b"content-length:")[1].split(b"\r\n")[0]))
        self.seen[block.split(b" ", 2)[1].decode()] += 1
        return b"connection: close" in block


@contextlib.contextmanager
def proxy(name: str, folder: Path, ports: Sequence[int]) -> Iterator[int]:
    """A proxy with the configuration that `deploy/proxies` has, on ports of its own."""
    file, command = COMMANDS[name]
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed")
    port = free_port()
    text = (CONFIGURATIONS / file).read_text()
    for old, new in zip((3001, 3002, 8080), (*ports, port), strict=True):
        assert f"{HOST}:{old}" in text
        text = text.replace(f"{HOST}:{old}", f"{HOST}:{new}")
    (folder / file).write_text(text)
    arguments = [*command.split(), *(["daemon off;"] if name == "nginx" else [])]
    environment = {"HOME": str(folder), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    with (folder / "proxy.log").open("wb") as log:
        process = subprocess.Popen(arguments, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            yield port
        finally:
            process.terminate()
            process.wait(10)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["direct", *COMMANDS])
def test_no_request_is_lost_while_two_servers_are_restarted_in_turn(way: str, tiny_path: Path, tmp_path: Path) -> None:
    ports = [free_port(), free_port()]
    running = {port: contextlib.ExitStack() for port in ports}

    def start(port: int) -> None:
        running[port].enter_context(serving(tmp_path, tiny_path, port=port, workers=1, drain_s=DRAIN_S))

    async def restart(clients: Clients) -> None:
        restarts = 0
        while restarts < RESTARTS or clients.requests < REQUESTS:
            port = ports[restarts % 2]
            await asyncio.to_thread(running[port].close)
            await asyncio.to_thread(start, port)
            await asyncio.sleep(BETWEEN_S[way])
            restarts += 1
        clients.is_over = True

    async def load(clients: Clients) -> None:
        await asyncio.gather(restart(clients), *(clients.ask() for _ in range(CLIENTS)))

    with contextlib.ExitStack() as stack:
        for port in ports:
            stack.callback(running[port].close)
            start(port)
        clients = Clients(ports if way == "direct" else [stack.enter_context(proxy(way, tmp_path, ports))])
        if way != "direct":
            until(lambda: _answers(clients.ports[0]), 10, f"{way} answers")
        asyncio.run(load(clients))
    print(f"{way}: {dict(clients.seen)}")
    assert set(clients.seen) == {"200"}


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError, EOFError, IndexError):
        clients = Clients([port])

        async def once() -> None:
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                await clients._ask_once(reader, writer)
            finally:
                await _close(writer)

        asyncio.run(once())
        return clients.seen["200"] == 1
    return False


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()

"""What a request leaves behind: nothing that waits for the garbage collector, which comes seldom."""

from __future__ import annotations

import asyncio
import base64
import gc
import io
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from models.runtime.engine import Engine
from tests.chaos.inputs.fuzz_corpus import head, post
from tests.chaos.inputs.hostile_bodies import FORM, JSON, form, instances, part
from tests.chaos.inputs.pictures import SNEAKER
from tests.service.rig.sites import Site, serving_engine
from tests.service.serving import until

ROOT = Path(__file__).parents[3]
SIZE = 2_000_000
LEFT_BYTES = 200_000


def large_image() -> bytes:
    """A good image that takes its time in a thread; its comment is long."""
    data = io.BytesIO()
    Image.new("L", (400, 400)).save(data, "JPEG", comment=b"x" * 60_000)
    return data.getvalue()


ENCODED = base64.b64encode(bytes(SIZE)).decode()
REQUESTS = {
    "an image": post(SNEAKER),
    "a large image": post(large_image()),
    "no image": post(bytes(SIZE)),
    "half an image": post(SNEAKER[:60] + bytes(SIZE)),
    "no images in a form": post(form(part("image", SNEAKER), part("image", bytes(SIZE))), FORM),
    "a damaged form": post(form(part("image", bytes(SIZE)))[:-9], FORM),
    "no images in JSON": post(instances({"image": ENCODED}, {"image": ENCODED}), JSON),
    "no JSON": post(b'{"instances": [' + b" " * SIZE, JSON),
    "JSON of another shape": post(b'{"image": "' + ENCODED.encode() + b'"}', JSON),
    "another type": post(bytes(SIZE), "text/plain"),
    "an unknown option": post(bytes(SIZE), "image/png", "/v1/predict?x=1"),
    "an unknown route": post(bytes(SIZE), "image/png", "/nope"),
    "a body over the limit": post(bytes(SIZE + 1_000_000)),
    "chunks over the limit": head("POST", "/v1/predict", "Transfer-Encoding: chunked")
    + b"%x\r\n" % (SIZE + 1_000_000)
    + bytes(SIZE + 1_000_000),
    "a deadline that is over": post(bytes(SIZE), "image/png", "/v1/predict", "X-Request-Timeout-Ms: 1"),
    "nonsense after chunks": head("POST", "/v1/predict", "Transfer-Encoding: chunked")
    + b"%x\r\n" % SIZE
    + bytes(SIZE)
    + b"\r\nnonsense\r\n",
    "half a body": post(bytes(SIZE))[:-1],
}


@pytest.fixture
def collector() -> Iterator[None]:
    """No collections, but those that a test asks for."""
    gc.collect()
    gc.disable()
    tracemalloc.start()
    yield
    tracemalloc.stop()
    gc.enable()


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_leaves_nothing_for_the_collector(name: str, engine: Engine, collector: None) -> None:
    async def test(site: Site) -> None:
        await send(site, REQUESTS["an image"])  # what the first one costs is no leak
        site.records.requests.clear()
        held, _ = tracemalloc.get_traced_memory()
        for _ in range(3):
            await send(site, REQUESTS[name])
        site.records.requests.clear()
        left = tracemalloc.get_traced_memory()[0] - held
        assert left < LEFT_BYTES, f"{left} bytes"

    serving_engine(engine, test, max_body_bytes=SIZE + 900_000, max_buffered_bytes=10 * SIZE)


def test_small_requests_leave_no_cycles_for_the_collector(engine: Engine) -> None:
    async def test(site: Site) -> None:
        caller = await site.caller()
        await caller.ask(REQUESTS["an image"])
        gc.collect()
        gc.disable()
        try:
            for body in [SNEAKER, b"no image"] * 50:
                await caller.ask(post(body))
            assert gc.collect() < 100
        finally:
            gc.enable()

    serving_engine(engine, test)


async def send(site: Site, request: bytes) -> None:
    """Sends a request, reads what can be had of an answer, and leaves."""
    caller = await site.connect()
    caller.writer.write(request)
    try:
        async with asyncio.timeout(0.5 if request == REQUESTS["half a body"] else 10.0):
            await caller.answer()
    except (TimeoutError, ConnectionResetError, asyncio.IncompleteReadError):
        pass
    await caller.leave()
    await until(lambda: not site.protocols and site.lifecycle.in_flight == 0)


def test_large_blocks_go_back_to_the_system() -> None:
    program = """
import json, os, pathlib
from service.process.memory import return_large_blocks
def resident():
    return int(pathlib.Path('/proc/self/statm').read_text().split()[1]) * os.sysconf('SC_PAGE_SIZE')
return_large_blocks()
del [bytearray(24_000_000)][:]  # a block this large would teach glibc to keep the next ones
before = resident()
kept = [part for _ in range(20) for part in (bytearray(5_000_000), bytearray(2_000))]
del kept[::2]
print(json.dumps(resident() - before))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) < 5_000_000

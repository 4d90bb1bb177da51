"""One of eight callers in a batch cannot be written to: the others are answered, and nothing stays counted."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.runtime.engine import Engine
from service.http import protocol
from service.messages import Response, encode
from tests.chaos.rig.reliability import Reliability
from tests.service.serving import BRIGHT, PNG, engine_site

CALLERS, UNLUCKY, ROUNDS = 8, 3, 50


async def ask_together(engine: Engine) -> tuple[list[int], int]:
    """Statuses of callers who ask at once, 0 where the connection ends without an answer; and what is left counted."""
    async with engine_site(engine) as (site, gateway, _):

        async def ask(client: httpx.AsyncClient, number: int) -> int:
            headers = {**PNG, "x-request-id": f"caller-{number}"}
            try:
                return (await client.post("/v1/predict", content=BRIGHT, headers=headers)).status_code
            except (httpx.RemoteProtocolError, httpx.ReadError):
                return 0

        statuses: list[int] = []
        async with site.client(gateway, "a socket") as client:
            for _ in range(ROUNDS):
                statuses += await asyncio.gather(*[ask(client, number) for number in range(CALLERS)])
        return statuses, site.lifecycle.in_flight + site.admission.images + site.admission.bytes


def test_writing_to_one_of_eight_fails_and_the_others_are_answered(
    tiny_path: Path, reliability: Reliability, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(response: Response, request_id: bytes, *arguments: Any, **options: Any) -> bytes:
        if request_id == b"caller-%d" % UNLUCKY:
            raise OSError("the connection is closed")
        return encode(response, request_id, *arguments, **options)

    monkeypatch.setattr(protocol, "encode", fail)
    statuses, left = asyncio.run(ask_together(Engine.load(tiny_path, device="cpu")))
    answered = statuses.count(200)
    wanted = ROUNDS * (CALLERS - 1)
    met = answered == wanted and left == 0
    reliability.record(
        f"delivery: writing fails for one of {CALLERS} in a batch",
        f"{CALLERS - 1} answered, gauges 0",
        f"{answered} of {wanted} answered, {left} still counted as in flight, queued or held ({ROUNDS} batches)",
        met,
    )
    assert met

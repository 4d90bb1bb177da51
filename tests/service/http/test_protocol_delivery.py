"""One connection: answers to half-closed connections, and answers that cannot be delivered."""

from __future__ import annotations

import asyncio
import json

import pytest

from models.runtime.engine import Engine
from service.gateway.transaction import Transaction
from service.http import protocol as module
from service.http.connection_end import reset
from service.messages import Response
from tests.service.rig.callers import CHUNKED, GET, POST, run
from tests.service.rig.sites import App, Site, listening, serving_app, serving_engine
from tests.service.serving import BRIGHT, until

pytestmark = pytest.mark.usefixtures("any_loop")

IMAGE = b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n%bContent-Length: %d\r\n\r\n%b"


def image(header: bytes = b"") -> bytes:
    """A request that asks about one small image."""
    return IMAGE % (header, len(BRIGHT), BRIGHT)


# ---------------------------------------------------------------- half-closed connections


@pytest.mark.parametrize(
    ("data", "bodies"),
    [
        pytest.param(GET % b"a", [b"/a"], id="a plain request"),
        pytest.param(POST % (b"a", 3) + b"abc", [b"/a"], id="one with a body"),
        pytest.param(CHUNKED % b"a" + b"3\r\nabc\r\n0\r\n\r\n", [b"/a"], id="one in chunks"),
        pytest.param(b"GET /a HTTP/1.0\r\n\r\n", [b"/a"], id="HTTP/1.0"),
        pytest.param(GET % b"a" + GET % b"b" + GET % b"c", [b"/a", b"/b", b"/c"], id="three at once"),
    ],
)
@pytest.mark.parametrize("is_quick", [True, False], ids=["answered at once", "answered later"])
@pytest.mark.parametrize("is_known", [False, True], ids=["new", "known"])
def test_a_half_closed_connection_is_answered_to_the_last_request(
    data: bytes, bodies: list[bytes], is_quick: bool, is_known: bool
) -> None:
    async def test(app: App, site: Site) -> None:
        if is_known:
            await site.ask(data)
        caller = await site.caller()
        if not is_quick:
            app.release.clear()
        caller.writer.write(data)
        caller.writer.write_eof()
        await until(lambda: site.lifecycle.in_flight > 0 or is_quick)
        app.release.set()
        assert [(await caller.answer()).body for _ in bodies] == bodies
        assert await caller.rest() == b""

    serving_app(test)


@pytest.mark.parametrize("data", [b"", b"GET /a", POST % (b"a", 3) + b"ab", CHUNKED % b"a" + b"3\r\nabc\r\n"], ids=repr)
def test_what_is_no_whole_request_when_its_caller_stops_is_given_up(data: bytes) -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        caller.writer.write(data)
        caller.writer.write_eof()
        assert await caller.rest() == b""
        assert app.began == []

    serving_app(test)


# ---------------------------------------------------------------- what cannot be delivered


def split(transaction: Transaction) -> Response:
    """A response with a header that would begin another one."""
    bad = [(b"x-split", b"a\r\nb: c")] if transaction.request.path == "/bad" else []
    return Response(200, transaction.request.path.encode(), headers=bad)


async def later(response: Response) -> Response:
    await asyncio.sleep(0)
    return response


@pytest.mark.parametrize("is_quick", [True, False], ids=["at once", "later"])
def test_no_header_can_begin_another_line_and_no_other_answer_stands_in(
    is_quick: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        handler = split if is_quick else lambda transaction: later(split(transaction))
        async with listening(handler) as site:
            caller = await site.caller()
            await caller.send(GET % b"good" + GET % b"bad" + GET % b"next")
            assert (await caller.answer()).body == b"/good"
            assert await caller.rest() == b""  # an answer to `next` would be taken for that to `bad`
            await until(lambda: len(site.protocols) == 0)
            assert site.records.statuses[:2] == [200, 499]

    run(test())
    assert "a header holds a line's end" in caplog.text


def test_one_of_eight_whose_answer_cannot_be_written_does_not_cost_the_others_theirs(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    written = module.encode

    def encode(response: Response, request_id: bytes, *arguments: object, **named: bool) -> bytes:
        if request_id == b"marked":
            raise OSError("the writer fails")
        return written(response, request_id, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "encode", encode)

    async def test(site: Site) -> None:
        callers = [await site.caller() for _ in range(8)]
        for number, caller in enumerate(callers):
            caller.writer.write(image(b"X-Request-Id: marked\r\n" if number == 3 else b""))
        assert await callers[3].rest() == b""
        for caller in callers[:3] + callers[4:]:
            assert json.loads((await caller.answer()).body)["label"] == "bright"
        assert site.lifecycle.in_flight == site.admission.bytes == site.admission.images == 0

    serving_engine(engine, test)
    assert caplog.text.count("no response could be written") == 1


@pytest.mark.parametrize("ends", ["abort", "reset"])
def test_one_of_eight_who_is_gone_does_not_cost_the_others_their_answers(engine: Engine, ends: str) -> None:
    async def test(site: Site) -> None:
        callers = [await site.caller() for _ in range(8)]
        gone = callers[3].writer.get_extra_info("sockname")
        (leaving,) = [each for each in site.protocols if each._transport.get_extra_info("peername") == gone]
        for protocol in site.protocols:  # all of them in one batch, which runs when the loop next turns
            protocol.data_received(image())
        if ends == "abort":
            leaving.abort()
        else:
            reset(leaving._transport)
        for caller in callers[:3] + callers[4:]:
            assert json.loads((await caller.answer()).body)["label"] == "bright"
        await until(lambda: site.lifecycle.in_flight == 0)
        assert site.admission.bytes == site.admission.images == 0

    serving_engine(engine, test)

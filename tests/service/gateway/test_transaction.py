"""One request and the one response to it, closed exactly once, whatever raises and wherever."""

from __future__ import annotations

import asyncio
import logging

import pytest

from models.errors import BadImage
from service.gateway.transaction import CLIENT_CLOSED_REQUEST, Transaction
from service.messages import Request, Response
from service.problems import INTERNAL, problem_of


class Recorded:
    """A transaction, what was written, and how it was closed: status and bytes of the body that were sent."""

    def __init__(self, error: Exception | None = None) -> None:
        self.written: list[Response] = []
        self.closed: list[tuple[int, int]] = []
        self._error = error
        request = Request("POST", "/v1/predict", b"", {})
        self.transaction = Transaction(
            request, self._write, lambda _, done, sent: self.closed.append((done.status, sent))
        )

    def _write(self, response: Response) -> None:
        self.written.append(response)
        if self._error is not None:
            raise self._error


def test_only_the_first_response_is_written() -> None:
    found = Recorded()
    assert found.transaction.is_open
    found.transaction.respond(Response(200, b"first"))
    found.transaction.respond(Response(200, b"the second"))
    found.transaction.abandon()
    assert [response.body for response in found.written] == [b"first"]
    assert found.closed == [(200, 5)]
    assert not found.transaction.is_open


def test_a_response_that_cannot_be_written_closes_the_request_and_is_counted_as_not_sent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = Recorded(OSError("the connection is closed"))
    with caplog.at_level(logging.ERROR):
        found.transaction.respond(Response(200, b"body"))
    found.transaction.respond(Response(200, b"again"))
    assert found.closed == [(CLIENT_CLOSED_REQUEST, 0)]
    assert "no response could be written" in caplog.text


def test_what_is_abandoned_is_cancelled_and_answered_no_more() -> None:
    found = Recorded()

    async def test() -> None:
        found.transaction.task = asyncio.create_task(asyncio.sleep(60))
        found.transaction.abandon()
        found.transaction.abandon()
        await asyncio.gather(found.transaction.task, return_exceptions=True)
        assert found.transaction.task.cancelled()
        found.transaction.respond(Response(200))

    asyncio.run(test())
    assert (found.written, found.closed) == ([], [(CLIENT_CLOSED_REQUEST, 0)])


@pytest.mark.parametrize(
    ("error", "response"),
    [(BadImage("damaged"), problem_of(BadImage("damaged"))), (ValueError("secret"), problem_of(INTERNAL))],
    ids=["the caller's fault", "ours"],
)
def test_whatever_a_step_raises_becomes_a_problem(error: Exception, response: Response) -> None:
    def step() -> Response:
        raise error

    found = Recorded().transaction.attempt(step)
    assert isinstance(found, Response)
    assert (found.status, found.body) == (response.status, response.body)

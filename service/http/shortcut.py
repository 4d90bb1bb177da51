"""a whole request of one small image ──▶ its answer, on the connection itself: without a task and a framework.

Most requests are just that, and a third of the CPU that they cost beside the model went into what others need: waiting
for a body, for a thread, for room to write. It is what `service.gateway.gateway` and `service.api.routes` do, by the
same parts;
whatever is not just that is theirs.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import NamedTuple

from starlette.responses import Response
from starlette.types import Message

from models.errors import TandemError
from models.runtime.engine_types import Result
from service.api.bodies import Item, is_image
from service.api.predictions import to_answer
from service.api.query import Options, read_options
from service.api.routes import json_response
from service.gateway.gateway import CLIENT_CLOSED_REQUEST, admit
from service.gateway.problems import code_of, problem_of
from service.gateway.telemetry import record
from service.http.cycle import Cycle
from service.http.exchange import TIMEOUT, Exchange
from service.inference.loaded_model import SMALL_PIXELS, Served
from service.inference.pipeline import Pipeline
from service.process.worker import Worker

logger = logging.getLogger(__name__)

PATH = "/v1/predict"
_LINES = (b"POST /v1/predict HTTP/1.1\r\n", b"POST /v1/predict?")
"""How such a request begins."""
_QUERIES, _QUERY_BYTES = 256, 256  # whose meaning is known at most, for one model, and of each

# Headers by which a request is more than that.
_OTHERS = frozenset({b"transfer-encoding", b"expect", b"upgrade", TIMEOUT, b"x-forwarded-for", b"x-forwarded-proto"})

# A caller who keeps his connection sends the same head again, but for its length; what was once read is then known by
# its bytes, a sixth less work beside the model. Heads of more bytes, or that name one request, do not come again.
_KNOWN_HEADS = 1024
_KNOWN_BYTES = 1024
_OF_ONE_REQUEST = frozenset({b"x-request-id", b"traceparent", b"tracestate", b"baggage"})


class Head(NamedTuple):
    """The head of such a request, on a connection that is kept."""

    headers: tuple[tuple[bytes, bytes], ...]
    query: bytes
    body_bytes: int


class Shortcut:
    """What answers such requests in one process.

    Args:
        worker: what the process has once.
        pipeline: the process'.
    """

    def __init__(self, worker: Worker, pipeline: Pipeline) -> None:
        self._worker = worker
        self._pipeline = pipeline
        self._heads: dict[bytes, Head] = {}
        self._known_queries = _KnownQueries()

    @property
    def _is_open(self) -> bool:
        return self._pipeline.ready and self._pipeline.served.is_inline

    def known(self, data: bytes) -> tuple[Head, bytes] | None:
        """Head and body of a request whose head has come before, as a whole and alone in `data`; else None."""
        begin = _begin_of(data)
        head = self._heads.get(begin)
        if head is None or head.body_bytes != len(data) - len(begin) or not self._is_open:
            return None
        return head, data[len(begin) :]

    def learn(self, data: bytes, headers: Sequence[tuple[bytes, bytes]], query: bytes) -> None:
        """Keeps the head of a request in `data` that it takes, and whose connection is kept, to know it again."""
        begin = _begin_of(data)
        if not begin or not _OF_ONE_REQUEST.isdisjoint(name for name, _ in headers):
            return
        if len(self._heads) >= _KNOWN_HEADS:
            self._heads.clear()
        self._heads[begin] = Head(tuple(headers), query, len(data) - len(begin))

    def takes(self, headers: Sequence[tuple[bytes, bytes]], size_bytes: int) -> bool:
        """Whether a request is one.

        Args:
            headers: of a request that begins as `rest_bytes` wants it.
            size_bytes: of what has come after them.
        """
        if size_bytes > SMALL_PIXELS or not self._is_open:
            return False
        length = kind = b""
        for name, value in headers:
            if name == b"content-length":
                length = value
            elif name == b"content-type":
                kind = value
            elif name in _OTHERS:
                return False
        return length == b"%d" % size_bytes and is_image(kind.decode("latin-1"))

    def answer(self, cycle: Cycle) -> bool:
        """Answers the request of a cycle whose body is complete; never raises.

        Returns:
            False where the image is one of many pixels, and nothing was done.
        """
        errand = _Errand(self._worker, cycle, self._known_queries)
        try:
            is_taken = errand.begin(self._pipeline)
        except TandemError as error:
            errand.fail(error)
        except Exception:  # whatever it is, the client gets a problem document and the log the traceback
            errand.break_down()
        else:
            if not is_taken:
                errand.close()
            return is_taken
        return True


class _KnownQueries:
    """What queries ask of the model that serves."""

    def __init__(self) -> None:
        self._name = ""
        self._options: dict[bytes, Options] = {}

    def read(self, query: bytes, served: Served) -> Options:
        """The options of a query.

        Raises:
            BadRequest: it asks for what there is not.
        """
        if self._name != served.name or len(self._options) >= _QUERIES:
            self._name, self._options = served.name, {}
        options = self._options.get(query)
        if options is None:
            options = read_options(query, served)
            if len(query) <= _QUERY_BYTES:
                self._options[query] = options
        return options


class _Errand:
    """One request on its way."""

    __slots__ = ("_cycle", "_exchange", "_options", "_queries", "_served", "_worker")

    def __init__(self, worker: Worker, cycle: Cycle, queries: _KnownQueries) -> None:
        self._queries = queries
        self._worker = worker
        self._cycle = cycle
        self._exchange = Exchange(cycle.scope, _nothing, _nowhere, worker)  # type: ignore[arg-type]
        worker.lifecycle.enter()

    def begin(self, pipeline: Pipeline) -> bool:
        """Queues the image, unless it is one of many pixels.

        Raises:
            TandemError: what is wrong with it or the request.
        """
        exchange = self._exchange
        body = bytes(self._cycle.body)
        exchange.take_body(body)  # before a refusal, which then need not end the connection
        admit(self._worker, PATH, exchange)
        self._served: Served = pipeline.served
        self._options = self._queries.read(self._cycle.scope["query_string"], self._served)
        if self._options.explain:
            return False
        return pipeline.run_one(
            self._served,
            Item(body, {}),
            heads=self._options.heads,
            deadline=exchange.deadline,
            take=self.take,
            is_wanted=self._is_wanted,
        )

    def take(self, answer: Result | TandemError) -> None:
        """Sends what was found."""
        self._exchange.answers = [answer]
        if isinstance(answer, TandemError):
            self.fail(answer)
            return
        try:
            self._exchange.model = self._served.name
            self._send(json_response(to_answer(answer, self._options, self._served.name)))
        except Exception:
            self.break_down()

    def fail(self, error: TandemError) -> None:
        """Sends a problem."""
        self._exchange.code = code_of(error)
        self._send(problem_of(error.as_value()))

    def break_down(self) -> None:
        """Says that it is our fault."""
        logger.exception("POST %s failed, request %s", PATH, self._exchange.request_id.decode())
        self.fail(TandemError("internal error; the server's log has the details"))

    def close(self) -> None:
        """Gives back what was held."""
        self._worker.lifecycle.leave()
        self._exchange.close()

    def _is_wanted(self) -> bool:
        return not self._cycle.disconnected

    def _send(self, response: Response) -> None:
        exchange, cycle = self._exchange, self._cycle
        message = exchange.whole(response)
        if cycle.disconnected:
            exchange.status = CLIENT_CLOSED_REQUEST
        record(self._worker, exchange, PATH, time.monotonic() - exchange.started)
        self.close()
        if not cycle.disconnected:
            cycle.send_whole(message)


async def _nothing() -> Message:
    raise AssertionError("the body is there already")


async def _nowhere(_: Message) -> None:
    raise AssertionError("the response is sent by the cycle")


def _begin_of(data: bytes) -> bytes:
    """The bytes of a head; none where it is longer than those that are kept."""
    end = data.find(b"\r\n\r\n", 0, _KNOWN_BYTES)
    return data[: end + 4] if end > 0 else b""


def rest_bytes(data: bytes) -> int:
    """Bytes behind the head of a request to predict; 0 where it is none, or the head has no end."""
    end = data.find(b"\r\n\r\n") if data.startswith(_LINES) else -1
    return len(data) - end - 4 if end > 0 else 0

"""socket ──▶ requests ──▶ gate: uvicorn's HTTP/1.1 connection, with bounds on what a caller may make it wait for.

uvicorn waits for ever for the rest of a request's head and for a caller who does not read, takes heads of any size,
answers what is no HTTP with plain text, and hangs up on a caller who is still sending, who may never see the answer.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from models.errors import ClientError, DeadlineExceeded
from service.gateway.problems import encoded_problem
from service.gateway.telemetry import record_refusal
from service.http.cycle import Cycle
from service.http.exchange import WHOLE
from service.http.header_block import MAX_HEAD_BYTES, MAX_HEADERS, check_head, fault_of, too_large
from service.process.worker import Worker

# A caller who is still sending when he is answered is listened to for so long and so much, so that he sees the answer.
LINGER_S = 2.0
LINGER_BYTES = 16 * 1024 * 1024


class Connection(HttpToolsProtocol):
    """One connection. It is also the transport of its requests' responses, so as to close in its own way.

    Args:
        worker: what the process has once.
        **uvicorn: configuration, state of the server and of the application, event loop.
    """

    def __init__(self, *, worker: Worker, **uvicorn: Any) -> None:
        super().__init__(**uvicorn)
        self._worker = worker
        self._limit_s = worker.settings.deadline_ms / 1000
        self._in_head = True
        self._head_since: float | None = time.monotonic()  # before the first head silence counts, too
        self._bare_bytes = 0
        self._unsent_since: float | None = None
        self._deaf = False
        self._lingers_until: float | None = None
        self._lingered_bytes = 0
        self._refused: tuple[RequestResponseCycle, ClientError] | None = None
        self._idle_since = time.monotonic()
        self._drains = False

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being answered."""
        return self.cycle is None or self.cycle.response_complete

    # ---------------------------------------------------------------- coming in

    def data_received(self, data: bytes) -> None:
        """Takes what has arrived."""
        if self._deaf:
            self._discard(len(data))
            return
        self._bare_bytes += len(data)
        if self._in_head and self._head_since is None:
            self._head_since = time.monotonic()
        try:
            self._parse(data)
        except httptools.HttpParserError as error:
            self._refuse(fault_of(error))
        else:
            if self._bare_bytes > MAX_HEAD_BYTES:
                self._refuse(too_large(f"{self._bare_bytes} bytes and no end"))

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
            return
        except httptools.HttpParserUpgrade as asked:
            rest = data[asked.args[0] :]
        self._read_again(rest)

    def _read_again(self, rest: bytes) -> None:
        """Reads a request that asks for a protocol that we do not speak as if it had not; the parser skips its body."""
        kept = [(name, value) for name, value in self.headers if name not in (b"upgrade", b"connection")]
        lines = [b"%b: %b\r\n" % header for header in [*kept, (b"connection", b"close")]]
        line = self.parser.get_method(), self.url, self.parser.get_http_version().encode()
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        self.parser.feed_data(b"%b %b HTTP/%b\r\n" % line + b"".join(lines) + b"\r\n" + rest)

    def on_headers_complete(self) -> None:
        """Begins a request, unless its head is over the limits, or is to be read again."""
        check_head(self.parser.get_method(), self.url, self.headers)
        if self.parser.should_upgrade():
            return
        self._begin()
        self._in_head = False
        self._bare_bytes = 0

    def _begin(self) -> None:
        """Begins to answer a request whose head was accepted."""
        super().on_headers_complete()
        self.cycle.__class__ = Cycle  # uvicorn makes its own, and has not begun with it
        self._adopt_cycle()

    def _adopt_cycle(self) -> None:
        self.cycle.transport = self  # type: ignore[assignment]  # it writes, closes and says whether it is closing
        self.cycle.keep_alive = self.cycle.keep_alive and not self._drains
        self.scope["extensions"] = {WHOLE: {}}
        self._head_since = None

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a header; a trailer is none, as the request has begun without it."""
        if len(self.headers) >= MAX_HEADERS:
            raise too_large(f"more than {MAX_HEADERS} headers")
        if self._in_head:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """Takes a piece of a body."""
        self._bare_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Ends a request; what follows is the head of another one."""
        if self.parser.should_upgrade():
            return
        super().on_message_complete()
        self._in_head = True
        self._bare_bytes = 0

    def connection_lost(self, exc: Exception | None) -> None:
        """Lets go of the last request, which holds the connection: both would wait for the garbage collector."""
        super().connection_lost(exc)
        self._worker.share.set(len(self.server_state.connections))
        self.cycle = None  # type: ignore[assignment]  # as before the first
        self.pipeline.clear()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if self._refused is not None and cycle is self._refused[0]:
            self._answer_refused(self._refused[1])
        else:
            super()._start_asgi_task(cycle, app)

    def _refuse(self, error: ClientError) -> None:
        """Answers what cannot be taken for a request, in its turn, and ends the connection."""
        self._deaf = True
        if self.is_idle:
            self._answer_refused(error)
        elif not self.cycle.more_body:  # what came before it is whole, and is answered
            self.cycle.keep_alive = False
        elif any(cycle is self.cycle for cycle, _ in self.pipeline):
            self._refused = (self.cycle, error)
        else:
            self._break_off(error)

    def _break_off(self, error: ClientError) -> None:
        """Refuses the request whose body is being read."""
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        if self.cycle.response_started:
            self._linger()
        else:
            self._answer_refused(error)

    def _answer_refused(self, error: ClientError) -> None:
        request_id = os.urandom(16).hex()
        self.write(encoded_problem(error, request_id))
        record_refusal(self._worker, error, request_id, self.client)
        self._linger()

    def _discard(self, count: int) -> None:
        self._lingered_bytes += count
        if self._lingered_bytes > LINGER_BYTES:
            self.transport.close()

    # ---------------------------------------------------------------- going out: what a response's transport does

    def write(self, data: bytes) -> None:
        """Sends a piece of a response."""
        self.transport.write(data)

    def is_closing(self) -> bool:
        """Whether no further request is taken."""
        return self._lingers_until is not None or self.transport.is_closing()

    def close(self) -> None:
        """Ends the connection after a response, once the caller has stopped sending."""
        is_lost = self.cycle is None
        if is_lost or not (self.cycle.more_body or self.pipeline or self._deaf or self._bare_bytes):
            self.transport.close()
        else:
            self._linger()

    def _linger(self) -> None:
        if self.is_closing():
            return
        if not self.transport.can_write_eof():  # TLS
            self.transport.close()
            return
        self._deaf = True
        self._lingers_until = time.monotonic() + LINGER_S
        self.flow.resume_reading()
        self.transport.write_eof()

    def on_response_complete(self) -> None:
        """Goes on to the next request."""
        self._idle_since = time.monotonic()
        self._unsent_since = None
        self.server_state.total_requests += 1
        if self.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())

    # ---------------------------------------------------------------- time

    def check(self, now: float) -> bool:
        """Ends the connection where the caller takes too long; to be called several times a second.

        Args:
            now: of `time.monotonic()`.

        Returns:
            Whether it was ended.
        """
        if not self.transport.get_write_buffer_size():
            self._unsent_since = None
        elif self._unsent_since is None:
            self._unsent_since = now
        if self._unsent_since is not None and now - self._unsent_since > self._limit_s:
            self._reset()
            return True
        if self._lingers_until is not None:
            is_over = now > self._lingers_until
            if is_over:
                self.transport.close()
            return is_over
        if not self.is_idle or self.is_closing():  # which takes TLS a while
            return False
        if self._head_since is not None:
            return self._check_head(now - self._head_since)
        is_over = now - self._idle_since > self.timeout_keep_alive
        if is_over:
            self.transport.close()
        return is_over

    def drain(self, now: float, quiet_s: float) -> None:
        """Ends a connection on which nothing has begun for so long; others end with the next response.

        Args:
            now: of `time.monotonic()`.
            quiet_s: seconds.
        """
        self._drains = True
        if not self.is_idle:
            self.cycle.keep_alive = False
        since = self._head_since if self._head_since is not None and self._bare_bytes else self._idle_since
        if self.is_idle and self._lingers_until is None and now - since > quiet_s:
            self.transport.close()

    def _check_head(self, seconds: float) -> bool:
        if seconds <= self._limit_s:
            return False
        if self._bare_bytes:
            self._answer_refused(DeadlineExceeded(f"no whole head of a request within {seconds * 1000:.0f} ms"))
        else:
            self.transport.close()
        return True

    def _reset(self) -> None:
        """Ends it without another word: what was written is not read, and the kernel would keep offering it."""
        with socket.socket(fileno=os.dup(self.transport.get_extra_info("socket").fileno())) as file:
            file.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

"""bytes on a socket ──▶ `Request` ──▶ gateway ──▶ `Response` ──▶ bytes: HTTP/1.1 on httptools' callbacks.

Requests on one connection are answered in their order, one at a time. The server calls `check` several times a second;
it ends connections whose caller takes too long to send headers or a body, or to read an answer. The file is longer than
others, since all of it is the state of one connection.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import NamedTuple, cast

from models.errors import ClientError, DeadlineExceeded, TandemError
from service.gateway.gateway import Gateway
from service.gateway.transaction import Transaction
from service.http.connection_end import Lingering, close_unless_asked, reset
from service.http.connections import Connections
from service.http.request_parser import HeaderBlock, RequestParser
from service.messages import Request, Response, encode

_UNREAD_BYTES = 64 * 1024
"""A body that is refused unread is read all the same where it is so small that it has most likely arrived already;
hanging up instead would cost both sides a connection."""
_READ_AHEAD = 16
"""Requests that may wait on a connection before no more of it is read: the caller could send them without end."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_CLOSE = (b"connection", b"close")
_KEEP_ALIVE = (b"connection", b"keep-alive")


class _Message(NamedTuple):
    """A request on the connection.

    Attributes:
        transaction: of the gateway.
        keep_alive: whether the connection may carry another one after it.
        is_old: whether it is HTTP/1.0, whose callers are told that the connection is kept.
        chunks: of its body.
    """

    transaction: Transaction
    keep_alive: bool
    is_old: bool
    chunks: list[bytes]


class HttpProtocol(asyncio.Protocol):
    """One connection.

    Args:
        gateway: answers requests.
        connections: of the process; this one is among them while it is open.
    """

    def __init__(self, gateway: Gateway, connections: Connections) -> None:
        self._gateway = gateway
        self._connections = connections
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)  # until it is connected
        self._lingering = cast("Lingering", None)
        self._parser = RequestParser(self._begin, self._receive, self._complete)
        self._client: str | None = None
        self._scheme = "http"
        self._receiving: _Message | None = None
        self._answering: _Message | None = None
        self._waiting: deque[_Message | ClientError] = deque()
        self._is_pumping = False
        self._is_deaf = False
        self._is_full = False
        self._is_paused = False
        self._has_ended = False
        self._is_last = False
        self._timer: asyncio.TimerHandle | None = None
        self._unsent_since: float | None = None
        self._headers_since: float | None = time.monotonic()  # before the first request silence counts, too
        self._idle_since = time.monotonic()

    @property
    def is_idle(self) -> bool:
        """Whether no request is being received, answered or waiting."""
        return self._answering is None and self._receiving is None and not self._waiting

    # ---------------------------------------------------------------- the transport's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins."""
        self._transport = cast("asyncio.Transport", transport)
        self._lingering = Lingering(self._transport)
        peer = transport.get_extra_info("peername")
        self._client = peer[0] if peer else None
        self._scheme = "https" if transport.get_extra_info("sslcontext") else "http"
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's)
        """Gives up what is under way for a caller who is gone."""
        self._connections.remove(self)
        self._is_deaf = True
        self._stop_timer()
        for message in (self._receiving, self._answering, *self._waiting):
            if isinstance(message, _Message):
                message.transaction.abandon()
        self._receiving = self._answering = None
        self._waiting.clear()
        del self._parser  # it holds this object

    def data_received(self, data: bytes) -> None:
        """Takes what has arrived."""
        if self._is_deaf:
            self._lingering.discard(len(data))
            return
        parser = self._parser
        begins = parser.in_headers and not parser.bare_bytes
        if begins and self.is_idle and not self._is_full and self._answer_known(data):
            return
        if parser.in_headers and self._headers_since is None:
            self._headers_since = time.monotonic()
        try:
            parser.feed(data)
        except ClientError as error:
            self._refuse(error)
        else:
            if self._receiving is not None:
                self._await_body(self._receiving)
            elif begins and parser.begun == 1 and parser.in_headers:
                self._connections.learn(data, parser.target, parser.headers)
        if len(self._waiting) > _READ_AHEAD:
            self._pause_or_resume_reading()

    def eof_received(self) -> bool:
        """Notes that the caller sends no more; what he asked is answered.

        Returns:
            Whether the connection stays open.
        """
        self._has_ended = True
        is_asked = self._answering is not None or bool(self._waiting)
        return is_asked and self._scheme == "http"  # TLS knows no half-closed connection

    def pause_writing(self) -> None:
        """Begins nothing more for a caller who does not read."""
        self._is_full = True
        self._pause_or_resume_reading()

    def resume_writing(self) -> None:
        """Goes on."""
        self._is_full = False
        if not self._is_closing:
            self._pump()
            self._pause_or_resume_reading()

    # ---------------------------------------------------------------- requests

    def _begin(self, block: HeaderBlock) -> None:
        """Opens a request; one that is refused by its headers is answered before its body, if that is long."""
        self._headers_since = None
        message = self._receiving = self._open(block)
        if message.transaction.refusal is not None:
            self._end_unread_if_long(message)
        elif block.headers.get(b"expect", b"").lower() == b"100-continue" and not (self._answering or self._waiting):
            self._transport.write(_CONTINUE)

    def _receive(self, body: bytes) -> None:
        """Keeps a piece of a body."""
        message = self._receiving
        if message is None or message.transaction.refusal is not None:
            return
        if self._hold(message, len(body)):
            message.chunks.append(body)
        else:
            message.chunks.clear()
            self._end_unread_if_long(message)

    def _complete(self) -> None:
        """Has a complete request answered, in its turn."""
        message, self._receiving = self._receiving, None
        self._stop_timer()
        if message is not None:  # it was not ended unread
            self._waiting.append(message)
            self._pump()

    def _open(self, block: HeaderBlock) -> _Message:
        line = block.method, block.path, block.query
        request = Request(*line, block.headers, client=self._client, scheme=self._scheme)
        return _Message(self._gateway.open(request, self._send), block.keep_alive, block.is_old, [])

    def _hold(self, message: _Message, count: int) -> bool:
        """Whether there is room for more bytes of a body; else the request is refused."""
        try:
            self._gateway.receive(message.transaction.request, count)
        except TandemError as error:
            message.transaction.refusal = error.as_value()
            return False
        return True

    def _answer_known(self, data: bytes) -> bool:
        """Answers a whole request whose header block has come before; False where it is none, and nothing was done."""
        known = self._connections.known(data)
        if known is None:
            return False
        block, body = known
        message = self._open(block)
        self._headers_since = None
        if message.transaction.refusal is None:
            self._hold(message, len(body))
        self._answering = message
        self._gateway.handle(message.transaction, body)
        return True

    def _pump(self) -> None:
        """Has the next request answered, and the next, as long as each is answered at once."""
        if self._is_pumping:
            return
        self._is_pumping = True
        try:
            while self._waiting and self._answering is None and not self._is_full and not self._is_closing:
                message = self._waiting.popleft()
                if isinstance(message, ClientError):
                    self._answer_refused(message)
                else:
                    self._answering = message
                    self._gateway.handle(message.transaction, b"".join(message.chunks))
        finally:
            self._is_pumping = False
        if self._is_paused:
            self._pause_or_resume_reading()

    def _pause_or_resume_reading(self) -> None:
        """Reads no more while the caller does not read either, or while many of his requests wait."""
        if self._is_closing:
            return
        self._is_paused = self._is_full or len(self._waiting) > _READ_AHEAD
        if self._is_paused:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _send(self, response: Response) -> None:
        """Writes the response to the request that is being answered, and goes on to the next one."""
        message = self._answering or self._receiving
        assert message is not None
        keep_alive = message.keep_alive and not self._is_last and not self._connections.is_closing
        keep_alive = keep_alive and not (self._receiving is message or (self._is_deaf and not self._waiting))
        extra = [] if keep_alive and not message.is_old else [_KEEP_ALIVE if keep_alive else _CLOSE]
        request = message.transaction.request
        extra.append((b"date", self._connections.date))
        try:
            data = encode(response, request.id, extra, is_head=request.method == "HEAD")
        except Exception:
            # What came next would be taken for the answer to this request; what was written before still goes out.
            self._transport.close()
            raise
        finally:
            self._answering = None
            self._idle_since = time.monotonic()
            self._connections.answered += 1
        self._transport.write(data)
        if not keep_alive:
            self._close()
        elif self._has_ended and not self._waiting:
            self._transport.close()
        else:
            self._pump()

    def _end_unread_if_long(self, message: _Message) -> None:
        request = message.transaction.request
        if b"transfer-encoding" in request.headers or (request.content_length or 0) > _UNREAD_BYTES:
            self._end_unread()

    def _end_unread(self) -> None:
        """Answers a refused request whose body has not come, and reads no more."""
        message = self._receiving
        assert message is not None
        self._is_deaf = True
        if self._answering is None and not self._waiting:
            self._gateway.handle(message.transaction, b"")
            self._receiving = None
        else:
            self._receiving = None
            self._waiting.append(message._replace(keep_alive=False))

    def _refuse(self, error: ClientError) -> None:
        """Answers what cannot be taken for a request, in its turn, and ends the connection."""
        self._is_deaf = True
        if self._receiving is not None:
            self._receiving.transaction.abandon()
            self._receiving = None
        self._waiting.append(error)
        self._pump()

    def _answer_refused(self, error: ClientError) -> None:
        message = self._open(HeaderBlock("", "", b"", {}, keep_alive=False))
        message.transaction.refusal = error.as_value()
        self._answering = message
        self._gateway.handle(message.transaction, b"")

    # ---------------------------------------------------------------- the end

    @property
    def _is_closing(self) -> bool:
        return self._lingering.has_begun or self._transport.is_closing()

    def _close(self) -> None:
        """Ends the connection after a response, once the caller has stopped sending."""
        if self._has_ended or not (self._receiving or self._waiting or self._is_deaf or self._parser.bare_bytes):
            self._transport.close()
        elif not self._is_closing:
            self._linger()

    def _linger(self) -> None:
        for message in self._waiting:
            if isinstance(message, _Message):
                message.transaction.abandon()
        self._waiting.clear()
        self._is_deaf = True
        self._lingering.begin()

    def check(self, now: float) -> bool:
        """Ends the connection where the caller takes too long; to be called several times a second.

        Args:
            now: of `time.monotonic()`.

        Returns:
            Whether it was ended.
        """
        if self._has_unsent_for(now) > self._connections.limit_s:
            reset(self._transport)
            return True
        if self._lingering.has_begun:
            return self._lingering.check(now)
        if not self.is_idle or self._transport.is_closing():  # which takes TLS a while
            return False
        if self._headers_since is not None:
            return self._check_headers(now - self._headers_since)
        return now - self._idle_since > self._connections.keep_alive_s and close_unless_asked(self._transport)

    def _has_unsent_for(self, now: float) -> float:
        """Seconds for which the caller has left something unread."""
        if not self._transport.get_write_buffer_size():
            self._unsent_since = None
            return 0.0
        if self._unsent_since is None:
            self._unsent_since = now
        return now - self._unsent_since

    def drain(self, now: float, quiet_s: float) -> None:
        """Ends a connection on which nothing has begun for so long; others end with the next response.

        Args:
            now: of `time.monotonic()`.
            quiet_s: seconds.
        """
        self._is_last = True
        has_begun = self._headers_since is not None and self._parser.bare_bytes
        since = cast("float", self._headers_since) if has_begun else self._idle_since
        if self.is_idle and not self._lingering.has_begun and now - since > quiet_s:
            close_unless_asked(self._transport)

    def abort(self) -> None:
        """Ends it without another word."""
        self._transport.abort()

    def _await_body(self, message: _Message) -> None:
        """Has a request answered at its deadline if its body has not come by then; most come with the headers."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(message.transaction.request.deadline, self._end_late, message)

    def _end_late(self, message: _Message) -> None:
        """Answers a request whose body has not come by its deadline."""
        self._timer = None
        if message is self._receiving:
            waited_ms = (time.monotonic() - message.transaction.request.started) * 1000
            message.transaction.refusal = DeadlineExceeded(f"no whole body of a request within {waited_ms:.0f} ms")
            self._end_unread()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check_headers(self, seconds: float) -> bool:
        if seconds <= self._connections.limit_s:
            return False
        if not self._parser.bare_bytes:
            return close_unless_asked(self._transport)
        self._refuse(DeadlineExceeded(f"no whole headers of a request within {seconds * 1000:.0f} ms"))
        return True

"""what happens ──▶ one JSON line each on stdout, in plain ASCII, whatever the caller sent.

The event loop only appends to a buffer; one thread writes. Where nobody takes the lines, they are dropped and
counted, and no request waits. A killed process loses the lines of the last `FLUSH_INTERVAL_S`.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import select
import threading
import time
from collections import deque
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii

ACCESS_LOGGER = "tandem.access"
FLUSH_INTERVAL_S = 0.05
FLUSH_BYTES = 64 * 1024
BUFFER_BYTES = 4 * 1024 * 1024
CLOSE_TIMEOUT_S = 2.0
PATH_CHARACTERS = 200

# POSIX' PIPE_BUF on Linux: what workers write at once to the pipe that they share is not torn apart.
LINE_BYTES = 4096
_TEXT_CHARACTERS = 64  # of a field that has no bound of its own
_CUT = " ... cut ... "
_LEVELS = {500: "error", 503: "warning", 504: "warning"}  # a defect; what an overload or an end brings with it


@dataclass(slots=True)
class Access:
    """One request, as the access log tells it; times of this class's fields are seconds since the epoch and ms."""

    request_id: str
    method: str
    route: str
    """The template, never what the caller made of it."""
    path: str
    """Without the query."""
    status: int
    ms: float
    client: str | None = None
    key: str | None = None
    """The name of the API key, never the key."""
    code: str | None = None
    """Of the problem document, if it was one."""
    received_bytes: int = 0
    sent_bytes: int = 0
    images: int = 0
    model: str | None = None
    """`name@version` that answered."""


class LineWriter:
    """Writes lines to a file descriptor from a thread of its own.

    Args:
        descriptor: where to; 1 is stdout.
        buffer_bytes: what may wait; lines beyond are dropped.
    """

    def __init__(self, descriptor: int = 1, *, buffer_bytes: int = BUFFER_BYTES) -> None:
        self.dropped = 0
        """Lines that nobody will see."""
        self._descriptor = descriptor
        self._buffer_bytes = buffer_bytes
        self._lines: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._written_bytes = 0
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="logs", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def write(self, line: bytes, *, at_once: bool = False) -> None:
        """Takes a line, with its end; `at_once` does not wait for more. Never blocks."""
        if self._closing:
            self._write_late(line)
            return
        with self._lock:
            waiting = self._waiting_bytes + len(line)
            if waiting > self._buffer_bytes:
                self.dropped += 1
                return
            self._waiting_bytes = waiting
            self._lines.append(line)
        if at_once or waiting >= FLUSH_BYTES:
            self._wake.set()

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Writes what waits, and from now on at once; gives up on a reader that does not read.

        To be called when the worker stops: uvicorn ends it by a signal, past Python's own handlers of an exit.
        """
        atexit.unregister(self.close)
        self._closing = True
        self._wake.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._closing:
            self._wake.wait(FLUSH_INTERVAL_S)
            self._wake.clear()
            self._flush()
        self._flush()

    def _flush(self) -> None:
        while chunk := self._next_chunk():
            try:
                self._write_all(chunk)
            except OSError:  # nobody reads any more, or the disk is full
                self.dropped += chunk.count(b"\n")

    def _write_late(self, line: bytes) -> None:
        """Writes what comes after the end, if that takes no waiting."""
        with self._lock:
            try:
                ready = not self._thread.is_alive() and select.select([], [self._descriptor], [], 0)[1]
                if ready and os.write(self._descriptor, line) == len(line):
                    return
            except OSError:
                pass
            self.dropped += 1

    def _next_chunk(self) -> bytes:
        """Whole lines of at most `LINE_BYTES` together, or one longer line."""
        with self._lock:
            chunk: list[bytes] = []
            size = 0
            while self._lines and (not chunk or size + len(self._lines[0]) <= LINE_BYTES):
                line = self._lines.popleft()
                chunk.append(line)
                size += len(line)
            self._waiting_bytes -= size
        return b"".join(chunk)

    def _write_all(self, chunk: bytes) -> None:
        rest = memoryview(chunk)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # somebody who shares the descriptor made it non-blocking
                select.select([], [self._descriptor], [], 1.0)


class AccessLog:
    """One line a request."""

    def __init__(self, writer: LineWriter) -> None:
        self._writer = writer
        self._second = 0
        self._stamp = ""

    def write(self, access: Access) -> None:
        """Logs one request. Never blocks."""
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second, self._stamp = second, _stamp(second)
        a = access
        line = (
            f'{{"time":"{self._stamp}.{int((now - second) * 1000):03d}Z",'
            f'"level":"{_LEVELS.get(a.status, "info")}","logger":"{ACCESS_LOGGER}",'
            f'"request_id":{_text(a.request_id, 128)},"client":{_text(a.client)},"key":{_text(a.key)},'
            f'"method":{_text(a.method)},"route":{_text(a.route)},"path":{_text(a.path, PATH_CHARACTERS)},'
            f'"status":{a.status:d},"code":{_text(a.code)},"ms":{a.ms:.3f},"received_bytes":{a.received_bytes:d},'
            f'"sent_bytes":{a.sent_bytes:d},"images":{a.images:d},"model":{_text(a.model, 128)}}}\n'
        )
        self._writer.write(line.encode("ascii"))


class JsonHandler(logging.Handler):
    """Every other record as one line; a traceback is a string in it."""

    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a record; errors without waiting for more lines."""
        try:
            line = json_line(record)
        except Exception:  # a message that cannot be formatted; reported on stderr, as logging does it
            self.handleError(record)
        else:
            self._writer.write(line, at_once=record.levelno >= logging.ERROR)

    def flush(self) -> None:
        """Does nothing: the writer's thread flushes."""


class ClientFaults(logging.Filter):
    """Keeps back the tracebacks that BentoML logs for a body that a client got wrong; the access log tells of it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets all pass but those."""
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            return True
        status = getattr(getattr(error, "error_code", None), "value", None)
        if isinstance(status, int):  # a BentoMLException
            return status >= 500
        return type(error).__name__ != "ValidationError"


def configure_logging(writer: LineWriter) -> None:
    """Sends every record of this process to `writer`; for worker processes, after BentoML's own configuration.

    BentoML gives some loggers a handler and lets them propagate to another one, so that their records come twice; here
    there is one handler, the root's. And it disables the loggers that were there before, asyncio's among them. Levels
    stay as BentoML's options set them.
    """
    for name in list(logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.disabled = False
    logging.root.handlers[:] = [JsonHandler(writer)]
    logging.getLogger("service").setLevel(logging.INFO)
    logging.getLogger("tandem").setLevel(logging.INFO)
    logging.captureWarnings(capture=True)
    faults = logging.getLogger("bentoml._internal.server.http_app")
    faults.filters[:] = [ClientFaults()]


def json_line(record: logging.LogRecord) -> bytes:
    """A record as one line of at most `LINE_BYTES`; what is too long is cut in the middle."""
    milliseconds = int(record.created * 1000) % 1000
    document: dict[str, object] = {
        "time": f"{_stamp(int(record.created))}.{milliseconds:03d}Z",
        "level": record.levelname.lower(),
        "logger": record.name,
        "pid": record.process,
        "message": record.getMessage(),
    }
    trace = _exception_text(record)
    if trace is not None:
        document["exception"] = trace
    limit = LINE_BYTES
    while len(line := json.dumps(document, separators=(",", ":")).encode("ascii") + b"\n") > LINE_BYTES:
        limit //= 2
        document |= {name: _cut(str(document[name]), limit) for name in ("message", "exception") if name in document}
    return line


def _exception_text(record: logging.LogRecord) -> str | None:
    parts = []
    if record.exc_info and record.exc_info[0] is not None:
        parts.append(logging.Formatter().formatException(record.exc_info))
    elif record.exc_text:
        parts.append(record.exc_text)
    if record.stack_info:
        parts.append(record.stack_info)
    return "\n".join(parts) if parts else None


def _cut(text: str, limit: int) -> str:
    """The begin and, mostly, the end of a text: of a traceback that is where it happened."""
    if len(text) <= limit:
        return text
    head = limit // 4
    return (
        text[:head] + _CUT + text[len(text) - (limit - head - len(_CUT)) :] if limit > 2 * len(_CUT) else text[:limit]
    )


def _stamp(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def _text(value: str | None, limit: int = _TEXT_CHARACTERS) -> str:
    if value is None:
        return "null"
    return encode_basestring_ascii(value if len(value) <= limit else value[:limit])

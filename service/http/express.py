"""socket ──▶ whole requests of one small image ──▶ `Shortcut`: a connection that takes it where it can."""

from __future__ import annotations

from typing import Any

from service.http.connection import Connection
from service.http.cycle import cycle_of
from service.http.shortcut import PATH, rest_bytes


class ExpressConnection(Connection):
    """A connection whose whole requests of one small image are answered at once, without a task."""

    def __init__(self, **connection: Any) -> None:
        super().__init__(**connection)
        self._first = b""
        """What has arrived, from the begin of a head that is not yet read."""
        self._is_short = False

    def data_received(self, data: bytes) -> None:
        """Takes what has arrived."""
        begins = self._in_head and not self._bare_bytes and not self._deaf
        is_first = begins and self.is_idle and not self.flow.write_paused
        if is_first and self._answer_known(data):
            return
        self._first = data if is_first else b""
        super().data_received(data)

    def _begin(self) -> None:
        shortcut, data, self._first = self._worker.shortcut, self._first, b""
        rest = rest_bytes(data)
        is_plain = self.parser.get_http_version() == "1.1" and b"#" not in self.url
        if not rest or shortcut is None or not is_plain or not shortcut.takes(self.headers, rest):
            super()._begin()
            return
        self._is_short = True
        keep_alive = self.parser.should_keep_alive()
        query = self.url.partition(b"?")[2]
        self._begin_short(query, keep_alive=keep_alive)
        if keep_alive:
            shortcut.learn(data, self.headers, query)

    def _begin_short(self, query: bytes, *, keep_alive: bool) -> None:
        """Makes what uvicorn makes of a request, without a task that waits for its body."""
        self.scope |= {"method": "POST", "path": PATH, "raw_path": PATH.encode(), "query_string": query}
        self.cycle = cycle_of(self, keep_alive=keep_alive)
        self._adopt_cycle()

    def _answer_known(self, data: bytes) -> bool:
        """Answers a whole request whose head has come before; False where it is none, and nothing was done."""
        shortcut = self._worker.shortcut
        found = shortcut.known(data) if shortcut else None
        if found is None:
            return False
        head, body = found
        self.on_message_begin()
        self.headers.extend(head.headers)
        self._begin_short(head.query, keep_alive=True)
        self.cycle.body += body
        self.cycle.more_body = False
        self.cycle.message_event.set()
        self._answer_short()
        return True

    def on_message_complete(self) -> None:
        """Ends a request."""
        super().on_message_complete()
        if self._is_short:
            self._is_short = False
            self._answer_short()

    def _answer_short(self) -> None:
        assert self._worker.shortcut is not None
        if not self._worker.shortcut.answer(self.cycle):  # type: ignore[arg-type]  # it is one of ours
            self._start_asgi_task(self.cycle, self.app)

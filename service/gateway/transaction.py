"""`Transaction`: one request and the one response to it, closed exactly once, whatever raises and wherever."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import ParamSpec

from models.errors import TandemError
from service.messages import Request, Response
from service.problems import INTERNAL, problem_of

logger = logging.getLogger(__name__)

Respond = Callable[[Response], None]
"""Writes a response to the connection."""
Close = Callable[[Request, Response, int], None]
"""Is told of a request that has ended, of its response and of the bytes of its body that were sent."""
Answer = Response | Awaitable[Response] | None
"""A response; one that is there later; or None where somebody else has been asked to respond."""

Handler = Callable[["Transaction"], Answer]
"""Answers requests of one route and method."""

CLIENT_CLOSED_REQUEST = 499  # nginx's number for a caller that went away; only metrics and logs see it

_Arguments = ParamSpec("_Arguments")


class Transaction:
    """One request on its way to one response.

    Args:
        request: whose headers have come.
        respond: writes the response.
        close: is called once, at the end.
    """

    __slots__ = ("_close", "_respond", "is_open", "methods", "refusal", "request", "task")

    def __init__(self, request: Request, respond: Respond, close: Close) -> None:
        self.request = request
        self.refusal: TandemError | None = None
        """Why the request is not answered, where that is known before its body has come."""
        self.methods: Mapping[str, Handler] | None = None
        """Handlers of the request's route by method; None if no route has its path."""
        self.is_open = True
        """Whether nobody has responded yet."""
        self.task: asyncio.Task[None] | None = None
        """What works on the answer, if it is there later."""
        self._respond = respond
        self._close = close

    def attempt(
        self, step: Callable[_Arguments, Answer], *arguments: _Arguments.args, **named: _Arguments.kwargs
    ) -> Answer:
        """Calls a step of the answer; whatever it raises becomes a problem document."""
        try:
            return step(*arguments, **named)
        except Exception as error:  # whatever it is, the caller gets a problem document and the log the traceback
            return self.problem(error)

    def problem(self, error: Exception) -> Response:
        """The response to an error; one that is not ours is logged with its traceback and tells the caller nothing."""
        if isinstance(error, TandemError):
            return problem_of(error.as_value(), self.request.path)
        asked = self.request
        logger.error("%s %r failed, request %s", asked.method, asked.path[:200], asked.id.decode(), exc_info=error)
        return problem_of(INTERNAL, asked.path)

    def respond(self, response: Response) -> None:
        """Writes the response, unless there was one; an error in writing it is this caller's alone."""
        if not self.is_open:
            return
        self.is_open = False
        sent_bytes = len(response.body)
        try:
            self._respond(response)
        except Exception as error:
            logger.error("no response could be written, request %s", self.request.id.decode(), exc_info=error)
            response.status, sent_bytes = CLIENT_CLOSED_REQUEST, 0
        finally:
            self._close(self.request, response, sent_bytes)

    def abandon(self) -> None:
        """Gives the request up, as its caller is gone; what is under way for it is cancelled."""
        if self.is_open:
            self.is_open = False
            if self.task is not None:
                self.task.cancel()
            self._close(self.request, Response(CLIENT_CLOSED_REQUEST), 0)

"""error ──▶ `application/problem+json` (RFC 9457): the one place where a client's fault gets its status."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import pydantic_core
from starlette.responses import Response

from models.errors import ClientError, Overloaded, TandemError, Unauthorized
from service.schemas import ItemError, Problem

MEDIA_TYPE = "application/problem+json"

STATUS = {
    "bad_request": 400,
    "bad_image": 400,
    "unauthorized": 401,
    "not_found": 404,
    "method_not_allowed": 405,
    "too_large": 413,
    "unsupported_type": 415,
    "bad_columns": 422,
    "overloaded": 429,
    "headers_too_large": 431,
    "internal": 500,
    "not_ready": 503,
    "deadline_exceeded": 504,
}
CODES = {status: code for code, status in STATUS.items() if code != "bad_image"}


def problem_of(error: TandemError) -> Response:
    """The response to a request that failed as a whole."""
    return problem(code_of(error), str(error), _headers_of(error))


def _headers_of(error: TandemError) -> Mapping[str, str]:
    if isinstance(error, Overloaded):
        return {"Retry-After": str(error.retry_after_s)}
    return {"WWW-Authenticate": "Bearer"} if isinstance(error, Unauthorized) else {}


def item_error(error: TandemError) -> ItemError:
    """What stands in the place of one image among several."""
    return {"error": {"code": code_of(error), "detail": str(error)}}


def code_of(error: TandemError) -> str:
    """The stable code; `internal` for what is not the client's fault."""
    return error.code if isinstance(error, ClientError) else "internal"


def problem(code: str, detail: str, headers: Mapping[str, str] | None = None, status: int | None = None) -> Response:
    """A problem document; `status` only where a framework chose one that has no code of its own."""
    number = status or STATUS[code]
    document: Problem = {
        "type": "about:blank",
        "title": HTTPStatus(number).phrase,
        "status": number,
        "code": code,
        "detail": detail,
    }
    return Response(pydantic_core.to_json(document), number, dict(headers or {}), MEDIA_TYPE)


def encoded_problem(error: TandemError, request_id: str) -> bytes:
    """A whole HTTP/1.1 response that ends its connection, for where there is no framework to write it."""
    response = problem_of(error)
    headers = [*response.raw_headers, (b"x-request-id", request_id.encode("ascii")), (b"connection", b"close")]
    lines = [b"%b: %b\r\n" % header for header in headers]
    status = HTTPStatus(response.status_code)
    return b"HTTP/1.1 %d %b\r\n%b\r\n%b" % (status, status.phrase.encode(), b"".join(lines), bytes(response.body))

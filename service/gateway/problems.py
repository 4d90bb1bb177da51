"""error ──▶ `application/problem+json` (RFC 9457): the one place where a client's fault gets its status."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus

import pydantic_core
from starlette.responses import Response
from starlette.types import Scope

from models.errors import ClientError, Overloaded, TandemError, Unauthorized
from service.api.schemas import ItemError, Problem

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


def framework_problem(status: int, body: bytes, scope: Scope, allow: bytes) -> tuple[str, Response]:
    """The code of a plain error of a framework's, and a problem in its stead.

    Args:
        status: of the error, or of a redirection: frameworks redirect a path with a slash too many, to whatever host
            the caller named.
        body: of the error.
        scope: of the request.
        allow: the error's header.
    """
    number = status if status >= 400 else 404
    known: dict[int, Callable[[], str]] = {
        404: lambda: f"no route {scope['path'][:200]!r}; see /docs.json",
        405: lambda: f"{scope['method'][:20]} is not allowed on {scope['path'][:200]!r}",
    }
    detail = known[number]() if number in known else _framework_detail(body)
    code = CODES.get(number, "bad_request" if number < 500 else "internal")
    return code, problem(code, detail, {"Allow": allow.decode("latin-1")} if allow else None, status=number)


def _framework_detail(body: bytes) -> str:
    """The sentence in a framework's own error body: BentoML's JSON, or plain text."""
    try:
        document = json.loads(body)
    except ValueError:
        return body.decode(errors="replace").strip()[:500] or "the request could not be answered"
    if isinstance(document, list) and document:
        document = document[0]
    if not isinstance(document, dict):
        return str(document)[:500]
    details = document.get("detail")
    if isinstance(details, list) and details:
        where = ".".join(str(part) for part in details[0].get("loc", ()))
        message = details[0].get("msg", "")
        return f"{where}: {message}"[:500] if where else message[:500]
    return str(document.get("error", document))[:500]

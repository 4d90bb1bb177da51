"""error ──▶ `application/problem+json` (RFC 9457): the one place where a client's fault gets its status."""

from __future__ import annotations

from http import HTTPStatus
from typing import Literal

import pydantic_core
from typing_extensions import TypedDict

from models.errors import ClientError, MethodNotAllowed, Overloaded, TandemError, Unauthorized
from service.messages import JSON, Response

MEDIA_TYPE = "application/problem+json"

STATUS = {
    "bad_request": 400,
    "bad_image": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "too_large": 413,
    "unsupported_type": 415,
    "bad_columns": 422,
    "bad_feedback": 422,
    "overloaded": 429,
    "headers_too_large": 431,
    "internal": 500,
    "not_implemented": 501,
    "not_ready": 503,
    "deadline_exceeded": 504,
    "version_not_supported": 505,
}

OPEN_INFERENCE_STATUS = {"too_large": 400, "unsupported_type": 400, "bad_columns": 400, "overloaded": 503}
"""Where the Open Inference Protocol has fewer statuses than HTTP."""

INTERNAL = TandemError("internal error; the server's log has the details")
"""What a caller is told of an error that is ours."""


class Problem(TypedDict):
    """RFC 9457 problem details."""

    type: Literal["about:blank"]
    title: str
    status: int
    code: str
    detail: str


class ErrorBody(TypedDict):
    """What was wrong with one image."""

    code: str
    detail: str


class ItemError(TypedDict):
    """Stands in the place of an image that could not be answered, among others that could."""

    error: ErrorBody


def problem_of(error: TandemError, path: str = "") -> Response:
    """The response to a request that failed as a whole, in the form that its path's protocol has."""
    code = code_of(error)
    if is_open_inference(path):
        status, document = OPEN_INFERENCE_STATUS.get(code, STATUS[code]), {"error": str(error)}
        return Response(status, pydantic_core.to_json(document), JSON, _headers_of(error), code)
    return _problem(error, code)


def is_open_inference(path: str) -> bool:
    """Whether a path belongs to the Open Inference Protocol, over HTTP or gRPC."""
    return path.startswith(("/v2/", "/inference.", "/grpc.")) or path == "/v2"


def _problem(error: TandemError, code: str) -> Response:
    status = STATUS[code]
    document: Problem = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": str(error),
    }
    return Response(status, pydantic_core.to_json(document), MEDIA_TYPE.encode(), _headers_of(error), code)


def item_error(error: TandemError) -> ItemError:
    """What stands in the place of one image among several."""
    return {"error": {"code": code_of(error), "detail": str(error)}}


def code_of(error: TandemError) -> str:
    """The stable code; `internal` for what is not the client's fault."""
    return error.code if isinstance(error, ClientError) else "internal"


def _headers_of(error: TandemError) -> list[tuple[bytes, bytes]]:
    if isinstance(error, Overloaded):
        return [(b"retry-after", b"%d" % error.retry_after_s)]
    if isinstance(error, MethodNotAllowed):
        return [(b"allow", error.allow.encode("latin-1"))]
    return [(b"www-authenticate", b"Bearer")] if isinstance(error, Unauthorized) else []

"""Errors as problem documents: one status for each."""

from __future__ import annotations

import json

import pytest

from models import errors
from models.errors import BadImage, BundleError, ClientError, NotReady, Overloaded, TandemError, Unauthorized
from service.inference.batcher import WorkFailed
from service.problems import (
    CODES,
    MEDIA_TYPE,
    STATUS,
    code_of,
    encoded_problem,
    item_error,
    problem,
    problem_of,
)

DOCUMENTED = {
    "BadRequest": (400, "bad_request"),
    "BadImage": (400, "bad_image"),
    "Unauthorized": (401, "unauthorized"),
    "TooLarge": (413, "too_large"),
    "HeadersTooLarge": (431, "headers_too_large"),
    "UnsupportedType": (415, "unsupported_type"),
    "BadColumns": (422, "bad_columns"),
    "Overloaded": (429, "overloaded"),
    "NotReady": (503, "not_ready"),
    "DeadlineExceeded": (504, "deadline_exceeded"),
}


CLIENT_ERRORS = [value for value in vars(errors).values() if isinstance(value, type) and ClientError in value.__bases__]


def test_every_client_error_is_documented() -> None:
    assert {error.__name__ for error in CLIENT_ERRORS} == set(DOCUMENTED)


@pytest.mark.parametrize("error", CLIENT_ERRORS, ids=lambda error: error.__name__)
def test_a_client_error_has_its_documented_status_and_code(error: type[ClientError]) -> None:
    response = problem_of(error("what was wrong"))
    status, code = DOCUMENTED[error.__name__]
    document = json.loads(bytes(response.body))
    assert response.status_code == document["status"] == status
    assert response.media_type == MEDIA_TYPE == "application/problem+json"
    assert (document["code"], document["detail"], document["type"]) == (code, "what was wrong", "about:blank")
    assert document["title"]


@pytest.mark.parametrize("error", [TandemError("x"), WorkFailed("x"), BundleError("x")])
def test_what_is_not_the_clients_fault_is_internal(error: TandemError) -> None:
    assert problem_of(error).status_code == 500
    assert code_of(error) == "internal"


def test_an_overloaded_server_says_when_to_try_again() -> None:
    assert problem_of(Overloaded("full", retry_after_s=7)).headers["retry-after"] == "7"
    assert "retry-after" not in problem_of(BadImage("x")).headers


def test_who_has_no_key_is_told_the_scheme() -> None:
    assert problem_of(Unauthorized("no key")).headers["www-authenticate"] == "Bearer"
    assert "www-authenticate" not in problem_of(BadImage("x")).headers


def test_one_image_among_several_has_code_and_detail_in_its_place() -> None:
    assert item_error(BadImage("no bytes")) == {"error": {"code": "bad_image", "detail": "no bytes"}}


def test_a_status_without_a_code_of_its_own_keeps_its_number_and_title() -> None:
    response = problem("bad_request", "no", {"X-A": "1"}, status=418)
    assert response.status_code == 418
    assert json.loads(bytes(response.body))["title"] == "I'm a Teapot"
    assert response.headers["x-a"] == "1"


def test_each_status_has_one_code_for_what_frameworks_raise() -> None:
    assert all(STATUS[code] == status for status, code in CODES.items())
    assert CODES[400] == "bad_request"


def test_a_problem_without_a_framework_is_a_whole_response_that_ends_its_connection() -> None:
    encoded = encoded_problem(NotReady("no worker is ready"), "an-id")
    head, _, body = encoded.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    assert status == "HTTP/1.1 503 Service Unavailable"
    assert dict(line.split(": ") for line in lines) == {
        "content-type": MEDIA_TYPE,
        "content-length": str(len(body)),
        "x-request-id": "an-id",
        "connection": "close",
    }
    assert body == bytes(problem_of(NotReady("no worker is ready")).body)


def test_a_problem_without_a_framework_keeps_its_own_headers() -> None:
    assert b"\r\nretry-after: 7\r\n" in encoded_problem(Overloaded("full", retry_after_s=7), "an-id")

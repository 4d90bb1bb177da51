"""Errors as problem documents: one status for each."""

from __future__ import annotations

import json

import pytest

from models import errors
from models.errors import (
    BadImage,
    BundleError,
    ClientError,
    MethodNotAllowed,
    Overloaded,
    TandemError,
    Unauthorized,
)
from service.inference.batcher import WorkFailed
from service.problems import MEDIA_TYPE, STATUS, code_of, item_error, problem_of

DOCUMENTED = {
    "BadRequest": (400, "bad_request"),
    "BadImage": (400, "bad_image"),
    "Unauthorized": (401, "unauthorized"),
    "Forbidden": (403, "forbidden"),
    "NotFound": (404, "not_found"),
    "MethodNotAllowed": (405, "method_not_allowed"),
    "TooLarge": (413, "too_large"),
    "HeadersTooLarge": (431, "headers_too_large"),
    "UnsupportedType": (415, "unsupported_type"),
    "BadColumns": (422, "bad_columns"),
    "BadFeedback": (422, "bad_feedback"),
    "Overloaded": (429, "overloaded"),
    "UnsupportedCoding": (501, "not_implemented"),
    "UnsupportedVersion": (505, "version_not_supported"),
    "NotReady": (503, "not_ready"),
    "DeadlineExceeded": (504, "deadline_exceeded"),
}


CLIENT_ERRORS = [value for value in vars(errors).values() if isinstance(value, type) and ClientError in value.__bases__]


def test_every_client_error_is_documented() -> None:
    assert {error.__name__ for error in CLIENT_ERRORS} == set(DOCUMENTED)


def test_every_status_is_some_errors_or_ours() -> None:
    documented = {code: status for status, code in DOCUMENTED.values()}
    assert documented | {"internal": 500} == STATUS


@pytest.mark.parametrize("error", CLIENT_ERRORS, ids=lambda error: error.__name__)
def test_a_client_error_has_its_documented_status_and_code(error: type[ClientError]) -> None:
    options = {"allow": "GET"} if error is MethodNotAllowed else {}
    response = problem_of(error("what was wrong", **options))
    status, code = DOCUMENTED[error.__name__]
    document = json.loads(response.body)
    assert response.status == document["status"] == status
    assert response.content_type.decode() == MEDIA_TYPE == "application/problem+json"
    assert (document["code"], document["detail"], document["type"]) == (code, "what was wrong", "about:blank")
    assert document["title"]
    assert response.code == code


@pytest.mark.parametrize("error", [TandemError("x"), WorkFailed("x"), BundleError("x")], ids=lambda e: type(e).__name__)
def test_what_is_not_the_clients_fault_is_internal(error: TandemError) -> None:
    assert problem_of(error).status == 500
    assert code_of(error) == "internal"


def test_an_overloaded_server_says_when_to_try_again() -> None:
    assert problem_of(Overloaded("full", retry_after_s=7)).headers == [(b"retry-after", b"7")]


def test_a_caller_without_a_key_is_told_the_scheme() -> None:
    assert problem_of(Unauthorized("no key")).headers == [(b"www-authenticate", b"Bearer")]


def test_a_method_that_is_not_allowed_is_answered_with_those_that_are() -> None:
    assert problem_of(MethodNotAllowed("no", allow="GET, HEAD")).headers == [(b"allow", b"GET, HEAD")]


def test_other_problems_have_no_headers_of_their_own() -> None:
    assert problem_of(BadImage("x")).headers == []


def test_one_image_among_several_has_code_and_detail_in_its_place() -> None:
    assert item_error(BadImage("no bytes")) == {"error": {"code": "bad_image", "detail": "no bytes"}}

"""What `/docs.json` describes and what the server answers agree, whatever schemathesis makes of the description."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tests.chaos.inputs.fuzz_corpus import head
from tests.chaos.inputs.pictures import pictures
from tests.chaos.rig.reliability import Reliability
from tests.chaos.rig.servers import HOST
from tests.chaos.rig.target import Target

OPERATIONS = 7
QUICK_EXAMPLES = 12  # of each operation and kind
EXAMPLES = 60
LIMIT_S = 30.0
PATIENCE_S = 5.0


def no_defect(ctx: Any, response: Any, case: Any) -> None:
    """A check: nothing that was sent is to cause a 500; a deadline of 1 ms may well cause a 504."""
    assert response.status_code != 500, response.text


CHECKS = [
    no_defect,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    unsupported_method,
]


def register_images() -> None:
    """Bodies of the image types are images as often as not; schemathesis alone sends bytes that none is like."""
    images = st.sampled_from([data for _, data, _ in pictures()]) | st.binary()
    for kind in ("image/png", "image/jpeg", "image/webp", "application/octet-stream"):
        schemathesis.openapi.media_type(kind, images)


def description_of(target: Target) -> dict[str, Any]:
    return dict(json.loads(target.send(head("GET", "/docs.json")).responses[0].body))


def fuzz(target: Target, description: dict[str, Any], examples: int) -> Counter[str]:
    """Sends data that follows the description, and data that does not; counts the answers by operation and status.

    Raises:
        AssertionError: an answer that the description does not allow, or a server error, with a command to repeat it.
    """
    register_images()
    schema = schemathesis.openapi.from_dict(description)
    statuses: Counter[str] = Counter()
    url = f"http://{HOST}:{target.server.port}"
    with requests.Session() as session:
        session.trust_env = False
        for found in schema.get_all_operations():
            operation = found.ok()
            send(operation, GenerationMode.POSITIVE, examples, url, session, statuses)
            if operation.body or operation.query:  # else there is nothing to get wrong
                send(
                    operation,
                    GenerationMode.NEGATIVE,
                    examples,
                    f"http://{HOST}:{target.server.port}",
                    session,
                    statuses,
                )
    return statuses


def send(
    operation: Any, mode: GenerationMode, examples: int, url: str, session: requests.Session, statuses: Counter[str]
) -> None:
    """Sends examples of one operation; the same ones each time."""

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],  # a failure is shown as it was found: shrinking would take the time of the test
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def one(case: Any) -> None:
        response = case.call(base_url=url, session=session, timeout=PATIENCE_S)
        statuses[f"{case.method} {case.path} {response.status_code}"] += 1
        case.validate_response(response, checks=CHECKS)

    one()


def check(target: Target, examples: int) -> Counter[str]:
    workers = target.worker_ids()
    statuses = fuzz(target, description_of(target), examples)
    assert target.worker_ids() == workers
    assert target.tells_right() == ""
    assert len({kind.rpartition(" ")[0] for kind in statuses}) >= OPERATIONS, json.dumps(statuses, indent=1)
    assert statuses["POST /v1/predict 200"] >= 1, "no example got as far as a prediction"
    return statuses


def test_an_answer_that_is_not_described_is_noticed(target: Target) -> None:
    description = description_of(target)
    alive = description["paths"]["/livez"]["get"]
    alive["responses"] = {"204": {"description": "alive"}}
    with pytest.raises(BaseExceptionGroup, match="Undocumented status code"):
        fuzz(target, {**description, "paths": {"/livez": {"get": alive}}}, 1)


def test_a_few_requests_made_from_the_description_are_answered_as_it_says(target: Target) -> None:
    check(target, QUICK_EXAMPLES)


@pytest.mark.chaos
def test_requests_made_from_the_description_are_answered_as_it_says(target: Target, reliability: Reliability) -> None:
    started = time.monotonic()
    statuses = check(target, EXAMPLES)
    seconds = time.monotonic() - started
    measured = f"0 in {statuses.total()} requests made from the OpenAPI description, {seconds:.0f} s"
    reliability.record("every answer is as the OpenAPI description says", "0 others, no 500", measured, True)
    assert seconds <= LIMIT_S

"""Which objectives are missed, and what is said about it."""

import dataclasses

import pytest

from loadtests.scenarios.objectives import OBJECTIVES, missed_objectives
from loadtests.scenarios.run_summary import Summary

MET = {
    "min-rps": 100.0,
    "max-p50-ms": 3.0,
    "max-p95-ms": 10.0,
    "max-p99-ms": 20.0,
    "max-failures": 0.01,
    "max-cpu-ms": 0.5,
    "min-accuracy": 0.9,
}


def test_values_at_their_limits_meet_every_objective(summary: Summary) -> None:
    assert {each.option for each in OBJECTIVES} == set(MET)
    assert missed_objectives(summary, MET) == []


@pytest.mark.parametrize(
    ("option", "limit", "line"),
    [
        ("min-rps", 101, "requests/s: 100, the limit is at least 101"),
        ("max-p50-ms", 2.9, "p50 latency in ms: 3, the limit is at most 2.9"),
        ("max-p95-ms", 9, "p95 latency in ms: 10, the limit is at most 9"),
        ("max-p99-ms", 19.5, "p99 latency in ms: 20, the limit is at most 19.5"),
        ("max-failures", 0, "share of failed requests: 0.01, the limit is at most 0"),
        ("max-cpu-ms", 0.4, "server CPU ms per request: 0.5, the limit is at most 0.4"),
        ("min-accuracy", 0.95, "accuracy over the images sent one by one: 0.9, the limit is at least 0.95"),
    ],
    ids=lambda value: value if isinstance(value, str) and "-" in value[:4] else "",
)
def test_a_value_beyond_its_limit_is_missed_with_value_and_limit(
    summary: Summary, option: str, limit: float, line: str
) -> None:
    assert missed_objectives(summary, MET | {option: limit}) == [line]


def test_objectives_without_a_limit_are_not_checked(summary: Summary) -> None:
    assert missed_objectives(summary, dict.fromkeys(MET)) == []


def test_only_failures_have_a_limit_from_the_start() -> None:
    assert {each.option: each.default for each in OBJECTIVES if each.default is not None} == {"max-failures": 0}


def test_a_limit_on_what_was_not_measured_is_missed(summary: Summary) -> None:
    unmeasured = dataclasses.replace(summary, server_cpu_ms=None)
    assert missed_objectives(unmeasured, {"max-cpu-ms": 1.0}) == [
        "server CPU ms per request: not measured, the limit is at most 1"
    ]

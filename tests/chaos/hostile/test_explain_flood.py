"""A flood of requests that ask why is refused in part; those who ask for decisions alone are answered in time."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.chaos.hostile.test_overload import DEADLINE_MS, check_codes
from tests.chaos.inputs.hostile_bodies import FORM, form, part
from tests.chaos.inputs.pictures import SNEAKER
from tests.chaos.rig.reliability import Reliability
from tests.chaos.rig.servers import Server, serving, until
from tests.chaos.rig.steady_load import Plan, Sample, outcomes, percentile_ms, run

TIMES, PLAIN_RATE = 3, 20.0
IMAGES = 64  # a request: the generator can send three times what the server can explain
IDLE_AGAIN_WITHIN_S = 5.0
LATE_AT_MOST = 0.01


def flood(server: Server, folder: Path, seconds: float) -> tuple[list[Sample], list[Sample]]:
    """Three times as many explanations as the server can give, beside 20 plain requests a second.

    Returns:
        What became of the explanations, and of the plain requests.
    """
    image, images = folder / "sneaker", folder / "sneakers"
    image.write_bytes(SNEAKER)
    images.write_bytes(form(*[part("image", SNEAKER)] * IMAGES))
    explain = Plan(server.port, (str(images),), connections=4, path="/v1/predict?explain=1", content_type=FORM)
    answered = run(folder, dataclasses.replace(explain, seconds=2.0))
    assert set(outcomes(answered)) == {"200"}, outcomes(answered)
    plans = [
        dataclasses.replace(plan, connections=500, rate=rate, seconds=seconds, timeout_ms=DEADLINE_MS)
        for plan, rate in (
            (explain, TIMES * len(answered) / 2.0),
            (Plan(server.port, (str(image),), connections=500), PLAIN_RATE),
        )
    ]
    samples = run(folder, *plans)
    return [each for each in samples if each.plan == 0], [each for each in samples if each.plan == 1]


def late_share(samples: list[Sample]) -> float:
    """How many of the requests were admitted and then not explained in time: one thread explains, beside the rest."""
    return sum(each.outcome == "504" for each in samples) / len(samples)


def check(server: Server, explained: list[Sample], plain: list[Sample]) -> None:
    check_codes(plain)
    check_codes([each for each in explained if each.outcome != "504"])
    assert {"200", "429"} <= set(outcomes(explained)), outcomes(explained)
    assert late_share(explained) <= LATE_AT_MOST, outcomes(explained)
    for samples in (explained, plain):
        late = [each.latency_s for each in samples if each.outcome == "200"]
        assert not late or percentile_ms(late, 99) <= DEADLINE_MS
    for name in ("tandem_requests_in_flight", "tandem_queue_images", "tandem_buffered_bytes"):
        # the scrape itself is in flight
        until(lambda name=name: server.metric(name) <= 1, IDLE_AGAIN_WITHIN_S, f"{name} is back")
    assert server.predict(SNEAKER).status == 200


@pytest.mark.chaos
def test_a_flood_of_explanations_is_answered_in_time_or_refused(tmp_path: Path) -> None:
    with serving(tmp_path, workers=1) as server:
        check(server, *flood(server, tmp_path, seconds=3.0))


@pytest.mark.chaos
def test_a_long_flood_of_explanations_leaves_nothing_behind(reliability: Reliability, tmp_path: Path) -> None:
    with serving(tmp_path, workers=1) as server:
        explained, plain = flood(server, tmp_path, seconds=20.0)
        p99_ms = percentile_ms([each.latency_s for each in plain if each.outcome == "200"], 99)
        shown = [", ".join(f"{kind}: {count}" for kind, count in outcomes(of).items()) for of in (explained, plain)]
        met = set(outcomes(plain)) <= {"200", "429"} and set(outcomes(explained)) <= {"200", "429", "504"}
        met = met and p99_ms <= DEADLINE_MS and late_share(explained) <= LATE_AT_MOST
        reliability.record(
            f"explain flood: {TIMES} x the capacity of explain=1 beside plain requests",
            f"200 and 429, at most {LATE_AT_MOST:.0%} of the explained 504; plain ones' p99 ≤ {DEADLINE_MS} ms",
            f"explained {shown[0]}; plain {shown[1]}, p99 {p99_ms:.0f} ms",
            met,
        )
        check(server, explained, plain)

"""Whatever becomes of the database, answers go on as before: records wait, then are lost and counted.

A second server, whose database is well, has the same load at the same time: whatever else the machine does meets both.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.recording.failing_databases import FailingDatabase, full, killed, locked, slow
from tests.chaos.rig.reliability import Reliability
from tests.chaos.rig.servers import Server, serving, until
from tests.chaos.rig.steady_load import Plan, Sample, outcomes, percentile_ms, run
from tests.tiny_bundle import solid_image

FAILS_S, WELL_S = 30.0, 5.0
RATE, IMAGES = 100.0, 8
"""Requests a second to each server, and images in each: in `FAILS_S` twice the decisions that may wait."""
GOES_ON_WITHIN_S = 60.0
PACKED = "application/x-tandem-images"
P99_RATIO = 1.3

Failure = Callable[[Path], contextlib.AbstractContextManager[FailingDatabase]]


def load_plan(server: Server, folder: Path, images: int, **options: Any) -> Plan:
    """Requests of some packed images each."""
    body = folder / "body"
    encoded = [solid_image(256 * number // images) for number in range(images)]
    body.write_bytes(b"".join(len(image).to_bytes(4, "little") + image for image in encoded))
    return Plan(server.port, (str(body),), content_type=PACKED, **options)


def load(servers: tuple[Server, Server], folder: Path, seconds: float) -> tuple[list[Sample], list[Sample]]:
    """Sends packed images to both servers for a while."""
    plans = [load_plan(server, folder, IMAGES, connections=64, rate=RATE, seconds=seconds) for server in servers]
    samples = run(folder, *plans)
    one, other = ([sample for sample in samples if sample.plan == plan] for plan in (0, 1))
    return one, other


def p99_ms(samples: list[Sample]) -> float:
    return percentile_ms([sample.latency_s for sample in samples], 99)


def is_settled(server: Server) -> bool:
    """Whether every decision is recorded or counted as lost."""
    done = sum(server.metric(f"tandem_feedback_{name}_total") for name in ("recorded", "dropped"))
    return server.metric("tandem_feedback_queue") == 0 and done == server.metric("tandem_decisions_total")


@pytest.mark.chaos
@pytest.mark.parametrize("failure", [killed, slow, locked, full])
def test_answers_go_on_and_recording_does_when_the_database_does(
    failure: Failure, reliability: Reliability, tmp_path: Path
) -> None:
    with (
        failure(tmp_path) as database,
        serving(tmp_path, workers=2, feedback_url=f"sqlite:///{tmp_path}/well.db") as well,
        serving(tmp_path, workers=2, feedback_url=database.url) as server,
    ):
        load((server, well), tmp_path, WELL_S)
        until(lambda: is_settled(server), GOES_ON_WITHIN_S, "all of it is recorded")
        database.begin()
        failing, control = load((server, well), tmp_path, FAILS_S)
        lost = server.metric("tandem_feedback_dropped_total")
        database.end()
        waited_s = until(lambda: is_settled(server), GOES_ON_WITHIN_S, "recording goes on", poll_s=0.2)
        recorded = server.metric("tandem_feedback_recorded_total")
        load((server, well), tmp_path, WELL_S)
        until(lambda: is_settled(server), GOES_ON_WITHIN_S, "all of it is recorded")
        recorded_after = server.metric("tandem_feedback_recorded_total") - recorded
        told = server.log_text()
    lines = told.count("recording of decisions has trouble"), told.count("recording of decisions goes on")
    ratio = p99_ms(failing) / p99_ms(control)
    bad = {name: number for name, number in outcomes(failing).items() if name != "200"}
    reliability.record(
        f"recording: database {failure.__name__} for {FAILS_S:g} s under load",
        f"no request fails; p99 ≤ {P99_RATIO:g} times that of a server beside it whose database is well; lost "
        "decisions are counted; recording goes on by itself",
        f"{len(failing)} requests of {IMAGES} images, {sum(bad.values())} failed; p99 {p99_ms(failing):.1f} ms, "
        f"{ratio:.2f} times; {lost:.0f} decisions lost; those that waited were recorded {waited_s:.1f} s after its "
        f"end; log: {lines[0]} lines at its begin, {lines[1]} at its end",
        not bad and ratio <= P99_RATIO and lost > 0,
    )
    assert not bad
    assert lost > 0
    assert recorded_after == WELL_S * RATE * IMAGES
    assert lines == (2, 2), "one line for each worker"
    assert ratio <= P99_RATIO

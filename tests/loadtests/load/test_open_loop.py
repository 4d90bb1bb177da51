"""The open loop as a program."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from loadtests.inputs.request_bodies import Body
from loadtests.load.open_loop import OpenLoopError, Plan, quantile_ms, run_plan
from loadtests.load.server_process import Command, free_port, running

BODY = Body(b"image", "image/png")


def test_a_plan_runs_in_a_process_of_its_own(fake_command: Callable[[str], Command], tmp_path: Path) -> None:
    plan = Plan(rate_per_s=200, seconds=0.5, warm_up_s=0.1, connections=4)
    with running(fake_command("none"), log=tmp_path / "log") as server:
        latency = run_plan(server.url, "/v1/predict", BODY, plan, tmp_path)
    assert latency.requests == len(plan.due_ns(plan.seconds, plan.seed))
    assert latency.failures == 0
    assert 0 < latency.p50_ms <= latency.p99_ms


def test_a_status_other_than_200_breaks_the_measurement(fake_command: Callable[[str], Command], tmp_path: Path) -> None:
    plan = Plan(rate_per_s=50, seconds=0.2, warm_up_s=0.1, connections=1)
    with (
        running(fake_command("none"), log=tmp_path / "log") as server,
        pytest.raises(OpenLoopError, match="no request was answered with status 200"),
    ):
        run_plan(server.url, "/elsewhere", BODY, plan, tmp_path)


def test_no_server_breaks_the_measurement_at_once(tmp_path: Path) -> None:
    started_s = time.monotonic()
    with pytest.raises(OpenLoopError, match="refused"):
        run_plan(f"http://127.0.0.1:{free_port()}", "/", BODY, Plan(1, 60), tmp_path)
    assert time.monotonic() - started_s < 20


@pytest.mark.parametrize(("share", "expected"), [(0.5, 51.0), (0.99, 100.0), (1.0, 100.0)])
def test_a_quantile_is_one_of_the_times(share: float, expected: float) -> None:
    assert quantile_ms([number * 1_000_000 for number in range(1, 101)], share) == expected

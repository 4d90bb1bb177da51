"""SIGHUP under load: each worker is replaced by one that is ready, and no caller notices."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.chaos.rig.reliability import Reliability
from tests.chaos.rig.servers import serving, until
from tests.chaos.rig.steady_load import Plan, Sample, load, outcomes
from tests.tiny_bundle import solid_image

WORKERS = 2
REPLACED_WITHIN_S = 60.0
ROUNDS = 5


def replace(folder: Path, rounds: int) -> list[Sample]:
    """What became of the requests while all workers were replaced so many times."""
    image = folder / "tiny"
    image.write_bytes(solid_image(128))
    with serving(folder, workers=WORKERS, drain_s=2) as server:
        plans = (
            Plan(server.port, (str(image),), connections=6, pause_s=0.01),
            Plan(server.port, (str(image),), connections=4, pause_s=0.01, keep_alive=False),
        )
        with load(folder, *plans) as generator:
            for _ in range(rounds):
                before = server.workers()
                assert len(before) == WORKERS
                server.process.send_signal(signal.SIGHUP)
                until(
                    lambda before=before: len(after := server.workers()) == WORKERS and not after & before,
                    REPLACED_WITHIN_S,
                    "all workers are replaced",
                )
                until(server.is_ready, REPLACED_WITHIN_S, "the server is ready")
            time.sleep(0.5)  # of load on the last ones
            samples = generator.stop()
        assert server.process.poll() is None
    return samples


@pytest.mark.chaos
def test_all_workers_are_replaced_and_no_request_is_lost(tmp_path: Path) -> None:
    assert set(outcomes(replace(tmp_path, 1))) == {"200"}


@pytest.mark.chaos
def test_no_request_is_lost_to_sighup(reliability: Reliability, tmp_path: Path) -> None:
    seen = outcomes(replace(tmp_path, ROUNDS))
    shown = ", ".join(f"{outcome}: {count}" for outcome, count in seen.items())
    met = set(seen) == {"200"}
    promise = f"SIGHUP: requests while {WORKERS} workers are replaced, {ROUNDS} times"
    reliability.record(promise, "each answered with 200", shown, met)
    assert met, shown

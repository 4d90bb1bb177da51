"""Configurations of the service are tried, and the one with most requests/s within the limit is named."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from loadtests.__main__ import main
from loadtests.bench.tuning import (
    CONNECTIONS,
    Configuration,
    Trial,
    TuneError,
    Tuning,
    configurations,
    results_table,
)
from loadtests.inputs.request_bodies import Body
from loadtests.load import closed_loop
from loadtests.load.closed_loop import Cost
from loadtests.load.server_process import Command

Faulty = Callable[[str], Command]


def cost(requests_per_s: float, p99_ms: float) -> Cost:
    return Cost(requests=1000, requests_per_s=requests_per_s, cpu_us=400, p50_ms=p99_ms / 2, p99_ms=p99_ms)


TRIALS = [
    Trial(Configuration(1, 1, 32), 8, cost(900, 40)),
    Trial(Configuration(2, 1, 32), 16, cost(1800, 45)),
    Trial(Configuration(1, 2, 32), 0, cost(700, 60)),
]


def test_configurations_have_at_most_one_thread_a_core() -> None:
    found = {(each.workers, each.threads) for each in configurations(4, [], [], [32])}
    assert found == {(1, 1), (1, 2), (1, 4), (2, 1), (2, 2), (4, 1)}


def test_configurations_that_were_asked_for_are_tried_whatever_the_cores() -> None:
    assert configurations(1, [4], [2], [1, 8]) == [Configuration(4, 2, 1), Configuration(4, 2, 8)]


def test_a_configuration_is_what_the_service_is_started_with() -> None:
    assert Configuration(2, 1, 8).describe() == "TANDEM_WORKERS=2 TANDEM_THREADS=1 TANDEM_MAX_BATCH=8"


@pytest.mark.parametrize(
    ("p99_ms", "best", "tried"),
    [
        pytest.param([5, 6, 7, 20, 60], 8, 5, id="until the limit"),
        pytest.param([60], 0, 1, id="above the limit at once"),
        pytest.param([5, 6, 7, 8, 9, 10, 11], 64, 7, id="never above the limit"),
    ],
)
def test_connections_are_added_until_latency_is_above_the_limit(
    p99_ms: list[float], best: int, tried: int, fake_command: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def measure(*_: object, connections: int, seconds: int) -> Cost:
        asked.append(connections)
        return cost(100.0 * connections, p99_ms[len(asked) - 1])

    monkeypatch.setattr(closed_loop, "measure", measure)
    tuning = Tuning(Body(b"image", "image/png"), 50.0, 1, fake_command("none"), {}, tmp_path)
    assert tuning.attempt(Configuration(1, 1, 1)).connections == best
    assert asked == list(CONNECTIONS[:tried])


@pytest.mark.parametrize(("p99_ms", "status"), [(5.0, 0), (90.0, 1)], ids=["within the limit", "above it"])
def test_the_command_names_what_to_use_or_that_nothing_keeps_the_limit(
    p99_ms: float,
    status: int,
    fake_command: Faulty,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(closed_loop, "measure", lambda *_, connections, seconds: cost(100.0 * connections, p99_ms))
    written = tmp_path / "new" / "tune.json"
    line = f"tune --workers 1 --threads 1 --max-batch 4 --seconds 1 --out {tmp_path} --json {written}"
    assert main(line.split(), serve=fake_command("none")) == status
    shown = capsys.readouterr()
    if status == 0:
        assert "use: TANDEM_WORKERS=1 TANDEM_THREADS=1 TANDEM_MAX_BATCH=4" in shown.out
    else:
        assert "no configuration keeps the 99th percentile below 50 ms" in shown.err
    [trial] = json.loads(written.read_text())
    assert trial["configuration"] == {"workers": 1, "threads": 1, "max_batch": 4}


def test_where_none_keeps_the_limit_the_error_names_the_nearest() -> None:
    with pytest.raises(TuneError, match=r"below 50 ms; the least was 60\.0 ms"):
        results_table(TRIALS[2:], 50.0)


def test_the_table_begins_with_the_best_and_ends_with_what_to_use() -> None:
    lines = results_table(TRIALS, 50.0).splitlines()
    assert lines[2].startswith("| 2 | 1 | 32 | 16 | 1800 |")
    assert lines[4].startswith("| 1 | 2 | 32 | above the limit |")
    assert lines[-1] == "use: TANDEM_WORKERS=2 TANDEM_THREADS=1 TANDEM_MAX_BATCH=32"

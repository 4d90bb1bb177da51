"""Shapes of the service are tried, and the one that answers most within the limit is named."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from loadtests.__main__ import parser
from loadtests.bench.tune import (
    CONNECTIONS,
    Objective,
    Shape,
    Trial,
    TuneError,
    attempt,
    best_of,
    run,
    shapes,
    table,
    write,
)
from loadtests.inputs.request_bodies import Body
from loadtests.load import request_cost
from loadtests.load.request_cost import Cost

FAKE = Path(__file__).with_name("fake_service.py")
BODY = Body(b"image", "image/png")


def seen(requests_per_s: float, p99_ms: float) -> Cost:
    return Cost(requests=1000, requests_per_s=requests_per_s, cpu_ms_per_request=0.4, p50_ms=p99_ms / 2, p99_ms=p99_ms)


TRIALS = [
    Trial(Shape(1, 1, 32), 8, seen(900, 40)),
    Trial(Shape(2, 1, 32), 16, seen(1800, 45)),
    Trial(Shape(1, 2, 32), 0, seen(700, 60)),
]


def test_shapes_fill_the_cores_and_no_more() -> None:
    found = {(shape.workers, shape.threads) for shape in shapes(4, [], [], [32])}
    assert found == {(1, 1), (1, 2), (1, 4), (2, 1), (2, 2), (4, 1)}


def test_shapes_that_were_asked_for_are_tried_whatever_the_cores() -> None:
    assert shapes(1, [4], [2], [1, 8]) == [Shape(4, 2, 1), Shape(4, 2, 8)]


def test_a_shape_is_what_the_service_is_started_with() -> None:
    assert Shape(2, 1, 8).describe() == "TANDEM_WORKERS=2 TANDEM_THREADS=1 TANDEM_MAX_BATCH=8"


@pytest.mark.parametrize(
    ("p99_ms", "best", "tried"),
    [
        ([5, 6, 7, 20, 60], 8, 5),
        ([60], 0, 1),
        ([5, 6, 7, 8, 9, 10, 11], 64, 7),
    ],
    ids=["until the limit", "over the limit at once", "never over the limit"],
)
def test_connections_are_added_until_latency_is_over_the_limit(
    p99_ms: list[float], best: int, tried: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def measure(*_: object, connections: int, seconds: int) -> Cost:
        asked.append(connections)
        return seen(100.0 * connections, p99_ms[len(asked) - 1])

    monkeypatch.setattr(request_cost, "measure", measure)

    trial = attempt(Shape(1, 1, 1), Objective(BODY, 50.0, 1), fake, {}, tmp_path)
    assert trial.connections == best
    assert asked == list(CONNECTIONS[:tried])


def fake(port: int) -> list[str]:
    return [sys.executable, str(FAKE), str(port)]


@pytest.mark.parametrize(("p99_ms", "status"), [(5.0, 0), (90.0, 1)], ids=["within the limit", "over it"])
def test_the_command_names_what_to_use_or_that_nothing_keeps_the_limit(
    p99_ms: float, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(request_cost, "measure", lambda *_, connections, seconds: seen(100.0 * connections, p99_ms))
    line = f"tune --workers 1 --threads 1 --max-batch 4 --seconds 1 --out {tmp_path} --json {tmp_path}/tune.json"
    assert run(parser().parse_args(line.split()), fake) == status
    shown = capsys.readouterr()
    if status == 0:
        assert "use: TANDEM_WORKERS=1 TANDEM_THREADS=1 TANDEM_MAX_BATCH=4" in shown.out
    else:
        assert "no shape keeps the 99th percentile below 50 ms" in shown.err
    assert len(json.loads((tmp_path / "tune.json").read_text())) == 1


def test_the_best_keeps_the_limit_and_answers_most() -> None:
    assert best_of(TRIALS, 50.0).shape == Shape(2, 1, 32)


def test_where_none_keeps_the_limit_that_is_said_with_the_nearest() -> None:
    with pytest.raises(TuneError, match=r"below 50 ms; the least was 60\.0 ms"):
        best_of(TRIALS[2:], 50.0)


def test_the_table_begins_with_the_best_and_ends_with_what_to_use() -> None:
    lines = table(TRIALS, 50.0).splitlines()
    assert lines[2].startswith("| 2 | 1 | 32 | 16 | 1800 |")
    assert lines[4].startswith("| 1 | 2 | 32 | over the limit |")
    assert lines[-1] == "use: TANDEM_WORKERS=2 TANDEM_THREADS=1 TANDEM_MAX_BATCH=32"


def test_trials_are_written_as_json(tmp_path: Path) -> None:
    write(TRIALS, tmp_path / "new" / "tune.json")
    content = json.loads((tmp_path / "new" / "tune.json").read_text())
    assert content[1]["shape"] == {"workers": 2, "threads": 1, "max_batch": 32}

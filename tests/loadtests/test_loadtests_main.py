"""Whole load tests, by locust, against a stand-in for the service."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from loadtests.__main__ import main, parser
from loadtests.load.server_process import Command, free_port, running

Faulty = Callable[[str], Command]
SHORT = ["run", "--seconds", "1", "--users", "4", "--images", "8"]


def test_a_good_service_meets_its_objectives_and_leaves_report_and_figures(
    fake_command: Faulty, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = ["--min-rps", "1", "--max-p99-ms", "5000", "--max-cpu-ms", "5000"]
    assert main([*SHORT, "--out", str(tmp_path), *limits], serve=fake_command("none")) == 0
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["total"]["requests"] > 0
    assert summary["total"]["failures"] == 0
    assert summary["server_cpu_ms"] >= 0  # the system counts in hundredths of a second
    assert summary["images"] == 8
    assert {"report.html", "locust_stats.csv", "server.log"} <= {path.name for path in tmp_path.iterdir()}
    aggregated = (tmp_path / "locust_stats.csv").read_text().splitlines()[-1].split(",")
    assert int(aggregated[2]) == summary["total"]["requests"]
    assert "server CPU:" in capsys.readouterr().out


@pytest.mark.slow
def test_a_label_that_changes_fails_the_run(
    fake_command: Faulty, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(fake_command("shifted-form"), log=tmp_path / "server.log") as server:
        status = main([*SHORT, "--traffic", "batch", "--host", server.url, "--out", str(tmp_path)])
    output = capsys.readouterr()
    assert status == 1
    assert "wrong answer: image" in output.out
    assert output.err.startswith("objective missed: share of failed requests: 1, the limit is at most 0")


@pytest.mark.slow
def test_a_missed_objective_fails_a_shaped_run_with_one_line(
    fake_command: Faulty, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--shape", "steps", "--out", str(tmp_path), "--min-rps", "1e6"]
    assert main([*SHORT, *options], serve=fake_command("none")) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("objective missed: requests/s: ")
    assert lines[0].endswith(", the limit is at least 1e+06")


def test_a_service_that_is_not_there_fails_the_run_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert main([*SHORT, "--host", url, "--out", str(tmp_path)]) == 1
    assert f"asking {url} for the images one by one" in capsys.readouterr().err


def test_a_service_that_does_not_start_fails_the_run(
    fake_command: Faulty, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SHORT, "--out", str(tmp_path)], serve=fake_command("crashing")) == 1
    assert "before it was ready" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options", [["--seconds", "0"], ["--users", "-1"], ["--shape", "wave"], ["--traffic", "none"]], ids=" ".join
)
def test_an_option_out_of_range_is_refused(options: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        parser().parse_args(["run", *options])

"""The cost of a request: its cases, its ratios and its limits."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from loadtests.__main__ import main, parser
from loadtests.load.server_process import REPOSITORY, Command

Faulty = Callable[[str], Command]
STORED_RATIO = REPOSITORY / "loadtests/data/cpu-ratio.json"
needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk, Debian's package of that name, is missing")


@pytest.mark.parametrize(
    "header",
    ["X-Forwarded-For", "X Forwarded: 1", 'A: "\n"', "A: é"],
    ids=["no colon", "a space in the name", "a line break", "not ASCII"],
)
def test_a_header_that_is_none_is_refused(header: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        parser().parse_args(["cost", "--header", header])


def test_a_folder_that_is_no_checkout_is_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "--against", str(tmp_path), "--out", str(tmp_path)]) == 1
    assert f"--against {tmp_path} holds no folder `service`" in capsys.readouterr().err


@needs_wrk
@pytest.mark.slow
def test_two_checkouts_are_measured_in_turn_and_a_ratio_above_the_limit_fails(
    fake_command: Faulty, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other, figures = tmp_path / "other", tmp_path / "cost.json"
    other.symlink_to(REPOSITORY, target_is_directory=True)
    options = ["--against", str(other), "--header", "X-Forwarded-For: 10.0.0.1", "--max-ratio", "0.01"]
    options += ["--rounds", "2", "--seconds", "1", "--connections", "2", "--json", str(figures), "--out", str(tmp_path)]
    assert main(["cost", *options], serve=fake_command("none")) == 1
    shown = capsys.readouterr()
    name = "X-Forwarded-For: 10.0.0.1"
    assert f"times the CPU of {other} {name}" in shown.out
    assert "objective missed: a request costs " in shown.err
    assert shown.err.endswith("times the CPU of the work alone, the limit is 0.01\n")
    taken = [each for each in json.loads(figures.read_text())["readings"] if each["quantity"] == "CPU us/request"]
    assert [(each["subject"], each["round"]) for each in taken] == [
        (f"this checkout {name}", 1),
        (f"{other} {name}", 1),
        ("work alone", 1),
        (f"{other} {name}", 2),
        (f"this checkout {name}", 2),
        ("work alone", 2),
    ]


@pytest.mark.slow
@needs_wrk
def test_a_request_costs_little_more_than_the_work_alone(tmp_path: Path) -> None:
    stored = json.loads(STORED_RATIO.read_text())
    limit = stored["ratio"] * stored["margin"]
    assert main(["cost", "--max-ratio", f"{limit:g}", "--out", str(tmp_path)]) == 0

"""`python -m feedback report | drift | watch`: what they print, write and refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feedback.__main__ import main
from feedback.database.database import Database
from feedback.measures.measurements import newest_measurements
from feedback.reviews.answer import Answer, record_answer
from tests.feedback.decisions import add_decisions, blob, decision_row

AUDIT = {"decision": "accept", "audit": True, "probability": 0.1}


def rows(start: int, count: int, shift: float = 0.0, **changes: Any) -> list[dict[str, Any]]:
    embeddings = np.random.default_rng(start).normal(shift, 1, (count, 8))
    return [decision_row(start + at, embedding=blob(row), **changes) for at, row in enumerate(embeddings)]


@pytest.fixture
def filled(database: Database) -> Database:
    """120 decisions of which 20 are audits, half of them answered, and the last 40 of other images."""
    add_decisions(database, [*rows(0, 60), *rows(60, 20, **AUDIT), *rows(80, 40, shift=3.0)])
    for number in range(60, 70):
        right = "Coat" if number == 60 else "Bag"
        record_answer(database, Answer(f"request-{number}", label=right), {"category": ("Bag", "Coat")}, "shop")
    return database


def run(*arguments: object) -> int:
    return main([str(each) for each in arguments])


def test_the_report_says_how_often_accepted_decisions_are_right(
    filled: Database, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, page = tmp_path / "report.json", tmp_path / "report.html"
    assert run("report", "--feedback", url, "--bundle", tmp_path, "--json", file, "--html", page) == 0
    said = capsys.readouterr().out
    assert "shop@1:" in said
    assert "120 decisions, 16.7% accepted; 90.0% of the accepted are right" in said
    assert "10 of 20 audits answered" in said
    head = json.loads(file.read_text())["heads"]["category"]
    assert (head["accepted"], head["precision"]["estimate"]) == (pytest.approx(1 / 6), pytest.approx(0.9))
    assert head["precision"]["target"] is None
    assert "90.0 %" in page.read_text()


def test_a_report_of_nothing_says_so(
    database: Database, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("report", "--feedback", url, "--bundle", tmp_path, "--html", tmp_path / "page.html") == 0
    assert "no decision has been recorded yet" in capsys.readouterr().out
    assert "No decision has been recorded yet" in (tmp_path / "page.html").read_text()


def test_drift_lists_every_window(
    filled: Database, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "drift.json"
    options = ("--window", 40, "--reference", 40, "--alarm-days", 1)
    assert run("drift", "--feedback", url, "--bundle", tmp_path, *options, "--json", file) == 0
    assert "1 of 2 windows differ from the reference" in capsys.readouterr().out
    windows = json.loads(file.read_text())["windows"]
    assert [window["alarm"] for window in windows] == [False, True]
    assert {"from", "to", "statistic", "threshold", "alarm"} <= windows[0].keys()


def test_too_few_decisions_for_drift_are_refused_with_the_number_that_is_needed(
    filled: Database, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("drift", "--feedback", url, "--bundle", tmp_path) == 2
    assert "fewer than 2500 decisions" in capsys.readouterr().err


def test_a_watch_writes_precision_and_the_newest_window_once(filled: Database, url: str, tmp_path: Path) -> None:
    options = ("--feedback", url, "--bundle", tmp_path, "--window", 40, "--reference", 40, "--once")
    for _ in range(2):
        assert run("watch", *options) == 0
    with filled.reading() as connection:
        found = {each.kind: each for each in newest_measurements(connection, "shop")}
        count = connection.exec_driver_sql("SELECT count(*) FROM measurement WHERE kind = 'drift'").scalar()
    assert found["precision"].document["precision"]["estimate"] == pytest.approx(0.9)
    assert found["drift"].document["alarm"] is True
    assert count == 1


@pytest.mark.parametrize("command", ["report", "drift", "watch"])
def test_without_a_database_each_command_says_how_to_name_one(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TANDEM_FEEDBACK_URL", raising=False)
    assert run(command) == 2
    assert "--feedback URL, or set TANDEM_FEEDBACK_URL" in capsys.readouterr().err

"""`scoring.scoring_progress`: a terminal gets one line, a log one every ten seconds."""

from __future__ import annotations

import io

import pytest

from scoring.scoring_progress import ScoringProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_a_log_gets_a_line_every_ten_seconds(clock: list[float]) -> None:
    log = io.StringIO()
    progress = ScoringProgress(10_000, 2_000, log)
    for _ in range(25):
        clock[0] += 1
        progress.add(100)
    progress.close()
    assert log.getvalue().splitlines() == [
        "3,000 of 10,000 images, 100 images/s, 1:10 left",
        "4,000 of 10,000 images, 100 images/s, 1:00 left",
    ]
    assert progress.summary == "2,500 images in 25.0 s, 100 images/s"


def test_a_terminal_gets_one_line_that_is_gone_at_the_end(clock: list[float]) -> None:
    terminal = Terminal()
    progress = ScoringProgress(1_000_000, 0, terminal)
    clock[0] += 1
    progress.add(100)
    progress.close()
    assert terminal.getvalue() == "\r\x1b[K100 of 1,000,000 images, 100 images/s, 2:46:39 left\r\x1b[K"
    assert progress.is_begun

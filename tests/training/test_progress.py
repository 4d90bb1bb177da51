"""`training.progress`: what a log shows, and what a terminal."""

from __future__ import annotations

import io
import sys

import pytest

from training.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_gets_whole_lines_first_and_last_state(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress(range(500), "reading", "image")) == list(range(500))
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("reading: 0 of 500 images, ")
    assert last.startswith("reading: 500 of 500 images, ")


def test_what_an_earlier_run_did_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress(range(2, 5), "fitting", "epoch", total=5, done=2)) == [2, 3, 4]
    assert capsys.readouterr().err.startswith("fitting: 2 of 5 epochs, ")


def test_a_part_of_a_longer_job_is_silent_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress(range(3), "embedding", "batch", part=True)) == [0, 1, 2]
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert list(progress(range(3), "reading", "image")) == [0, 1, 2]
    assert "100%|" in terminal.getvalue()
    assert terminal.getvalue().count("\n") == 1

"""`training.progress`: what a log shows, and what a terminal."""

from __future__ import annotations

import io
import re
import sys
import threading
import time
from typing import Any

import pytest
from tqdm import tqdm

import training.progress as progress_module
from training.progress import progress, stage


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


def test_a_part_puts_no_step_into_words_until_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    formatted: list[int] = []
    words = tqdm.format_meter

    def counting(n: int, *others: Any, **options: Any) -> str:
        formatted.append(n)
        return words(n, *others, **options)

    monkeypatch.setattr(tqdm, "format_meter", staticmethod(counting))
    bar = progress(range(1000), "fitting", "step", part=True)
    for step in bar:
        if step == 700:
            assert str(bar).startswith("fitting: 700 of 1000 steps, ")
    assert formatted == [700]
    assert bar.n == 1000
    assert bar.fp.getvalue().strip() == ""


def test_a_stage_tells_a_log_how_far_its_parts_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_module, "SECONDS_BETWEEN_LINES", 0)
    monkeypatch.setattr(progress_module, "_SECONDS_BETWEEN_LOOKS", 0.01)
    said = ""
    with stage("fit the heads"):
        for step in progress(range(4), "fitting without a fold", "fold", part=True):
            deadline = time.monotonic() + 30
            while f"fold: {step} of 4" not in said and time.monotonic() < deadline:
                said += capsys.readouterr().err
    assert re.search(r"^fit the heads: 00:\d\d gone; fitting without a fold: 3 of 4 folds, ", said, re.M), said


def test_a_stage_that_is_over_tells_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_module, "_SECONDS_BETWEEN_LOOKS", 0.01)
    with stage("embed"):
        pass
    assert capsys.readouterr().err == ""
    assert not any(thread.name.startswith("stage") for thread in threading.enumerate())


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert list(progress(range(3), "reading", "image")) == [0, 1, 2]
    assert "100%|" in terminal.getvalue()
    assert terminal.getvalue().count("\n") == 1

"""`--drop`: what may be named, and the sentence for what may not."""

from __future__ import annotations

import argparse

import pytest

from training.clean.findings.finding_kinds import KINDS, add_drop


def parsed(*arguments: str) -> tuple[str, ...]:
    parser = argparse.ArgumentParser()
    add_drop(parser)
    return tuple(parser.parse_args(arguments).drop)


def test_nothing_is_dropped_unless_asked_for() -> None:
    assert parsed() == ()


@pytest.mark.parametrize("force", [True, False])
def test_what_is_not_believed_is_dropped_by_force_alone(force: bool) -> None:
    parser = argparse.ArgumentParser()
    add_drop(parser)
    assert parser.parse_args(["--drop", "odd", *(["--force"] if force else [])]).force == force


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        pytest.param("odd", ("odd",), id="one"),
        pytest.param("label-issues,duplicates,leakage,odd", KINDS, id="all"),
        pytest.param(" odd , leakage,odd,", ("odd", "leakage"), id="spaces and repetitions"),
    ],
)
def test_kinds_are_named_with_commas_between_them(text: str, kinds: tuple[str, ...]) -> None:
    assert parsed("--drop", text) == kinds


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("odd,labels", "'labels' cannot be dropped; name some of label-issues, duplicates, leakage, odd"),
        (",", "',' names nothing to drop; name some of label-issues, duplicates, leakage, odd"),
    ],
)
def test_what_cannot_be_dropped_gets_a_sentence(text: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed("--drop", text)
    assert sentence in capsys.readouterr().err

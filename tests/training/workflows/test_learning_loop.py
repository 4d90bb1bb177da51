"""`training.workflows.learning_loop`: a round does what there is reason for, says so, and no two run at once."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from models.bundle.loading import Bundle
from models.bundle.store import Shadow, Store
from models.errors import StoreError, TandemError
from tests.training.relearn.given_answers import answered, write_answers, wrongly_labelled
from tests.training.squares import squares
from training.stages.head_plan import HeadPlan
from training.workflows import learning_loop
from training.workflows.learning_loop import LOCK, LoopPlan, run_loop
from training.workflows.refit import RefitPlan, refit
from training.workflows.relearn import RelearnPlan


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, transferred: Path) -> Path:
    """A store whose champion, version 2, learnt from wrong labels, and a database of answers."""
    root = tmp_path_factory.mktemp("loop")
    bundle = Bundle.open(transferred / "store" / "squares" / "1")
    plan = RefitPlan(HeadPlan("logistic_regression", seed=3), root / "store", root / "cache")
    path = refit(bundle, wrongly_labelled(squares(120)), plan)
    write_answers(root / "feedback.db", "category", answered(Bundle.open(path), squares(60, seed=5)))
    return root


@pytest.fixture
def entry(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made / "store", tmp_path / "store")
    shutil.copy(made / "feedback.db", tmp_path)
    return tmp_path / "store" / "squares"


def plan(entry: Path, *, promotes: bool = False, fewest: int = 50) -> LoopPlan:
    url = f"sqlite:///{entry.parents[1] / 'feedback.db'}"
    return LoopPlan(url, RelearnPlan(None, entry.parent), fewest, promotes, entry / "learning.jsonl")


def logged(entry: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (entry / "learning.jsonl").read_text().splitlines()]


def test_a_round_learns_and_leaves_the_promotion_to_people(entry: Path) -> None:
    run_loop(entry, plan(entry), every_s=None)
    store = Store(entry.parent)
    assert (store.champion("squares"), store.shadow("squares")) == (2, Shadow(3))
    (event,) = logged(entry)
    assert (event["did"], event["version"], "passed: the candidate" in event["why"]) == ("relearnt", 3, True)


def test_with_promote_a_version_with_evidence_serves(entry: Path) -> None:
    run_loop(entry, plan(entry, promotes=True), every_s=None)
    store = Store(entry.parent)
    assert (store.champion("squares"), store.shadow("squares")) == (3, None)
    assert logged(entry)[0]["why"].startswith("head 'category' at the replay gate against squares@2")


def test_without_enough_new_answers_nothing_is_done(entry: Path) -> None:
    run_loop(entry, plan(entry, fewest=61), every_s=None)
    assert [(event["did"], event["why"]) for event in logged(entry)] == [
        ("nothing", "60 new answers to head 'category', of at least 61")
    ]


def test_answers_that_were_learnt_from_are_not_new_whether_the_version_serves_or_not(entry: Path) -> None:
    for _ in range(2):
        run_loop(entry, plan(entry), every_s=None)
    assert [event["did"] for event in logged(entry)] == ["relearnt", "nothing"]


def test_a_shadow_with_evidence_is_promoted_by_a_later_round(entry: Path) -> None:
    run_loop(entry, plan(entry), every_s=None)
    run_loop(entry, plan(entry, promotes=True), every_s=None)
    assert [event["did"] for event in logged(entry)] == ["relearnt", "promoted"]


def test_a_round_that_fails_is_logged(entry: Path) -> None:
    (entry.parents[1] / "feedback.db").write_bytes(b"no database" * 100)
    with pytest.raises(TandemError, match="not a database"):
        run_loop(entry, plan(entry), every_s=None)
    assert logged(entry)[0]["did"] == "failed"


def test_an_error_that_was_not_foreseen_ends_its_round_alone(entry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds: list[Path] = []

    def broken(entry: Path, _: LoopPlan) -> dict[str, Any]:
        rounds.append(entry)
        if len(rounds) > 2:
            raise KeyboardInterrupt
        raise ValueError("min() arg is an empty sequence")

    monkeypatch.setattr(learning_loop, "_round", broken)
    with pytest.raises(KeyboardInterrupt):
        run_loop(entry, plan(entry), every_s=0.01)
    assert [(event["did"], event["why"]) for event in logged(entry)] == [
        ("failed", "ValueError: min() arg is an empty sequence")
    ] * 2


def test_a_second_loop_is_refused_until_the_first_one_ends(entry: Path) -> None:
    hold = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); print(flush=True); input()"
    command = [sys.executable, "-c", hold, str(entry / LOCK)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(StoreError, match="another loop learns for this store entry"):
            run_loop(entry, plan(entry), every_s=None)
        other.communicate(b"\n")
    run_loop(entry, plan(entry, fewest=61), every_s=None)
    assert len(logged(entry)) == 1

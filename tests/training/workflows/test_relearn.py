"""`training.workflows.relearn`: a head learns from answers, is judged, and decides in shadow only if it passes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from feedback.reviews.answered import AnsweredDecision
from models.bundle.golden import verify
from models.bundle.loading import Bundle
from models.bundle.store import Shadow, Store
from models.promotion.evidence import evidence_of
from models.runtime.head_sessions import open_head
from models.runtime.sessions import Embedder, cpu_session
from tests.training.relearn.given_answers import answered, write_answers, wrongly_labelled
from tests.training.squares import squares
from tests.training.workflows.test_refit import priced
from training.__main__ import REFUSED, main
from training.data.dataset import Dataset
from training.exceptions import DataError
from training.policy.policies import PolicyTargets
from training.stages.head_plan import HeadPlan
from training.workflows.refit import RefitPlan, refit
from training.workflows.relearn import RelearnPlan, Relearnt, relearn

RIGHT, WRONG, NUMBERS = "right", "wrong", "numbers"
DATASETS = {RIGHT: squares(240), WRONG: wrongly_labelled(squares(240)), NUMBERS: priced(squares(240))}
ANSWERED = squares(90, seed=5)
LENIENT = 0.1
"""A margin that so few rows can rule out."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, transferred: Path) -> Path:
    """A folder with a store each for a head with right labels, with wrong ones, and of numbers; 2 is their champion."""
    root = tmp_path_factory.mktemp("relearn")
    bundle = Bundle.open(transferred / "store" / "squares" / "1")
    for name, dataset in DATASETS.items():
        kind = "linear_regression" if name == NUMBERS else "logistic_regression"
        head = HeadPlan(kind, targets=PolicyTargets(target_precision=0.9), seed=3)
        refit(bundle, dataset, RefitPlan(head, root / name / "store", root / "cache"))
    return root


@pytest.fixture
def store(folder: Path, tmp_path: Path) -> Store:
    """A copy of the stores, as `squares` below the folder of each."""
    return copied(folder, WRONG, tmp_path)


def copied(folder: Path, name: str, to: Path) -> Store:
    shutil.copytree(folder / name / "store", to / name)
    return Store(to / name)


def champion(store: Store) -> Bundle:
    return Bundle.open(store.path("squares"))


def learnt(store: Store, decisions: list[AnsweredDecision], **changes: float) -> Relearnt:
    return relearn(champion(store), decisions, RelearnPlan("category", store.root, **changes))


def accuracy(bundle: Bundle, dataset: Dataset) -> float:
    embedding = Embedder(cpu_session(bundle.embedder("fp32")))(dataset.images)
    answers = open_head(bundle, bundle.manifest.default_head)(embedding, dataset.rows)
    return float((answers.argmax(1) == dataset.labels).mean())


def entry(bundle: Bundle) -> dict[str, object]:
    found: dict[str, object] = bundle.manifest.training["heads"]["category"]
    return found


def test_answers_put_a_wrong_head_right(store: Store) -> None:
    before = champion(store)
    found = learnt(store, answered(before, ANSWERED))
    after, unseen = Bundle.open(found.path), squares(120, seed=9)
    assert found.judgement.passed
    assert (accuracy(before, unseen) < 0.2, accuracy(after, unseen) > 0.9) == (True, True)
    verify(after)
    assert store.shadow("squares") == Shadow(3)
    assert store.champion("squares") == 2
    assert after.embedder("fp32") == before.embedder("fp32")


def test_old_rows_that_the_answers_contradict_do_not_count(store: Store) -> None:
    found = learnt(store, answered(champion(store), ANSWERED))
    after = Bundle.open(found.path)
    assert entry(after)["relearnt"] == {
        "answers": 90,
        "new answers": 90,
        "until": "2026-11-30T12:00:00.000089+00:00",
        "weight of old rows": 0.0,
        "examples from answers": 90,
    }
    assert "contradict the answers" in after.files["report.html"].decode()
    assert entry(after)["test images"] == "none; the figures are out of fold"


def test_the_verdict_is_in_report_manifest_and_card_and_is_evidence(store: Store) -> None:
    before = champion(store)
    after = Bundle.open(learnt(store, answered(before, ANSWERED)).path)
    gate = entry(after)["replay gate"]
    assert isinstance(gate, dict)
    assert (gate["passed"], gate["against"], gate["rows"]) == (True, "squares@2", 90)
    for file in ("report.html", "README.md"):
        assert "the candidate is right on" in after.files[file].decode()
    assert evidence_of(after.manifest, before.manifest).startswith(
        "head 'category' at the replay gate against squares@2"
    )


def test_a_right_head_keeps_its_rows_and_is_not_shadowed_by_one_that_is_not_shown_as_good(
    folder: Path, tmp_path: Path
) -> None:
    store = copied(folder, RIGHT, tmp_path)
    found = learnt(store, answered(champion(store), ANSWERED))
    after = Bundle.open(found.path)
    assert not found.judgement.passed
    assert "a loss of 0.3 points is not ruled out" in after.files["report.html"].decode()
    assert entry(after)["relearnt"]["weight of old rows"] == 1.0  # type: ignore[index]
    assert (store.shadow("squares"), store.champion("squares")) == (None, 2)


def test_with_a_margin_that_the_rows_can_rule_out_it_is(folder: Path, tmp_path: Path) -> None:
    store = copied(folder, RIGHT, tmp_path)
    found = learnt(store, answered(champion(store), ANSWERED), margin=LENIENT, share=0.5)
    assert (found.judgement.passed, found.judgement.rows) == (True, 90 + 48)
    assert store.shadow("squares") == Shadow(3, 0.5)


def test_answers_to_unsure_decisions_alone_say_nothing_of_those_that_are_accepted(store: Store) -> None:
    unsure = [replace(each, accepted=False, audit=False) for each in answered(champion(store), ANSWERED)]
    found = learnt(store, unsure)
    assert not found.judgement.passed
    assert "no judged row says anything of the decisions that are accepted" in "; ".join(found.judgement.sentences)
    assert store.shadow("squares") is None


def test_a_head_of_numbers_with_columns_learns_too(folder: Path, tmp_path: Path) -> None:
    store, dataset = copied(folder, NUMBERS, tmp_path), priced(ANSWERED)
    dearer = replace(dataset, labels=dataset.labels + 20)
    found = learnt(store, answered(champion(store), dearer))
    after = Bundle.open(found.path)
    assert found.judgement.passed
    verify(after)
    embedding = Embedder(cpu_session(after.embedder("fp32")))(dearer.images)
    values = open_head(after, after.manifest.default_head)(embedding, dearer.rows)[:, 0]
    assert np.abs(values - dearer.labels).mean() < 3


def test_what_was_learnt_is_not_learnt_again_and_new_answers_are(store: Store) -> None:
    first = answered(champion(store), ANSWERED)
    learnt(store, first)
    store.promote("squares", 3)
    with pytest.raises(DataError, match="squares@3 has learnt from all answers that there are"):
        learnt(store, first)
    more = answered(champion(store), squares(60, seed=6), minute=5)
    found = learnt(store, [*first, *more], margin=LENIENT)
    told = entry(Bundle.open(found.path))["relearnt"]
    assert isinstance(told, dict)
    assert (told["answers"], told["new answers"], found.judgement.rows >= 60) == (150, 60, True)


def test_what_was_erased_is_gone_from_rows_and_examples_of_the_next_version(store: Store) -> None:
    first = answered(champion(store), ANSWERED)
    assert holds(Bundle.open(learnt(store, first).path), first[0])
    store.promote("squares", 3)
    more = answered(champion(store), squares(60, seed=6), minute=5)
    found = learnt(store, [*first[1:], *more], margin=LENIENT)
    after = Bundle.open(found.path)
    assert not holds(after, first[0])
    assert holds(after, first[1])
    assert "1 answers of before are no longer in the database" in str(entry(after)["notes"])


def holds(bundle: Bundle, decision: AnsweredDecision) -> bool:
    """Whether a bundle has an answered image, among its rows or its examples."""
    spec, embedding = bundle.manifest.default_head, np.frombuffer(decision.embedding or b"", "<f2")
    rows, examples = bundle.kept_rows(spec), bundle.examples(spec)
    assert rows is not None
    assert examples is not None
    points = examples.baseline + examples.lows + examples.codes * examples.steps
    is_example = bool((np.abs(points - embedding) <= examples.steps).all(1).any())
    is_row = decision.image_sha256.encode() in rows.answer.tolist()
    assert is_row == bool((rows.embedding == embedding).all(1).any())
    assert is_row == is_example
    return is_row


def test_other_networks_and_unknown_classes_are_left_out_and_counted(store: Store) -> None:
    decisions = answered(champion(store), ANSWERED)
    others = [replace(each, model="squares@7") for each in decisions[:3]]
    pink = [replace(each, label="pink") for each in decisions[3:5]]
    found = learnt(store, [*others, *pink, *decisions[5:]])
    notes = str(entry(Bundle.open(found.path))["notes"])
    assert "3 answers left out: of another network" in notes
    assert "2 answers left out: 'pink' is no class of the head, which a training with images has to add" in notes


def test_too_few_answers_and_a_bundle_without_rows_are_refused(store: Store, tmp_path: Path) -> None:
    decisions = answered(champion(store), ANSWERED)
    with pytest.raises(DataError, match="has 19 answers to learn from; it takes at least 20"):
        learnt(store, decisions[:19])
    bundle = champion(store)
    files = {name: data for name, data in bundle.files.items() if name != "rows-category.npz"}
    bare = Bundle.open(Store(tmp_path / "bare").add(bundle.manifest, files))
    with pytest.raises(DataError, match="keeps no rows of head 'category'"):
        relearn(bare, decisions, RelearnPlan(None, tmp_path / "bare"))


def test_the_command_says_whether_the_gate_was_passed_by_its_status(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, status in ((WRONG, 0), (RIGHT, REFUSED)):
        store = copied(folder, name, tmp_path)
        url = write_answers(tmp_path / f"{name}.db", "category", answered(champion(store), ANSWERED))
        assert main(["relearn", str(store.root / "squares"), "--feedback", url]) == status
        out, err = capsys.readouterr()
        assert ("squares: version 3 decides in shadow now" in out) == (status == 0)
        assert ("refused: the candidate is right on" in err) == (status == REFUSED)


def test_the_command_takes_the_server_s_database_and_makes_none(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = copied(folder, WRONG, tmp_path)
    monkeypatch.setenv("TANDEM_FEEDBACK_URL", f"sqlite:///{tmp_path}/typo.db")
    assert main(["relearn", str(store.root / "squares")]) == 1
    assert "typo.db: no such file" in capsys.readouterr().err
    assert not (tmp_path / "typo.db").exists()

"""`models.promotion.evidence`: what speaks for a version that is to serve, and that nothing does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from feedback.database.database import Database
from feedback.database.tables import feedback, shadow
from models.bundle.loading import Bundle
from models.bundle.manifest import Manifest
from models.errors import EvidenceError, TandemError
from models.promotion.evidence import evidence_of
from tests.feedback.decisions import add_decisions, decision_row
from tests.tiny_bundle import tiny_bundle

PASSED = {"passed": True, "against": "tiny@1", "sentence": "so many won"}


def manifest(root: Path, version: int, gate: dict[str, Any] | None = None, **changes: Any) -> Manifest:
    made = Bundle.open(tiny_bundle(root, version=version, **changes)).manifest
    heads = {} if gate is None else {"heads": {"shade": {"replay gate": gate}}}
    return made.model_copy(update={"training": {**made.training, **heads}})


@pytest.fixture
def champion(tmp_path: Path) -> Manifest:
    return manifest(tmp_path, 1)


def changed(root: Path, gate: dict[str, Any] | None = None) -> Manifest:
    """A version whose head has another policy."""
    return manifest(root, 2, gate, min_confidence=0.5)


def test_what_decides_as_the_champion_does_needs_no_more(tmp_path: Path, champion: Manifest) -> None:
    assert evidence_of(manifest(tmp_path, 2), champion) == (
        "tiny@2 decides as tiny@1 does, by the same network and the same heads"
    )


def test_a_head_more_changes_no_decision(tmp_path: Path, champion: Manifest) -> None:
    more = manifest(tmp_path, 2, heads={"shade": (), "tone": ()})
    assert "the same heads" in evidence_of(more, champion)


def test_a_passed_gate_against_the_champion_is_evidence(tmp_path: Path, champion: Manifest) -> None:
    assert evidence_of(changed(tmp_path, PASSED), champion) == (
        "head 'shade' at the replay gate against tiny@1: so many won"
    )


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        pytest.param(None, "no replay gate was passed", id="no gate"),
        pytest.param({**PASSED, "passed": False}, "was not passed: so many won", id="a gate that was not passed"),
        pytest.param({**PASSED, "against": "tiny@7"}, "passed against tiny@7", id="a gate against another champion"),
        pytest.param({**PASSED, "passed": "yes"}, "nothing shows", id="a gate of another type"),
    ],
)
def test_nothing_else_is(tmp_path: Path, champion: Manifest, gate: dict[str, Any] | None, said: str) -> None:
    with pytest.raises(EvidenceError, match=said):
        evidence_of(changed(tmp_path, gate), champion)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"classes": ("bright", "mid", "dark")}, id="other classes"),
        pytest.param({"heads": {"tone": ()}}, id="a head less"),
        pytest.param({"channels": 3}, id="another input"),
        pytest.param({"precisions": ("fp32", "int8")}, id="another precision"),
    ],
)
def test_every_change_of_what_decides_asks_for_evidence(
    tmp_path: Path, champion: Manifest, changes: dict[str, Any]
) -> None:
    with pytest.raises(EvidenceError, match="nothing shows that head 'shade' of tiny@2"):
        evidence_of(manifest(tmp_path, 2, **changes), champion)


def test_a_gate_of_one_head_says_nothing_of_another(tmp_path: Path) -> None:
    both: dict[str, tuple[()]] = {"shade": (), "tone": ()}
    champion = manifest(tmp_path, 1, heads=both)
    with pytest.raises(EvidenceError, match="head 'tone'"):
        evidence_of(manifest(tmp_path, 2, PASSED, heads=both, min_confidence=0.5), champion)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Of an empty database."""
    found = f"sqlite:///{tmp_path / 'feedback.db'}"
    database = Database(found)
    database.migrate()
    database.close()
    return found


def answer(url: str, won: int, lost: int) -> None:
    """Adds answered decisions that only the shadow, or only the champion, is right on."""
    database, right = Database(url), [False] * won + [True] * lost
    rows = [
        decision_row(number, model="tiny@1", head="shade", label="dark" if own else "mid")
        for number, own in enumerate(right)
    ]
    ids = add_decisions(database, rows)
    with database.writing() as connection:
        for one, own in zip(ids, right, strict=True):
            said = {"decision_id": one, "label": "dark", "time": rows[0]["time"], "source": "api", "cannot_tell": False}
            connection.execute(insert(feedback), said)
            label = "mid" if own else "dark"
            connection.execute(
                insert(shadow), {"decision_id": one, "model": "tiny@2", "label": label, "decision": "accept"}
            )
    database.close()


def test_answers_to_decisions_in_shadow_are_evidence(tmp_path: Path, champion: Manifest, url: str) -> None:
    answer(url, won=30, lost=2)
    assert "head 'shade' in shadow: the candidate is shown to be better" in evidence_of(
        changed(tmp_path), champion, url
    )


def test_few_answers_are_none(tmp_path: Path, champion: Manifest, url: str) -> None:
    answer(url, won=3, lost=1)
    with pytest.raises(EvidenceError, match="no replay gate was passed, and in shadow the answers cannot tell yet"):
        evidence_of(changed(tmp_path), champion, url)


def test_answers_that_show_a_worse_version_stop_it_even_after_the_gate(
    tmp_path: Path, champion: Manifest, url: str
) -> None:
    answer(url, won=2, lost=30)
    with pytest.raises(EvidenceError, match=r"tiny@2 is no better than tiny@1: head 'shade': .* worse"):
        evidence_of(changed(tmp_path, PASSED), champion, url)


def test_a_database_that_cannot_be_reached_is_said(tmp_path: Path, champion: Manifest) -> None:
    with pytest.raises(TandemError, match="no such file"):
        evidence_of(changed(tmp_path), champion, f"sqlite:///{tmp_path / 'nowhere' / 'f.db'}")

"""`training.relearn.judgement`: what speaks for a head, what speaks against it, and what was judged on what."""

from __future__ import annotations

import numpy as np
import pytest

from models.bundle.head_spec import HeadSpec
from models.policy import NEVER, Policy
from training.relearn.judged_rows import JudgedRows
from training.relearn.judgement import Judgement, judge

SPEC = HeadSpec(name="kind", kind="x", classes=("a", "b"))
NUMBERS = HeadSpec(name="price", kind="x", task="regression")


def rows(
    champion: list[int], candidate: list[int], *, answers: int = 0, audits: int = 0, weight: float = 1.0
) -> JudgedRows:
    """Rows that each head is right (1) or wrong (0) on; the last ones are answers, the last of those audits."""
    count = len(champion)
    is_answer, is_audit = np.arange(count) >= count - answers, np.arange(count) >= count - audits
    no = np.zeros(count, bool)
    return JudgedRows(
        labels=np.zeros(count, np.int64),
        champion=np.array([[one, 1 - one] for one in champion], np.float32),
        candidate=np.array([[one, 1 - one] for one in candidate], np.float32),
        accepted=no,
        champion_accepted=no,
        is_answer=is_answer,
        was_accepted=is_audit,
        is_audit=is_audit,
        weight=np.where(is_audit, weight, 1.0),
    )


def judged(found: JudgedRows, policy: Policy | None = None, margin: float | None = None) -> Judgement:
    return judge(found, SPEC, policy or Policy(min_confidence=0.9), margin=margin, target=0.99)


def test_a_head_that_wins_passes_and_says_what_it_was_judged_on() -> None:
    found = judged(rows([0] * 40 + [1] * 160, [1] * 200, answers=50, audits=20))
    assert found.passed
    assert found.sentences[0] == (
        "judged on 150 old test rows, which stand for 150 and 50 answers, of which 20 are of accepted decisions and 20 "
        "of those drawn at random; each by a head that was fitted without it"
    )
    assert found.sentences[1].startswith(
        "passed: the candidate is right on 200 of 200 rows where the champion is on 160"
    )
    assert found.as_settings("shop@1")["against"] == "shop@1"


def test_a_head_that_is_only_as_good_is_not_shown_to_be_by_few_rows() -> None:
    found = judged(rows([1] * 90 + [0] * 10, [1] * 90 + [0] * 10))
    assert not found.passed
    assert judged(rows([1] * 90 + [0] * 10, [1] * 90 + [0] * 10), margin=0.2).passed


def test_answers_to_unsure_decisions_alone_do_not_decide_while_others_are_accepted() -> None:
    better = rows([0] * 40 + [1] * 10, [1] * 50, answers=50)
    found = judged(better)
    assert not found.passed
    assert found.sentences[1].startswith("refused: ")
    assert any("answer some audits" in sentence for sentence in found.sentences)
    assert judged(better, Policy(min_confidence=NEVER)).passed, "if the champion accepts nothing, they are all there is"
    assert judged(rows([0] * 40 + [1] * 10, [1] * 50, answers=50, audits=5)).passed


def test_reviews_do_not_outvote_the_audits_that_stand_for_many() -> None:
    champion = [0] * 100 + [1] * 40 + [1] * 60
    candidate = [1] * 100 + [1] * 40 + [0] * 30 + [1] * 30
    found = judged(rows(champion, candidate, answers=200, audits=60, weight=100.0))
    assert not found.passed
    assert "on the answers, weighted as they were sampled, the candidate loses 4" in "; ".join(found.sentences)


def test_answers_do_not_outvote_old_test_rows_that_are_shown_to_be_lost() -> None:
    champion, candidate = [1] * 500 + [0] * 100, [0] * 40 + [1] * 460 + [1] * 100
    found = judged(rows(champion, candidate, answers=100, audits=50))
    assert not found.passed
    assert "on the old test rows, weighted as they were sampled, the candidate loses 8 points" in "; ".join(
        found.sentences
    )


@pytest.mark.parametrize(("off", "passes"), [(0.5, True), (1.5, False)])
def test_numbers_are_judged_by_how_far_they_are_off(off: float, passes: bool) -> None:
    random = np.random.default_rng(0)
    labels, noise = random.normal(size=300), random.normal(size=300)
    made = rows([1] * 300, [1] * 300)
    values = [(labels + scale * noise)[:, None].astype(np.float32) for scale in (1.0, off)]
    found = judge(
        JudgedRows(labels, *values, *(getattr(made, name) for name in list(made.__dataclass_fields__)[3:])),
        NUMBERS,
        Policy(),
        margin=None,
        target=None,
    )
    assert found.passed == passes

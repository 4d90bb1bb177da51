"""`feedback.reviews.answer`: an answer finds its decision, or says why not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from feedback.database.database import Database
from feedback.database.tables import feedback
from feedback.reviews.answer import Answer, record_answer, undo_answer
from models.errors import BadFeedback, NotFound
from tests.feedback.decisions import add_decisions, decision_row

HEADS: dict[str, tuple[str, ...]] = {"category": ("Bag", "Coat"), "price": ()}


def said(database: Database) -> list[dict[str, Any]]:
    with database.reading() as connection:
        return [dict(row) for row in connection.execute(select(feedback).order_by(feedback.c.id)).mappings()]


def test_an_answer_is_kept_with_who_gave_it_and_when(database: Database) -> None:
    (decision_id,) = add_decisions(database, [decision_row()])
    before = datetime.now(UTC)
    answer_id = record_answer(database, Answer("request-0", label="Coat", by="ann", source="page"), HEADS, "shop")
    (row,) = said(database)
    assert before <= row.pop("time") <= datetime.now(UTC)
    assert row == {
        "id": answer_id,
        "decision_id": decision_id,
        "label": "Coat",
        "value": None,
        "by": "ann",
        "source": "page",
        "cannot_tell": False,
    }


def test_several_answers_to_one_decision_are_kept(database: Database) -> None:
    add_decisions(database, [decision_row()])
    for label in ("Coat", "Bag"):
        record_answer(database, Answer("request-0", label=label), HEADS, "shop")
    assert [row["label"] for row in said(database)] == ["Coat", "Bag"]


@pytest.mark.parametrize(
    ("heads", "asked", "found"),
    [
        pytest.param(("price",), None, "price", id="the only one"),
        pytest.param(("price", "category"), None, "category", id="the default one of two"),
        pytest.param(("price", "category"), "price", "price", id="the one that is named"),
    ],
)
def test_an_answer_is_to_the_right_head(
    database: Database, heads: tuple[str, ...], asked: str | None, found: str
) -> None:
    ids = dict(zip(heads, add_decisions(database, [decision_row(head=head) for head in heads]), strict=True))
    answer = {"value": 2.5} if found == "price" else {"label": "Bag"}
    record_answer(database, Answer("request-0", head=asked, **answer), HEADS, "shop")  # type: ignore[arg-type]
    assert said(database)[0]["decision_id"] == ids[found]


def test_of_two_requests_with_one_id_the_newest_is_answered(database: Database) -> None:
    *_, newest = add_decisions(database, [decision_row(), decision_row()])
    record_answer(database, Answer("request-0", label="Bag"), HEADS, "shop")
    assert said(database)[0]["decision_id"] == newest


@pytest.mark.parametrize(
    ("answer", "error", "reason"),
    [
        pytest.param(Answer("other", label="Bag"), NotFound, "request 'other'", id="an unknown request"),
        pytest.param(Answer("request-0", 1, label="Bag"), NotFound, "image 1 of request", id="an unknown image"),
        pytest.param(
            Answer("request-0", head="price", value=1.0),
            NotFound,
            "some of category, gone",
            id="a head that was not asked",
        ),
        pytest.param(
            Answer("request-0", head="gone", label="Bag"), BadFeedback, "no longer served", id="a head of before"
        ),
        pytest.param(
            Answer("request-0", label="Boot"), BadFeedback, "no class 'Boot'; it has Bag, Coat", id="no class"
        ),
        pytest.param(Answer("request-0"), BadFeedback, "either a 'label' or", id="nothing said"),
        pytest.param(Answer("request-0", value=1.0), BadFeedback, "either a 'label' or", id="a number for a class"),
        pytest.param(
            Answer("request-0", label="Bag", cannot_tell=True), BadFeedback, "either a 'label' or", id="both at once"
        ),
        pytest.param(
            Answer("request-1", head="price", value=float("nan")), BadFeedback, "must be finite", id="no finite number"
        ),
        pytest.param(
            Answer("request-1", head="price", value=-1e39),
            BadFeedback,
            r"is -1e\+39; it must be finite in float32, so at most 3.402823e\+38 either way",
            id="a number beyond float32",
        ),
    ],
)
def test_what_cannot_be_an_answer_is_refused(
    database: Database, answer: Answer, error: type[Exception], reason: str
) -> None:
    rows = [decision_row(), decision_row(head="gone"), decision_row(1, head="price")]
    add_decisions(database, rows)
    with pytest.raises(error, match=reason):
        record_answer(database, answer, HEADS, "shop")
    assert said(database) == []


def test_an_answer_that_is_undone_is_gone(database: Database) -> None:
    add_decisions(database, [decision_row()])
    answer_id = record_answer(database, Answer("request-0", label="Bag"), HEADS, "shop")
    undo_answer(database, answer_id, "shop")
    assert said(database) == []
    with pytest.raises(NotFound, match=f"no answer {answer_id}"):
        undo_answer(database, answer_id, "shop")


def test_a_decision_of_another_bundle_is_not_answered_here(database: Database) -> None:
    add_decisions(database, [decision_row(), decision_row(model="shop-2@1"), decision_row(1, model="shop-2@1")])
    own = record_answer(database, Answer("request-0", label="Bag"), HEADS, "shop")
    assert said(database)[0]["decision_id"] == 1
    with pytest.raises(NotFound, match="decided on by shop-2@1; here serves bundle 'shop'"):
        record_answer(database, Answer("request-1", label="Bag"), HEADS, "shop")
    with pytest.raises(NotFound, match="bundle 'shop-2' has no answer"):
        undo_answer(database, own, "shop-2")

"""`feedback.measures.precision_measure`: only audits tell how often accepted decisions are right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from feedback.__main__ import main
from feedback.database.database import Database
from feedback.measures import precision_measure
from feedback.measures.number_words import number_words
from feedback.measures.precision_measure import PrecisionMeasure, measure_precision, newest_model
from feedback.measures.report_html import report_html
from feedback.reviews.answer import Answer, record_answer
from tests.feedback.decisions import add_decisions, decision_row

HEADS: dict[str, tuple[str, ...]] = {"category": ("Bag", "Coat"), "price": ()}
AUDIT = {"decision": "accept", "audit": True, "probability": 0.1}


def measured(database: Database, model: str = "shop@1") -> dict[str, PrecisionMeasure]:
    with database.reading() as connection:
        return measure_precision(connection, model)


def answer(database: Database, number: int, **said: Any) -> None:
    record_answer(database, Answer(f"request-{number}", **said), HEADS, "shop")


def test_without_decisions_there_are_no_figures(database: Database) -> None:
    assert measured(database) == {}
    with database.reading() as connection:
        assert newest_model(connection) is None


def test_precision_is_of_answered_audits_and_not_of_answers_that_somebody_gives(database: Database) -> None:
    rows = [decision_row(number, **AUDIT) for number in range(10)]
    rows += [decision_row(number, decision="accept", probability=0.1) for number in range(10, 20)]
    add_decisions(database, [*rows, decision_row(20)])
    for number in range(8):
        answer(database, number, label="Bag" if number else "Coat")
    answer(database, 8, cannot_tell=True)
    for number in range(10, 20):
        answer(database, number, label="Coat")
    found = measured(database)["category"]
    assert (found.decisions, found.audits, found.precision.answered) == (21, 10, 8)
    assert found.accepted == pytest.approx(20 / 21)
    assert found.precision.estimate == pytest.approx(7 / 8)
    assert found.precision.lower < 7 / 8 < found.precision.upper
    assert found.classes["Bag"].estimate == pytest.approx(7 / 8)
    assert tuple(found.waiting) == (2, 19, 0)


def test_an_audit_counts_the_more_the_rarer_it_was_to_be_drawn(database: Database) -> None:
    rare, usual = {**AUDIT, "probability": 0.01}, {**AUDIT, "probability": 0.1}
    add_decisions(database, [decision_row(0, **rare), decision_row(1, **usual)])
    answer(database, 0, label="Coat")
    answer(database, 1, label="Bag")
    assert measured(database)["category"].precision.estimate == pytest.approx(10 / 110)


def test_the_newest_answer_counts_and_disagreement_is_told(database: Database) -> None:
    add_decisions(database, [decision_row(0, **AUDIT)])
    answer(database, 0, label="Coat", by="ann")
    answer(database, 0, label="Bag", by="bob")
    found = measured(database)["category"]
    assert found.precision.estimate == 1
    assert found.waiting.disagreements == 1


def test_each_model_and_head_is_measured_by_itself(database: Database) -> None:
    add_decisions(database, [decision_row(0, model="shop@1", **AUDIT), decision_row(1, model="shop@2", **AUDIT)])
    answer(database, 0, label="Bag")
    assert measured(database, "shop@1")["category"].precision.estimate == 1
    assert measured(database, "shop@2")["category"].precision.estimate is None
    with database.reading() as connection:
        assert newest_model(connection) == "shop@2"


def test_the_newest_model_is_one_of_the_bundle_that_is_named(database: Database) -> None:
    add_decisions(database, [decision_row(at, model=f"{name}@1") for at, name in enumerate(("shop", "other"))])
    with database.reading() as connection:
        assert newest_model(connection, "shop") == "shop@1"
        assert newest_model(connection, "sho_") == "other@1"  # has not decided


def test_a_head_that_names_a_number_has_no_precision(database: Database) -> None:
    rare = {**AUDIT, "probability": 0.01}
    numbers = [decision_row(n, head="price", label=None, value=1.0, **kind) for n, kind in enumerate((AUDIT, rare))]
    add_decisions(database, [*numbers, decision_row(2, head="price", label=None, value=1.0, **AUDIT)])
    before = measured(database)["price"].as_document(None)
    assert number_words(before) == "it names a number, of which no share is right"
    answer(database, 0, value=2.0)
    answer(database, 1, value=-1.0)
    answer(database, 2, cannot_tell=True)
    document = measured(database)["price"].as_document(None)
    assert document["mean_absolute_error"] == pytest.approx((10 * 1 + 100 * 2) / 110)
    assert number_words(document).endswith("by the answered audits, its mean absolute error is 1.909")
    page = report_html({"model": "shop@1", "heads": {"price": document}, "drift": None, "shadow": None}, lambda _: None)
    assert "mean absolute error is 1.909" in page
    assert "audits" not in page.replace("answered audits", "")
    assert document["precision"]["estimate"] is None
    assert (document["accepted"], document["waiting"], document["answered"]) == (1.0, 0, 3)


def test_a_count_that_older_decisions_are_left_out_of_says_so(
    url: str, database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision_measure, "NEWEST", 3)
    add_decisions(database, [decision_row(at) for at in range(3)])
    assert measured(database)["category"].as_document(None)["of_newest"] is None
    add_decisions(database, [decision_row(3, head="price", label=None, value=1.0)])
    document = measured(database)["category"].as_document(None)
    assert (document["decisions"], document["of_newest"]) == (2, 3)
    page = tmp_path / "report.html"
    assert main(["report", "--feedback", url, "--bundle", str(tmp_path), "--html", str(page)]) == 0
    assert "category: 2 of the newest 3 decisions, 0.0% accepted" in capsys.readouterr().out
    assert "2 of the newest 3 decisions" in page.read_text()

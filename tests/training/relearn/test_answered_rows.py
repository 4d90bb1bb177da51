"""`training.relearn.answered_rows`: which answers become rows, and which old rows give way to them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from feedback.reviews.answered import AnsweredDecision
from models.bundle.head_spec import HeadSpec
from models.bundle.kept_rows import TEST, TRAIN, KeptColumn, KeptRows
from models.columns import Column
from training.exceptions import DataError
from training.relearn.answered_rows import FEWEST_ANSWERS, LearningRows, copies_among, learning_rows

WIDTH, OLD = 8, 40
SPEC = HeadSpec(name="kind", kind="logistic_regression", classes=("bag", "coat"))
AGED = SPEC.model_copy(update={"columns": (Column(name="made", type="date", required=False),)})
START = datetime(2026, 11, 30, tzinfo=UTC)
RANDOM = np.random.default_rng(0).normal(size=(200, WIDTH))


def kept(answers: tuple[str, ...] = (), columns: dict[str, KeptColumn] | None = None) -> KeptRows:
    """Old rows, of which the first ones are answers of before."""
    answer = np.zeros(OLD, "S64")
    answer[: len(answers)] = answers
    return KeptRows(
        embedding=RANDOM[:OLD].astype(np.float16),
        labels=(np.arange(OLD) % 2).astype(np.int32),
        part=np.where(np.arange(OLD) < 30, TRAIN, TEST).astype(np.uint8),
        seen=np.zeros(OLD, bool),
        fitted=np.arange(OLD) < 30,
        unit=np.arange(OLD, dtype=np.int32),
        weight=np.ones(OLD, np.float32),
        answer=answer,
        columns=columns or {},
    )


def decision(number: int, **changes: Any) -> AnsweredDecision:
    """A decision on an image of its own."""
    fields: dict[str, Any] = {
        "model": "shop@1",
        "label": "coat",
        "value": None,
        "answered": START + timedelta(minutes=number),
        "accepted": False,
        "audit": False,
        "probability": 1.0,
        "columns": {},
        "image_sha256": f"{number:064x}",
        "embedding": RANDOM[100 + number].astype("<f2").tobytes(),
    }
    return AnsweredDecision(**fields | changes)


def joined(*more: AnsweredDecision, rows: KeptRows | None = None, spec: HeadSpec = SPEC) -> LearningRows:
    """Old rows with enough answers, and with some more."""
    enough = [decision(number) for number in range(FEWEST_ANSWERS)]
    return learning_rows(kept() if rows is None else rows, [*enough, *more], spec, lambda model: model == "shop@1")


def test_answers_follow_the_old_rows_as_ones_that_the_network_has_not_seen() -> None:
    found = joined(decision(50, accepted=True, audit=True, probability=0.02))
    assert len(found.rows) == OLD + FEWEST_ANSWERS + 1
    assert found.answers.tolist() == list(range(OLD, OLD + FEWEST_ANSWERS + 1))
    assert not found.rows.seen[found.answers].any()
    assert found.rows.labels[found.answers].tolist() == [1] * (FEWEST_ANSWERS + 1)
    assert (found.weight[-1], found.audit[-1], found.accepted[-1]) == (50.0, True, True)
    assert len(np.unique(found.rows.unit)) == len(found.rows)


def test_an_image_counts_once_with_its_newest_answer() -> None:
    found = joined(decision(3, label="bag", answered=START + timedelta(days=1)))
    assert len(found.answers) == FEWEST_ANSWERS
    place = found.rows.answer.tolist().index(f"{3:064x}".encode())
    assert found.rows.labels[place] == 0
    assert found.notes == ("1 answer left out: of an image that was answered again later",)


def test_an_image_with_other_columns_is_another_row_of_one_unit() -> None:
    empty = {"made": KeptColumn((None,), np.zeros(OLD, np.int32))}
    found = joined(decision(3, columns={"made": 20_000.0}), rows=kept(columns=empty), spec=AGED)
    assert len(found.answers) == FEWEST_ANSWERS + 1
    assert found.rows.columns["made"].values()[-1] == 20_000.0
    assert len(np.unique(found.rows.unit[found.answers])) == FEWEST_ANSWERS


def test_what_cannot_be_learnt_from_is_left_out_and_counted() -> None:
    broken = np.full(WIDTH, np.nan).astype("<f2").tobytes()
    found = joined(
        decision(50, model="shop@2"),
        decision(51, embedding=None),
        decision(52, embedding=broken),
        decision(53, label="pink"),
    )
    assert len(found.answers) == FEWEST_ANSWERS
    assert found.notes == (
        "1 answer left out: of another network",
        "2 answers left out: without an embedding",
        "1 answer left out: 'pink' is no class of the head, which a training with images has to add",
    )


def test_numbers_that_the_head_cannot_be_fitted_to_are_left_out_and_counted() -> None:
    spec = HeadSpec(name="price", kind="linear_regression", task="regression")
    values = [*np.arange(1.0, 1 + FEWEST_ANSWERS), 0.0, -5.0, 1e308, float("nan")]
    decisions = [decision(number, label=None, value=value) for number, value in enumerate(values)]
    rows = replace(kept(), labels=np.ones(OLD))
    found = learning_rows(rows, decisions, spec, lambda _: True, is_log=True)
    assert found.rows.labels[found.answers].tolist() == values[:FEWEST_ANSWERS]
    assert found.notes == (
        "2 answers left out: a number not above 0, of which the head, fitted to logarithms, can learn nothing",
        "2 answers left out: a number beyond 3.4e+38, which float32 does not have",
    )
    assert len(learning_rows(rows, decisions, spec, lambda _: True).answers) == FEWEST_ANSWERS + 2


def test_an_answered_image_takes_the_place_of_its_old_row() -> None:
    near = (RANDOM[35] * 1.001).astype("<f2").tobytes()
    found = joined(decision(50, embedding=near))
    assert len(found.rows) - len(found.answers) == OLD - 1
    assert "1 old rows are of images that were answered, and give way to the answers" in found.notes


def test_answers_of_before_are_taken_anew_and_those_that_are_gone_are_not() -> None:
    before = (f"{0:064x}", "f" * 64)
    found = joined(rows=kept(before))
    assert len(found.rows) - len(found.answers) == OLD - 2
    assert b"f" * 64 not in found.rows.answer
    assert "1 answers of before are no longer in the database, and are left out" in found.notes


def test_few_answers_are_refused_with_what_was_left_out() -> None:
    with pytest.raises(DataError, match=r"head 'kind' has 0 answers to learn from \(1 answer left out: of another"):
        learning_rows(kept(), [decision(0, model="x@1")], SPEC, lambda _: False)


def test_copies_are_found_however_large_embeddings_are() -> None:
    old = (1000 + RANDOM[:50]).astype(np.float32).astype(np.float16)  # a common offset is no likeness
    assert copies_among(old, old[[7]] + np.float16(0)).tolist() == [7]
    assert copies_among(old[:0], old).tolist() == []

"""`training.workflows.row_version`: rows are added to a bundle that has none, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.bundle.kept_rows import TEST
from models.bundle.loading import Bundle
from models.bundle.model_card import CARD
from models.runtime.head_sessions import open_head
from tests.training.squares import squares
from tests.training.workflows.still_network import Still, plan_of
from training.exceptions import DataError
from training.network.network import EmbeddingNetwork
from training.workflows.row_version import RowPlan, add_rows
from training.workflows.transfer import transfer

DATASET = squares(120)
LIMIT = 1024 * 1024


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rows")


@pytest.fixture(scope="module")
def bundle(network: EmbeddingNetwork, folder: Path) -> Bundle:
    plan = plan_of(folder, 3)
    plan = replace(plan, head=replace(plan.head, keep_rows_mib=0))
    return Bundle.open(transfer(DATASET, Still(network).eval(), plan))


def plan(folder: Path, head: str = "category", limit: int = LIMIT) -> RowPlan:
    return RowPlan(head, limit, folder / "store", folder / "cache")


def test_rows_are_added_and_all_else_stays(bundle: Bundle, folder: Path) -> None:
    assert "rows-category.npz" not in bundle.files
    found = Bundle.open(add_rows(bundle, DATASET, plan(folder)))
    assert set(found.files) - set(bundle.files) == {"rows-category.npz"}
    assert [name for name in bundle.files if bundle.files[name] != found.files[name] and name != CARD] == []
    assert found.manifest.heads == bundle.manifest.heads
    assert found.manifest.version == bundle.manifest.version + 1


def test_the_rows_are_those_that_the_head_was_measured_on(bundle: Bundle, folder: Path) -> None:
    found = Bundle.open(add_rows(bundle, DATASET, plan(folder)))
    head = found.manifest.default_head
    rows = found.kept_rows(head)
    assert rows is not None
    tested = rows.at(np.flatnonzero(rows.part == TEST))
    answers = open_head(found, head)(tested.embedding.astype(np.float32), ())
    assert (answers.argmax(1) == tested.labels).mean() == pytest.approx(head.metrics["test_accuracy"], abs=1e-6)


def test_other_data_are_refused(bundle: Bundle, folder: Path) -> None:
    with pytest.raises(DataError, match="was fitted on"):
        add_rows(bundle, squares(90), plan(folder))
    with pytest.raises(DataError, match="other classes"):
        add_rows(bundle, replace(DATASET, classes=("a", "b", "c")), plan(folder))


def test_an_unknown_head_and_too_low_a_limit_are_refused(bundle: Bundle, folder: Path) -> None:
    with pytest.raises(DataError, match="has no head 'price'; it has category"):
        add_rows(bundle, DATASET, plan(folder, "price"))
    with pytest.raises(DataError, match="not one row fits into 10 bytes"):
        add_rows(bundle, DATASET, plan(folder, limit=10))

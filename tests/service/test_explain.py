"""`service.explain`: shares that add up, exact where they can be, and the nearest examples."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from models.bundle import Bundle
from models.columns import Column, ColumnValue
from models.examples import Examples
from models.manifest import HeadSpec
from models.sessions import Head
from service.engine import Engine
from service.explain import Explainer
from tests.service.serving import settings_of
from tests.tiny_bundle import COLUMNS, GREYS, tiny_bundle

BASELINE = np.array([1.0, 0.0], np.float32)
EMBEDDING = np.array([3.0, 2.0], np.float32)


class Sum(Head):
    """A head that multiplies and adds what it knows; a missing column is worth 0."""

    def __init__(self, columns: int, rows: int) -> None:
        names = [f"c{index}" for index in range(columns)]
        self.spec = HeadSpec(
            name="sum",
            kind="by_hand",
            task="regression",
            columns=tuple(Column(name=name, type="number", required=False) for name in names),
            explain_rows=rows,
        )
        self.rows = 0

    def __call__(self, embedding: np.ndarray, columns: list[dict[str, ColumnValue]] = ()) -> np.ndarray:  # type: ignore[assignment, override]
        self.rows += len(embedding)
        values = [[float(value or 0) for value in row.values()] for row in columns]
        return np.array([[float(e.sum() + sum(v) + e[0] * sum(v[:2]))] for e, v in zip(embedding, values, strict=True)])


def explainer_of(columns: int, rows: int) -> tuple[Explainer, Sum]:
    head = Sum(columns, rows)
    return Explainer(head, Examples(EMBEDDING[None], np.ones(1, np.float32), BASELINE)), head


def beside(columns: int) -> dict[str, ColumnValue]:
    return {f"c{index}": float(index + 1) for index in range(columns)}


def by_definition(head: Sum, columns: int) -> list[float]:
    """Shapley's own: the mean over all orders of what a block adds to those before it."""

    def says(known: tuple[int, ...]) -> float:
        embedding = EMBEDDING if 0 in known else BASELINE
        row = {f"c{i}": float(i + 1) if i + 1 in known else None for i in range(columns)}
        return float(head(embedding[None], [row])[0, 0])

    orders = list(permutations(range(columns + 1)))
    shares = [0.0] * (columns + 1)
    for order in orders:
        for place, block in enumerate(order):
            shares[block] += (says(order[: place + 1]) - says(order[:place])) / len(orders)
    return shares


@pytest.mark.parametrize("columns", [0, 1, 3])
def test_few_blocks_get_their_exact_shares(columns: int) -> None:
    explainer, head = explainer_of(columns, 16)
    found = explainer(EMBEDDING, beside(columns))
    assert found["method"] == "exact"
    assert head.rows == 2 ** (columns + 1)
    np.testing.assert_allclose([found["image"], *found["columns"].values()], by_definition(head, columns), atol=1e-5)


@pytest.mark.parametrize("columns", [4, 9, 20])
def test_many_blocks_get_shares_that_add_up_from_few_rows(columns: int) -> None:
    explainer, head = explainer_of(columns, 16)
    found = explainer(EMBEDDING, beside(columns))
    assert found["method"] == "sampled"
    assert head.rows <= max(16, 2 * columns + 2)
    all_known = float(head(EMBEDDING[None], [beside(columns)])[0, 0])
    assert found["baseline"] + found["image"] + sum(found["columns"].values()) == pytest.approx(all_known, abs=1e-4)


def test_an_order_and_its_reverse_are_exact_where_blocks_work_together_in_pairs() -> None:
    explainer, head = explainer_of(4, 16)
    found = explainer(EMBEDDING, beside(4))
    np.testing.assert_allclose([found["image"], *found["columns"].values()], by_definition(head, 4), atol=1e-5)


def test_the_same_request_gets_the_same_shares() -> None:
    first, again = (explainer_of(9, 16)[0](EMBEDDING, beside(9)) for _ in range(2))
    assert first == again


def test_a_real_head_moves_from_its_baseline_to_its_answer(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path, heads={"priced": COLUMNS}, explained=True)
    engine = Engine.load(settings_of(bundle))
    explainer = engine.explainers["priced"]
    embedding = Bundle.open(bundle).examples(engine.heads["priced"].spec).embedding[0]  # type: ignore[union-attr]
    columns = {"shift": 0.0, "force": "bright", "invert": False}
    found = explainer(embedding, columns)
    said = engine.heads["priced"](embedding[None], [columns])[0].max()
    assert found["baseline"] + found["image"] + sum(found["columns"].values()) == pytest.approx(float(said), abs=1e-4)
    assert max(found["columns"], key=lambda name: found["columns"][name]) == "force"
    assert [neighbour["label"] for neighbour in found["neighbours"]] == ["dark", "mid", "bright"]
    assert found["neighbours"][0]["distance"] == 0
    assert found["neighbours"][0]["thumbnail"].startswith("data:image/png;base64,")
    assert list(GREYS) == ["dark", "mid", "bright"]

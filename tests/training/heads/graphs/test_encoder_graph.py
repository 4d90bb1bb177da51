"""An encoder's graph makes the features that the head was fitted on, with few nodes."""

from __future__ import annotations

import numpy as np
import pytest

from models.columns import Column, ColumnValue
from models.runtime.sessions import Embedding
from tests.training.heads.run_graphs import answer, graph_of, operators
from training.heads.estimators.boosted import Boosted
from training.heads.estimators.linear import Linear
from training.heads.features.encoding import Encoder, Rows, fit_encoder
from training.heads.features.views import Nothing
from training.heads.fitted_head import FittedHead
from training.heads.registry import REGISTRY

PRICE = Column(name="price", type="number", required=False, low=0.0, high=1.0)
MADE = Column(name="made", type="date", low=0.0, high=1.0)
IS_NEW = Column(name="is_new", type="boolean", required=False)
SHAPE = Column(name="shape", type="category", required=False, categories=("flat", "round"))
METAL = Column(name="metal", type="category", categories=("tin", "zinc"))
NOTE = Column(name="note", type="category", categories=())
TABLES = {
    "a number": (PRICE,),
    "a date that is never missing": (MADE,),
    "numbers before categories": (PRICE, MADE, IS_NEW, SHAPE, METAL),
    "numbers between categories": (SHAPE, PRICE, METAL, MADE, NOTE, IS_NEW),
    "categories alone": (SHAPE, METAL),
    "a text that is another in each row": (NOTE, PRICE),
}


def rows_of(count: int, *, seed: int, missing: float = 0.2) -> Rows:
    random = np.random.default_rng(seed)

    def or_none(value: ColumnValue) -> ColumnValue:
        return None if random.random() < missing else value

    return [
        {
            "price": or_none(float(np.exp(random.normal(0, 4)))),
            "made": float(random.integers(-20_000, 20_000)),
            "is_new": or_none(bool(random.random() < 0.5)),
            "shape": or_none(str(random.choice(["flat", "round", "odd" if seed else "flat"]))),
            "metal": str(random.choice(["tin", "zinc"])),
            "note": f"{seed} {row}",
        }
        for row in range(count)
    ]


def embedding_of(count: int) -> Embedding:
    return np.random.default_rng(count).normal(20, 1, (count, 3)).astype(np.float32)


def head_of(encoder: Encoder) -> FittedHead:
    """Says the features themselves."""
    features = encoder.width(3)
    says = Boosted(Linear(np.eye(features, dtype=np.float32), np.zeros(features, np.float32)))
    kind, present = REGISTRY["boosted_linear"], np.arange(features)
    return FittedHead(kind, says, encoder, present=present, classes=features)


@pytest.mark.parametrize("missing", [0.0, 0.2, 1.0], ids=["none missing", "some missing", "all missing"])
@pytest.mark.parametrize("expands", [False, True], ids=["plain", "with hinges and products"])
@pytest.mark.parametrize("table", TABLES)
def test_a_graph_has_the_features_that_the_head_was_fitted_on(table: str, expands: bool, missing: float) -> None:
    columns = TABLES[table]
    encoder = fit_encoder(columns, rows_of(300, seed=0, missing=missing), expands=expands)
    embedding, rows = embedding_of(500), rows_of(500, seed=1)
    found = answer(head_of(encoder), embedding, columns, rows)
    np.testing.assert_array_equal(found, encoder(embedding, rows))


@pytest.mark.parametrize("count", [2, 20])
def test_many_numbers_take_as_many_nodes_as_two(count: int) -> None:
    columns = tuple(PRICE.model_copy(update={"name": f"price{at}"}) for at in range(count))
    prices = np.random.default_rng(0).normal(0, 1, (100, count)).tolist()
    rows = [{column.name: price for column, price in zip(columns, row, strict=True)} for row in prices]
    graph, _ = graph_of(head_of(fit_encoder(columns, rows)), 3, columns)
    made = ["Concat", "IsNaN", "Where", "Max", "Min", "Sub", "Mul", "Cast", "Concat", "Gemm"]
    assert operators(graph)[: len(made)] == made


def test_columns_alone_decide_without_the_embedding() -> None:
    rows = rows_of(100, seed=0)
    head = head_of(fit_encoder((PRICE, SHAPE), rows, Nothing()))
    one, other = (
        answer(head, embedding, (PRICE, SHAPE), rows)
        for embedding in (embedding_of(100), np.zeros((100, 3), np.float32))
    )
    np.testing.assert_array_equal(one, other)

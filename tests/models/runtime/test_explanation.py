"""`service.inference.explanation`: shares that add up, exact where they can be, and the nearest examples."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from models.bundle.head_spec import HeadSpec
from models.bundle.loading import Bundle
from models.columns import Column, ColumnValue
from models.runtime.engine import Engine
from models.runtime.explanation import Explainer
from models.runtime.head_sessions import Head
from tests.tiny_bundle import COLUMNS, GREYS, tiny_bundle
from training.export.example_selection import make_examples

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
    return Explainer(head, make_examples(EMBEDDING[None], np.ones(1, np.float32), BASELINE)), head


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
    assert "standard_error" not in found
    assert head.rows == 2 ** (columns + 1)
    np.testing.assert_allclose([found["image"], *found["columns"].values()], by_definition(head, columns), atol=1e-5)


@pytest.mark.parametrize("columns", [4, 9, 20])
def test_many_blocks_get_shares_that_add_up_from_few_rows(columns: int) -> None:
    explainer, head = explainer_of(columns, 16)
    found = explainer(EMBEDDING, beside(columns))
    assert found["method"] == "sampled"
    assert head.rows <= max(16, 4 * columns + 2)  # two orders and their reverses
    all_known = float(head(EMBEDDING[None], [beside(columns)])[0, 0])
    assert found["baseline"] + found["image"] + sum(found["columns"].values()) == pytest.approx(all_known, abs=1e-4)


def test_an_order_and_its_reverse_are_exact_where_blocks_work_together_in_pairs() -> None:
    explainer, head = explainer_of(4, 16)
    found = explainer(EMBEDDING, beside(4))
    np.testing.assert_allclose([found["image"], *found["columns"].values()], by_definition(head, 4), atol=1e-5)


class Forest(Sum):
    """A head of random steps in several blocks at once, as trees have them."""

    def __init__(self, columns: int, rows: int, seed: int) -> None:
        super().__init__(columns, rows)
        generator = np.random.default_rng(seed)
        self.leaves = [(generator.choice(columns + 1, 3, replace=False), generator.normal()) for _ in range(30)]

    def __call__(self, embedding: np.ndarray, columns: list[dict[str, ColumnValue]] = ()) -> np.ndarray:  # type: ignore[assignment, override]
        known = np.array(
            [
                [e[0] == EMBEDDING[0], *(v is not None for v in row.values())]
                for e, row in zip(embedding, columns, strict=True)
            ]
        )
        return np.sum([known[:, blocks].all(1) * size for blocks, size in self.leaves], axis=0)[:, None]

    def shares(self) -> np.ndarray:
        """Exact: those who are needed for a leaf share it evenly."""
        shares = np.zeros(1 + len(self.spec.columns))
        for blocks, size in self.leaves:
            shares[blocks] += size / len(blocks)
        return shares


@pytest.mark.parametrize(("columns", "rows"), [(6, 16), (9, 256), (20, 256)], ids=["2 pairs", "14 pairs", "6 pairs"])
def test_sampled_shares_are_as_far_off_as_their_standard_error_says(columns: int, rows: int) -> None:
    squares, stated, within = [], [], []
    for seed in range(300):
        head = Forest(columns, rows, seed)
        found = Explainer(head, make_examples(EMBEDDING[None], np.ones(1, np.float32), BASELINE))(
            EMBEDDING, beside(columns)
        )
        off = np.array([found["image"], *found["columns"].values()]) - head.shares()
        squares.append((off**2).mean())
        stated.append(found["standard_error"] ** 2)
        within.append((np.abs(off) <= 2 * found["standard_error"]).mean())
    real, said = np.sqrt(np.mean(squares)), np.sqrt(np.mean(stated))
    print(f"{columns} columns, {rows} rows: off by {real:.4f}, stated {said:.4f}, within two: {np.mean(within):.3f}")
    assert 0.7 < said / real < 1.4
    assert np.mean(within) >= 0.88


def test_the_same_request_gets_the_same_shares() -> None:
    first, again = (explainer_of(9, 16)[0](EMBEDDING, beside(9)) for _ in range(2))
    assert first == again


def test_a_real_head_moves_from_its_baseline_to_its_answer(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path, heads={"priced": COLUMNS}, explained=True)
    engine = Engine.load(bundle, device="cpu")
    explainer = engine.explainers["priced"]
    examples = Bundle.open(bundle).examples(engine.heads["priced"].spec)
    assert examples is not None
    embedding = examples.baseline + examples.lows + examples.codes[0] * examples.steps
    columns = {"shift": 0.0, "force": "bright", "invert": False}
    found = explainer(embedding, columns)
    said = engine.heads["priced"](embedding[None], [columns])[0].max()
    assert found["baseline"] + found["image"] + sum(found["columns"].values()) == pytest.approx(float(said), abs=1e-4)
    assert max(found["columns"], key=lambda name: found["columns"][name]) == "force"
    assert [neighbour["label"] for neighbour in found["neighbours"]] == ["dark", "mid", "bright"]
    assert found["neighbours"][0]["distance"] == pytest.approx(0, abs=1e-3)
    assert found["neighbours"][0]["thumbnail"].startswith("data:image/png;base64,")
    assert list(GREYS) == ["dark", "mid", "bright"]

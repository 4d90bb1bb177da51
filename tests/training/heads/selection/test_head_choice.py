"""`training.heads.head_choice`: the cheapest kind that is as good as the best serves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.plain_source import plain_source
from training.heads.head_fit import Fitting
from training.heads.labelled_embeddings import LabelledEmbeddings
from training.heads.registry import REGISTRY
from training.heads.selection.candidates import Candidate
from training.heads.selection.head_choice import cheapest_as_good, partners
from training.heads.selection.search import fit_heads

NOISE = np.random.default_rng(0).normal(0, 1, 400)


@pytest.fixture(scope="module")
def plain() -> Candidate:
    random = np.random.default_rng(0)
    labelled = LabelledEmbeddings(random.normal(0, 1, (40, 4)).astype(np.float32), np.arange(40) % 2)
    source = plain_source(labelled, np.arange(40) % 5, labelled.part(np.arange(0)))
    return fit_heads([REGISTRY["decision_tree"]], source, Fitting(2))[0]


def of(plain: Candidate, kind: str, losses: np.ndarray) -> Candidate:
    return replace(plain, kind=REGISTRY[kind], losses=losses, loss=float(losses.mean()) if len(losses) else np.nan)


@pytest.mark.parametrize(
    ("gain", "kind"),
    [(0.02, "logistic_regression"), (0.2, "svm")],
    ids=["a gain within one standard error does not pay", "a gain beyond one standard error does"],
)
def test_the_dearer_kind_serves_only_if_it_is_clearly_better(plain: Candidate, gain: float, kind: str) -> None:
    """The standard error of 400 differences of deviation 1 is 0.05."""
    cheap = of(plain, "logistic_regression", 3 + NOISE - NOISE.mean())
    dear = of(plain, "svm", np.full(400, 3 - gain))
    assert cheapest_as_good([dear, cheap]).kind.name == kind


def test_of_kinds_that_cost_the_same_the_better_serves(plain: Candidate) -> None:
    losses = 3 + NOISE - NOISE.mean()
    tree, line = of(plain, "decision_tree", losses), of(plain, "logistic_regression", np.full(400, 2.99))
    assert tree.kind.row_us == line.kind.row_us
    assert cheapest_as_good([line, tree]) is line
    assert cheapest_as_good([tree, line]) is line


def test_where_nothing_judges_the_cheapest_serves(plain: Candidate) -> None:
    kinds = [of(plain, kind, np.empty(0)) for kind in ("svm", "logistic_regression", "hist_gradient_boosting")]
    assert cheapest_as_good(kinds).kind.name == "logistic_regression"


@pytest.mark.parametrize(
    ("gain", "second"),
    [(0.0, "svm"), (0.2, "logistic_regression")],
    ids=["trees that gain nothing make no second model", "trees that clearly gain do"],
)
def test_a_kind_is_blended_with_its_base_only_if_trees_gain(plain: Candidate, gain: float, second: str) -> None:
    boosted = of(plain, "boosted_linear", np.full(400, 1.0 - gain))
    base, other = of(plain, "logistic_regression", np.full(400, 1.0)), of(plain, "svm", np.full(400, 1.5))
    pair = partners([boosted, base, other])
    assert pair is not None
    assert [each.kind.name for each in pair] == ["boosted_linear", second]


def test_one_kind_has_nothing_to_be_blended_with(plain: Candidate) -> None:
    assert partners([plain]) is None

"""Who competes."""

from __future__ import annotations

import pickle

import pytest

from training.compare.budget import KERNEL, LINEAR
from training.compare.compared_models import ComparedModel, compared_models
from training.compare.report.comparison_rows import Family
from training.heads.kind import Size
from training.heads.registry import REGISTRY, installed


def by_family(*, has_columns: bool) -> dict[Family, list[ComparedModel]]:
    found: dict[Family, list[ComparedModel]] = {}
    for each in compared_models(has_columns=has_columns):
        found.setdefault(each.family, []).append(each)
    return found


def test_every_installed_head_competes_on_the_embedding() -> None:
    assert [each.kind for each in by_family(has_columns=False)[Family.HYBRID]] == installed()


def test_columns_compete_where_there_are_some() -> None:
    assert {Family.COLUMNS, Family.HYBRID_COLUMNS} & set(by_family(has_columns=False)) == set()
    assert {Family.COLUMNS, Family.HYBRID_COLUMNS} <= set(by_family(has_columns=True))


def test_what_a_sceptic_asks_for_competes() -> None:
    names = {each.name for each in compared_models(has_columns=False)}
    assert {
        "nearest neighbours on EfficientNet-Lite0",
        "logistic regression on EfficientNet-Lite0",
        "XGBoost on pixels",
        "SVM (RBF) on HOG",
    } <= names
    svm = next(each for each in compared_models(has_columns=False) if each.name == "SVM (RBF) on HOG")
    assert svm.kind is not None
    assert len(svm.kind.settings) >= 3


def test_models_go_to_another_process_by_name() -> None:
    for each in compared_models(has_columns=True):
        assert pickle.loads(pickle.dumps(each)) == each


def test_names_are_unique_and_the_network_precedes_what_needs_it() -> None:
    entered = compared_models(has_columns=True)
    assert len({each.name for each in entered}) == len(entered)
    needing = [each.family for each in entered if each.needs_network]
    assert needing[0] == Family.NETWORK


def test_neighbours_explain_where_they_decide_or_an_embedding_has_them() -> None:
    nearest = REGISTRY["nearest_neighbours"]
    assert ComparedModel(Family.PIXELS, nearest).explains == ("pixels", "neighbours")
    assert ComparedModel(Family.HYBRID_COLUMNS, nearest).explains == ("pixels", "neighbours", "columns")
    assert ComparedModel(Family.NETWORK).explains == ("pixels",)


def test_only_a_kernel_on_all_rows_grows_faster_than_they() -> None:
    growing = {each.name for each in compared_models(has_columns=True) if each.growth == KERNEL}
    assert growing == {"SVM (RBF) on pixels", "SVM (RBF) on HOG"}
    assert ComparedModel(Family.HYBRID, REGISTRY["svm"]).growth == LINEAR


@pytest.mark.parametrize("rows", [8, 100, 5000])
def test_every_setting_makes_an_unfitted_model_for_any_number_of_rows(rows: int) -> None:
    for each in compared_models(has_columns=True):
        for maker in each.kind.settings.values() if each.kind else ():
            assert hasattr(maker(Size(rows, 0)), "fit")

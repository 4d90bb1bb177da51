"""`training.relearn.old_weight`: old rows lose weight only where the answers clearly contradict them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.bundle.head_spec import HeadSpec
from models.bundle.kept_rows import KeptRows
from models.bundle.loading import Bundle
from tests.tiny_bundle import tiny_bundle
from tests.training.relearn.rows_with_answers import CLASSES, made_rows
from training.arrays import Floats
from training.heads.head_fit import Fitting
from training.relearn.learning_data import learning_data
from training.relearn.old_weight import OldWeight, choose_old_weight
from training.stages.training_data import TrainingData

SPEC = HeadSpec(name="kind", kind="logistic_regression", classes=CLASSES)
SEEDS = 30


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return Bundle.open(tiny_bundle(tmp_path_factory.mktemp("store")))


def chosen(bundle: Bundle, rows: KeptRows, *, takes_weights: bool = True) -> OldWeight:
    def make(some: KeptRows, weights: Floats | None) -> TrainingData:
        return learning_data(some, bundle, SPEC, weights=weights, seed=0)

    return choose_old_weight(rows, make, SPEC, Fitting(len(CLASSES)), takes_weights=takes_weights)


def test_old_rows_count_where_the_answers_agree(bundle: Bundle) -> None:
    found = chosen(bundle, made_rows(600, 150))
    assert (found.weight, len(found.data.parts.test)) == (1.0, 120)
    assert found.sentence.startswith("old rows count like answers")


def test_old_rows_with_other_labels_do_not_count_and_do_not_judge(bundle: Bundle) -> None:
    rows = made_rows(600, 150)
    is_old = rows.answer == b""
    turned = np.where(is_old, (rows.labels + 1) % len(CLASSES), rows.labels).astype(np.int32)
    found = chosen(bundle, replace(rows, labels=turned))
    assert (found.weight, len(found.data.parts.test), len(found.data.held_out)) == (0.0, 0, 150)
    assert "contradict the answers" in found.sentence


def test_only_old_rows_of_contradicted_classes_do_not_count_where_the_others_agree(bundle: Bundle) -> None:
    rows = made_rows(900, 150)
    is_old = rows.answer == b""
    swapped = np.where(is_old, np.array([1, 0, 2])[rows.labels], rows.labels).astype(np.int32)
    found = chosen(bundle, replace(rows, labels=swapped))
    assert found.sentence.startswith("old rows of 'a' and 'b' do not count, since they contradict the answers")
    assert (found.weight, len(found.data.parts.test)) == (1.0, 60)
    assert set(found.rows.labels[found.rows.answer == b""].tolist()) == {2}


def test_answers_of_which_a_class_has_too_few_are_not_a_data_set(bundle: Bundle) -> None:
    rows = made_rows(600, 150)
    is_old = rows.answer == b""
    turned = np.where(is_old, (rows.labels + 1) % len(CLASSES), np.minimum(rows.labels, 1)).astype(np.int32)
    assert chosen(bundle, replace(rows, labels=turned)).weight == 0.1
    assert chosen(bundle, replace(rows, labels=turned), takes_weights=False).weight == 1.0


def test_where_old_rows_and_answers_agree_chance_seldom_takes_their_weight(bundle: Bundle) -> None:
    weights = [chosen(bundle, made_rows(300, 60, seed=seed)).weight for seed in range(SEEDS)]
    share = np.mean([weight < 1 for weight in weights])
    assert share <= 0.2, f"less weight in {share:.2f} of {SEEDS} data sets"

"""`training.tuning.tail_fit`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from tests.training.tuning.networks import Convolutions, stripes
from training.tuning.block_split import BlockSplit
from training.tuning.tail_fit import Targets, fit_tail, linear_start
from training.tuning.tuning_plan import Extent

RANDOM = np.random.default_rng(0)


def classes_of(labels: list[int], count: int) -> Targets:
    return Targets(nn.functional.one_hot(torch.tensor(labels), count).float(), torch.ones(len(labels)), True)


@pytest.mark.parametrize("count", [2, 3])
def test_the_start_is_a_linear_model_that_tells_separated_classes_apart(count: int) -> None:
    labels = [number % count for number in range(60)]
    embedding = (RANDOM.standard_normal((60, 8)) + 6 * np.eye(8)[labels]).astype(np.float32)
    targets = classes_of(labels, count)
    head = linear_start(embedding, targets, (embedding, targets))
    assert head(torch.from_numpy(embedding)).argmax(1).tolist() == labels


def test_the_start_of_numbers_is_near_them() -> None:
    embedding = RANDOM.standard_normal((80, 4)).astype(np.float32)
    values = torch.from_numpy(embedding[:, :1] * 2 / 2**0.5)
    targets = Targets(values, torch.ones(80), False)
    head = linear_start(embedding, targets, (embedding, targets))
    found = head(torch.from_numpy(embedding)).detach()
    assert float((found - values).square().mean()) < 0.3 * float(values.square().mean())


def test_a_class_without_rows_to_start_from_is_unlikely() -> None:
    embedding = RANDOM.standard_normal((20, 4)).astype(np.float32)
    targets = classes_of([number % 2 for number in range(20)], 3)
    head = linear_start(embedding, targets, (embedding, targets))
    probabilities = torch.softmax(head(torch.from_numpy(embedding)).detach(), 1)
    assert float(probabilities[:, 2].max()) < 0.05


def test_rows_that_are_not_fitted_choose_the_penalty() -> None:
    noise, right = RANDOM.standard_normal((40, 30)).astype(np.float32), [number % 2 for number in range(40)]
    targets = classes_of(right, 2)
    opposite = classes_of([1 - label for label in right], 2)
    weak, strong = (linear_start(noise, targets, (noise, stop)) for stop in (opposite, targets))
    assert float(strong.weight.abs().sum().detach()) > 2 * float(weak.weight.abs().sum().detach())


FIT, VALIDATION = torch.arange(200), torch.arange(200, 300)


@dataclass(frozen=True)
class Found:
    """Tail and linear model before and after, the best epoch, and the loss on the rows that choose it."""

    tails: tuple[nn.Module, nn.Module]
    epochs: int
    losses: tuple[float, float]


def fitted(*, misled: bool = False) -> Found:
    """A tail fitted to stripes; `misled` gives the rows that choose the epoch the other class each."""
    dataset = stripes(300)
    images, classes = torch.from_numpy(np.asarray(dataset.images)), dataset.labels.tolist()
    split = BlockSplit(Convolutions().eval(), "blocks", 1)
    tail, rows, targets = split.tail(images[:4]), split.front(images), classes_of(classes, 2)
    chosen_by = classes_of([1 - label for label in classes], 2) if misled else targets
    embedding = tail(rows).detach().numpy()
    validation = rows[VALIDATION], chosen_by.part(VALIDATION)
    head = linear_start(embedding[:200], targets.part(FIT), (embedding[200:], validation[1]))
    extent = Extent("last", 1, 10, 1)
    found, classifier, epochs = fit_tail(
        tail, head, rows[None, :200].half(), targets.part(FIT), validation=validation, extent=extent, seed=3
    )
    with torch.no_grad():
        losses = [
            float(validation[1].loss(model(part(validation[0])))) for part, model in ((tail, head), (found, classifier))
        ]
    return Found((tail, found), epochs, (losses[0], losses[1]))


def test_a_tail_and_its_linear_model_are_those_of_the_best_epoch() -> None:
    found = fitted()
    assert found.epochs > 0
    assert found.losses[1] < 0.95 * found.losses[0]


def test_a_tail_that_no_epoch_made_better_stays_as_it_was() -> None:
    found = fitted(misled=True)
    before, after = found.tails
    assert found.epochs == 0
    assert all(torch.equal(old, new) for old, new in zip(before.parameters(), after.parameters(), strict=True))
    assert found.losses[1] == pytest.approx(found.losses[0])


def test_the_same_seed_gives_the_same_tail_and_the_front_stays() -> None:
    (before, first), (_, second) = fitted().tails, fitted().tails
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)
    assert any(not torch.equal(old, new) for old, new in zip(before.parameters(), first.parameters(), strict=True))
    stem = "network.stem.weight"
    assert torch.equal(first.get_parameter(stem), before.get_parameter(stem))

"""`training.tuning.tail_fit`."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tests.training.tuning.networks import Convolutions
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


def fitted(seed: int = 0, *, learnable: bool = True) -> tuple[nn.Module, nn.Module, int]:
    """The tail before and after, and its best epoch. The classes are the means of single channels."""
    random = np.random.default_rng(1)
    images = torch.from_numpy(random.integers(0, 256, (160, 16, 16, 3), dtype=np.uint8))
    labels = [number % 2 for number in range(160)]
    if learnable:
        images[1::2, ::2] = 255 - images[1::2, 1::2]  # rows that belong together
    split = BlockSplit(Convolutions().eval(), "blocks", 2)
    tail, rows, targets = split.tail(images[:4]), split.front(images), classes_of(labels, 2)
    fit, stop = torch.arange(120), torch.arange(120, 160)
    embedding = tail(rows).detach().numpy()
    head = linear_start(embedding[:120], targets.part(fit), (embedding[120:], targets.part(stop)))
    extent = Extent("last", 2, 4, 1)
    found, _, epochs = fit_tail(
        tail,
        head,
        rows[None, :120].half(),
        targets.part(fit),
        stop=(rows[stop], targets.part(stop)),
        extent=extent,
        seed=seed,
    )
    return tail, found, epochs


def test_a_tail_that_was_never_better_on_the_rows_that_stop_it_stays_as_it_was() -> None:
    before, after, epochs = fitted(learnable=False)
    changed = any(not torch.equal(old, new) for old, new in zip(before.parameters(), after.parameters(), strict=True))
    assert changed == (epochs > 0)


def test_the_same_seed_gives_the_same_tail_and_the_front_stays() -> None:
    (before, first, _), (_, second, _) = fitted(3), fitted(3)
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)
    stem = "network.stem.weight"
    assert torch.equal(first.get_parameter(stem), before.get_parameter(stem))

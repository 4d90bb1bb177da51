"""`training.tuning.tuned_network`."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.training.tuning.networks import Convolutions
from training.tuning.tuned_network import SIZE, TunedNetwork


def test_the_outputs_come_behind_the_embedding_and_can_be_had_back() -> None:
    images = torch.randint(0, 256, (40, 16, 16, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    network = Convolutions().eval()
    with torch.no_grad():
        inner = network(images)
        linear = nn.Linear(inner.shape[1], 2)
        tuned = TunedNetwork(network, linear, inner)
        embedding = tuned(images)
        assert torch.equal(embedding[:, :-2], inner)
        assert torch.allclose(tuned.classifier(embedding), linear(inner), atol=1e-5)
    spreads = [(part - part.mean(0)).square().mean().sqrt() for part in (embedding[:, -2:], inner)]
    assert float(spreads[0] / spreads[1]) == pytest.approx(SIZE, rel=1e-4)


def test_outputs_that_are_all_alike_stay_finite() -> None:
    linear = nn.Linear(12, 2)
    nn.init.zeros_(linear.weight)
    assert torch.isfinite(TunedNetwork(Convolutions(), linear, torch.rand(5, 12)).factor)

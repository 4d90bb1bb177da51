"""`training.tuning.low_rank`."""

from __future__ import annotations

import torch

from tests.training.tuning.networks import Matrices
from training.tuning.low_rank import RANK, adapt, merge

IMAGES = torch.randint(0, 256, (4, 16, 16, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_an_adapted_network_is_the_same_until_it_is_fitted_and_only_products_are() -> None:
    network = Matrices().eval()
    before = network(IMAGES)
    adapted = adapt(network, ["blocks.2.inner.1.weight", "blocks.2.inner.3.weight"])
    assert torch.equal(network(IMAGES), before)
    assert [tuple(each.shape) for each in adapted] == [(RANK, 16), (32, RANK), (RANK, 32), (16, RANK)]
    assert sum(each.requires_grad for each in network.parameters()) == 4


def test_merged_matrices_have_the_products_and_their_old_names() -> None:
    network = Matrices().eval()
    names = list(network.state_dict())
    adapted = adapt(network, ["blocks.2.inner.1.weight"])
    with torch.no_grad():
        adapted[1].fill_(0.1)
        changed = network(IMAGES)
        merge(network)
        assert torch.allclose(network(IMAGES), changed, atol=1e-6)
    assert sorted(network.state_dict()) == sorted(names)

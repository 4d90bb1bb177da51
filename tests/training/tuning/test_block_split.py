"""`training.tuning.block_split`."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from models.runtime.sessions import Embedder, cpu_session
from tests.training.backbones.checkpoints import FAMILIES, save
from tests.training.tuning.networks import Convolutions, Matrices
from training.backbones.names import load_backbone
from training.export.network_export import export_torch
from training.tuning.block_split import BlockSplit, name_of_blocks, time_blocks
from training.tuning.tuning_plan import NotTunedError

IMAGES = torch.randint(0, 256, (5, 16, 16, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("cut", range(4))
def test_front_and_tail_together_are_the_network(cut: int) -> None:
    network = Convolutions().eval()
    split = BlockSplit(network, "blocks", cut)
    tail = split.tail(IMAGES)
    with torch.no_grad():
        assert torch.allclose(tail(split.front(IMAGES)), network(IMAGES), atol=1e-6)
        assert torch.allclose(tail(split.front(IMAGES[:2])), network(IMAGES[:2]), atol=1e-6)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_each_family_of_checkpoints_can_be_cut(family: str, tmp_path: Path) -> None:
    network = load_backbone(f"hf:{save(tmp_path, family)}").network
    name = name_of_blocks(network)
    last = len(network.get_submodule(name)) - 1
    images = torch.randint(0, 256, (3, 32, 32, 3), dtype=torch.uint8)
    split = BlockSplit(network, name, last)
    tail = split.tail(images)
    assert 0 < len(tail.reached(split.front(images)[:2])) < len(list(network.parameters()))


def test_a_copy_of_a_tail_is_given_its_own_activations() -> None:
    import copy  # noqa: PLC0415

    split = BlockSplit(Convolutions().eval(), "blocks", 2)
    tail = split.tail(IMAGES)
    other = copy.deepcopy(tail)
    first, second = split.front(IMAGES[:1]), split.front(IMAGES[1:2])
    with torch.no_grad():
        tail(first)
        assert torch.equal(other(second), tail(second))


def test_only_what_lies_behind_the_cut_can_change() -> None:
    split = BlockSplit(Convolutions().eval(), "blocks", 3)
    tail = split.tail(IMAGES)
    assert tail.reached(split.front(IMAGES)) == [
        "blocks.3.inner.0.weight",
        "blocks.3.inner.0.bias",
        "last.weight",
        "last.bias",
    ]


def test_the_whole_network_has_the_weights_of_the_fitted_tail() -> None:
    network = Convolutions().eval()
    split = BlockSplit(network, "blocks", 3)
    tail = split.tail(IMAGES)
    with torch.no_grad():
        tail.network.get_parameter("last.bias").fill_(0.5)
        joined = split.joined(tail)
        assert torch.allclose(joined(IMAGES), tail(split.front(IMAGES)), atol=1e-6)
    assert torch.equal(joined.get_parameter("stem.weight"), network.stem.weight)
    assert not torch.equal(joined.get_parameter("last.bias"), network.last.bias)


def test_the_blocks_are_the_longest_list_that_is_in_no_other() -> None:
    network = nn.Module()
    network.stages = nn.ModuleList(nn.ModuleDict({"layers": nn.ModuleList(nn.ReLU() for _ in range(9))}) for _ in "ab")
    network.few = nn.ModuleList([nn.ReLU()])
    assert name_of_blocks(network) == "stages"
    with pytest.raises(NotTunedError, match="no sequence of blocks"):
        name_of_blocks(nn.Sequential(nn.Conv2d(3, 8, 3)))


class _Twice(Convolutions):
    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([super().forward(images), images.float().mean((1, 2))], 1)


def test_a_network_that_looks_at_its_images_again_is_not_cut() -> None:
    with pytest.raises(NotTunedError, match="one after the other"):
        BlockSplit(_Twice().eval(), "blocks", 2).tail(IMAGES)


def test_times_are_of_each_block_and_what_lies_around_them() -> None:
    network = Matrices().eval()
    times = time_blocks(network, "blocks", IMAGES, Embedder(cpu_session(export_torch(network, IMAGES.numpy()))))
    assert len(times.blocks) == 3
    assert min(times.exported, times.before, *times.blocks, times.behind) > 0
    assert times.numbers == (16 * 16,) * 3
    assert times.tail(0) == pytest.approx(times.before + sum(times.blocks) + times.behind)


def test_the_front_as_a_graph_gives_the_same_activations() -> None:
    split = BlockSplit(Convolutions().eval(), "blocks", 2)
    found = Embedder(cpu_session(split.front_graph(IMAGES)))(IMAGES.numpy())
    assert torch.allclose(torch.from_numpy(found), split.front(IMAGES).flatten(1), atol=1e-5)

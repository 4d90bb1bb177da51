"""network ──▶ its blocks, cut in two: a front that stays as it is, and a tail that is fitted.

The front embeds every image once; the tail is then fitted on what the front gave, without running it again.
"""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from models.runtime.sessions import Embedder
from training.export.network_export import export_torch
from training.tuning.tuning_plan import BlockTimes, NotTunedError

_TOLERANCE = 1e-3
"""Of the largest element of an embedding: by how much front and tail may differ from the whole network."""


class _Given(nn.Module):
    """Takes the place of a block of the front in the tail; the last of them gives the activations."""

    activations: Tensor | None = None

    def forward(self, x: Tensor, *_: Any, **__: Any) -> Tensor:
        return x if self.activations is None else self.activations


class Tail(nn.Module):
    """Blocks from the cut on, and what comes behind them: activations `[N, …]` to the embedding float32 `[N, D]`.

    Attributes:
        network: a copy, whose front is gone.
        name: of its list of blocks.

    Args:
        network: is copied.
        name: of its list of blocks.
        cut: number of blocks in front; with 0 the tail is the whole network, and activations are its images.
        blank: one image, for what comes before the blocks, whose result is thrown away.
    """

    def __init__(self, network: nn.Module, name: str, cut: int, blank: Tensor) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)
        self.name = name
        self._blank = blank
        self._given: _Given | None = None
        for position in range(cut):
            self._given = _blocks(self.network, name)[position] = _Given()

    def forward(self, activations: Tensor) -> Tensor:
        """Embeds."""
        if self._given is None:
            return self.network(activations)  # type: ignore[no-any-return]
        self._given.activations = activations
        return self.network(self._blank)  # type: ignore[no-any-return]

    def reached(self, sample: Tensor) -> list[str]:
        """Names of the network's parameters that the embedding of some activations depends on, front to back."""
        for parameter in self.network.parameters():
            parameter.requires_grad_(True)
        self(sample).sum().backward()
        names = [name for name, parameter in self.network.named_parameters() if parameter.grad is not None]
        self.network.zero_grad()
        return names


class _Front(nn.Module):
    """The front of a split: uint8 `[N, H, W, C]` to activations `[N, A]`."""

    def __init__(self, split: BlockSplit) -> None:
        super().__init__()
        self.network = split.network
        self._split = split

    def forward(self, images: Tensor) -> Tensor:
        return self._split.front(images).flatten(1)


@dataclass(frozen=True)
class BlockSplit:
    """A network cut in front of one of its blocks.

    Attributes:
        network: uint8 `[N, H, W, C]` to embeddings; in evaluation mode.
        name: of its list of blocks.
        cut: number of blocks in front.
    """

    network: nn.Module
    name: str
    cut: int

    @torch.no_grad()
    def front(self, images: Tensor) -> Tensor:
        """What the block behind the cut is given, `[N, …]`; the images themselves if no block is in front."""
        if self.cut == 0:
            return images
        reached = list[Tensor]()
        block = _blocks(self.network, self.name)[self.cut]
        hook = block.register_forward_pre_hook(lambda _, given: reached.append(given[0]))
        try:
            self.network(images)
        finally:
            hook.remove()
        return reached[0]

    def front_graph(self, sample: Tensor) -> bytes:
        """The front as a graph from `image` to its activations, flat, as `embedding`: it runs several times as fast."""
        return export_torch(_Front(self), sample.numpy())

    def tail(self, sample: Tensor) -> Tail:
        """The tail, checked on sample images uint8 `[N, H, W, C]`.

        Raises:
            NotTunedError: front and tail together do not compute what the network computes.
        """
        tail = Tail(self.network, self.name, self.cut, sample[:1]).eval()
        if not self._agrees(tail, sample):
            raise NotTunedError(
                "its blocks do not run one after the other, so it cannot be cut between them; --tune all can be tried"
            )
        return tail

    @torch.no_grad()
    def _agrees(self, tail: Tail, sample: Tensor) -> bool:
        """Whether front and tail together compute what the network computes."""
        try:
            expected, found = self.network(sample), tail(self.front(sample))
        except RuntimeError:  # it also uses what is not given to its blocks, of another number of images
            return False
        return found.shape == expected.shape and _is_close(found, expected)

    def joined(self, tail: Tail) -> nn.Module:
        """The whole network with the weights of a fitted tail."""
        network = copy.deepcopy(self.network)
        network.load_state_dict(tail.network.state_dict(), strict=self.cut == 0)
        return network.eval()


def name_of_blocks(network: nn.Module) -> str:
    """The name of the list that holds a network's blocks: the longest that is in no other list.

    Raises:
        NotTunedError: it has none of at least two.
    """
    lists = [(name, part) for name, part in network.named_modules() if isinstance(part, nn.ModuleList)]
    outer = [(name, part) for name, part in lists if not any(name.startswith(f"{other}.") for other, _ in lists)]
    name, blocks = max(outer, key=lambda each: len(each[1]), default=("", nn.ModuleList()))
    if len(blocks) < 2:
        raise NotTunedError("it is no sequence of blocks")
    return name


@torch.no_grad()
def time_blocks(network: nn.Module, name: str, sample: Tensor, exported: Embedder, repeats: int = 2) -> BlockTimes:
    """Times the blocks on sample images uint8 `[N, H, W, C]`; the best of `repeats` after one to warm up."""
    network = copy.deepcopy(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # as when fitted
    whole = float("inf")
    runs, sizes = [], list[int]()
    for repeat in range(repeats + 1):
        moments, sizes = [time.perf_counter()], []
        _watched(network, _blocks(network, name), sample, moments, sizes)
        began = time.perf_counter()
        exported(sample.numpy())
        whole = min(whole, (time.perf_counter() - began) / len(sample))
        if repeat:
            runs.append([(later - earlier) / len(sample) for earlier, later in pairwise(moments)])
    before, *blocks, behind = (min(each) for each in zip(*runs, strict=True))
    return BlockTimes(whole, before, tuple(blocks), behind, tuple(size // len(sample) for size in sizes))


def _watched(network: nn.Module, blocks: nn.ModuleList, sample: Tensor, moments: list[float], sizes: list[int]) -> None:
    """Runs the network; appends the moments at which blocks begin, the last one ends and all is done."""

    def begin(_: nn.Module, given: tuple[Any, ...]) -> None:
        moments.append(time.perf_counter())
        sizes.append(given[0].numel())

    def end(*_: Any) -> None:
        moments.append(time.perf_counter())

    hooks = [block.register_forward_pre_hook(begin) for block in blocks]
    hooks.append(blocks[-1].register_forward_hook(end))
    try:
        network(sample)
    finally:
        for hook in hooks:
            hook.remove()
    moments.append(time.perf_counter())


def _blocks(network: nn.Module, name: str) -> nn.ModuleList:
    blocks = network.get_submodule(name)
    assert isinstance(blocks, nn.ModuleList)
    return blocks


def _is_close(found: Tensor, expected: Tensor) -> bool:
    return bool((found - expected).abs().max() <= _TOLERANCE * expected.abs().max().clamp(min=1e-12))

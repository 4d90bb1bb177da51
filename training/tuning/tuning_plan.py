"""`--tune` and its minutes, the times of a network's blocks ──▶ how many blocks are tuned, for how many epochs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from training.exceptions import DataError

TuneOption = Literal["auto", "off", "last", "lora", "all"]
Method = Literal["last", "lora", "all"]
DEFAULT_MINUTES = 10.0
VARIANTS = 4
"""Of each training image whose activations are kept: itself, and shifted by a few pixels."""
_EPOCHS = (10, 7, 5)
"""As many as the time allows; fewer than these fit no block well."""
_MOST_BYTES = 2 << 30
"""Memory of the activations that are kept."""
_LAST = 2 / 3
"""Share of the blocks that `last` tunes, at most."""
_BACKWARD = 3.5
"""A step takes about this many times as long as forward alone."""
_USED = 0.8
"""Share of the time that is planned; the rest is for what the plan leaves out."""


_METHODS: Mapping[TuneOption, Method] = {"last": "last", "lora": "lora", "all": "all"}


class NotTunedError(DataError):
    """A network is not tuned, for the reason that the message gives."""


@dataclass(frozen=True)
class TuningPlan:
    """How to tune.

    Attributes:
        option: `auto` keeps the tuned network only if it is shown to be better.
        minutes: that it may take, about.
    """

    option: TuneOption = "auto"
    minutes: float = DEFAULT_MINUTES

    @property
    def method(self) -> Method:
        """What is tuned, if anything is."""
        return _METHODS.get(self.option, "last")


@dataclass(frozen=True)
class BlockTimes:
    """Seconds that an image takes forward.

    Attributes:
        exported: in the whole network, exported, which embeds several times as fast.
        before: in front of the first block.
        blocks: in each block.
        behind: behind the last one.
        numbers: activations in front of each block.
    """

    exported: float
    before: float
    blocks: tuple[float, ...]
    behind: float
    numbers: tuple[int, ...]

    def tail(self, cut: int) -> float:
        """Of everything behind a cut."""
        return sum(self.blocks[cut:]) + self.behind + (0.0 if cut else self.before)


@dataclass(frozen=True)
class Extent:
    """What is tuned.

    Attributes:
        method: what of the blocks.
        cut: number of blocks that stay as they are.
        epochs: at most.
        variants: of each image.
    """

    method: Method
    cut: int
    epochs: int
    variants: int


def choose_extent(method: Method, times: BlockTimes, count: int, minutes: float) -> Extent:
    """Chooses the most blocks, and for them the most epochs, that the time and the memory allow.

    Args:
        method: of the tuning.
        times: of the blocks of the network.
        count: images to fit on.
        minutes: that it may take.

    Raises:
        NotTunedError: not even the last block can be fitted in that time.
    """
    blocks, seconds = len(times.blocks), 60 * minutes * _USED
    first = {"last": max(1, round((1 - _LAST) * blocks)), "lora": 1, "all": 0}[method]
    cuts = [0] if method == "all" else range(min(first, blocks - 1), blocks)
    for epochs in _EPOCHS:
        for cut in cuts:
            extent = Extent(method, cut, epochs, 1 if cut == 0 else VARIANTS)
            if _seconds(extent, times, count) <= seconds and _bytes(extent, times, count) <= _MOST_BYTES:
                return extent
    least = Extent(method, cuts[-1], _EPOCHS[-1], 1 if method == "all" else VARIANTS)
    needed = _seconds(least, times, count) / 60 / _USED
    what = "the network" if method == "all" else "its last block"
    raise NotTunedError(
        f"to tune {what} on {count:,} images takes about {needed:.0f} minutes; --tune-minutes allows {minutes:g}"
    )


def _seconds(extent: Extent, times: BlockTimes, count: int) -> float:
    front = extent.variants * times.exported if extent.cut else 0.0  # part of it, which takes less
    return count * (front + extent.epochs * _BACKWARD * times.tail(extent.cut))


def _bytes(extent: Extent, times: BlockTimes, count: int) -> int:
    return 2 * extent.variants * count * times.numbers[extent.cut] if extent.cut else 0

"""images of some classes ──▶ `ImageMaker`, a fitted denoiser ──▶ new images of a class.

Fitted as in Ho et al. 2020, https://arxiv.org/abs/2006.11239, with the cosine schedule of Nichol and Dhariwal 2021,
https://arxiv.org/abs/2102.09672; sampled without noise on the way, Song et al. 2020, https://arxiv.org/abs/2010.02502,
and guided, Ho and Salimans 2022, https://arxiv.org/abs/2207.12598.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.data.dataset import Labels
from training.diffusion.denoiser import SIDE, Denoiser
from training.network.augmentation import shift
from training.network.optimization import moving_average
from training.progress import progress

_RATE = 1e-3
_BATCH = 32
_AVERAGE = 0.995
_ANY_CLASS = 0.1
"""Share of images that are fitted without their class, which guidance needs."""
_GUIDANCE = 1.0
_SAMPLE_STEPS = 40
_SAMPLE_BATCH = 64
_LARGEST_SHIFT = 2  # pixels; of so few images none should be learnt by heart
STEPS = 2000


@dataclass(frozen=True)
class ImageMaker:
    """A fitted denoiser.

    Attributes:
        denoiser: in evaluation mode.
        channels: of the images.
        side: of the images that it was fitted on, which it gives back.
    """

    denoiser: Denoiser
    channels: int
    side: int

    @torch.no_grad()
    def make(self, class_: int, count: int, seed: int) -> NDArray[np.uint8]:
        """New images of a class, uint8 `[count, side, side, C]`."""
        generator = torch.Generator().manual_seed(seed)
        made = []
        for start in range(0, count, _SAMPLE_BATCH):
            size = min(_SAMPLE_BATCH, count - start)
            x = torch.randn(size, self.channels, SIDE, SIDE, generator=generator)
            levels = torch.linspace(1, 0, _SAMPLE_STEPS + 1)
            for level, following in zip(levels[:-1].tolist(), levels[1:].tolist(), strict=True):
                x = self._step(x, level, following, class_)
            made.append(_pixels(x, self.side))
        return np.concatenate(made)

    def _step(self, x: Tensor, level: float, following: float, class_: int) -> Tensor:
        signal, noise = _shares(level)
        guided = self._noise(x, level, class_)
        if _GUIDANCE:
            guided = guided + _GUIDANCE * (guided - self._noise(x, level, self.denoiser.classes.num_embeddings - 1))
        clean = ((x - noise * guided) / max(signal, 1e-3)).clamp(-1, 1)
        rest = (x - signal * clean) / max(noise, 1e-3)
        signal, noise = _shares(following)
        return signal * clean + noise * rest

    def _noise(self, x: Tensor, level: float, class_: int) -> Tensor:
        found: Tensor = self.denoiser(x, torch.full((len(x),), level), torch.full((len(x),), class_))
        return found


def fit_maker(images: NDArray[np.uint8], labels: Labels, classes: int, *, steps: int = STEPS, seed: int) -> ImageMaker:
    """Fits a denoiser to images uint8 `[N, H, H, C]` of classes 0 to K - 1; other sides than 32 are resized."""
    torch.manual_seed(seed)
    random, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    x, given = _scaled(images), torch.from_numpy(labels)
    denoiser = Denoiser(images.shape[3], classes)
    averaged = copy.deepcopy(denoiser).eval()
    update = moving_average(_AVERAGE)
    optimizer = torch.optim.AdamW(denoiser.parameters(), lr=_RATE)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in progress(range(steps), "fitting the diffusion model", "step"):
        rows = torch.from_numpy(random.integers(len(x), size=_BATCH))
        clean, noise = shift(x[rows], _LARGEST_SHIFT, generator), torch.randn(_BATCH, *x.shape[1:])
        level = torch.from_numpy(random.random(_BATCH)).float()
        signal, share = (part[:, None, None, None] for part in _shares_of(level))
        is_any = torch.from_numpy(random.random(_BATCH) < _ANY_CLASS)
        class_ = torch.where(is_any, torch.tensor(classes), given[rows])
        loss = nn.functional.mse_loss(denoiser(signal * clean + share * noise, level, class_), noise)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(denoiser.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        update(list(averaged.parameters()), list(denoiser.parameters()), step)
    return ImageMaker(averaged, images.shape[3], images.shape[1])


def _shares(level: float) -> tuple[float, float]:
    """Shares of image and noise at a level in [0, 1]."""
    angle = level * math.pi / 2
    return math.cos(angle), math.sin(angle)


def _shares_of(level: Tensor) -> tuple[Tensor, Tensor]:
    angle = level * (math.pi / 2)
    return angle.cos(), angle.sin()


def _scaled(images: NDArray[np.uint8]) -> Tensor:
    """uint8 `[N, H, W, C]` to float32 `[N, C, 32, 32]` in [-1, 1]."""
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
    return x if x.shape[2:] == (SIDE, SIDE) else nn.functional.interpolate(x, (SIDE, SIDE), mode="bilinear")


def _pixels(x: Tensor, side: int) -> NDArray[np.uint8]:
    if side != SIDE:
        x = nn.functional.interpolate(x, (side, side), mode="bilinear", antialias=True)
    pixels = ((x + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return np.asarray(pixels.permute(0, 2, 3, 1).numpy())

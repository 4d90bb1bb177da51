"""`training.diffusion.denoiser`."""

from __future__ import annotations

import pytest
import torch

from training.diffusion.denoiser import SIDE, Denoiser


@pytest.mark.parametrize("channels", [1, 3])
def test_noise_has_the_images_shape_and_depends_on_level_and_class(channels: int) -> None:
    torch.manual_seed(0)
    denoiser, x = Denoiser(channels, 2), torch.randn(2, channels, SIDE, SIDE)
    levels, classes = torch.tensor([0.2, 0.2]), torch.tensor([0, 1])
    found = denoiser(x, levels, classes)
    assert found.shape == x.shape
    assert not torch.allclose(found, denoiser(x, levels + 0.5, classes))
    assert not torch.allclose(found[1], denoiser(x, levels, torch.tensor([0, 2]))[1])


def test_it_has_at_most_two_million_weights() -> None:
    assert sum(weight.numel() for weight in Denoiser(3, 10).parameters()) < 2_000_000

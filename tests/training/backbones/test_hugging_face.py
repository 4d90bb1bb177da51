"""`training.backbones.hugging_face`: checkpoints as `transformers` saves them, with their own scaling and crop."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("transformers", reason="the extra huggingface is not installed")

import transformers
from PIL import Image

from models.imaging.decode import decode
from models.runtime.sessions import Embedder, cpu_session
from tests.models import encoded
from tests.training.backbones.checkpoints import FAMILIES, save
from training.backbones.backbone import Backbone
from training.backbones.hugging_face import load
from training.backbones.names import load_backbone
from training.exceptions import DataError
from training.export.network_export import export_embedder
from training.quantization.variants import to_fp16, to_int8

PROCESSORS = {
    "dinov2": transformers.BitImageProcessorPil,
    "siglip": transformers.SiglipImageProcessorPil,
    "clip": transformers.CLIPImageProcessorPil,
    "vit": transformers.ViTImageProcessorPil,
    "convnextv2": transformers.ConvNextImageProcessorPil,
    "mobilenet_v2": transformers.MobileNetV2ImageProcessorPil,
    "resnet": transformers.ConvNextImageProcessorPil,
}


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(family: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp(family), family)


@pytest.fixture(scope="module")
def backbone(folder: Path) -> Backbone:
    return load_backbone(f"hf:{folder}")


@pytest.fixture(scope="module")
def images(backbone: Backbone) -> np.ndarray:
    shape = (16, backbone.input.height, backbone.input.width, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_an_image_becomes_what_the_checkpoints_own_processor_makes_of_it(
    family: str, folder: Path, backbone: Backbone
) -> None:
    picture = encoded.picture(96, 64)  # whose sides are whole when the shorter one is 32 or 36
    fields = json.loads((folder / "preprocessor_config.json").read_text())
    expected = PROCESSORS[family](**fields)(picture, return_tensors="np")["pixel_values"][0]
    decoded = decode(encoded.encode(picture, "PNG"), backbone.input)
    mean, deviation = (backbone.network.get_buffer(name).numpy() for name in ("mean", "deviation"))
    found = (decoded.transpose(2, 0, 1) - mean) / deviation
    level = float((1 / deviation).max())
    assert np.abs(found - expected).max() <= 1.01 * level, "more than one grey level"
    assert np.abs(found - expected).mean() <= 0.06 * level


def test_the_graph_computes_what_torch_does(backbone: Backbone, images: np.ndarray) -> None:
    graph = export_embedder(backbone.network, backbone.network.classifier, images)
    with torch.no_grad():
        expected = backbone.network(torch.from_numpy(images)).numpy()
    found = Embedder(cpu_session(graph))(images)
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()
    alone = np.concatenate([Embedder(cpu_session(graph))(images[[index]]) for index in range(4)])
    assert np.abs(found[:4] - alone).max() <= 1e-5 * np.abs(expected).max(), "an embedding depends on its neighbours"


def test_other_precisions_come_close(family: str, backbone: Backbone, images: np.ndarray) -> None:
    in_int8 = 0.6 if family == "mobilenet_v2" else 0.1  # 53 layers that were never fitted carry every error on
    graph = export_embedder(backbone.network, backbone.network.classifier, images)
    expected = Embedder(cpu_session(graph))(images)
    spread = expected.std(0).mean()
    for made, most in ((to_fp16(graph), 0.05), (to_int8(graph, images), in_int8)):
        found = Embedder(cpu_session(made))(images)
        assert found.std(0).mean() > 0.5 * spread
        assert np.abs(found - expected).mean() <= most * spread


def test_the_licence_is_said(tmp_path: Path) -> None:
    assert load(str(save(tmp_path / "free", "vit"))).license_note.endswith("is licensed under apache-2.0")
    bound = load(str(save(tmp_path / "bound", "vit", license_="cc-by-nc-4.0")))
    assert bound.license_note.endswith("is licensed under cc-by-nc-4.0: NOT for commercial use")
    assert "does not say" in load(str(save(tmp_path / "silent", "vit", license_=None))).license_note


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": {"longest_edge": 32}}, "size of preprocessor_config.json is {'longest_edge': 32}"),
        ({"size": None}, "size of preprocessor_config.json is missing"),
        ({"size": {"shortest_edge": 32}}, "the shortest edge alone"),
        ({"resample": 0}, "resample of preprocessor_config.json is 0"),
        ({"image_std": [0.5, 0.5, 0]}, "deviations above 0"),
        ({"do_resize": False}, "do_resize"),
        ({"size": {"height": 48, "width": 48}}, "does not take images of 48x48"),
        ({"do_center_crop": True, "crop_size": 24}, "squeezed to 32x32 before"),
    ],
)
def test_what_the_decoder_cannot_do_as_it_was_fitted_is_refused(
    tmp_path: Path, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message.replace("{", r"\{")):
        load(str(save(tmp_path, "vit", **fields)))


def test_weights_that_are_missing_or_unpickled_are_refused(tmp_path: Path) -> None:
    folder = save(tmp_path / "pickled", "vit")
    torch.save({}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(DataError, match="safetensors"):
        load(str(folder))
    folder = save(tmp_path / "lacking", "vit")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    with pytest.raises(DataError, match=r"lacks 1\d of the weights of ViTModel"):
        load(str(folder))


def test_what_is_no_checkpoint_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DataError, match=f"hf:{tmp_path}: "):
        load(str(tmp_path))
    (save(tmp_path / "text", "vit") / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(DataError, match="'bert' is none of the families"):
        load(str(tmp_path / "text"))
    (save(tmp_path / "bare", "vit") / "preprocessor_config.json").unlink()
    with pytest.raises(DataError, match=r"has no preprocessor_config\.json"):
        load(str(tmp_path / "bare"))


def test_without_its_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(DataError, match=r"pip install '\.\[huggingface\]'"):
        load("facebook/dinov2-small")


@pytest.mark.parametrize("name", ["", "hf:", "timm:", "efficientnet-lite9", "resnet"])
def test_another_name_is_refused_with_those_that_there_are(name: str) -> None:
    with pytest.raises(DataError, match="it is one of efficientnet-lite0"):
        load_backbone(name)


def test_a_photo_is_cropped_about_its_centre(tmp_path: Path) -> None:
    spec = load(str(save(tmp_path, "dinov2"))).input
    assert (spec.fit, spec.resize) == ("crop", "bicubic")
    assert spec.center == pytest.approx(32 / 36)
    framed = Image.new("RGB", (36, 36), "black")
    framed.paste("white", (2, 2, 34, 34))
    assert decode(encoded.encode(framed, "PNG"), spec).min() > 200

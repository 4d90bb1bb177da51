"""The pictures of the pages are taken of a server, and those of the docs are small."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from models.columns import Column
from tests.chaos.rig.servers import ROOT, serving
from tests.tiny_bundle import solid_image, tiny_bundle
from tools import page_pictures

COLUMNS = (Column(name="weight_g", type="number"), Column(name="supplier", type="category"))
DOCS_BYTES = 100_000


@pytest.mark.slow
def test_every_scene_becomes_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (chromium := shutil.which("chromium")):
        pytest.skip("chromium is not installed")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    shutil.copytree(ROOT / "docs" / "examples", tmp_path / "docs" / "examples")
    page_pictures.WASHER.parent.mkdir(parents=True)
    page_pictures.WASHER.write_bytes(solid_image(128))
    bundle = tiny_bundle(tmp_path / "store", heads={"category": COLUMNS}, regressions=["price"], explained=True)
    with serving(tmp_path, bundle, workers=1) as server:
        assert page_pictures.main([server.url, "--docs", str(tmp_path), "--chromium", chromium]) == 0
    for scene in page_pictures.SCENES:
        with Image.open(f"build/screenshots/{scene.name}.png") as picture:
            assert picture.width == scene.width
    assert all((tmp_path / f"{scene.name}.png").stat().st_size < DOCS_BYTES for scene in page_pictures.DOCS)


@pytest.mark.parametrize("scene", page_pictures.DOCS, ids=lambda scene: scene.name)
def test_a_picture_of_the_docs_is_small(scene: page_pictures.Scene) -> None:
    assert (ROOT / "docs" / "images" / f"{scene.name}.png").stat().st_size < DOCS_BYTES

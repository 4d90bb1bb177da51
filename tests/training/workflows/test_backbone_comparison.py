"""`training.workflows.backbone_comparison`, by `python -m training backbones`: which network to take, and why."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import training.__main__ as command
from tests.training.backbones.checkpoints import save
from tests.training.squares import write_squares
from training.backbones.names import load_backbone
from training.data import folder
from training.exceptions import DataError
from training.workflows.backbone_comparison import best_trial, compare_backbones


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return write_squares(tmp_path / "images", 120)


def test_each_is_measured_on_the_same_images_and_the_quickest_as_good_is_taken(images: Path, tmp_path: Path) -> None:
    names = [f"hf:{save(tmp_path / family, family)}" for family in ("resnet", "vit")]
    trials = compare_backbones(
        lambda spec: folder.stream(images, name="squares", spec=spec, follow=True),
        names,
        seed=0,
        cache=tmp_path / "kept",
    )
    assert [trial.backbone.name for trial in trials] == names
    rows = {len(trial.candidate.answers) for trial in trials}
    assert len(rows) == 1
    for trial in trials:
        low, high = trial.interval
        assert 0 <= low < trial.accuracy <= high <= 1
        assert trial.ms_per_image > 0
        assert trial.size_bytes > trial.backbone.parameters
    best = best_trial(trials)
    losses = np.array([trial.candidate.loss for trial in trials])
    assert best is trials[losses.argmin()] or not trials[losses.argmin()].candidate.clearly_beats(best.candidate)


def test_the_command_prints_a_table_the_licences_and_which_to_take(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    free, bound = save(tmp_path / "free", "resnet"), save(tmp_path / "bound", "vit", license_="cc-by-nc-4.0")
    assert command.main(["backbones", str(images), "--backbone", f"hf:{free}", f"hf:{bound}"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].split()[:5] == ["backbone", "accuracy", "95%", "interval", "us"]
    assert f"hf:{free} is licensed under apache-2.0" in told
    assert f"hf:{bound} is licensed under cc-by-nc-4.0: NOT for commercial use" in told
    assert told[-1].startswith("take hf:")


def test_a_network_is_named_once_and_must_be_there(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DataError, match="'efficientnet-lite0' is named twice"):
        compare_backbones(lambda _: pytest.fail("nothing is loaded"), ["efficientnet-lite0"] * 2, seed=0)
    assert command.main(["backbones", str(images), "--backbone", "resnet50"]) == 1
    assert "error: there is no backbone 'resnet50'; it is one of efficientnet-lite0" in capsys.readouterr().err


def test_a_bundle_of_a_checkpoint_keeps_its_name_and_its_input(images: Path, tmp_path: Path) -> None:
    from models.bundle.loading import Bundle  # noqa: PLC0415

    checkpoint = save(tmp_path / "network", "dinov2")
    words = ["pretrained", str(images), "--name", "squares", "--backbone", f"hf:{checkpoint}", "--out", "store"]
    assert command.main(words) == 0
    manifest = Bundle.open(Path("store/squares/1")).manifest
    assert manifest.training["network"] == f"hf:{checkpoint}"
    assert manifest.input == load_backbone(f"hf:{checkpoint}").input
    assert {variant.precision for variant in manifest.variants} == {"fp32", "int8", "fp16"}

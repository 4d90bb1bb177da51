"""`service.inference.following.shadow_model`: a second version decides on what the champion has answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.columns import Column
from models.errors import BundleError
from models.imaging.decode import decode
from models.runtime.engine import Engine
from models.runtime.engine_types import EngineInput
from models.runtime.head_answers import Answered, Classified, Estimated, answer_image
from service.inference.following.shadow_model import ShadowModel
from tests.service.serving import settings_of
from tests.tiny_bundle import CLASSES, COLUMNS, GREYS, solid_image, tiny_bundle


def answered(engine: Engine, grey: int, **columns: Any) -> Answered:
    image, manifest = solid_image(grey), engine.manifest
    asked = manifest.check_columns(manifest.heads, columns)
    (result,) = engine.run([EngineInput(decode(image, manifest.input), asked)], [0.0])
    return answer_image(0, image, result, manifest.heads)


def opened(root: Path, champion: Engine, **bundle: Any) -> ShadowModel:
    path = tiny_bundle(root, version=2, **bundle)
    return ShadowModel.open(path, 1.0, champion, settings_of(path))


@pytest.fixture
def champion(tmp_path: Path) -> Engine:
    return Engine.load(tiny_bundle(tmp_path, regressions=("glow",)), device="cpu")


def test_heads_of_the_same_embedder_decide_on_the_champions_embedding(tmp_path: Path, champion: Engine) -> None:
    shadow = opened(tmp_path, champion, classes=CLASSES[::-1], regressions=("glow",))
    assert shadow.embedder is None
    assert (shadow.name, shadow.champion) == ("tiny@2", "tiny@1")
    image = answered(champion, 225)
    (found,) = shadow.decide([image._replace(image=b"which is not decoded")])
    shade, glow = found["shade"], found["glow"]
    assert isinstance(shade, Classified)
    assert isinstance(glow, Estimated)
    assert (shade.label, glow.value) == (CLASSES[0], pytest.approx(225 / 255, abs=0.01))


def test_another_embedder_sees_the_images_itself(tmp_path: Path, champion: Engine) -> None:
    shadow = opened(tmp_path, champion, size=4)
    assert shadow.embedder is not None
    image = answered(champion, GREYS["dark"])
    wrong = image._replace(result=image.result._replace(embedding=np.full(4, np.nan, np.float32)))
    (found,) = shadow.decide([wrong])
    assert isinstance(found["shade"], Classified)
    assert found["shade"].label == "dark"


def test_each_image_is_decided_by_the_heads_that_were_asked(tmp_path: Path, champion: Engine) -> None:
    shadow = opened(tmp_path, champion, regressions=("glow",))
    both, one = answered(champion, 30), answered(champion, 225)
    one = one._replace(heads=one.heads[:1])
    assert [list(found) for found in shadow.decide([both, one])] == [["shade", "glow"], ["shade"]]


def test_columns_are_given_to_the_shadow_too(tmp_path: Path) -> None:
    champion = Engine.load(tiny_bundle(tmp_path, heads={"shade": COLUMNS}), device="cpu")
    shadow = opened(tmp_path, champion, heads={"shade": COLUMNS[:2]})
    (found,) = shadow.decide([answered(champion, 128, shift=0.0, force="bright")])
    assert isinstance(found["shade"], Classified)
    assert found["shade"].label == "bright"


NEEDY = {"shade": (Column(name="shift", type="number"),)}


def test_a_head_that_needs_a_column_that_nobody_sends_does_not_decide(tmp_path: Path, champion: Engine) -> None:
    shadow = opened(tmp_path, champion, heads=NEEDY, regressions=("glow",))
    assert [list(found) for found in shadow.decide([answered(champion, 30)])] == [["glow"]]


@pytest.mark.parametrize(
    "bundle",
    [
        {"classes": ("black", "white")},
        {"heads": NEEDY},
        {"heads": {"tint": ()}},
        {"heads": {"glow": ()}},
    ],
    ids=["other classes", "a column that nobody sends", "another name", "another task"],
)
def test_a_shadow_without_a_head_that_can_be_compared_is_refused(
    tmp_path: Path, champion: Engine, bundle: dict[str, Any]
) -> None:
    with pytest.raises(BundleError, match=r"none of its heads \(\w+\) can be compared .* tiny@1 \(shade, glow\)"):
        opened(tmp_path, champion, size=4, **bundle)


def test_a_damaged_shadow_is_refused(tmp_path: Path, champion: Engine) -> None:
    path = tiny_bundle(tmp_path, version=2)
    (path / "head-shade.onnx").write_bytes(b"damaged")
    with pytest.raises(BundleError, match=r"head-shade\.onnx"):
        ShadowModel.open(path, 1.0, champion, settings_of(path))


def test_a_share_of_the_images_is_drawn(tmp_path: Path, champion: Engine) -> None:
    path = tiny_bundle(tmp_path, version=2)
    shadow = ShadowModel.open(path, 0.25, champion, settings_of(path))
    drawn = sum(shadow.wants() for _ in range(4000))
    assert 850 < drawn < 1150  # five standard deviations


def test_a_shadow_of_another_network_pools_all_images_of_an_instance(tmp_path: Path) -> None:
    champion = Engine.load(tiny_bundle(tmp_path, pooling=("mean",)), device="cpu")
    shadow = opened(tmp_path, champion, size=4, pooling=("mean",))
    image = answered(champion, GREYS["dark"])._replace(others=[solid_image(GREYS["bright"])])
    found, alone = shadow.decide([image, image._replace(others=())])
    assert isinstance(found["shade"], Classified)
    assert isinstance(alone["shade"], Classified)
    assert (found["shade"].label, alone["shade"].label) == ("mid", "dark")


def test_a_shadow_of_the_same_network_takes_the_champions_pooled_row(tmp_path: Path) -> None:
    champion = Engine.load(tiny_bundle(tmp_path, pooling=("mean",)), device="cpu")
    shadow = opened(tmp_path, champion, pooling=("mean",))
    assert shadow.embedder is None
    image = answered(champion, GREYS["dark"])
    bright = answered(champion, GREYS["bright"]).result.row
    (found,) = shadow.decide([image._replace(result=image.result._replace(pooled=bright))])
    assert isinstance(found["shade"], Classified)
    assert found["shade"].label == "bright"


def test_a_shadow_that_decides_on_one_image_is_refused_beside_one_that_takes_several(tmp_path: Path) -> None:
    champion = Engine.load(tiny_bundle(tmp_path, pooling=("mean",)), device="cpu")
    with pytest.raises(BundleError, match="tiny@2 decides on one image and tiny@1 on several of one thing"):
        opened(tmp_path, champion)

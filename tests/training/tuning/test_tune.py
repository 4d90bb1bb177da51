"""`training.tuning.tune`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.runtime.sessions import Embedder, cpu_session
from tests.training.squares import squares
from tests.training.tuning.networks import Convolutions, Matrices
from training.backbones.backbone import FrozenNetwork
from training.data.dataset import Dataset
from training.export.network_export import export_torch
from training.tuning.tune import FEWEST_IMAGES, Frozen, Tuned, tune
from training.tuning.tuning_plan import NotTunedError, TuneOption, TuningPlan

DATASET = squares(FEWEST_IMAGES + 40, size=16)
USABLE = np.arange(20, FEWEST_IMAGES + 40)


def tuned(network: FrozenNetwork, option: TuneOption, dataset: Dataset = DATASET, minutes: float = 1.0) -> Tuned:
    images = np.asarray(dataset.images)
    graph = export_torch(network.eval(), images[:4])
    frozen = Frozen(network, graph, Embedder(cpu_session(graph))(images))
    return tune(frozen, dataset, USABLE, TuningPlan(option, minutes), is_balanced=False, seed=0)


@pytest.mark.parametrize(
    ("network", "option"),
    [(Convolutions, "auto"), (Convolutions, "last"), (Convolutions, "all"), (Matrices, "lora"), (Matrices, "last")],
)
def test_it_gives_a_network_that_also_tells_its_outputs_and_says_what_it_has_seen(
    network: type[FrozenNetwork], option: TuneOption
) -> None:
    found = tuned(network(), option)
    assert set(found.seen) < set(USABLE)
    assert 0.5 < len(found.seen) / len(USABLE) < 0.7
    assert found.settings["method"] == ("last" if option == "auto" else option)
    assert found.settings["images"] == len(found.seen)
    assert sorted(found.network.network.state_dict()) == sorted(network().state_dict())
    images = torch.from_numpy(np.asarray(DATASET.images))
    with torch.no_grad():
        embedding = found.network(images)
    inner, outputs = embedding[:, :-3], found.network.classifier(embedding)
    assert outputs.detach().numpy() == pytest.approx(found.network.linear(inner).detach().numpy(), abs=1e-5)
    assert outputs.argmax(1).numpy() == pytest.approx(DATASET.labels)
    assert embedding[:, -3:].std(0).mean() > 5 * inner.std(0).mean()


def test_images_of_one_group_are_on_one_side() -> None:
    dataset = replace(DATASET, groups=np.arange(len(DATASET.labels)) // 4)
    seen = np.isin(np.arange(len(dataset.labels)), tuned(Convolutions(), "last", dataset).seen)
    known = np.isin(np.arange(len(dataset.labels)), USABLE)
    for group in np.unique(dataset.unit[USABLE]):
        assert len(set(seen[(dataset.unit == group) & known])) == 1


def test_numbers_tune_as_classes_do() -> None:
    brightness = np.asarray(DATASET.images).mean((1, 2, 3)).astype(np.float64)
    dataset = replace(DATASET, labels=brightness, classes=())
    found = tuned(Convolutions(), "last", dataset)
    images = torch.from_numpy(np.asarray(dataset.images))
    with torch.no_grad():
        before, after = Convolutions().eval()(images), found.network(images)
    assert found.is_better == (not torch.equal(before, after))
    assert found.is_better


def test_what_cannot_be_tuned_is_said() -> None:
    with pytest.raises(NotTunedError, match="fewer than 200"):
        tune(
            Frozen(Convolutions(), b"", np.zeros((240, 12), np.float32)),
            *(DATASET, USABLE[:50], TuningPlan()),
            is_balanced=False,
            seed=0,
        )
    with pytest.raises(NotTunedError, match=r"no nn\.Linear"):
        tuned(Convolutions(), "lora")
    with pytest.raises(NotTunedError, match="minutes"):
        tuned(Convolutions(), "last", minutes=1e-6)

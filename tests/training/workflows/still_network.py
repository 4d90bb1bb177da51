"""A network that was never fitted, as a pretrained one, and a plan to transfer it."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from training.backbones.backbone import FrozenNetwork
from training.network.network import EmbeddingNetwork
from training.stages.head_plan import HeadPlan
from training.workflows.transfer import TransferPlan


class Still(FrozenNetwork):
    """The network of the other tests, which was never fitted."""

    def __init__(self, network: EmbeddingNetwork) -> None:
        super().__init__()
        self.network = network
        self.classifier = network.classifier

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images)


def plan_of(folder: Path, seed: int, kind: str = "logistic_regression") -> TransferPlan:
    head = HeadPlan(kind, seed=seed)
    return TransferPlan(folder / "store", "still, never fitted", head, folder / "cache")

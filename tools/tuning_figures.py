"""`python -m tools.tuning_figures`: what tuning EfficientNet-Lite0 to data gains, on test images that chose nothing.

For each seed another split: the default head on the frozen network and on the tuned one, which of them the paired test
on out-of-fold answers serves, and an exact McNemar test of what is served against the frozen one on the test images.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from torch import nn

from models.runtime.embedding_files import DEFAULT_ROOT
from tools.head_data import DATA
from training.backbones.names import DEFAULT, load_backbone
from training.export.network_export import export_embedder
from training.stages.evaluation import evaluate
from training.stages.head_plan import HeadPlan
from training.stages.model_selection import Selection, select_head
from training.stages.prepare import Prepared, prepare
from training.stages.training_data import TrainingData, embed_images, label_embeddings
from training.tuning.tune import Frozen, tune
from training.tuning.tuning_plan import TuningPlan
from training.workflows.new_bundle import known_images
from training.workflows.tuning_trial import try_tuned

_EXPORT_SAMPLE = 32
_LEVEL = 0.05


@dataclass(frozen=True)
class Row:
    """One seed.

    Attributes:
        frozen: which test images the head on the frozen network is right about, bool `[T]`.
        tuned: the same on the tuned network.
        is_served: whether the tuned network serves.
        p_value: of the test that decided that.
        settings: of the tuning.
        seconds: that tuning took, with fitting the head on the tuned network.
    """

    frozen: NDArray[np.bool_]
    tuned: NDArray[np.bool_]
    is_served: bool
    p_value: float
    settings: dict[str, object]
    seconds: float

    @property
    def served(self) -> NDArray[np.bool_]:
        """Which test images the served head is right about."""
        return self.tuned if self.is_served else self.frozen

    @property
    def is_worse(self) -> bool:
        """Whether the served head is worse than the frozen one, by an exact one-sided McNemar test."""
        lost, won = int((self.frozen & ~self.served).sum()), int((self.served & ~self.frozen).sum())
        return lost + won > 0 and bool(binomtest(lost, lost + won, alternative="greater").pvalue < _LEVEL)


def figures(name: str, seed: int, plan: TuningPlan, root: Path) -> Row:
    """Tunes on one split of a data set of `tools.head_data.DATA`."""
    network = load_backbone(DEFAULT).network
    head = HeadPlan("auto", examples=0, keep_rows_mib=0, seed=seed)
    prepared = prepare(DATA[name](), seed, root).checked()
    graph, data, selection = _selected(network, network.classifier, prepared, head, root)
    began = time.perf_counter()
    found = tune(
        Frozen(network, graph, data.embedding),
        prepared.dataset,
        prepared.parts.known,
        plan,
        is_balanced=False,
        seed=seed,
    )
    seen = np.isin(np.arange(len(prepared.dataset.labels)), found.seen)
    _, tuned_data, other = _selected(found.network, network.classifier, replace(prepared, seen=seen), head, root)
    seconds = time.perf_counter() - began
    trial = try_tuned((data, selection), (tuned_data, other), is_balanced=False)
    return Row(
        _hits(data, selection), _hits(tuned_data, other), trial.is_better, trial.p_value, found.settings, seconds
    )


def _selected(
    network: nn.Module, classifier: nn.Module, prepared: Prepared, plan: HeadPlan, root: Path
) -> tuple[bytes, TrainingData, Selection]:
    sample = prepared.dataset.images[known_images(prepared.parts)[:_EXPORT_SAMPLE]]
    graph = export_embedder(network, classifier, sample)
    data = label_embeddings(prepared, embed_images(graph, prepared.dataset, root), seed=plan.seed)
    return graph, data, select_head(data, plan)


def _hits(data: TrainingData, selection: Selection) -> NDArray[np.bool_]:
    found = evaluate(selection.head, data, {}).without_copies()
    return np.asarray(found.answers.argmax(1) == found.labels)


def tell(name: str, rows: Sequence[Row]) -> None:
    """Prints the means over the seeds."""
    frozen, tuned, served = (
        np.array([getattr(row, each).mean() for row in rows]) for each in ("frozen", "tuned", "served")
    )
    gain, error = 100 * (served - frozen), 100 * (served - frozen).std(ddof=1) / len(rows) ** 0.5
    print(
        f"{name}: mean accuracy frozen {frozen.mean():.4f}, tuned {tuned.mean():.4f}, served {served.mean():.4f}; gain "
        f"{gain.mean():+.2f} points (standard error {error:.2f}); served tuned {sum(row.is_served for row in rows)} of "
        f"{len(rows)}, worse than frozen {sum(row.is_worse for row in rows)}"
    )


def main() -> None:
    """Prints a line for each data set and seed, and one for each data set."""
    parser = argparse.ArgumentParser(prog="python -m tools.tuning_figures", description=__doc__)
    parser.add_argument("data", nargs="+", choices=[name for name in DATA if name not in ("clothes", "price")])
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(5)))
    parser.add_argument("--tune", choices=["last", "lora", "all"], default="last")
    parser.add_argument("--minutes", type=float, default=TuningPlan.minutes)
    arguments = parser.parse_args()
    for name in arguments.data:
        rows = []
        for seed in arguments.seeds:
            row = figures(name, seed, TuningPlan(arguments.tune, arguments.minutes), DEFAULT_ROOT)
            rows.append(row)
            print(
                f"{name}, seed {seed}: frozen {row.frozen.mean():.4f}, tuned {row.tuned.mean():.4f} of "
                f"{len(row.frozen)} test images; p = {row.p_value:.2g}, serves "
                f"{'tuned' if row.is_served else 'frozen'}; {row.settings}; "
                f"{row.seconds:.0f} s",
                flush=True,
            )
        if len(rows) > 1:
            tell(name, rows)


if __name__ == "__main__":
    main()

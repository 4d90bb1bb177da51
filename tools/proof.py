"""`python -m tools.proof`: Tandem on images that packages bring, beside the same without it; writes a page of figures.

Each seed is another split. Three ways answer the same test images:

- Tandem: `python -m training pretrained` with its defaults, served from the bundle that it writes;
- the network alone: the same pretrained network, tuned to the same images, with its own softmax;
- scikit-learn alone: histograms of oriented gradients and a support vector machine.

The last two accept what is above a threshold at which the target was reached on a validation set: what people do.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, t
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from models.bundle.loading import Bundle
from models.runtime.embedding_files import DEFAULT_ROOT
from models.runtime.engine import Engine
from models.runtime.engine_types import EngineInput
from models.runtime.head_answers import Classified, answer_head
from models.runtime.sessions import Embedder, Probabilities, cpu_session
from tools.head_data import DATA
from training.backbones.names import DEFAULT, load_backbone
from training.compare.image_features import gradients
from training.data.images import Indices, select
from training.data.split import make_folds
from training.exceptions import DataError
from training.export.network_export import export_embedder
from training.network.embedding_cache import embed
from training.policy.policies import PolicyTargets
from training.stages.head_plan import HeadPlan
from training.stages.prepare import Prepared, prepare
from training.stages.training_data import embed_images
from training.tuning.tune import Frozen, tune
from training.tuning.tuning_plan import TuningPlan
from training.workflows.new_bundle import known_images
from training.workflows.transfer import TransferPlan, transfer

PAGE = Path("docs") / "proof.md"
TARGET = 0.95
WAYS = ("Tandem", "network alone", "scikit-learn alone")
_SETS = ("solar", "textile", "digits")
_BATCH = 32
_TIMED = 20
_EXPORT_SAMPLE = 32
_COMPONENTS = 200
_TITLES = {
    "solar": "2,624 photographs of solar cells, defect or not (`elpv-dataset`)",
    "textile": "2,000 photographs of textile: no defect, a local or a global one (`conformal-clip-data`)",
    "digits": "1,797 handwritten digits (scikit-learn)",
}
_INTRODUCTION = """# Proof on public images

Each data set is split in {seeds} ways. Three ways to a decision answer the same test images, which chose nothing. The
target is that {percent:g} % of what is accepted is right.

- **Tandem**: `python -m training pretrained` with its defaults, answered by the engine that serves its bundle, in the
  precision that it takes.
- **network alone**: EfficientNet-Lite0, tuned to the same images, with its own softmax. It accepts what is above the
  lowest confidence at which the target was reached on images that it had not seen.
- **scikit-learn alone**: histograms of oriented gradients, 200 principal components, a support vector machine whose
  penalty three folds chose, and the same kind of threshold.

Accuracy has its 95 % interval over the splits, the share right among accepted its exact 95 % interval over all of
them. A decision's microseconds are from pixels in memory, one image at a time on one thread. AutoGluon's multimodal
predictor and TabPFN are not here: their weights come from hubs that this machine does not reach.
"""


@dataclass(frozen=True)
class Figures:
    """One way on one split.

    Attributes:
        hits: whether each test image is answered rightly, bool `[T]`.
        accepted: whether its answer is accepted.
        unfamiliar: share of the test images called unfamiliar; None if the way does not tell.
        seconds: of the training.
        decision_us: microseconds from pixels to a decision, one image at a time on one thread.
    """

    hits: NDArray[np.bool_]
    accepted: NDArray[np.bool_]
    unfamiliar: float | None
    seconds: float
    decision_us: float


def tandem(prepared: Prepared, seed: int, plan: TuningPlan) -> Figures:
    """Trains a bundle and answers by the engine that serves it."""
    with tempfile.TemporaryDirectory() as folder:
        head = HeadPlan("auto", targets=PolicyTargets(target_precision=TARGET), seed=seed)
        began = time.perf_counter()
        where = TransferPlan(Path(folder) / "store", DEFAULT, head, Path(folder) / "cache", tuning=plan)
        path = transfer(prepared.dataset, load_backbone(DEFAULT).network, where)
        seconds = time.perf_counter() - began
        print(f"  {Bundle.open(path).manifest.training.get('tuning', {}).get('result', 'not tuned')}", flush=True)
        engine = Engine.load(path)
    (spec,) = engine.manifest.heads
    answers = list[Classified]()
    for start in range(0, len(prepared.parts.test), _BATCH):
        positions = prepared.parts.test[start : start + _BATCH]
        rows = prepared.dataset.beside(positions) or [{}] * len(positions)
        asked = [{spec.name: spec.check_columns(row)} for row in rows]
        pixels = prepared.dataset.images[positions]
        inputs = [EngineInput(one, columns) for one, columns in zip(pixels, asked, strict=True)]
        for result in engine.run(inputs, [0.0] * len(inputs)):
            answer = answer_head(result.decisions[spec.name], spec)
            assert isinstance(answer, Classified)
            answers.append(answer)
    names = np.array(spec.classes)[prepared.dataset.labels[prepared.parts.test]]
    return Figures(
        np.array([answer.label for answer in answers]) == names,
        np.array([answer.decision == "accept" for answer in answers]),
        float(np.mean(["unfamiliar" in answer.reasons for answer in answers])),
        seconds,
        1e6 * engine.image_s,
    )


def network_alone(prepared: Prepared, seed: int, plan: TuningPlan) -> Figures:
    """Tunes the network and takes its own softmax; images that it has not seen choose the threshold."""
    dataset, parts = prepared.dataset, prepared.parts
    network = load_backbone(DEFAULT).network
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        sample = dataset.images[known_images(parts)[:_EXPORT_SAMPLE]]
        graph = export_embedder(network, network.classifier, sample)
        frozen = Frozen(network, graph, embed_images(graph, dataset, Path(folder)).embedding)
    plan = replace(plan, option="last")
    found = tune(frozen, dataset, parts.known, plan, is_balanced=False, seed=seed)
    graph = export_embedder(found.network, network.classifier, sample)
    embedder = Embedder(cpu_session(graph, threads=2))
    weight, bias = (each.detach().numpy() for each in (found.classifier.weight, found.classifier.bias))

    def answers(positions: Indices) -> Probabilities:
        logits = embed(embedder, select(dataset.images, positions), "embedding") @ weight.T + bias
        powers = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(powers / powers.sum(1, keepdims=True), np.float32)

    validation = np.setdiff1d(parts.known, found.seen)
    threshold = plain_threshold(answers(validation), dataset.labels[validation])
    seconds = time.perf_counter() - began
    alone, image = Embedder(cpu_session(graph)), dataset.images[parts.test[:1]]
    decision_us = _quickest_us(lambda: alone(image) @ weight.T + bias)
    return _figures(answers(parts.test), dataset.labels[parts.test], threshold, seconds, decision_us)


def scikit_learn_alone(prepared: Prepared, seed: int, _: TuningPlan) -> Figures:
    """Fits a support vector machine on gradients; a fifth of the images chooses the threshold."""
    dataset, parts = prepared.dataset, prepared.parts
    known, labels = parts.known, dataset.labels
    folds = make_folds(dataset.strata[known], dataset.unit[known], 5, seed)
    fit, validation = known[folds > 0], known[folds == 0]
    began = time.perf_counter()

    def features(positions: Indices) -> NDArray[np.float32]:
        parts = [positions[start : start + _BATCH] for start in range(0, len(positions), _BATCH)]
        return np.concatenate([gradients(dataset.images[part]) for part in parts])

    machine = make_pipeline(PCA(_COMPONENTS, random_state=seed), SVC(probability=True, random_state=seed))
    search = GridSearchCV(machine, {"svc__C": [1.0, 10.0, 100.0]}, cv=3)
    search.fit(features(fit), labels[fit])
    threshold = plain_threshold(search.predict_proba(features(validation)), labels[validation])
    seconds = time.perf_counter() - began
    answers = search.predict_proba(features(parts.test))
    image = dataset.images[parts.test[:1]]
    with threadpool_limits(1):
        decision_us = _quickest_us(lambda: search.predict_proba(gradients(image)))
    return _figures(answers, labels[parts.test], threshold, seconds, decision_us)


def plain_threshold(answers: Probabilities, labels: NDArray[np.int64]) -> float:
    """The lowest confidence above which the target is reached on a validation set; infinity if there is none."""
    confidence, hits = answers.max(1), answers.argmax(1) == labels
    order = np.argsort(-confidence)
    right = np.cumsum(hits[order]) / np.arange(1, len(order) + 1)
    reached = np.flatnonzero(right >= TARGET)
    return float(confidence[order][reached[-1]]) if len(reached) else np.inf


def _figures(
    answers: Probabilities, labels: NDArray[np.int64], threshold: float, seconds: float, decision_us: float
) -> Figures:
    return Figures(answers.argmax(1) == labels, answers.max(1) >= threshold, None, seconds, decision_us)


def _quickest_us(run: Callable[[], object]) -> float:
    took = []
    for _ in range(_TIMED):
        began = time.perf_counter()
        run()
        took.append(time.perf_counter() - began)
    return 1e6 * min(took)


RUNS: dict[str, Callable[[Prepared, int, TuningPlan], Figures]] = dict(
    zip(WAYS, (tandem, network_alone, scikit_learn_alone), strict=True)
)


def interval_over(values: Sequence[float]) -> tuple[float, float]:
    """Mean of some seeds, and half the width of its 95 % interval by Student's t."""
    spread = float(np.std(values, ddof=1)) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return float(np.mean(values)), float(t.ppf(0.975, len(values) - 1) * spread) if len(values) > 1 else float("nan")


def line(way: str, rows: Sequence[Figures]) -> str:
    """A line of the page's table."""
    accuracy, spread = interval_over([float(row.hits.mean()) for row in rows])
    accepted = float(np.mean([row.accepted.mean() for row in rows]))
    right, count = (sum(int(each) for each in counts) for counts in zip(
        *((row.hits[row.accepted].sum(), row.accepted.sum()) for row in rows), strict=True
    ))  # fmt: skip
    found = binomtest(right, count).proportion_ci(0.95, "exact") if count else None
    kept = f"{right / count:.3f} ({found.low:.3f} to {found.high:.3f})" if found else "-"
    alarms = [row.unfamiliar for row in rows if row.unfamiliar is not None]
    return (
        f"| {way} | {accuracy:.3f} ± {spread:.3f} | {accepted:.3f} | {kept} | "
        f"{f'{np.mean(alarms):.3f}' if alarms else '-'} | {np.mean([row.seconds for row in rows]):,.0f} | "
        f"{np.mean([row.decision_us for row in rows]):,.0f} |"
    )


def page(found: dict[str, dict[str, list[Figures]]], left_out: Sequence[str], command: str, seeds: int) -> str:
    """The page of figures."""
    lines = [_INTRODUCTION.format(seeds=seeds, percent=100 * TARGET)]
    for name, ways in found.items():
        tests = len(ways[WAYS[0]][0].hits)
        lines += [
            f"## {_TITLES[name]}",
            "",
            f"{tests} test images in a split.",
            "",
            "| way | accuracy | accepted | right among accepted | called unfamiliar | training, s | decision, µs |",
            "|---|---:|---:|---:|---:|---:|---:|",
            *(line(way, rows) for way, rows in ways.items()),
            "",
        ]
    lines += [f"Left out: {reason}." for reason in left_out] + [""] * bool(left_out)
    return "\n".join([*lines, f"    {command}", ""])


def main() -> None:
    """Measures all ways on all data sets that are installed, and writes the page."""
    parser = argparse.ArgumentParser(prog="python -m tools.proof", description=__doc__)
    parser.add_argument("--data", nargs="+", choices=_SETS, default=list(_SETS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tune-minutes", type=float, default=TuningPlan.minutes)
    parser.add_argument("--out", type=Path, default=PAGE)
    arguments = parser.parse_args()
    plan = TuningPlan("auto", arguments.tune_minutes)
    found: dict[str, dict[str, list[Figures]]] = {}
    left_out = list[str]()
    for name in arguments.data:
        try:
            dataset = DATA[name]()
        except DataError as error:
            left_out.append(f"{name}, as {error}")
            continue
        found[name] = {way: [] for way in WAYS}
        for seed in range(arguments.seeds):
            prepared = prepare(dataset, seed, DEFAULT_ROOT).checked()
            for way, run in RUNS.items():
                print(f"{name}, split {seed}: {way}", flush=True)
                found[name][way].append(run(prepared, seed, plan))
                print(f"  {line(way, found[name][way][-1:])}", flush=True)
    words = f"--data {' '.join(arguments.data)} --seeds {arguments.seeds} --tune-minutes {arguments.tune_minutes:g}"
    arguments.out.write_text(page(found, left_out, f".venv/bin/python -m tools.proof {words}", arguments.seeds))


if __name__ == "__main__":
    main()

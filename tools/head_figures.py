"""embeddings and columns ──▶ a table of what each kind of head does on test rows by which nothing was chosen.

`python -m tools.head_figures clothes --rows 500 2000` fits every installed head, its settings chosen out of fold, and
prints a block for each number of rows. For numbers the loss is the mean absolute error. Ratios are of losses, less than
1 being better; the worst is that of the seed where the head does worst against the other.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.bundle.head_spec import Task
from models.errors import TandemError
from tools.head_data import DATA, Bench, open_bench
from training.exceptions import DataError
from training.heads.head_fit import Fitting
from training.heads.kind import Kind
from training.heads.registry import REGISTRY, installed
from training.heads.selection.search import fit_heads
from training.progress import progress
from training.reports.evaluation_metrics import errors, score
from training.stages.training_data import TrainingData

LINEAR: Mapping[Task, str] = {"classification": "logistic_regression", "regression": "linear_regression"}
"""The head that each other is compared with, besides the best one."""
_SLOW = ("svm", "random_forest")


@dataclass(frozen=True)
class Figures:
    """One head's, of one seed.

    Attributes:
        loss: log loss, or the mean absolute error of numbers.
        accuracy: NaN for numbers.
        seconds: of the fit, with search, cross-fitting and the final head.
    """

    loss: float
    accuracy: float
    seconds: float


def main(argv: Sequence[str]) -> int:
    """Prints the table; 1 after one line on stderr where the data cannot be had or a head cannot be fitted."""
    options = parser().parse_args(argv)
    try:
        bench = open_bench(options.data, with_columns=options.with_columns)
        for line in report(bench, options.rows, range(options.seeds), options.heads):
            print(line, flush=True)
    except TandemError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line of `python -m tools.head_figures`."""
    program = argparse.ArgumentParser(
        prog="python -m tools.head_figures", description=__doc__.split("\n", maxsplit=1)[0]
    )
    program.add_argument("data", choices=DATA)
    program.add_argument("--rows", type=int, nargs="+", metavar="N", help="to fit on (default: all but the test rows)")
    program.add_argument("--seeds", type=int, default=3, metavar="S", help="0 to S - 1 (default: %(default)s)")
    program.add_argument(
        "--heads", nargs="+", choices=REGISTRY, metavar="NAME",
        help=f"of {', '.join(REGISTRY)} (default: those that are installed, without {' and '.join(_SLOW)})",
    )  # fmt: skip
    program.add_argument("--without-columns", dest="with_columns", action="store_false", help="the image alone")
    return program


def report(
    bench: Bench, rows: Sequence[int] | None, seeds: Sequence[int], heads: Sequence[str] | None = None
) -> Iterator[str]:
    """Lines of the table, block by block.

    Args:
        bench: the data.
        rows: numbers of rows to fit on; None for all.
        seeds: of the draws.
        heads: names of the registry; None for those that are installed and not slow.

    Raises:
        DataError: a head's package is missing, no head does the task, or there are too few rows.
    """
    task = bench.prepared.dataset.task
    kinds, skipped = _split(heads, task)
    yield from (f"{kind.name} is skipped: it is no model for {task}" for kind in skipped)
    if not kinds:
        raise DataError(f"none of the heads is a model for {task}; leave --heads out")
    for count in rows or (None,):
        yield from _block(bench, count, seeds, kinds)


def measure(data: TrainingData, kind: Kind, seed: int) -> Figures:
    """Fits a kind in the setting, and to the source, of least out-of-fold loss; measures it on the test images."""
    dataset, test = data.dataset, data.test
    fitting = Fitting(len(dataset.classes), dataset.columns, seed)
    started = time.perf_counter()
    tried = [(source, fit_heads([kind], source, fitting)[0]) for source in data.sources.values()]
    source, best = min(tried, key=lambda each: each[1].loss)
    head = best.finished(source)
    seconds = time.perf_counter() - started
    answers = head(test.embedding, test.rows)
    if not dataset.classes:
        return Figures(errors(answers, test.labels).mae, math.nan, seconds)
    scores = score(answers, test.labels)
    return Figures(scores.log_loss, scores.accuracy, seconds)


def block(title: str, figures: Mapping[str, Sequence[Figures]], linear: str) -> list[str]:
    """The rows of one number of rows, the best head first, and a line on the best.

    Args:
        title: what the block is of.
        figures: of each head, one a seed.
        linear: name of the head that all are compared with.
    """
    losses = {name: np.array([each.loss for each in found]) for name, found in figures.items()}
    means = {name: float(loss.mean()) for name, loss in losses.items()}
    order = sorted(means, key=lambda name: means[name])
    lines = [
        f"| {title} | accuracy | loss | worst to best other | worst to {linear} | seconds |",
        "|---|" + "---:|" * 5,
    ]
    for name in order:
        others = [losses[other] for other in order if other != name]
        to_others = float((losses[name] / np.min(others, axis=0)).max()) if others else math.nan
        to_linear = float((losses[name] / losses[linear]).max()) if linear in losses else math.nan
        accuracy, seconds = (
            np.mean([getattr(each, what) for each in figures[name]]) for what in ("accuracy", "seconds")
        )
        cells = (f"{accuracy:.4f}", f"{means[name]:.4f}", f"{to_others:.3f}", f"{to_linear:.3f}", f"{seconds:.1f}")
        lines.append(f"| {name} | {' | '.join(cells).replace('nan', '')} |")
    ratios = ", ".join(f"{name} {means[name] / means[order[0]]:.3f}" for name in order)
    return [*lines, f"best in the mean: {order[0]}; ratios to it: {ratios}", ""]


def _split(heads: Sequence[str] | None, task: Task) -> tuple[list[Kind], list[Kind]]:
    """Kinds to fit, and those among what was asked for that do not do the task."""
    if heads is None:
        return [kind for kind in installed(task) if kind.name not in _SLOW], []
    asked = [REGISTRY[name] for name in heads]
    able = {kind.name for kind in asked if (kind.settings if task == "classification" else kind.regressors)}
    return [kind for kind in asked if kind.name in able], [kind for kind in asked if kind.name not in able]


def _block(bench: Bench, rows: int | None, seeds: Sequence[int], kinds: Sequence[Kind]) -> list[str]:
    dataset = bench.prepared.dataset
    found: dict[str, list[Figures]] = {kind.name: [] for kind in kinds}
    for seed in progress(seeds, "measuring heads", "seed"):
        data = bench.data(rows, seed)
        for kind in kinds:
            found[kind.name].append(measure(data, kind, seed))
    drawn, held_out = len(data.parts.known), len(data.held_out)
    known = f", {drawn - held_out} of which the network was fitted on" if drawn > held_out else ""
    title = f"{dataset.name}: {drawn} rows{known}, {len(dataset.columns)} columns, seeds {min(seeds)} to {max(seeds)}"
    return block(title, found, LINEAR[dataset.task])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

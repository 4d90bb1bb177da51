"""`python -m tools.proof`: Tandem on images that packages bring, beside ways without it; writes a page of figures."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from models.bundle.loading import Bundle
from models.bundle.store import DEFAULT_ROOT as STORE
from models.bundle.store import resolve
from models.runtime.embedding_files import DEFAULT_ROOT
from tools.head_data import DATA
from tools.proof.measured_ways import default_bundle_ways, ways
from tools.proof.proof_page import PAGE, Figures, line, page
from training.data import fashion_mnist
from training.data.dataset import Dataset
from training.exceptions import DataError
from training.stages.prepare import prepare
from training.tuning.tuning_plan import TuningPlan

_SETS = ("solar", "textile", "digits", fashion_mnist.NAME)


def measure(name: str, dataset: Dataset, seeds: int, plan: TuningPlan) -> Iterator[dict[str, list[Figures]]]:
    """Measures every way on split after split of a data set, prints each, and gives all so far."""
    found: dict[str, list[Figures]] = {}
    bundle = Bundle.open(resolve(STORE / fashion_mnist.NAME)) if name == fashion_mnist.NAME else None
    for seed in range(1 if bundle else seeds):
        prepared = prepare(dataset, seed, DEFAULT_ROOT, bundle).checked()
        for way, figures in default_bundle_ways(prepared, bundle) if bundle else ways(prepared, seed, plan):
            found.setdefault(way, []).append(figures)
            print(f"{name}, split {seed}: {line(way, [figures])} {figures.note}", flush=True)
        yield found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures all ways on all data sets that are installed, and writes the page."""
    parser = argparse.ArgumentParser(prog="python -m tools.proof", description=__doc__)
    parser.add_argument("--data", nargs="+", choices=_SETS, default=list(_SETS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tune-minutes", type=float, default=TuningPlan.minutes)
    parser.add_argument("--out", type=Path, default=PAGE)
    given = parser.parse_args(arguments)
    found, left_out = dict[str, dict[str, list[Figures]]](), list[str]()
    options = f"--data {' '.join(given.data)} --seeds {given.seeds} --tune-minutes {given.tune_minutes:g}"
    for name in given.data:
        try:
            dataset = fashion_mnist.load() if name == fashion_mnist.NAME else DATA[name]()
        except DataError as error:
            left_out.append(f"{name}: {error}")
            continue
        for figures in measure(name, dataset, given.seeds, TuningPlan("auto", given.tune_minutes)):
            found[name] = figures
            given.out.write_text(page(found, left_out, f".venv/bin/python -m tools.proof {options}"))


if __name__ == "__main__":
    main()

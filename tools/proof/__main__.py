"""`python -m tools.proof`: Tandem on images that packages bring, beside ways without it; writes a page of figures."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from models.runtime.embedding_files import DEFAULT_ROOT
from tools.head_data import DATA
from tools.proof.measured_ways import ways
from tools.proof.proof_page import PAGE, Figures, line, page
from training.data.dataset import Dataset
from training.exceptions import DataError
from training.stages.prepare import prepare
from training.tuning.tuning_plan import TuningPlan

_SETS = ("solar", "textile", "digits")


def measure(name: str, dataset: Dataset, seeds: int, plan: TuningPlan) -> Iterator[dict[str, list[Figures]]]:
    """Measures every way on split after split of a data set, prints each, and gives all so far."""
    found: dict[str, list[Figures]] = {}
    for seed in range(seeds):
        prepared = prepare(dataset, seed, DEFAULT_ROOT).checked()
        for way, figures in ways(prepared, seed, plan):
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
            dataset = DATA[name]()
        except DataError as error:
            left_out.append(f"{name}: {error}")
            continue
        for figures in measure(name, dataset, given.seeds, TuningPlan("auto", given.tune_minutes)):
            found[name] = figures
            given.out.write_text(page(found, left_out, f".venv/bin/python -m tools.proof {options}"))


if __name__ == "__main__":
    main()

"""`python -m tools.proof`: Tandem on images that packages bring, beside ways without it; writes a page of figures.

What is measured is kept in `build/proof`, and the same command goes on where it ended.
"""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from loadtests.load.machine import describe
from models.bundle.loading import Bundle
from models.bundle.store import DEFAULT_ROOT as STORE
from models.bundle.store import resolve
from models.runtime.embedding_files import DEFAULT_ROOT
from tools.head_data import DATA
from tools.proof.kept_figures import KeptFigures
from tools.proof.measured_ways import default_bundle_ways, ways
from tools.proof.proof_page import FIRST_SEED, PAGE, Figures, line, page
from training.data import fashion_mnist
from training.data.dataset import Dataset
from training.exceptions import DataError
from training.stages.prepare import prepare
from training.tuning.tuning_plan import TuningPlan

_SETS = ("solar", "textile", "digits", fashion_mnist.NAME)
_VERSIONS = ("onnxruntime", "torch", "scikit-learn")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures all ways on all data sets that are installed, and writes the page after every split."""
    parser = argparse.ArgumentParser(prog="python -m tools.proof", description=__doc__)
    parser.add_argument("--data", nargs="+", choices=_SETS, default=list(_SETS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tune-minutes", type=float, default=TuningPlan.minutes)
    parser.add_argument("--out", type=Path, default=PAGE)
    given = parser.parse_args(arguments)
    plan, kept = TuningPlan("auto", given.tune_minutes), KeptFigures(f"{given.tune_minutes:g}")
    options = f"--data {' '.join(given.data)} --seeds {given.seeds} --tune-minutes {given.tune_minutes:g}"
    found, left_out = dict[str, dict[str, list[Figures]]](), list[str]()
    for name in given.data:
        try:
            for split in _measured(name, given.seeds, plan, kept):
                for way, figures in split.items():
                    found.setdefault(name, {}).setdefault(way, []).append(figures)
                _write(given.out, found, left_out, options)
        except DataError as error:
            left_out.append(f"{name}: {error}")
    _write(given.out, found, left_out, options)


def _measured(name: str, seeds: int, plan: TuningPlan, kept: KeptFigures) -> Iterator[dict[str, Figures]]:
    """The figures of every way, split after split; those that are kept from before are not measured again.

    Raises:
        DataError: what the images come with is not installed.
    """
    is_default = name == fashion_mnist.NAME
    dataset = fashion_mnist.load() if is_default else DATA[name]()
    for seed in [0] if is_default else range(FIRST_SEED, FIRST_SEED + seeds):
        split = kept.load(name, seed)
        if split is None:
            split = _split(name, dataset, seed, plan)
            kept.save(name, seed, split)
        yield split


def _split(name: str, dataset: Dataset, seed: int, plan: TuningPlan) -> dict[str, Figures]:
    """Measures every way on one split, and prints its figures."""
    bundle = Bundle.open(resolve(STORE / fashion_mnist.NAME)) if name == fashion_mnist.NAME else None
    prepared = prepare(dataset, seed, DEFAULT_ROOT, bundle).checked()
    found = dict[str, Figures]()
    for way, figures in default_bundle_ways(prepared, bundle) if bundle else ways(prepared, seed, plan):
        found[way] = figures
        print(f"{name}, split {seed}: {line(way, [figures], 1)} {figures.note}", flush=True)
    return found


def _write(out: Path, found: dict[str, dict[str, list[Figures]]], left_out: Sequence[str], options: str) -> None:
    versions = ", ".join(f"{each} {version(each)}" for each in _VERSIONS)
    machine = f"{describe()}, {versions}, {datetime.datetime.now(datetime.UTC).date()}"
    out.write_text(page(found, left_out, machine=machine, command=f".venv/bin/python -m tools.proof {options}"))


if __name__ == "__main__":
    main()

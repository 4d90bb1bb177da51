"""`python -m training augment DATA --diffusion`: whether made images of rare classes help, and if so the images."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.bundle.input_spec import InputSpec
from models.runtime.embedding_files import DEFAULT_ROOT
from models.runtime.sessions import Embedder, cpu_session
from training.cli import data_options
from training.cli.overview import tell
from training.data.dataset import Dataset, subset
from training.exceptions import DataError
from training.stages.prepare import prepare
from training.stages.training_data import embed_images

if TYPE_CHECKING:
    from training.diffusion.recall_trial import RecallTrial

_ROOT = Path("build") / "augment"
_RARE = 0.5
"""Classes with fewer images than this share of the median are rare."""
_SAMPLE = 32


def add_parser(commands: data_options.Commands) -> None:
    """Adds the command to those of `python -m training`."""
    parser = commands.add_parser("augment", help="whether made images of rare classes help to find them: an hour")
    parser.add_argument("data", metavar="DATA", help=data_options.DATA)
    parser.add_argument("--diffusion", action="store_true", required=True, help="by a small denoising diffusion model")
    parser.add_argument("--rare", nargs="+", metavar="CLASS", help="default: those with less than half the median")
    parser.add_argument("--keep", type=data_options.integer, metavar="N", help="take only N images of each rare class")
    parser.add_argument("--seeds", type=data_options.integer, default=5, metavar="N", help="default: %(default)s")
    parser.add_argument("--steps", type=data_options.integer, default=2000, help="of the fit (default: %(default)s)")
    data_options.add_links(parser)
    data_options.add_backbone(parser)
    data_options.add_limit(parser)
    parser.add_argument("--seed", type=data_options.seed, default=0, help="of the split")
    parser.add_argument("--out", type=Path, metavar="DIR", help=f"for the images (default: {_ROOT}/<data>)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Compares, prints the table, and writes images if they help.

    Raises:
        DataError: there is no such class, or none is rare.
    """
    from training.backbones.names import load_backbone  # noqa: PLC0415 (imports torch)
    from training.diffusion.recall_trial import try_diffusion  # noqa: PLC0415
    from training.export.network_export import export_embedder  # noqa: PLC0415

    if arguments.seeds < 2:
        raise DataError(f"{arguments.seeds} seeds show no spread; take at least 2")
    backbone = load_backbone(arguments.backbone)
    print(backbone.license_note)
    dataset = tell(_load(arguments, data_options.fitted(backbone.input, arguments)))
    dataset = dataset if arguments.limit is None else subset(dataset, arguments.limit, arguments.seed)
    rare = _rare(dataset, arguments.rare)
    prepared = prepare(dataset, arguments.seed, DEFAULT_ROOT).checked()
    network = backbone.network
    graph = export_embedder(network, network.classifier, dataset.images[np.arange(min(_SAMPLE, len(dataset.labels)))])
    embedding = embed_images(graph, dataset, DEFAULT_ROOT).embedding
    found = try_diffusion(
        prepared.dataset,
        Embedder(cpu_session(graph, threads=os.cpu_count() or 1)),
        embedding,
        prepared.parts,
        rare,
        keep=arguments.keep,
        seeds=range(arguments.seeds),
        steps=arguments.steps,
    )
    _tell(found, dataset, arguments.seeds)
    if found.is_won:
        folder: Path = arguments.out or _ROOT / dataset.name
        _write(found, dataset, folder, arguments.seeds)


def _tell(found: RecallTrial, dataset: Dataset, seeds: int) -> None:
    """Prints the table."""
    names = ", ".join(dataset.classes[class_] for class_ in found.rare)
    print(f"rare: {names}, {found.counts[0]} training images each, others {found.counts[1]}; {seeds} seeds")
    print("way            recall of rare  accuracy  gain of diffusion (95 %)")
    *others, made = found.ways
    for way in found.ways:
        gain = "{:+.3f} ± {:.3f}".format(*made.gain(way)) if way in others else ""
        print(f"{way.name:13}  {np.mean(way.recall):14.3f}  {np.mean(way.accuracy):8.3f}  {gain}")
    if not found.is_won:
        print("diffusion does not beat every other way, so no images are written")


def _write(found: RecallTrial, dataset: Dataset, folder: Path, seed: int) -> None:
    """Writes as many images of each rare class as it has fewer than the others."""
    from training.export.bundle_files import encode_png  # noqa: PLC0415

    for position, class_ in enumerate(found.rare):
        place = folder / dataset.classes[class_]
        place.mkdir(parents=True, exist_ok=True)
        for number, image in enumerate(found.maker.make(position, found.counts[1] - found.counts[0], seed)):
            (place / f"made-{number:04}.png").write_bytes(encode_png(image))
    print(f"diffusion beats every other way; wrote its images to {folder}: add them to the training images alone")


def _load(arguments: argparse.Namespace, spec: InputSpec) -> Dataset:
    return data_options.stream_new(arguments.data, Path(arguments.data).name, spec, follow=arguments.follow)


def _rare(dataset: Dataset, names: list[str] | None) -> list[int]:
    """Positions of the rare classes."""
    if names is not None:
        if unknown := [name for name in names if name not in dataset.classes]:
            raise DataError(f"there is no class {unknown[0]!r}; there are {', '.join(dataset.classes)}")
        return [dataset.classes.index(name) for name in names]
    counts = np.bincount(dataset.labels, minlength=len(dataset.classes))
    found = np.flatnonzero(counts < _RARE * np.median(counts)).tolist()
    if not found:
        raise DataError("no class has fewer than half as many images as the median class; name some with --rare")
    return list(found)

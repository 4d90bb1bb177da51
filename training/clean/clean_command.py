"""`python -m training clean fashion-mnist | folder | table`: what is wrong with the data, before anything is fitted."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from models.bundle.input_spec import InputSpec
from models.bundle.loading import Bundle
from models.bundle.store import resolve
from models.pooling import ALONE, Pooling
from models.runtime.embedding_files import DEFAULT_ROOT, EmbeddingCache
from models.runtime.sessions import Embedder, cpu_session
from training.clean.findings.findings import Findings, inspect
from training.clean.findings.findings_csv import to_csv, to_json
from training.clean.findings.findings_page import render, show
from training.clean.findings.findings_text import sentences
from training.cli import data_options
from training.cli.overview import tell
from training.data import fashion_mnist, folder
from training.data.dataset import Dataset, subset
from training.data.file_reading import printable
from training.instances.pooled_embeddings import embed_instances
from training.progress import stage
from training.stages.prepare import prepare
from training.tables import tabular
from training.tables.table import read

OUT = Path("build") / "clean"
_SAMPLE = 32
_POOLING = Pooling(("mean",))
"""Of the photos of one thing."""
_LARGEST_SEED = 2**32 - 1  # scikit-learn's

Load = Callable[[argparse.Namespace, InputSpec], Dataset]


def add_parser(commands: data_options.Commands) -> None:
    """Adds the command to those of `python -m training`."""
    parser = commands.add_parser("clean", help="what is wrong with the data: labels, copies, outliers")
    sources = parser.add_subparsers(required=True, metavar="DATA")

    source = sources.add_parser("fashion-mnist", help="70,000 small pictures of clothes in 10 classes")
    source.add_argument("--data", type=Path, help="folder with the four IDX files")
    _add_common(source, _load_fashion_mnist)

    source = data_options.add_folder_command(sources)
    _add_common(source, _load_folder)

    source = data_options.add_table_command(sources)
    _add_common(source, _load_table)


def write_findings(dataset: Dataset, findings: Findings, folder: Path) -> None:
    """Writes `clean.html`, `clean.csv` and `clean.json` into a folder, which is made.

    Raises:
        OSError: it cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "clean.csv").write_text(to_csv(dataset, findings), encoding="utf-8")
    (folder / "clean.json").write_text(to_json(dataset, findings), encoding="utf-8")
    (folder / "clean.html").write_bytes(render(dataset.name, show(dataset, findings), created=datetime.now(UTC)))


def _add_common(source: argparse.ArgumentParser, load: Load) -> None:
    source.add_argument(
        "--bundle", type=Path, metavar="BUNDLE",
        help="whose network looks at the images: its directory, or a store entry, whose champion is taken; "
        "default: one that knows ImageNet, of the extra `pretrained`",
    )  # fmt: skip
    source.add_argument("--limit", type=_at_least(1, sys.maxsize), metavar="N", help="use only about N images")
    source.add_argument("--seed", type=_at_least(0, _LARGEST_SEED), default=0, help="splits as a training does with it")
    source.add_argument("--out", type=Path, metavar="DIR", help=f"default: {OUT}/<name of the data>")
    source.set_defaults(run=_clean, load=load)


def _at_least(low: int, high: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number within {low} and {high}")
        return int(text)

    return number


def _clean(arguments: argparse.Namespace) -> None:
    load: Load = arguments.load
    bundle = Bundle.open(resolve(arguments.bundle)) if arguments.bundle else None
    dataset, graph = _open(bundle, arguments, load) if bundle else _open_pretrained(arguments, load)
    embedder = Embedder(cpu_session(graph, threads=os.cpu_count() or 1))
    pooling = _POOLING if dataset.photos is not None else ALONE
    embedding = embed_instances(EmbeddingCache(DEFAULT_ROOT, graph, dataset.input), embedder, dataset, pooling)
    with stage("find copies"):
        prepared = prepare(dataset, arguments.seed, DEFAULT_ROOT)
    dataset = prepared.dataset
    with stage("look at the data"):
        findings = inspect(dataset, embedding, prepared.parts, prepared.copies, seed=arguments.seed)
    out = arguments.out or OUT / dataset.name
    write_findings(dataset, findings, out)
    for sentence in sentences(findings):
        print(sentence)
    if bundle and bundle.manifest.data_fingerprint == dataset.fingerprint():
        print(
            f"{bundle.manifest.model} was fitted on these labels: of the wrong ones in training it has learnt some by "
            "heart, and they are not found."
        )
    print(f"wrote clean.html, clean.csv and clean.json to {out}")


def _open(bundle: Bundle, arguments: argparse.Namespace, load: Load) -> tuple[Dataset, bytes]:
    return _limited(load(arguments, bundle.manifest.input), arguments), bundle.embedder("fp32")


def _open_pretrained(arguments: argparse.Namespace, load: Load) -> tuple[Dataset, bytes]:
    from training.backbones.names import DEFAULT, load_backbone  # noqa: PLC0415 (imports torch, which a bundle does without)
    from training.export.network_export import export_embedder  # noqa: PLC0415

    backbone = load_backbone(DEFAULT)
    network = backbone.network
    dataset = _limited(load(arguments, backbone.input), arguments)
    sample = dataset.images[np.arange(min(_SAMPLE, len(dataset.images)))]
    graph = export_embedder(network, network.classifier, sample)
    return dataset, graph


def _limited(dataset: Dataset, arguments: argparse.Namespace) -> Dataset:
    tell(dataset)
    return dataset if arguments.limit is None else subset(dataset, arguments.limit, arguments.seed)


def _load_fashion_mnist(arguments: argparse.Namespace, spec: InputSpec) -> Dataset:
    on_black = spec.model_copy(update={"background": fashion_mnist.BACKGROUND})
    return fashion_mnist.stream(name=fashion_mnist.NAME, spec=on_black, folder=arguments.data)


def _load_folder(arguments: argparse.Namespace, spec: InputSpec) -> Dataset:
    name = printable(arguments.directory.resolve().name)
    return folder.stream(arguments.directory, name=name, spec=spec, follow=arguments.follow)


def _load_table(arguments: argparse.Namespace, spec: InputSpec) -> Dataset:
    return tabular.stream(
        read(arguments.table, data_options.ask(arguments)), name=printable(arguments.table.stem), spec=spec
    )

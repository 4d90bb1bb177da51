"""words of a command line ──▶ `ScoringOptions`."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from models.bundle.store import DEFAULT_ROOT
from models.runtime.cores import available_cores
from models.runtime.embedding_files import DEFAULT_ROOT as EMBEDDINGS
from models.tables.dialect_options import add_dialect, dialect_of, names
from scoring.engines.scorer_options import Asked, Device
from scoring.sources.table_plan import TablePlan

ROWS_PER_FILE = 100_000


@dataclass(frozen=True)
class Cluster:
    """Where Ray runs.

    Attributes:
        address: of a running cluster; None to start one on this machine.
        gpus_per_actor: of each process, a fraction too.
    """

    address: str | None = None
    gpus_per_actor: float = 0.0


@dataclass(frozen=True)
class ScoringOptions:
    """What `python -m scoring` is asked.

    Attributes:
        source: a folder, a table or a glob; a path or a URL.
        output: the folder of the data set; a path or a URL.
        bundle: a store entry, whose champion scores, or a version's directory.
        heads: names of the heads that are asked; empty for the default one.
        table: what is read of a table.
        asked: what is asked beside the answers of the heads.
        device: as of the service.
        precision: as of the service.
        batch: images in one run of the embedder, at most.
        workers: processes.
        limit: images of the input that are scored, from its start; None for all.
        rows_per_file: of a part, at most.
        max_errors: images that may fail; None for any number.
        cache: directory of embeddings that are kept; None for none.
        cluster: where Ray runs; None for processes of this machine.
    """

    source: str
    output: str
    bundle: Path = DEFAULT_ROOT / "fashion-mnist"
    heads: tuple[str, ...] = ()
    table: TablePlan = field(default_factory=TablePlan)
    asked: Asked = field(default_factory=Asked)
    device: Device = "auto"
    precision: str = "auto"
    batch: int = 64
    workers: int = 1
    limit: int | None = None
    rows_per_file: int = ROWS_PER_FILE
    max_errors: int | None = None
    cache: Path | None = None
    cluster: Cluster | None = None


def parse(argv: Sequence[str] | None = None) -> ScoringOptions:
    """Parses a command line."""
    words = parser().parse_args(argv)
    is_local = words.engine == "local"
    return ScoringOptions(
        source=words.source,
        output=words.output,
        bundle=words.bundle,
        heads=words.heads,
        table=TablePlan(words.image_column, words.columns, words.keep, words.images_root, dialect_of(words)),
        asked=Asked(words.embeddings, words.probabilities, words.explain),
        device=words.device,
        precision=words.precision,
        batch=words.batch,
        workers=words.workers or available_cores(),
        limit=words.limit,
        rows_per_file=words.rows_per_file,
        max_errors=words.max_errors,
        cache=None if words.no_cache else words.cache or (EMBEDDINGS if is_local else None),
        cluster=None if is_local else Cluster(words.address, words.gpus_per_actor),
    )


def parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    command = argparse.ArgumentParser(
        prog="python -m scoring",
        description="Score images at rest, without a server. The same command goes on after an interruption.",
    )
    command.add_argument("source", metavar="INPUT", help="a folder, FILE.csv, FILE.parquet or a glob; a path or a URL")
    command.add_argument("output", metavar="OUTPUT", help="folder of the parquet data set; a path or a URL")
    _add_model(command)
    _add_table(command)
    _add_answers(command)
    _add_work(command)
    _add_ray(command)
    return command


def _add_model(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("model")
    group.add_argument("--bundle", type=Path, default=DEFAULT_ROOT / "fashion-mnist", metavar="PATH",
                       help="a store entry, whose champion scores, or one version (default: %(default)s)")  # fmt: skip
    group.add_argument("--heads", type=names, default=(), metavar="A,B", help="default: the bundle's first head")
    group.add_argument("--device", choices=get_args(Device), default="auto", help="default: CUDA if it works, else CPU")
    group.add_argument("--precision", choices=["auto", "fp32", "fp16", "int8"], default="auto",
                       help="default: the fastest of the bundle for the device, as in the service")  # fmt: skip


def _add_table(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("tables")
    group.add_argument("--image-column", default="image", metavar="NAME",
                       help="paths, or in parquet bytes, of images (default: %(default)s)")  # fmt: skip
    group.add_argument("--images-root", metavar="DIR", help="what paths are relative to (default: the table's folder)")
    group.add_argument("--columns", type=names, metavar="A,B",
                       help="columns for the heads (default: all that they take and the table has)")  # fmt: skip
    group.add_argument("--keep", type=names, default=(), metavar="A,B",
                       help="columns that the output has as well; a column `id` always")  # fmt: skip
    add_dialect(command)


def _add_answers(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("output")
    group.add_argument("--probabilities", action="store_true", help="of all classes")
    group.add_argument("--embeddings", action="store_true", help="of each image")
    group.add_argument("--explain", action="store_true", help="explanations as JSON, as the service gives them")
    group.add_argument("--rows-per-file", type=_at_least(1), default=ROWS_PER_FILE, metavar="N",
                       help="default: %(default)s")  # fmt: skip


def _add_work(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("work")
    group.add_argument("--limit", type=_at_least(1), metavar="N", help="only the first N images; later the rest")
    group.add_argument("--max-errors", type=_at_least(0), metavar="N",
                       help="stop with exit status 3 when more images failed (default: any number may)")  # fmt: skip
    group.add_argument("--batch", type=_at_least(1), default=64, metavar="N",
                       help="images in one run of the embedder, at most (default: %(default)s)")  # fmt: skip
    group.add_argument("--workers", type=_at_least(1), metavar="N", help="processes (default: one for each core)")
    group.add_argument("--cache", type=Path, metavar="DIR",
                       help=f"embeddings kept, training's too (default: {EMBEDDINGS}; none with Ray)")  # fmt: skip
    group.add_argument("--no-cache", action="store_true", help="keep no embeddings, and use none")


def _add_ray(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("cluster")
    group.add_argument("--engine", choices=get_args(Literal["local", "ray"]), default="local",
                       help="processes of this machine, or Ray (default: %(default)s)")  # fmt: skip
    group.add_argument("--address", metavar="HOST:PORT", help="of a Ray cluster (default: one is started here)")
    group.add_argument("--gpus-per-actor", type=_share, default=0.0, metavar="N", help="for Ray; fractions too")


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 0")
    return value


def _at_least(least: int) -> Callable[[str], int]:
    def integer(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
        return int(text)

    return integer

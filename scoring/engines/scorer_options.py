"""What a process needs to know to score images; small, and the same on every machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from models.errors import TandemError

Device = Literal["auto", "cpu", "cuda", "tensorrt"]


class ScoringError(TandemError):
    """Scoring cannot go on; the message says why."""


class Asked(NamedTuple):
    """What is asked beside the answers of the heads."""

    embeddings: bool = False
    probabilities: bool = False
    explain: bool = False


@dataclass(frozen=True)
class ScorerOptions:
    """What is scored, and with what.

    Attributes:
        bundle: a version's directory.
        heads: names of the heads that are asked.
        asked: what is asked beside their answers.
        device: as of the service.
        precision: as of the service.
        batch: images in one run of the embedder, at most.
        cache: directory of embeddings that are kept; None for none.
        protocol: where paths lead: `file`, or an object store as fsspec names it.
    """

    bundle: Path
    heads: tuple[str, ...]
    asked: Asked = field(default_factory=Asked)
    device: Device = "auto"
    precision: str = "auto"
    batch: int = 64
    cache: Path | None = None
    protocol: str = "file"


class ScoredChunk(NamedTuple):
    """The rows of a chunk."""

    first: int
    """Row of its first image."""
    rows: Any
    """pyarrow record batch, see `result_rows.result_schema`."""
    precision: str
    """Of the embedder; rows of different ones are not mixed in one output."""

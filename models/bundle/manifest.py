"""manifest.json ──▶ `Manifest`: everything that serving must know before it opens another file of the bundle.

The file is canonical JSON: reading and writing it again gives the same bytes. Its last field is a digest of all the
others, so any changed byte is noticed, white space included.
"""

from __future__ import annotations

import hashlib
import json
import reprlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError, model_validator

from models.bundle.head_spec import HeadSpec, Name, Task
from models.bundle.input_spec import InputSpec
from models.columns import ColumnValue
from models.errors import BadColumns, BadRequest, BundleError
from models.frozen import Frozen, is_empty
from models.pooling import PoolKind, pooled_width

FORMAT_VERSION: Final = 1
EMBEDDER_FILES = {"fp32": "embedder.onnx", "fp16": "embedder.fp16.onnx", "int8": "embedder.int8.onnx"}
SEQUENCE = "sequence.onnx"
"""How much each photo of an instance weighs; there where a bundle pools by attention."""

Precision = Literal["fp32", "fp16", "int8"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class FileEntry(Frozen):
    """Size and hash of one file of the bundle."""

    size_bytes: int = Field(ge=0)
    sha256: Sha256


class Variant(Frozen):
    """Measurements of one precision of the embedder, whether it was kept or not."""

    precision: Precision
    kept: bool
    reason: str = ""
    """Why it was not kept; empty if it was."""
    metrics: dict[str, float] = Field(default={})
    """Metrics of the default head on this precision's embeddings of the test images; `ms_per_image`, measured with one
    image at a time on one CPU thread; `size_bytes` of the graph. Empty if the variant could not be made."""


class GoldenSpec(Frozen):
    """How far results may be from those recorded when the bundle was written."""

    count: int = Field(ge=1)
    embedding_tolerance: dict[Precision, float]
    """Largest difference of an embedding's element, relative to the largest recorded element."""
    probability_tolerance: float = Field(gt=0)
    """Largest difference of a probability, or of a regression's value relative to the largest recorded one, when the
    head is given the recorded embedding."""


class Manifest(Frozen):
    """The manifest of one bundle."""

    format_version: Literal[1] = FORMAT_VERSION
    name: Name
    version: int = Field(ge=1)
    created: datetime
    task: Task = "classification"
    """Task of the default head."""
    input: InputSpec
    embedding_width: int = Field(ge=1)
    """Numbers that the embedder gives of one image."""
    pooling: tuple[PoolKind, ...] = Field(default=(), exclude_if=is_empty)
    """What heads decide on where an instance may have several images, see `models.pooling`; empty if it has one."""
    precisions: tuple[Precision, ...] = ("fp32",)
    variants: tuple[Variant, ...] = Field(default=(), exclude_if=is_empty)
    heads: tuple[HeadSpec, ...] = Field(min_length=1)
    golden: GoldenSpec
    data_fingerprint: Sha256
    training: dict[str, Any]
    libraries: dict[str, str]
    files: dict[str, FileEntry]

    @model_validator(mode="after")
    def _consistent(self) -> Manifest:
        names = [head.name for head in self.heads]
        if len(set(names)) != len(names):
            raise ValueError(f"head names repeat: {names}")
        if len(set(self.pooling)) != len(self.pooling):
            raise ValueError(f"kinds of pooling repeat: {list(self.pooling)}")
        if "fp32" not in self.precisions:
            raise ValueError("the fp32 embedder is missing from precisions")
        if missing := set(self.precisions) - set(self.golden.embedding_tolerance):
            raise ValueError(f"golden tolerance is missing for {sorted(missing)}")
        kept = tuple(variant.precision for variant in self.variants if variant.kept)
        if self.variants and kept != self.precisions:
            raise ValueError(f"the variants kept are {list(kept)}, precisions are {list(self.precisions)}")
        return self

    @property
    def model(self) -> str:
        """`name@version`, as responses name the model."""
        return f"{self.name}@{self.version}"

    @property
    def instance_width(self) -> int:
        """Numbers of a row that heads and outlier detectors are given; examples and kept rows have as many."""
        return pooled_width(self.embedding_width, self.pooling)

    @property
    def default_head(self) -> HeadSpec:
        """The first head, which answers when a request names none."""
        return self.heads[0]

    def training_of(self, head: str) -> Mapping[str, Any]:
        """What is said of the training of a head."""
        entry: Mapping[str, Any] = self.training.get("heads", {}).get(head, self.training)
        return entry

    def has_embedder_of(self, other: Manifest, precision: Precision) -> bool:
        """Whether heads of both are given the same rows.

        That is so with the same graph of a precision, or none, the same input and the same pooling.
        """
        file = EMBEDDER_FILES[precision]
        is_same_way = (self.input, self.pooling) == (other.input, other.pooling)
        return is_same_way and all(self.files.get(name) == other.files.get(name) for name in (file, SEQUENCE))

    def chosen_heads(self, names: Sequence[str]) -> tuple[HeadSpec, ...]:
        """Returns heads by their names, in that order.

        Raises:
            BadRequest: no such head, or a name twice.
        """
        known = {head.name: head for head in self.heads}
        for name in names:
            if name not in known:
                raise BadRequest(f"{self.model} has no head {reprlib.repr(name)}; it has {', '.join(known)}")
        if len(set(names)) < len(names):
            raise BadRequest(f"heads names one twice: {reprlib.repr(','.join(names))}")
        return tuple(known[name] for name in names)

    @cached_property
    def column_names(self) -> frozenset[str]:
        """Names of the columns of all heads."""
        return frozenset(column.name for head in self.heads for column in head.columns)

    def check_columns(self, heads: Sequence[HeadSpec], columns: Mapping[str, Any]) -> dict[str, dict[str, ColumnValue]]:
        """Checks one image's columns and returns them for each of `heads`, complete, by the head's name.

        Columns that only other heads of the bundle take are ignored, so that a caller may send everything it knows.

        Raises:
            BadColumns: no head of the bundle has such a column, or `HeadSpec.check_columns` refuses a value.
        """
        if not columns and not self.column_names:  # most bundles have no columns
            return {head.name: {} for head in heads}
        for name in columns:
            if name not in self.column_names:
                raise BadColumns(f"unknown column {reprlib.repr(name)}; {self._columns_by_head()}")
        return {head.name: head.check_columns(columns) for head in heads}

    def _columns_by_head(self) -> str:
        listed = [
            f"head {head.name!r} takes {', '.join(repr(column.name) for column in head.columns)}"
            for head in self.heads
            if head.columns
        ]
        return ", ".join(listed) or f"the heads of {self.model} take none"

    def to_bytes(self) -> bytes:
        """The canonical file with its digest."""
        fields = self.model_dump(mode="json")
        return _canonical({**fields, "digest": hashlib.sha256(_canonical(fields)).hexdigest()})

    @classmethod
    def from_bytes(cls, data: bytes) -> Manifest:
        """Reads the canonical file.

        Raises:
            BundleError: not JSON, not this format, or a byte differs from what was written.
        """
        try:
            fields = dict(json.loads(data))
            fields.pop("digest", None)
            manifest = cls.model_validate_json(json.dumps(fields))
            written = manifest.to_bytes()
        except (ValueError, TypeError, RecursionError) as error:
            raise BundleError(f"manifest.json: {_reason(error)}; restore it from the original bundle") from error
        if written != data:
            raise BundleError("manifest.json: the digest in it does not match its content; restore the original")
        return manifest


def _canonical(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, indent=1, sort_keys=False, allow_nan=False).encode() + b"\n"


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"field {'.'.join(map(str, first['loc']))}: {first['msg']}"
    return f"not readable as a manifest ({error})"

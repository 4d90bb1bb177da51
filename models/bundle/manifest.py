"""manifest.json ──▶ `Manifest`: what a bundle says of itself.

The file is canonical JSON: reading it back and writing it again gives the same bytes, and its last
field is a digest of all the others. So one changed byte anywhere in it is noticed, white space included.
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

from models.columns import Column, ColumnValue
from models.frozen import Frozen, is_empty, is_none
from models.errors import BadColumns, BadRequest, BundleError
from models.policy import Policy

FORMAT_VERSION: Final = 1
EMBEDDER_FILES = {"fp32": "embedder.onnx", "fp16": "embedder.fp16.onnx", "int8": "embedder.int8.onnx"}

INTERVAL = "interval"
"""Name of the output of a head's graph that holds the bounds of its numbers."""

Precision = Literal["fp32", "fp16", "int8"]
Fit = Literal["stretch", "pad", "crop"]
Task = Literal["classification", "regression"]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Metrics = dict[str, float | dict[str, bool | int | float]]
"""Figures by name; what has one for each class, or several of its own, is a table of its own."""


class InputSpec(Frozen):
    """How an encoded image becomes the embedder's input, uint8 `[height, width, channels]`."""

    height: int = Field(ge=1, le=4096)
    width: int = Field(ge=1, le=4096)
    channels: Literal[1, 3]
    resize: Literal["bilinear"] = "bilinear"
    """Brought to height x width with an antialiasing bilinear filter."""
    fit: Fit = Field(default="stretch", exclude_if=lambda fit: fit == "stretch")
    """`stretch`: aspect ratio not kept. `pad`: all of the image in the middle, the background's grey level around it.
    `crop`: the largest part in the middle that has the input's aspect ratio."""
    decoder: Literal["full", "fraction"] = "full"
    """Size at which a JPEG is decoded before resizing: its own, or the smallest of 1/1, 1/2, 1/4 and 1/8 of it that
    leaves both sides, upright, at least 7/8 of the input's, or of what a padded image takes of it. Other types are
    always decoded at full size."""
    background: int = Field(default=255, ge=0, le=255)
    """Grey level that transparent pixels are laid over, and that is around a padded image."""


class HeadSpec(Frozen):
    """One named decision made on the embedding."""

    name: Name
    kind: str
    """The estimator that was fitted, for example `hist_gradient_boosting`."""
    task: Task = Field(default="classification", exclude_if=lambda task: task == "classification")
    """Whether it names one of several classes, or a number."""
    classes: tuple[str, ...] = ()
    """At least two; none where it names a number."""
    columns: tuple[Column, ...] = ()
    policy: Policy = Policy()
    interval_coverage: float | None = Field(default=None, gt=0, lt=1, exclude_if=is_none)
    """Share of unseen numbers that the graph's `interval` is made to cover; None where it has no such output."""
    explain_rows: int = Field(default=0, ge=0, le=4096, exclude_if=is_empty)
    """Rows that one explanation may ask of the graph; 0 where the bundle has no examples to explain with."""
    metrics: Metrics = Field(default={})

    @model_validator(mode="before")
    @classmethod
    def _current(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and "interval" in fields:
            raise BundleError(
                f"manifest.json: head {fields.get('name')!r} has intervals of one width, {fields['interval']!r} to "
                "either side, which are no longer served; train it again"
            )
        return fields

    @model_validator(mode="after")
    def _consistent(self) -> HeadSpec:
        inputs = ["embedding", *(column.name for column in self.columns)]
        for what, names in (("class", self.classes), ("input", inputs)):
            if len(set(names)) != len(names):
                raise ValueError(f"{what} names repeat: {names}")
        if (self.task == "classification") != (len(self.classes) >= 2):
            raise ValueError(f"a head of the task {self.task} cannot have {len(self.classes)} classes")
        if unknown := (set(self.policy.review_from) | set(self.policy.min_confidence_of)) - set(self.classes):
            raise ValueError(f"the policy names classes that are not there: {sorted(unknown)}")
        if self.task == "classification" and self.interval_coverage is not None:
            raise ValueError("a head of classes cannot have an interval")
        if unknown := {*self.policy.expected_columns, *self.policy.range_columns} - set(inputs):
            raise ValueError(f"the policy looks at columns that are not there: {sorted(unknown)}")
        return self

    @property
    def output(self) -> str:
        """Name of the graph's output that answers are made of."""
        return "probabilities" if self.task == "classification" else "value"

    @property
    def width(self) -> int:
        """Columns of that output."""
        return len(self.classes) or 1

    @property
    def novelty_file(self) -> str | None:
        """Name of the graph that measures how unfamiliar an embedding is; heads of the same data have the same one."""
        return f"novelty-{self.name}.onnx" if self.policy.max_distance is not None else None

    @property
    def examples_folder(self) -> str | None:
        """Directory of what answers are explained with."""
        return f"examples-{self.name}" if self.explain_rows else None

    @property
    def file(self) -> str:
        """Name of the head's graph inside the bundle."""
        return f"head-{self.name}.onnx"

    @property
    def stored(self) -> HeadSpec:
        """The same for columns as a bundle stores them: a date is its days since 1970-01-01."""
        columns = [c.model_copy(update={"type": "number"}) if c.type == "date" else c for c in self.columns]
        return self.model_copy(update={"columns": tuple(columns)})

    def check_columns(self, columns: Mapping[str, Any]) -> dict[str, ColumnValue]:
        """Those of one image's columns that the head takes, checked and complete (None where one is missing).

        Raises:
            BadColumns: a required one is missing, or as `Column.check`.
        """
        return {column.name: self._value(column, columns.get(column.name)) for column in self.columns}

    def _value(self, column: Column, given: object) -> ColumnValue:
        value = None if given is None else column.check(given)
        if value is None and column.required:
            raise BadColumns(f"required column {column.name!r} of head {self.name!r} is missing")
        return value

    def missing(self, columns: Mapping[str, ColumnValue]) -> Sequence[str]:
        """Which of the columns that the policy expects are missing."""
        expected = self.policy.expected_columns
        return [name for name in expected if columns[name] is None] if expected else ()

    def outside(self, columns: Mapping[str, ColumnValue]) -> Sequence[str]:
        """Which of the policy's range columns lie beyond what training saw."""
        return [column.name for column in self.ranged if column.is_outside(columns[column.name])]

    @cached_property
    def ranged(self) -> tuple[Column, ...]:
        """The policy's range columns."""
        return tuple(column for column in self.columns if column.name in self.policy.range_columns)


class FileEntry(Frozen):
    """Size and hash of one file of the bundle."""

    size_bytes: int = Field(ge=0)
    sha256: Sha256


class Variant(Frozen):
    """What one precision of the embedder measured when it was made, whether it was kept or not."""

    precision: Precision
    kept: bool
    reason: str = ""
    """Why it was not kept; empty where it was."""
    metrics: dict[str, float] = Field(default={})
    """Of the default head on this precision's embeddings of the test images; `ms_per_image`, of one image alone on one
    thread of the CPU that made it; `size_bytes` of the graph. Empty where it could not be made."""


class GoldenSpec(Frozen):
    """How far this machine's results may be from the ones recorded at training."""

    count: int = Field(ge=1)
    embedding_tolerance: dict[Precision, float]
    """Largest difference of an embedding's element, relative to the largest element recorded."""
    probability_tolerance: float = Field(gt=0)
    """Largest difference of a probability, or of a number as a share of the largest recorded, the head being given the
    recorded embedding."""


class Manifest(Frozen):
    """All that serving has to know of a bundle before it opens anything else in it."""

    format_version: Literal[1] = FORMAT_VERSION
    name: Name
    version: int = Field(ge=1)
    created: datetime
    task: Task = "classification"
    """Of the default head."""
    input: InputSpec
    embedding_width: int = Field(ge=1)
    precisions: tuple[Precision, ...] = ("fp32",)
    variants: tuple[Variant, ...] = Field(default=(), exclude_if=is_empty)
    """Left out of the file where empty, so that bundles from before there were variants keep their digest."""
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
        """`name@version`, as every answer names it."""
        return f"{self.name}@{self.version}"

    def chosen_heads(self, names: Sequence[str]) -> tuple[HeadSpec, ...]:
        """Heads by their names, in that order.

        Raises:
            BadRequest: no such head, or one named twice.
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
        """Columns of any of the heads."""
        return frozenset(column.name for head in self.heads for column in head.columns)

    def check_columns(self, heads: Sequence[HeadSpec], columns: Mapping[str, Any]) -> dict[str, dict[str, ColumnValue]]:
        """One image's columns by the head that takes them, checked and complete; a column may be of several heads.

        Columns of heads that are not among `heads` are accepted, and their values are not looked at: a caller may send
        all that it knows of an image, whichever heads it asks.

        Raises:
            BadColumns: a column of none of the bundle's heads, or as `HeadSpec.check_columns`.
        """
        if not columns and not self.column_names:  # most bundles look at the image alone
            return {head.name: {} for head in heads}
        for name in columns:
            if name not in self.column_names:
                raise BadColumns(f"unknown column {reprlib.repr(name)}; {self._columns_told}")
        return {head.name: head.check_columns(columns) for head in heads}

    @property
    def _columns_told(self) -> str:
        told = [
            f"head {head.name!r} takes {', '.join(repr(column.name) for column in head.columns)}"
            for head in self.heads
            if head.columns
        ]
        return ", ".join(told) or f"the heads of {self.model} take none"

    @property
    def default_head(self) -> HeadSpec:
        """The head that answers when a request names none: the first."""
        return self.heads[0]

    def to_bytes(self) -> bytes:
        """The canonical file, digest included."""
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

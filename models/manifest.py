"""manifest.json ──▶ `Manifest`: what a bundle says of itself.

The file is canonical JSON: reading it back and writing it again gives the same bytes, and its last
field is a digest of all the others. So one changed byte anywhere in it is noticed, white space included.
"""

from __future__ import annotations

import hashlib
import json
import reprlib
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.errors import BadColumns, BundleError
from models.policy import Policy

FORMAT_VERSION: Final = 1
EMBEDDER_FILES = {"fp32": "embedder.onnx", "fp16": "embedder.fp16.onnx", "int8": "embedder.int8.onnx"}

_MAX_NUMBER = 3.4028234663852886e38  # the largest float32, which is what the graph takes

Precision = Literal["fp32", "fp16", "int8"]
ColumnValue = float | str | bool | None
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Strict(BaseModel):
    """A frozen value that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class InputSpec(Strict):
    """How an encoded image becomes the embedder's input, uint8 `[height, width, channels]`."""

    height: int = Field(ge=1, le=4096)
    width: int = Field(ge=1, le=4096)
    channels: Literal[1, 3]
    resize: Literal["bilinear"] = "bilinear"
    """Stretched to height x width with an antialiasing bilinear filter, aspect ratio not kept."""
    decoder: Literal["full", "fraction"] = "full"
    """Size at which a JPEG is decoded before resizing: its own, or the smallest of 1/1, 1/2, 1/4 and 1/8 of it that
    leaves both sides, upright, at least 7/8 of the input's. Other types are always decoded at full size."""
    background: int = Field(default=255, ge=0, le=255)
    """Grey level that transparent pixels are laid over."""


class Column(Strict):
    """One structured fact beside the image, and one input of the head's graph."""

    name: str
    type: Literal["number", "category", "boolean"]
    required: bool = True

    def check(self, value: object) -> ColumnValue:
        """Returns `value` as the graph takes it; raises BadColumns with the name and the reason."""
        if self.type == "boolean" and isinstance(value, bool):
            return value
        if self.type == "category" and isinstance(value, str):
            return self._text(value)
        if self.type == "number" and isinstance(value, int | float) and not isinstance(value, bool):
            return self._number(value)
        raise BadColumns(f"column {self.name!r} is a {self.type}; got {reprlib.repr(value)}")

    def _text(self, value: str) -> str:
        try:
            value.encode()
        except UnicodeEncodeError as error:  # half a surrogate pair, which JSON can carry and UTF-8 cannot
            raise BadColumns(f"column {self.name!r} is not valid text; got {reprlib.repr(value)}") from error
        return value

    def _number(self, value: float) -> float:
        if not abs(value) <= _MAX_NUMBER:  # written so that NaN is refused, too
            raise BadColumns(
                f"column {self.name!r} must be a finite number of at most ±{_MAX_NUMBER:.2g}; got {reprlib.repr(value)}"
            )
        return float(value)


class HeadSpec(Strict):
    """One named decision made on the embedding."""

    name: Name
    kind: str
    """The estimator that was fitted, for example `hist_gradient_boosting`."""
    classes: tuple[str, ...] = Field(min_length=2)
    columns: tuple[Column, ...] = ()
    policy: Policy = Policy()
    metrics: dict[str, float] = {}

    @model_validator(mode="after")
    def _consistent(self) -> HeadSpec:
        inputs = ["embedding", *(column.name for column in self.columns)]
        for what, names in (("class", self.classes), ("input", inputs)):
            if len(set(names)) != len(names):
                raise ValueError(f"{what} names repeat: {names}")
        return self

    @property
    def file(self) -> str:
        """Name of the head's graph inside the bundle."""
        return f"head-{self.name}.onnx"

    def check_columns(self, columns: dict[str, Any]) -> dict[str, ColumnValue]:
        """One image's columns, checked and complete (None where an optional one is missing).

        Raises:
            BadColumns: an unknown column, a missing required one, a wrong type, NaN or infinity.
        """
        if not columns and not self.columns:  # most heads look at the image alone
            return {}
        known = {column.name: column for column in self.columns}
        for name in columns:
            if name not in known:
                allowed = ", ".join(map(repr, known)) or "none"
                raise BadColumns(f"unknown column {reprlib.repr(name)}; head {self.name!r} takes {allowed}")
        return {name: self._value(column, columns) for name, column in known.items()}

    def _value(self, column: Column, columns: dict[str, Any]) -> ColumnValue:
        value = columns.get(column.name)
        if value is not None:
            return column.check(value)
        if column.required:
            raise BadColumns(f"required column {column.name!r} of head {self.name!r} is missing")
        return None


class FileEntry(Strict):
    """Size and hash of one file of the bundle."""

    size_bytes: int = Field(ge=0)
    sha256: Sha256


class Variant(Strict):
    """What one precision of the embedder measured when it was made, whether it was kept or not."""

    precision: Precision
    kept: bool
    reason: str = ""
    """Why it was not kept; empty where it was."""
    metrics: dict[str, float] = {}
    """Of the default head on this precision's embeddings of the test images; `ms_per_image`, of one image alone on one
    thread of the CPU that made it; `size_bytes` of the graph. Empty where it could not be made."""


class GoldenSpec(Strict):
    """How far this machine's results may be from the ones recorded at training."""

    count: int = Field(ge=1)
    embedding_tolerance: dict[Precision, float]
    """Largest difference of an embedding's element, relative to the largest element recorded."""
    probability_tolerance: float = Field(gt=0)
    """Largest difference of a probability, the head being given the recorded embedding."""


class Manifest(Strict):
    """All that serving has to know of a bundle before it opens anything else in it."""

    format_version: Literal[1] = FORMAT_VERSION
    name: Name
    version: int = Field(ge=1)
    created: datetime
    task: Literal["classification"] = "classification"
    input: InputSpec
    embedding_width: int = Field(ge=1)
    precisions: tuple[Precision, ...] = ("fp32",)
    variants: tuple[Variant, ...] = Field(default=(), exclude_if=lambda variants: not variants)
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

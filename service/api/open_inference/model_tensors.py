"""manifest ──▶ the inputs and outputs that the protocol's clients see of a model."""

from __future__ import annotations

from collections.abc import Iterator

from models.bundle.head_spec import HeadSpec
from models.bundle.manifest import Manifest
from models.columns import ColumnType
from service.api.open_inference.tensor import Datatype, TensorSpec

IMAGE = "image"
EMBEDDING = "embedding"

_DATATYPES: dict[ColumnType, Datatype] = {"number": "FP64", "category": "BYTES", "boolean": "BOOL", "date": "BYTES"}


def input_specs(manifest: Manifest) -> dict[str, TensorSpec]:
    """The image and one input for each column that any head takes, by name."""
    required = {column.name for head in manifest.heads for column in head.columns if column.required}
    columns = {column.name: column for head in manifest.heads for column in head.columns}
    inputs = [TensorSpec(name, _DATATYPES[c.type], optional=name not in required) for name, c in columns.items()]
    return {spec.name: spec for spec in (TensorSpec(IMAGE, "BYTES"), *inputs)}


def output_specs(manifest: Manifest) -> dict[str, tuple[TensorSpec, HeadSpec | None]]:
    """Every output by name, with the head that gives it; the embedding is no head's."""
    found: dict[str, tuple[TensorSpec, HeadSpec | None]] = {
        spec.name: (spec, head) for head in manifest.heads for spec in _outputs_of(head)
    }
    found[EMBEDDING] = TensorSpec(EMBEDDING, "FP32", (-1, manifest.embedding_width)), None
    return found


def _outputs_of(head: HeadSpec) -> Iterator[TensorSpec]:
    if head.classes:
        yield TensorSpec(f"{head.name}.label", "BYTES")
        yield TensorSpec(f"{head.name}.probabilities", "FP32", (-1, len(head.classes)), classes=head.classes)
        yield TensorSpec(f"{head.name}.confidence", "FP32")
    else:
        yield TensorSpec(f"{head.name}.value", "FP64")
        if head.interval_coverage is not None:
            yield TensorSpec(f"{head.name}.low", "FP64")
            yield TensorSpec(f"{head.name}.high", "FP64")
    yield TensorSpec(f"{head.name}.decision", "BYTES")
    yield TensorSpec(f"{head.name}.reasons", "BYTES")

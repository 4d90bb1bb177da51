"""The columns of a bundle's heads, as the API's description tells them."""

from __future__ import annotations

from pathlib import Path

from models.bundle.head_spec import HeadSpec
from models.bundle.loading import Bundle
from models.bundle.manifest import Manifest
from models.columns import Column
from models.policy import Policy
from service.api.column_schema import describe_columns
from tests.tiny_bundle import CLASSES

COLUMNS = (
    Column(name="made", type="date", low=0.0, high=19782.5),
    Column(name="weight", type="number", required=False, low=-1.5, high=1.7e9),
    Column(name="metal", type="category", categories=("brass", "zinc"), cleaning="folded"),
    Column(name="new", type="boolean"),
)


def head(name: str, columns: tuple[Column, ...], ranged: tuple[str, ...] = ()) -> HeadSpec:
    return HeadSpec(name=name, kind="x", classes=CLASSES, columns=columns, policy=Policy(range_columns=ranged))


def manifest_of(path: Path, *heads: HeadSpec) -> Manifest:
    return Bundle.open(path).manifest.model_copy(update={"heads": heads})


def test_each_column_is_told_with_its_type_and_what_training_saw(tiny_columns_path: Path) -> None:
    manifest = manifest_of(tiny_columns_path, head("price", COLUMNS, ranged=("made",)))
    assert describe_columns(manifest)["properties"] == {
        "made": {
            "type": ["string", "null"],
            "description": "required by head price; a date or a date with a time, ISO 8601, of UTC without an offset; "
            "from 1970-01-01 to 2024-02-29T12:00:00Z in training, and answers beyond are reviewed",
            "examples": ["2024-02-29T12:00:00Z"],
        },
        "weight": {
            "type": ["number", "null"],
            "description": "optional for head price; a number; from -1.5 to 1700000000 in training",
        },
        "metal": {
            "type": ["string", "null"],
            "description": "required by head price; a text; training saw 2, whatever their case, spaces and Unicode "
            "form, and any other counts as none of them",
            "examples": ["brass", "zinc"],
        },
        "new": {"type": ["boolean", "null"], "description": "required by head price; true or false"},
    }


def test_a_column_of_two_heads_is_told_for_both(tiny_columns_path: Path) -> None:
    manifest = manifest_of(tiny_columns_path, head("a", COLUMNS[3:]), head("b", COLUMNS[3:]), head("c", ()))
    told = describe_columns(manifest)["properties"]
    assert list(told) == ["new"]
    assert told["new"]["description"] == "required by head a; true or false; required by head b; true or false"

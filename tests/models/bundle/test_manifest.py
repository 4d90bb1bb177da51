"""`models.bundle.manifest`: canonical, closed to surprises; and columns given to the heads that take them."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from models.bundle.head_spec import HeadSpec
from models.bundle.manifest import Manifest, Variant
from models.columns import Column
from models.errors import BadColumns, BundleError
from tests.tiny_bundle import COLUMNS

Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def written(tiny_columns_path: Path) -> bytes:
    return (tiny_columns_path / "manifest.json").read_bytes()


def changed(written: bytes, change: Change) -> bytes:
    """The manifest with a change, and a digest that fits it."""
    fields = json.loads(written)
    del fields["digest"]
    change(fields)
    body = json.dumps(fields, indent=1).encode() + b"\n"
    return json.dumps({**fields, "digest": hashlib.sha256(body).hexdigest()}, indent=1).encode() + b"\n"


def test_reading_and_writing_again_gives_the_same_bytes(written: bytes) -> None:
    assert Manifest.from_bytes(written).to_bytes() == written


def test_a_manifest_from_before_there_were_variants_reads_byte_for_byte() -> None:
    data = Path(__file__).with_name("data").joinpath("manifest-before-variants.json").read_bytes()
    manifest = Manifest.from_bytes(data)
    assert manifest.to_bytes() == data
    assert manifest.variants == ()
    assert b"variants" not in data


def test_pooling_is_written_only_where_an_instance_may_have_several_images(written: bytes) -> None:
    manifest = Manifest.from_bytes(written)
    assert b"pooling" not in written
    assert manifest.instance_width == manifest.embedding_width
    pooled = manifest.model_copy(update={"pooling": ("mean", "max")})
    assert Manifest.from_bytes(pooled.to_bytes()) == pooled
    assert pooled.instance_width == 2 * manifest.embedding_width
    assert not pooled.has_embedder_of(manifest, "fp32"), "its heads are given other rows"


def test_how_images_are_fitted_is_written_only_where_they_are_not_stretched(written: bytes) -> None:
    stretched = Manifest.from_bytes(written)
    assert stretched.input.fit == "stretch"
    assert b'"fit"' not in written
    assert "fit" not in json.loads(stretched.input.model_dump_json()), "embeddings that are kept stay valid"
    padded = stretched.model_copy(update={"input": stretched.input.model_copy(update={"fit": "pad"})})
    again = Manifest.from_bytes(padded.to_bytes())
    assert again == padded
    assert again.model_dump(mode="json")["input"]["fit"] == "pad"


def test_a_fit_that_there_is_not_is_refused(written: bytes) -> None:
    with pytest.raises(BundleError, match="fit"):
        Manifest.from_bytes(changed(written, lambda fields: fields["input"].update(fit="squeeze")))


def test_variants_are_written_where_there_are_any(written: bytes) -> None:
    variants = (
        Variant(precision="fp32", kept=True, metrics={"test_accuracy": 0.9, "ms_per_image": 4.5}),
        Variant(precision="int8", kept=False, reason="too inexact", metrics={"test_accuracy": 0.8}),
    )
    manifest = Manifest.from_bytes(written).model_copy(update={"variants": variants})
    again = Manifest.from_bytes(manifest.to_bytes())
    assert again.variants == variants
    assert again.to_bytes() == manifest.to_bytes()
    assert again.model_dump(mode="json")["variants"][1] == {
        "precision": "int8",
        "kept": False,
        "reason": "too inexact",
        "metrics": {"test_accuracy": 0.8},
    }


def test_the_digest_is_of_everything_else(written: bytes) -> None:
    assert changed(written, lambda fields: None) == written


def test_names_the_model_and_its_default_head(written: bytes) -> None:
    manifest = Manifest.from_bytes(written)
    assert manifest.model == "tiny@1"
    assert manifest.default_head.name == "shade"
    assert manifest.default_head.file == "head-shade.onnx"


def test_every_flipped_bit_of_every_byte_is_noticed(written: bytes) -> None:
    for position in range(len(written)):
        flipped = bytearray(written)
        flipped[position] ^= 1 << position % 8
        with pytest.raises(BundleError, match=r"^manifest\.json: "):
            Manifest.from_bytes(bytes(flipped))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(lambda f: f.update(licence="none"), "field licence", id="an unknown field"),
        pytest.param(lambda f: f["input"].update(crop=1), r"field input\.crop", id="an unknown inner field"),
        pytest.param(lambda f: f.pop("task"), "digest", id="a default left out"),
        pytest.param(lambda f: f.pop("heads"), "field heads", id="a missing field"),
        pytest.param(lambda f: f.update(format_version=2), "field format_version", id="another format"),
        pytest.param(lambda f: f.update(version=0), "field version", id="version 0"),
        pytest.param(lambda f: f.update(version="1"), "digest", id="a number written as text"),
        pytest.param(lambda f: f.update(name="../etc"), "field name", id="a name that is a path"),
        pytest.param(lambda f: f.update(created="yesterday"), "field created", id="a date that is none"),
        pytest.param(lambda f: f["input"].update(channels=2), r"field input\.channels", id="two channels"),
        pytest.param(lambda f: f["heads"].append(f["heads"][0]), "head names repeat", id="two heads of one name"),
        pytest.param(lambda f: f.update(heads=[]), "field heads", id="no head"),
        pytest.param(lambda f: f.update(pooling=["median"]), "field pooling", id="a pooling that there is not"),
        pytest.param(lambda f: f.update(pooling=["max", "max"]), "pooling repeat", id="a kind of pooling twice"),
        pytest.param(lambda f: f["heads"][0]["classes"].append("dark"), "class names repeat", id="a class twice"),
        pytest.param(lambda f: f["heads"][0].update(classes=["dark"]), "classes", id="one class"),
        pytest.param(
            lambda f: f["heads"][0].update(interval_coverage=0.9), "cannot have an interval", id="bounds of classes"
        ),
        pytest.param(lambda f: f["heads"][0].update(interval_coverage=1.0), "less than 1", id="certain bounds"),
        pytest.param(
            lambda f: f["heads"][0].update(interval=12.5),
            "head 'shade' has intervals of one width, 12.5 to either side, .*; train it again$",
            id="intervals as they were before they followed the image",
        ),
        pytest.param(
            lambda f: f["heads"][1]["columns"].append(f["heads"][1]["columns"][0]),
            "input names repeat",
            id="a column twice",
        ),
        pytest.param(
            lambda f: f["heads"][1]["columns"][0].update(name="embedding"),
            "input names repeat",
            id="a column named embedding",
        ),
        pytest.param(lambda f: f.update(precisions=["fp16"]), "fp32 embedder is missing", id="no fp32 embedder"),
        pytest.param(
            lambda f: f["precisions"].append("int8"), r"tolerance is missing for \['int8'\]", id="no int8 tolerance"
        ),
        pytest.param(lambda f: f.update(variants=[]), "digest", id="no variants, spelt out"),
        pytest.param(
            lambda f: f.update(variants=[{"precision": "int8", "kept": True}]),
            r"variants kept are \['int8'\], precisions are \['fp32'\]",
            id="a variant kept that is not there",
        ),
        pytest.param(lambda f: f["heads"][0]["metrics"].update(x=math.nan), "metrics", id="NaN"),
        pytest.param(lambda f: f["training"].update(x=math.nan), "digest", id="NaN where anything goes"),
        pytest.param(lambda f: f["training"].update(x=math.inf), "digest", id="infinity where anything goes"),
        pytest.param(lambda f: f["files"]["embedder.onnx"].update(size_bytes=-1), "size_bytes", id="a negative size"),
        pytest.param(lambda f: f["files"]["embedder.onnx"].update(sha256="x"), "sha256", id="a hash that is none"),
    ],
)
def test_a_manifest_with_a_wrong_field_is_refused(written: bytes, change: Change, reason: str) -> None:
    with pytest.raises(BundleError, match=rf"^manifest\.json: .*{reason}"):
        Manifest.from_bytes(changed(written, change))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="no bytes"),
        pytest.param(b"{", id="half JSON"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"7", id="a number"),
        pytest.param(b"null", id="null"),
        pytest.param(b'"manifest"', id="text"),
        pytest.param(b"\xff\xfe\x00", id="not UTF-8"),
        pytest.param(b"[" * 100_000, id="nested without end"),
        pytest.param(b'{"version": ' + b"9" * 5000 + b"}", id="a number without end"),
    ],
)
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(BundleError, match=r"^manifest\.json: "):
        Manifest.from_bytes(data)


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda data: data.rstrip(), id="without the last line break"),
        pytest.param(lambda data: data + b" ", id="with a blank behind it"),
        pytest.param(lambda data: data.replace(b"\n", b"\r\n"), id="with Windows line ends"),
        pytest.param(lambda data: json.dumps(json.loads(data)).encode(), id="on one line"),
        pytest.param(lambda data: data.replace(b'"name"', b'"name": "x",\n "name"', 1), id="with a field twice"),
    ],
)
def test_another_spelling_of_the_same_is_refused(written: bytes, edit: Callable[[bytes], bytes]) -> None:
    with pytest.raises(BundleError, match="digest"):
        Manifest.from_bytes(edit(written))


def test_values_cannot_be_changed(written: bytes) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Manifest.from_bytes(written).version = 2


@pytest.fixture
def head() -> HeadSpec:
    return HeadSpec(name="priced", kind="test", classes=("a", "b"), columns=COLUMNS)


@pytest.fixture
def manifest(head: HeadSpec, written: bytes) -> Manifest:
    """Of the heads `plain`, which takes no columns, `other` and `priced`, which share one."""
    other = HeadSpec(
        name="other", kind="x", classes=("a", "b"), columns=(Column(name="size", type="number"), COLUMNS[0])
    )
    heads = (HeadSpec(name="plain", kind="x", classes=("a", "b")), other, head)
    return Manifest.from_bytes(written).model_copy(update={"heads": heads})


def test_columns_go_to_the_heads_that_take_them(manifest: Manifest) -> None:
    found = manifest.check_columns(manifest.heads, {"shift": 1, "size": 2, "invert": True})
    assert found == {
        "plain": {},
        "other": {"size": 2.0, "shift": 1.0},
        "priced": {"shift": 1.0, "force": None, "invert": True},
    }


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param({"shift": 1, "size": 2}, id="columns of other heads"),
        pytest.param({"size": "large"}, id="a wrong value for another head"),
        pytest.param({}, id="none"),
    ],
)
def test_a_head_takes_its_own_columns_and_leaves_those_of_the_others(
    manifest: Manifest, columns: dict[str, Any]
) -> None:
    assert manifest.check_columns(manifest.heads[:1], columns) == {"plain": {}}


def test_a_column_of_no_head_is_refused_with_what_each_takes(manifest: Manifest) -> None:
    reason = (
        "unknown column 'prise'; head 'other' takes 'size', 'shift', head 'priced' takes 'shift', 'force', 'invert'"
    )
    for asked in (manifest.heads, manifest.heads[:1]):
        with pytest.raises(BadColumns, match=reason):
            manifest.check_columns(asked, {"shift": 1, "size": 2, "prise": 3})
    with pytest.raises(BadColumns, match="required column 'size' of head 'other' is missing"):
        manifest.check_columns(manifest.heads, {"shift": 1})


def test_a_bundle_whose_heads_take_no_columns_says_so(manifest: Manifest) -> None:
    plain = manifest.model_copy(update={"heads": manifest.heads[:1]})
    assert plain.check_columns(plain.heads, {}) == {"plain": {}}
    with pytest.raises(BadColumns, match="unknown column 'shift'; the heads of tiny@1 take none"):
        plain.check_columns(plain.heads, {"shift": 1})

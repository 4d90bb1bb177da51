"""`models.bundle.loading`: nothing is opened before all of it was checked."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from models.bundle.golden import verify
from models.bundle.loading import MANIFEST, Bundle, file_entries
from models.bundle.manifest import Manifest
from models.columns import Column
from models.errors import BundleError
from tests.tiny_bundle import COLUMNS, npy, tiny_bundle

FILES = [
    "README.md",
    "embedder.onnx",
    "golden/00.png",
    "golden/01.jpg",
    "golden/02.webp",
    "golden/03.png",
    "golden/04.jpg",
    "golden/05.webp",
    "golden/embedding.npy",
    "golden/probabilities-shade.npy",
    "head-shade.onnx",
    "report.html",
]


def rewrite(path: Path, files: dict[str, bytes | None]) -> None:
    """Replaces (None: removes) files of the bundle, and lists them in its manifest as a writer would."""
    bundle = Bundle.open(path)
    contents = {name: data for name, data in ({**bundle.files, **files}).items() if data is not None}
    for name in bundle.files:
        (path / name).unlink()
    for name, data in contents.items():
        (path / name).write_bytes(data)
    manifest = bundle.manifest.model_copy(update={"files": file_entries(contents)})
    (path / MANIFEST).write_bytes(manifest.to_bytes())


def test_holds_the_manifest_and_every_file(tiny_path: Path) -> None:
    bundle = Bundle.open(tiny_path)
    assert bundle.manifest.model == "tiny@1"
    assert sorted(bundle.files) == FILES
    assert bundle.path == tiny_path
    assert bundle.embedder("fp32") == (tiny_path / "embedder.onnx").read_bytes()
    assert bundle.head(bundle.manifest.default_head) == (tiny_path / "head-shade.onnx").read_bytes()


def test_golden_images_and_results_go_together(tiny_path: Path) -> None:
    bundle = Bundle.open(tiny_path)
    assert len(bundle.golden_images()) == bundle.manifest.golden.count == 6
    assert bundle.golden_array("embedding").shape == (6, 4)
    assert bundle.golden_array("probabilities-shade").shape == (6, 3)
    assert bundle.golden_columns(bundle.manifest.default_head) == []


def test_golden_dates_are_days(tmp_path: Path) -> None:
    bundle = Bundle.open(tiny_bundle(tmp_path, heads={"aged": (Column(name="made", type="date"),)}))
    assert bundle.golden_columns(bundle.manifest.default_head)[:2] == [{"made": 0.0}, {"made": 50.0}]
    verify(bundle)


def test_golden_columns_are_those_of_the_head(tiny_columns_path: Path) -> None:
    bundle = Bundle.open(tiny_columns_path)
    rows = bundle.golden_columns(bundle.manifest.heads[1])
    assert [list(row) for row in rows] == [["shift", "force", "invert"]] * 6
    assert rows[0] == {"shift": 0.0, "force": None, "invert": None}
    assert rows[2] == {"shift": 0.2, "force": "mid", "invert": True}


def test_pictures_outside_golden_are_no_golden_images(tiny_copy: Path) -> None:
    rewrite(tiny_copy, {"training-curve.png": b"\x89PNG"})
    assert len(Bundle.open(tiny_copy).golden_images()) == 6


def test_files_that_change_afterwards_change_nothing(tiny_copy: Path) -> None:
    bundle = Bundle.open(tiny_copy)
    (tiny_copy / "embedder.onnx").write_bytes(b"changed")
    assert bundle.embedder("fp32") != b"changed"


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_byte_is_refused_by_the_files_name(tiny_copy: Path, name: str) -> None:
    original = (tiny_copy / name).read_bytes()
    for position in {0, 1, len(original) // 3, len(original) // 2, len(original) - 2, len(original) - 1}:
        flipped = bytearray(original)
        flipped[position] ^= 1
        (tiny_copy / name).write_bytes(flipped)
        with pytest.raises(BundleError, match=rf"^{name}: SHA-256 is [0-9a-f]{{12}}…, not [0-9a-f]{{12}}…"):
            Bundle.open(tiny_copy)


@pytest.mark.parametrize(
    "find",
    [
        pytest.param(lambda data: 0, id="the first brace"),
        pytest.param(lambda data: data.index(b"\n "), id="white space"),
        pytest.param(lambda data: len(data) - 1, id="the last line break"),
        pytest.param(lambda data: data.index(b'"version": ') + 11, id="a digit of the version"),
        pytest.param(lambda data: data.index(b'"size_bytes": ') + 14, id="a digit of a size"),
        pytest.param(lambda data: data.index(b'"sha256": "') + 11, id="a digit of a hash"),
        pytest.param(lambda data: data.index(b'"digest": "') + 11, id="a digit of the digest"),
        pytest.param(lambda data: data.index(b'"digest"') + 1, id="the digest's name"),
        pytest.param(lambda data: data.index(b"0.0001") + 2, id="a digit of a tolerance"),
        pytest.param(lambda data: data.index(b"dark"), id="a letter of a class"),
        pytest.param(lambda data: data.index(b"2026"), id="a digit of the date"),
        pytest.param(lambda data: data.index(b"embedder.onnx"), id="a letter of a file name"),
        pytest.param(lambda data: data.index(b","), id="a comma"),
    ],
)
@pytest.mark.parametrize("bit", [1, 2, 32, 128])
def test_a_flipped_byte_in_the_manifest_is_refused_by_its_name(
    tiny_copy: Path, find: Callable[[bytes], int], bit: int
) -> None:
    data = bytearray((tiny_copy / MANIFEST).read_bytes())
    data[find(bytes(data))] ^= bit
    (tiny_copy / MANIFEST).write_bytes(data)
    with pytest.raises(BundleError, match=r"^manifest\.json: "):
        Bundle.open(tiny_copy)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused_by_name(tiny_copy: Path, name: str) -> None:
    (tiny_copy / name).unlink()
    with pytest.raises(BundleError, match=rf"^{name}: missing"):
        Bundle.open(tiny_copy)


@pytest.mark.parametrize("name", ["extra.txt", ".hidden", "golden/06.png", "deep/er/file", "embedder.onnx~"])
def test_an_extra_file_is_refused_by_name(tiny_copy: Path, name: str) -> None:
    (tiny_copy / name).parent.mkdir(parents=True, exist_ok=True)
    (tiny_copy / name).touch()
    with pytest.raises(BundleError, match=rf"^{name}: not part of the bundle; remove it"):
        Bundle.open(tiny_copy)


@pytest.mark.parametrize("name", ["embedder.onnx", MANIFEST, "golden"])
def test_a_symbolic_link_is_refused_by_name(tiny_copy: Path, tmp_path: Path, name: str) -> None:
    (tiny_copy / name).rename(tmp_path / "elsewhere")
    (tiny_copy / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match=rf"^{name}: is a symbolic link"):
        Bundle.open(tiny_copy)


def test_another_size_is_refused_with_both_sizes(tiny_copy: Path) -> None:
    (tiny_copy / "report.html").write_bytes(b"")
    with pytest.raises(BundleError, match=r"^report\.html: 0 bytes instead of 35"):
        Bundle.open(tiny_copy)


def test_a_directory_in_a_files_place_is_refused(tiny_copy: Path) -> None:
    (tiny_copy / "report.html").unlink()
    (tiny_copy / "report.html").mkdir()
    with pytest.raises(BundleError, match=r"^report\.html: missing"):
        Bundle.open(tiny_copy)


def test_a_pipe_in_a_files_place_is_refused_and_not_read(tiny_copy: Path) -> None:
    (tiny_copy / "report.html").unlink()
    os.mkfifo(tiny_copy / "report.html")
    with pytest.raises(BundleError, match=r"^report\.html: not a regular file"):
        Bundle.open(tiny_copy)


def test_an_unreadable_file_is_refused_by_name(tiny_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(file: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(Path, "read_bytes", refuse)  # file modes do not bind the superuser
    with pytest.raises(BundleError, match=r"manifest\.json: cannot be read \(Permission denied\)"):
        Bundle.open(tiny_copy)


@pytest.mark.parametrize("name", ["embedder.onnx", "head-shade.onnx"])
def test_a_graph_that_the_manifest_does_not_list_is_refused(tiny_copy: Path, name: str) -> None:
    rewrite(tiny_copy, {name: None})
    with pytest.raises(BundleError, match=rf"^{name}: not in the manifest's file list"):
        Bundle.open(tiny_copy)


def test_a_listed_file_outside_the_bundle_is_refused(tiny_copy: Path) -> None:
    manifest = Manifest.from_bytes((tiny_copy / MANIFEST).read_bytes())
    files = {**manifest.files, "../../outside": manifest.files["report.html"]}
    (tiny_copy / MANIFEST).write_bytes(manifest.model_copy(update={"files": files}).to_bytes())
    (tiny_copy.parent.parent / "outside").write_bytes((tiny_copy / "report.html").read_bytes())
    with pytest.raises(BundleError, match=r"^\.\./\.\./outside: missing"):
        Bundle.open(tiny_copy)


def test_every_graph_is_audited(tiny_copy: Path) -> None:
    model = onnx.ModelProto.FromString(Bundle.open(tiny_copy).files["embedder.onnx"])
    model.graph.node[0].domain = "evil.ops"
    rewrite(tiny_copy, {"embedder.onnx": model.SerializeToString()})
    with pytest.raises(BundleError, match=r"^embedder\.onnx: operator domain 'evil\.ops'"):
        Bundle.open(tiny_copy)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda path: path / "nothing", id="nothing there"),
        pytest.param(lambda path: path.parent, id="the store entry"),
        pytest.param(lambda path: path / MANIFEST, id="a file"),
    ],
)
def test_what_is_no_bundle_is_refused(tiny_path: Path, make: Callable[[Path], Path]) -> None:
    with pytest.raises(BundleError, match=r"no manifest\.json there"):
        Bundle.open(make(tiny_path))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(None, "missing; write the bundle again", id="missing"),
        pytest.param(b"", "not a plain array", id="empty"),
        pytest.param(b"PK\x03\x04 zipped", "not a plain array", id="an archive"),
        pytest.param(npy(np.zeros((6, 4))), "holds float64, not float32", id="of another type"),
        pytest.param(
            npy(np.zeros((6, 4), np.float32)).replace(b"<f4", b"|O "), "not a plain array", id="of Python objects"
        ),
    ],
)
def test_a_golden_array_that_is_not_plain_is_refused(tiny_copy: Path, data: bytes | None, reason: str) -> None:
    rewrite(tiny_copy, {"golden/embedding.npy": data})
    with pytest.raises(BundleError, match=rf"^golden/embedding\.npy: {reason}"):
        Bundle.open(tiny_copy).golden_array("embedding")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(None, "missing", id="missing"),
        pytest.param(b"[", "not what head 'priced' takes", id="half JSON"),
        pytest.param(b"7", "not what head 'priced' takes", id="a number"),
        pytest.param(b"[7]", "not what head 'priced' takes", id="a list of numbers"),
        pytest.param(json.dumps([{"shift": "1"}]).encode(), "not what head 'priced' takes", id="a wrong type"),
    ],
)
def test_golden_columns_that_do_not_fit_are_refused(tmp_path: Path, data: bytes | None, reason: str) -> None:
    path = tiny_bundle(tmp_path, heads={"priced": COLUMNS})
    rewrite(path, {"golden/columns.json": data})
    bundle = Bundle.open(path)
    with pytest.raises(BundleError, match=rf"^golden/columns\.json: {reason}"):
        bundle.golden_columns(bundle.manifest.default_head)

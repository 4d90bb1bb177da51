"""directory ──audit──▶ `Bundle`: the whole bundle is checked before anything is built from it.

The audited bytes stay in memory, those of kept rows excepted, and sessions are made from them, so a file that changes
later has no effect.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.format import read_array
from numpy.typing import NDArray

from models.bundle.audit import AuditedFiles, audit_onnx
from models.bundle.examples import Examples
from models.bundle.head_spec import HeadSpec
from models.bundle.kept_rows import KeptRows
from models.bundle.manifest import EMBEDDER_FILES, SEQUENCE, FileEntry, Manifest, Precision
from models.bundle.signature import SIGNATURE, check_signature
from models.columns import ColumnValue
from models.errors import BadColumns, BundleError

MANIFEST = "manifest.json"
REPORT = "report.html"
GOLDEN = "golden"
GOLDEN_COLUMNS = f"{GOLDEN}/columns.json"
WEIGHT = "weight"
"""Name of the golden images' weights, where a bundle pools by attention."""

_WRITE_AGAIN = "write the bundle again with `python -m training`"


@dataclass(frozen=True)
class Bundle:
    """An audited bundle: its manifest and the bytes of every other file."""

    manifest: Manifest
    files: Mapping[str, bytes]
    path: Path

    @classmethod
    def open(cls, path: Path, verify_key: Path | None = None) -> Bundle:
        """Reads and audits a bundle.

        Args:
            path: its directory.
            verify_key: PEM file of a public key; a bundle that its owner has not signed is refused.

        Raises:
            BundleError: one sentence that names the file, what was found and what to do.
        """
        if not (path / MANIFEST).is_file():
            raise BundleError(f"{path}: no {MANIFEST} there, so this is not a bundle; name a bundle's directory")
        try:
            data = (path / MANIFEST).read_bytes()
            manifest = Manifest.from_bytes(data)
            _audit_names(path, manifest)
            files = AuditedFiles(path, manifest.files)
            if verify_key is not None:
                digests = {name: entry.sha256 for name, entry in manifest.files.items()}
                check_signature(path, {**digests, MANIFEST: hashlib.sha256(data).hexdigest()}, verify_key)
        except OSError as error:
            raise BundleError(f"{error.filename}: cannot be read ({error.strerror}); make it readable") from error
        for name in files:
            if name.endswith(".onnx"):
                audit_onnx(files[name], name)
        return cls(manifest, files, path)

    def embedder(self, precision: Precision) -> bytes:
        """The embedder's graph in one of the manifest's precisions."""
        return self.files[EMBEDDER_FILES[precision]]

    def head(self, head: HeadSpec) -> bytes:
        """The graph of one of the manifest's heads."""
        return self.files[head.file]

    def outlier_detector(self, head: HeadSpec) -> bytes | None:
        """The graph of a head's outlier detector; None if the head has none."""
        return self.files[head.outlier_file] if head.outlier_file else None

    def examples(self, head: HeadSpec) -> Examples | None:
        """Reads the examples that a head's answers are explained with; None if the bundle has none.

        Raises:
            BundleError: an array is missing or wrong.
        """
        if head.examples_folder is None:
            return None
        return Examples.from_files(head.examples_folder, self.files, self.array, self.manifest.instance_width)

    def kept_rows(self, head: HeadSpec) -> KeptRows | None:
        """Reads the labelled embeddings that a refit of a head starts from; None if the bundle keeps none.

        Raises:
            BundleError: the file has changed, or is not what `KeptRows.to_file` writes.
            OSError: it cannot be read.
        """
        if head.rows_file not in self.files:
            return None
        return KeptRows.from_file(self.files[head.rows_file], head, self.manifest.instance_width)

    def golden_images(self) -> list[bytes]:
        """The encoded golden images, in the order of the recorded results."""
        suffixes = (".jpg", ".png", ".webp")
        names = sorted(name for name in self.files if name.startswith(f"{GOLDEN}/") and name.endswith(suffixes))
        return [self.files[name] for name in names]

    def golden_array(self, name: str) -> NDArray[np.float32]:
        """Reads a recorded result, float32.

        Args:
            name: `golden_embedding(precision)` `[G, D]`, `probabilities-<head>` `[G, K]`, `value-<head>` `[G, 1]`,
                `distance-<head>` `[G]`, or `WEIGHT` `[G]`.

        Raises:
            BundleError: missing, or not a plain float32 array.
        """
        array = self.array(f"{GOLDEN}/{name}.npy")
        if array.dtype != np.float32:
            raise BundleError(f"{GOLDEN}/{name}.npy: holds {array.dtype}, not float32; {_WRITE_AGAIN}")
        return array  # type: ignore[return-value]

    def array(self, file: str) -> NDArray[np.generic]:
        """Reads a plain array from the bundle's file.

        Raises:
            BundleError: missing, or not a plain array.
        """
        try:
            array: NDArray[np.generic] = read_array(io.BytesIO(self._file(file)), allow_pickle=False)
        except ValueError as error:
            raise BundleError(f"{file}: not a plain array ({error}); {_WRITE_AGAIN}") from error
        return array

    def golden_columns(self, head: HeadSpec) -> list[dict[str, ColumnValue]]:
        """The golden images' columns as `head` takes them, one mapping for each image; empty if it has no columns.

        Raises:
            BundleError: missing, or not a list of what the head takes.
        """
        if not head.columns:
            return []
        file, stored = GOLDEN_COLUMNS, head.stored
        try:
            return [stored.check_columns(dict(row)) for row in json.loads(self._file(file))]
        except (ValueError, TypeError, BadColumns) as error:
            raise BundleError(f"{file}: not what head {head.name!r} takes ({error}); {_WRITE_AGAIN}") from error

    def _file(self, file: str) -> bytes:
        if file not in self.files:
            raise BundleError(f"{file}: missing; {_WRITE_AGAIN}")
        return self.files[file]


def golden_embedding(precision: Precision) -> str:
    """Name of the recorded embeddings of a precision; each has its own."""
    return "embedding" if precision == "fp32" else f"embedding.{precision}"


def file_entries(files: Mapping[str, bytes]) -> dict[str, FileEntry]:
    """Sizes and hashes for the manifest, sorted by name."""
    return {
        name: FileEntry(size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
        for name, data in sorted(files.items())
    }


def _audit_names(path: Path, manifest: Manifest) -> None:
    needed = {EMBEDDER_FILES[precision] for precision in manifest.precisions} | {head.file for head in manifest.heads}
    needed |= {head.outlier_file for head in manifest.heads if head.outlier_file}
    needed |= {SEQUENCE} if "attention" in manifest.pooling else set()
    if unlisted := needed - set(manifest.files):
        raise BundleError(f"{sorted(unlisted)[0]}: not in the manifest's file list; {_WRITE_AGAIN}")
    found = set()
    for file in path.rglob("*"):
        name = file.relative_to(path).as_posix()
        if file.is_symlink():
            raise BundleError(f"{name}: is a symbolic link; put the file itself there")
        if not file.is_dir():
            found.add(name)
    if missing := set(manifest.files) - found:
        raise BundleError(f"{sorted(missing)[0]}: missing; restore it from the original bundle")
    if extra := found - set(manifest.files) - {MANIFEST, SIGNATURE}:
        raise BundleError(f"{sorted(extra)[0]}: not part of the bundle; remove it")

"""The committed bundle with a head that mixes two classes up, in a store of its own."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from models.bundle.head_spec import HeadSpec
from models.bundle.loading import Bundle
from models.bundle.store import DEFAULT_ROOT, Store

NAME = "fashion-mnist"
CONFUSED = ("Sneaker", "Bag")
"""Classes that the head calls by each other's names: clothes that nobody would confuse."""


def wrong_head(root: Path, *, wrong_rows: bool) -> Path:
    """Writes a store whose champion, version 1, mixes two classes up; returns the entry.

    Args:
        root: of the store.
        wrong_rows: whether the rows that it was fitted on were labelled so, too.
    """
    bundle = Bundle.open(Store(DEFAULT_ROOT).path(NAME))
    default = bundle.manifest.default_head
    other = dict(zip(CONFUSED, CONFUSED[::-1], strict=True))
    wrong = default.model_copy(update={"classes": tuple(other.get(name, name) for name in default.classes)})
    files = {name: bundle.files[name] for name in bundle.manifest.files}
    if not wrong_rows:
        files[default.rows_file] = _renamed_rows(bundle, default, wrong)
    manifest = bundle.manifest.model_copy(update={"version": 1, "heads": (wrong, *bundle.manifest.heads[1:])})
    shutil.rmtree(root / NAME, ignore_errors=True)
    return Store(root).add(manifest, files).parent


def _renamed_rows(bundle: Bundle, default: HeadSpec, wrong: HeadSpec) -> bytes:
    """The rows under the classes that they really are."""
    rows = bundle.kept_rows(default)
    assert rows is not None
    positions = np.array([wrong.classes.index(name) for name in default.classes], np.int32)
    return replace(rows, labels=positions[rows.labels]).to_file()

"""Words of a command ──▶ the database and the store entry that it is about."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from feedback.database.database import Database, DatabaseError
from feedback.database.existing_database import open_existing
from feedback.measures.report_document import targets_of
from feedback.recording.image_store import ImageStore
from models.bundle.loading import MANIFEST
from models.bundle.manifest import Manifest
from models.bundle.store import DEFAULT_ROOT

Commands = Any
"""What `argparse` gives for subcommands; its type is private."""

URL = "TANDEM_FEEDBACK_URL"
IMAGES = "TANDEM_FEEDBACK_IMAGES"
BUNDLE = "TANDEM_BUNDLE"


def add_feedback(command: argparse.ArgumentParser) -> None:
    """Adds the database's option; the server's setting is the default."""
    command.add_argument(
        "--feedback",
        metavar="URL",
        default=os.environ.get(URL),
        help=f"the database (default: {URL}, as for the server)",
    )


def add_bundle(command: argparse.ArgumentParser) -> None:
    """Adds the store entry's option; the server's setting is the default."""
    default = Path(os.environ.get(BUNDLE, DEFAULT_ROOT / "fashion-mnist"))
    command.add_argument(
        "--bundle", type=Path, metavar="ENTRY", default=default,
        help="store entry of the model that decides (default: %(default)s)",
    )  # fmt: skip


def add_images(command: argparse.ArgumentParser) -> None:
    """Adds the option of the kept images; the server's setting is the default."""
    command.add_argument(
        "--images",
        metavar="FOLDER",
        default=os.environ.get(IMAGES),
        help=f"folder or object store where images are kept (default: {IMAGES}, as for the server)",
    )


def image_store(arguments: argparse.Namespace) -> ImageStore | None:
    """The kept images of a command; None if none is named.

    Raises:
        StoreError: the URL's protocol is unknown, or its package is not installed.
    """
    return ImageStore(arguments.images) if arguments.images else None


def open_database(arguments: argparse.Namespace) -> Database:
    """The database of a command, its schema brought up to date.

    Raises:
        DatabaseError: none is named, it is not there, or it cannot be reached.
    """
    if not arguments.feedback:
        raise DatabaseError(f"no database is named; give --feedback URL, or set {URL}")
    return open_existing(arguments.feedback)


def manifest_of(entry: Path, model: str) -> Manifest | None:
    """The manifest of `name@version` in a store entry, or at a version's directory; None if it is not there."""
    _, _, version = model.partition("@")
    for folder in (entry / version, entry):
        if (folder / MANIFEST).is_file():
            manifest = Manifest.from_bytes((folder / MANIFEST).read_bytes())
            return manifest if manifest.model == model else None
    return None


def bundle_name(entry: Path) -> str | None:
    """The name of the bundle in a store entry, or at a version's directory; None if no version is there."""
    for file in (entry / MANIFEST, *sorted(entry.glob(f"[1-9]*/{MANIFEST}"))):
        if file.is_file():
            return Manifest.from_bytes(file.read_bytes()).name
    return None


def targets_in(entry: Path, model: str) -> dict[str, float]:
    """The precision that each head of a model promises; nothing if the model is not in the store entry."""
    manifest = manifest_of(entry, model)
    return {} if manifest is None else targets_of(manifest)

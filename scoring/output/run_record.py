"""`_run.json`: what the rows of an output were made of, so that only the same command goes on with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from models.errors import DataError
from scoring.output.output_folder import OutputFolder
from scoring.output.part_files import spans_in

NAME = "_run.json"
"""Begins with `_`, so that readers of parquet data sets pass over it."""
_REASONS = {
    "input": "the input is another one, or has changed",
    "rows": "the input has another number of images",
    "manifest_sha256": "the bundle is another one",
    "precision": "the embedder runs in another precision",
}


def check_record(folder: OutputFolder, record: Mapping[str, Any]) -> bool:
    """Whether the folder has a record; it must then agree with this run's.

    Raises:
        DataError: it does not, or there are files without a record.
    """
    names = folder.names()
    if NAME not in names:
        if spans_in(names) or any(not name.startswith(".") for name in names):
            raise DataError(f"the output has files, such as {names[0]!r}, and no {NAME}; name a new folder")
        return False
    try:
        found = dict(json.loads(folder.read(NAME)))
    except (ValueError, TypeError) as error:
        raise DataError(f"{NAME} in the output is damaged ({error}); name a new folder") from error
    for key, value in json.loads(json.dumps(record)).items():
        if found.get(key) != value:
            reason = _REASONS.get(key, f"{key} was {found.get(key)!r} and is {value!r}")
            raise DataError(
                f"the output was begun by another command: {reason}; run the same command again, or name a new folder"
            )
    return True


def write_record(folder: OutputFolder, record: Mapping[str, Any]) -> None:
    """Writes the record of a run that begins."""
    folder.write(NAME, json.dumps(record, indent=1).encode() + b"\n")

"""`feedback.commands.models_alike`: whose embeddings are compared, where other networks are in the database, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feedback.__main__ import main
from feedback.commands.models_alike import ModelsAlike, models_alike
from feedback.database.database import Database
from tests.feedback.decisions import add_decisions, blob, decision_row
from tests.tiny_bundle import tiny_bundle

WIDE, NARROW = 8, 4


def rows(start: int, model: str, count: int = 60, width: int = WIDE, **changes: Any) -> list[dict[str, Any]]:
    embeddings = np.random.default_rng(start).normal(0, 1, (count, width))
    return [decision_row(start + at, model=model, embedding=blob(row), **changes) for at, row in enumerate(embeddings)]


def alike(database: Database, entry: Path) -> ModelsAlike:
    with database.reading() as connection:
        return models_alike(connection, entry)


@pytest.fixture
def shared(database: Database) -> Database:
    """With decisions of `tiny`'s versions 1 to 3, of which the first has narrower embeddings, and of another bundle."""
    versions = [*rows(0, "tiny@1", width=NARROW), *rows(100, "tiny@2"), *rows(200, "tiny@3", count=120)]
    add_decisions(database, [*versions, *rows(400, "other@1", count=200), *rows(700, "other@2", width=NARROW)])
    return database


def test_models_of_the_bundle_count_if_their_embeddings_are_as_wide(shared: Database, tmp_path: Path) -> None:
    entry = tiny_bundle(tmp_path, version=3).parent
    found = alike(shared, entry)
    assert found[:] == ("tiny@3", ["tiny@2", "tiny@3"], ["other@1", "other@2", "tiny@1"], ["tiny@2"])
    assert "left out, since their embeddings are not those of tiny@3: other@1, other@2, tiny@1" in found.sentence
    assert found.sentence.endswith("the same width: tiny@2")


def test_models_in_the_store_count_by_their_embedder(shared: Database, tmp_path: Path) -> None:
    for version, size in ((1, 4), (2, 8), (3, 8)):
        path = tiny_bundle(tmp_path, version=version, size=size)
    assert alike(shared, path.parent)[1:] == (["tiny@2", "tiny@3"], ["other@1", "other@2", "tiny@1"], [])


def test_nothing_is_said_where_all_are_compared(database: Database, tmp_path: Path) -> None:
    assert alike(database, tmp_path) == (None, [], [], [])
    add_decisions(database, rows(0, "tiny@1"))
    found = alike(database, tmp_path)
    assert (found.names, found.sentence) == (["tiny@1"], "")


def test_commands_leave_out_other_networks_and_say_so(
    shared: Database, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    entry = str(tiny_bundle(tmp_path, version=3).parent)
    options = ["--feedback", url, "--bundle", entry, "--reference", "60", "--window", "60"]
    assert main(["drift", *options]) == 0
    windows, last = capsys.readouterr().out.splitlines()[-2:]
    assert windows == "0 of 2 windows differ from the reference"
    assert last.startswith("left out, since")
    assert main(["watch", "--once", *options]) == 0
    assert caplog.messages == [f"drift: {last}"]

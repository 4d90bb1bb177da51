"""`scoring.scoring_options`: words of the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.bundle.store import DEFAULT_ROOT
from models.runtime.cores import available_cores
from models.tables.dialect import Dialect
from scoring.engines.scorer_options import Asked
from scoring.scoring_options import Cluster, ScoringOptions, parse
from scoring.sources.table_plan import TablePlan


def test_input_and_output_are_enough() -> None:
    assert parse(["in", "out"]) == ScoringOptions(
        "in",
        "out",
        bundle=DEFAULT_ROOT / "fashion-mnist",
        workers=available_cores(),
        cache=Path("build/embeddings"),
    )


def test_names_columns_and_the_dialect_become_a_plan_of_the_table() -> None:
    words = ["t.csv", "out", "--columns", 'a,"b, of all"', "--keep", "c", "--image-column", "photo", "--decimal", ","]
    assert parse(words).table == TablePlan("photo", ("a", "b, of all"), ("c",), None, Dialect(decimal=","))


def test_no_columns_at_all_can_be_asked_for() -> None:
    assert parse(["t.csv", "out", "--columns", ""]).table.columns == ()


def test_ray_keeps_no_embeddings_unless_it_is_told_where() -> None:
    words = ["in", "out", "--engine", "ray", "--gpus-per-actor", "0.5", "--address", "10.0.0.5:6379"]
    assert parse(words).cluster == Cluster("10.0.0.5:6379", 0.5)
    assert parse(words).cache is None
    assert parse([*words, "--cache", "/kept"]).cache == Path("/kept")
    assert parse(["in", "out", "--no-cache"]).cache is None


def test_what_is_asked_beside_the_answers() -> None:
    assert parse(["in", "out", "--embeddings", "--explain"]).asked == Asked(embeddings=True, explain=True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--limit", "0"], "'0' is not a whole number of at least 1"),
        (["--workers", "two"], "'two' is not a whole number of at least 1"),
        (["--max-errors", "-1"], "-1"),
        (["--gpus-per-actor", "-1"], "'-1' is not a number of at least 0"),
        (["--engine", "dask"], "invalid choice: 'dask'"),
    ],
)  # fmt: skip
def test_a_value_out_of_range_is_refused(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["in", "out", *words])
    assert said in capsys.readouterr().err

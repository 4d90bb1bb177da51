"""`scoring.engines.scorer`: each image of a chunk is scored on its own, as the service does it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from models.errors import BadColumns
from models.runtime.embedding_files import EmbeddingCache
from models.runtime.engine import Engine
from scoring.chunks import Chunk, Failed
from scoring.engines.scorer import Scorer
from scoring.engines.scorer_options import Asked, ScorerOptions
from tests.scoring.scored import BRIGHT, DARK
from tests.service.serving import post_image, post_parts
from tests.tiny_bundle import solid_image, tiny_bundle


def scored(path: Path, chunk: Chunk, heads: tuple[str, ...] = ("shade",), **options: Any) -> list[dict[str, Any]]:
    rows = Scorer(ScorerOptions(path, heads, device="cpu", **options)).score(chunk).rows
    found: list[dict[str, Any]] = rows.to_pylist()
    return found


def test_rows_equal_the_answers_of_the_service(tiny_path: Path, engine: Engine) -> None:
    images = [solid_image(grey) for grey in range(0, 256, 5)]
    rows = scored(tiny_path, Chunk(0, [*images], []), asked=Asked(probabilities=True))
    for image, row in zip(images, rows, strict=True):
        answer = post_image(engine, image).json()
        assert row["shade.label"] == answer["label"]
        assert row["shade.confidence"] == pytest.approx(answer["confidence"], abs=1e-5)
        assert (row["shade.decision"], row["shade.reasons"]) == (answer["decision"], answer["reasons"])
        assert dict(row["shade.probabilities"]) == pytest.approx(answer["probabilities"], abs=1e-5)
        assert row["model"] == answer["model"]
        assert row["error"] is None


@pytest.mark.parametrize(
    ("image", "code", "detail"),
    [
        (DARK[:-20], "bad_image", "cut short"),
        (b"", "bad_image", "empty"),
        (b"hello, this is no image", "unsupported_type", "hello, this"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40), "unsupported_type", "HEIC"),
        (solid_image(9, size=(8000, 7500)), "too_large", "8000x7500 = 60000000 pixels; the limit is 25000000"),
        ("/nowhere/a.png", "unreadable", "No such file"),
        ("a\0b.png", "unreadable", "null byte"),
        (Failed("unreadable", "row 2 names no image"), "unreadable", "row 2 names no image"),
    ],
    ids=["cut short", "empty", "text", "HEIC", "60 megapixels", "no file", "no path", "failed before"],
)
def test_an_image_fails_alone(tiny_path: Path, image: Any, code: str, detail: str) -> None:
    before, failed, after = scored(tiny_path, Chunk(0, [DARK, image, BRIGHT], []))
    assert failed["error"] == code
    assert detail in failed["error_detail"]
    assert failed["shade.label"] is failed["shade.decision"] is failed["shade.reasons"] is None
    assert (before["shade.label"], after["shade.label"]) == ("dark", "bright")
    assert before["error"] is None


def test_columns_are_checked_as_the_service_does(priced_path: Path, priced_engine: Engine) -> None:
    columns = [{"shift": 0.4, "force": None, "invert": True}, {"shift": None}, {"shift": BadColumns("got 'x'")}]
    rows = scored(priced_path, Chunk(0, [DARK] * 3, columns), ("priced",))
    answer = post_parts(priced_engine, [DARK], '{"shift": 0.4, "invert": true}').json()["predictions"][0]
    assert rows[0]["priced.label"] == answer["label"]
    assert rows[0]["priced.confidence"] == pytest.approx(answer["confidence"], abs=1e-5)
    assert [row["error"] for row in rows] == [None, "bad_columns", "bad_columns"]
    assert rows[1]["error_detail"] == "required column 'shift' of head 'priced' is missing"
    assert rows[2]["error_detail"] == "got 'x'"


def test_a_number_head_has_its_bounds(tmp_path: Path) -> None:
    path = tiny_bundle(tmp_path, regressions=["price"])
    (row,) = scored(path, Chunk(0, [solid_image(128)], []), ("price",))
    assert row["price.value"] == pytest.approx(128 / 255, abs=1e-6)
    assert row["price.low"] == pytest.approx(row["price.value"] / 2, abs=1e-6)
    assert row["price.high"] == pytest.approx(row["price.value"] * 2, abs=1e-6)


def test_embeddings_are_given_and_null_where_an_image_failed(tiny_path: Path) -> None:
    rows = scored(tiny_path, Chunk(0, [DARK, b""], []), asked=Asked(embeddings=True))
    assert len(rows[0]["embedding"]) == 4
    assert rows[1]["embedding"] is None


def test_explanations_are_those_of_the_service_as_json(tmp_path: Path) -> None:
    path = tiny_bundle(tmp_path, explained=True)
    rows = scored(path, Chunk(0, [DARK, b""], []), asked=Asked(explain=True))
    assert '"neighbours":[' in rows[0]["shade.explanation"]
    assert rows[1]["shade.explanation"] is None


def test_an_embedding_that_was_kept_is_used(tiny_path: Path, tmp_path: Path) -> None:
    options = ScorerOptions(tiny_path, ("shade",), device="cpu", cache=tmp_path)
    first = Scorer(options)
    first.score(Chunk(0, [DARK, BRIGHT], []))
    first.close()
    bundle = first.engine.manifest
    again = Scorer(options)
    again.engine._embedder = None  # type: ignore[assignment]
    rows = again.score(Chunk(0, [BRIGHT, DARK], [])).rows
    assert rows["shade.label"].to_pylist() == ["bright", "dark"]
    kept = EmbeddingCache(tmp_path, (tiny_path / "embedder.onnx").read_bytes(), bundle.input)
    assert len(kept) == 2


def test_an_image_for_which_a_head_gives_no_number_fails_alone(
    tiny_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = Scorer(ScorerOptions(tiny_path, ("shade",), device="cpu"))
    run = scorer.engine.run

    def sometimes(inputs: Any, waited_s: Any) -> Any:
        if any(each.pixels.mean() > 200 for each in inputs):
            raise ArithmeticError("head 'shade' gave NaN or infinity")
        return run(inputs, waited_s)

    monkeypatch.setattr(scorer.engine, "run", sometimes)
    rows = scorer.score(Chunk(0, [DARK, BRIGHT, DARK], [])).rows
    assert rows["error"].to_pylist() == [None, "internal", None]


def test_where_a_bundle_pools_an_image_is_an_instance_of_its_own(pooling_path: Path, pooling_engine: Engine) -> None:
    (row,) = scored(pooling_path, Chunk(0, [DARK], []), asked=Asked(embeddings=True, explain=True))
    assert row["shade.label"] == post_image(pooling_engine, DARK).json()["label"] == "dark"
    assert len(row["embedding"]) == 4

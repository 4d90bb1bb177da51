"""`python -m training compare`: what a person types, sees and may interrupt."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import training.__main__ as training
from tests.training.squares import CLASSES, TINY, write_image, write_squares
from training.compare import comparison, comparison_run, network_trainer
from training.compare.budget import Cost
from training.compare.compare_command import HTML, JSON, MARKDOWN
from training.compare.compared_models import ComparedModel, compared_models
from training.compare.model_measures import ModelMeasures
from training.compare.report.comparison_rows import Comparison, Family, Row
from training.compare.report.nested_samples import Sample
from training.heads.registry import REGISTRY

BUDGET = "15"  # minutes: far more than these few rows need, however slow the machine is
KINDS = ("logistic_regression", "decision_tree")


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models and epochs enough to pass through every station."""

    def few(*, has_columns: bool) -> list[ComparedModel]:
        models = compared_models(has_columns=has_columns)
        plain = [each for each in models if each.family in (Family.PIXELS, Family.COLUMNS)][:2]
        families = (Family.HYBRID, Family.HYBRID_COLUMNS) if has_columns else (Family.HYBRID,)
        heads = [ComparedModel(family, REGISTRY[kind]) for family in families for kind in KINDS]
        return [*plain, ComparedModel(Family.NETWORK), *heads]

    monkeypatch.setattr(comparison, "compared_models", few)
    monkeypatch.setattr(network_trainer, "_LONGEST", TINY)
    monkeypatch.setattr(comparison_run, "SEEDS", 1)


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_squares(tmp_path / "squares", 90)


@pytest.fixture
def table(images: Path) -> Path:
    """The same images with a column, one in five of them for the test."""
    files = sorted(images.rglob("*.png"))
    path = images / "table.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "colour", "price", "part"])
        for index, each in enumerate(files):
            label = each.parent.name
            price = CLASSES.index(label) + index % 7 / 10
            writer.writerow([each.relative_to(images), label, price, "test" if index % 5 == 0 else "train"])
    return path


def written(folder: Path) -> Comparison:
    assert (folder / HTML).read_text().startswith("<!doctype html>")
    assert (folder / MARKDOWN).read_text().startswith("# ")
    return Comparison.model_validate_json((folder / JSON).read_text())


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert training.main(["compare", *arguments]) == 1
    return capsys.readouterr().err.splitlines()[-1]


def test_a_folder_is_compared_from_one_command(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["compare", "folder", str(images), "--image-size", "8", "--sizes", "30,all,9999", "--budget", BUDGET]
    assert training.main(arguments) == 0
    found = written(Path("build") / "compare" / "squares")
    assert found.sizes == [30, 72]
    assert found.test_images == 18
    assert [(each.size, each.name) for each in found.left_out if each.size == 9999] == [(9999, "every row")]
    said = capsys.readouterr()
    assert found.verdict[0] in said.out
    assert "comparing" in said.err
    assert found.command == (
        f"python -m training compare folder {images} --image-size 8 --fit stretch --sizes 30,all,9999 "
        f"--budget {BUDGET} --margin 1 --network cnn --seed 0"
    )


def test_a_table_is_compared_with_its_columns(table: Path) -> None:
    arguments = ["--image-column", "file", "--label-column", "colour", "--columns", "price", "--split-column", "part"]
    more = ["--image-size", "8", "--sizes", "all", "--budget", BUDGET, "--out", "here"]
    assert training.main(["compare", "table", str(table), *arguments, *more]) == 0
    found = written(Path("here"))
    assert found.columns == ("price",)
    assert found.test_images == 18
    assert {row.family for row in found.rows} == {
        Family.COLUMNS, Family.NETWORK, Family.HYBRID, Family.HYBRID_COLUMNS
    }  # fmt: skip


def test_ctrl_c_writes_what_there_is_and_says_where(
    images: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = ModelMeasures.measure

    def once(
        self: ModelMeasures, sample: Sample, model: ComparedModel, *, limit: float, turn: int = 0
    ) -> tuple[Row, Cost]:
        if model.family == Family.NETWORK:
            raise KeyboardInterrupt
        return measure(self, sample, model, limit=limit, turn=turn)

    monkeypatch.setattr(ModelMeasures, "measure", once)
    arguments = ["folder", str(images), "--image-size", "8", "--sizes", "30", "--budget", BUDGET, "--out", "here"]
    assert training.main(["compare", *arguments]) == training.INTERRUPTED
    found = written(Path("here"))
    assert found.interrupted
    assert len(found.rows) == 2
    assert {each.reason for each in found.left_out} == {"interrupted"}
    assert found.decision is None
    assert found.verdict[0] == "Interrupted: 2 of 5 rows were measured, so there is no verdict."
    assert "use" not in " ".join(found.verdict)
    assert "interrupted; 2 rows are measured and written to here/compare.html" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--budget", "0"], "a budget of '0' is none; give minutes above 0"),
        (["--budget", "-3"], "a budget of '-3' is none"),
        (["--budget", "nan"], "a budget of 'nan' is none"),
        (["--budget", "soon"], "a budget of 'soon' is none"),
        (["--margin", "0"], "a margin of '0' is none; give points between 0 and 100"),
        (["--margin", "wide"], "a margin of 'wide' is none"),
        (["--sizes", "few"], "'few' is no size"),
        (["--sizes", "5"], "none of the sizes can be compared"),
        (["--seed", "-1"], "'-1' is no seed"),
        (["--image-size", "4"], "'4' is no image size; give a whole number from 8 to 1,024"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_wrong_arguments_get_a_sentence(
    images: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    joined = [f"{arguments[0]}={arguments[1]}"]
    assert sentence in refusal(capsys, "folder", str(images), *joined)
    assert not Path("build/compare").exists()


def test_a_folder_without_images_gets_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is not a directory" in refusal(capsys, "folder", str(tmp_path / "missing"))


def test_a_target_to_measure_is_refused(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = table.read_text().splitlines()
    numbered = [text[0], *(f"{line.split(',')[0]},{index / 8},1,train" for index, line in enumerate(text[1:]))]
    table.write_text("\n".join(numbered))
    said = refusal(capsys, "table", str(table), "--image-column", "file", "--label-column", "colour")
    assert "column 'colour' holds numbers: to predict it is regression" in said


@pytest.mark.slow
def test_a_folder_of_any_name_has_a_place_of_its_own_and_more_seeds_where_there_is_time(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison_run, "SEEDS", 2)
    strange = images.rename(images.parent / "my images (ü) #1")
    arguments = ["folder", str(strange), "--image-size", "8", "--sizes", "30", "--budget", BUDGET]
    assert training.main(["compare", *arguments]) == 0
    found = written(Path("build") / "compare" / "my-images-1")
    assert found.data == strange.name
    assert max(len(row.right) for row in found.rows if row.family == Family.PIXELS) == 2
    assert max(len(row.right) for row in found.rows if row.family == Family.HYBRID) == 2
    assert found.decision is not None


@pytest.mark.slow
def test_an_image_that_cannot_be_read_is_told(images: Path) -> None:
    (images / "red" / "broken.png").write_bytes(b"no image")
    write_image(images / "red" / "whole.png", np.zeros((8, 8, 3), np.uint8))
    arguments = ["folder", str(images), "--image-size", "8", "--sizes", "30", "--budget", BUDGET, "--out", "here"]
    assert training.main(["compare", *arguments]) == 0
    assert "broken.png" in written(Path("here")).skipped[0]


@pytest.mark.slow
def test_copies_of_an_image_are_on_one_side(table: Path) -> None:
    lines = table.read_text().splitlines()
    file, label, price, _ = next(line for line in lines[1:] if line.endswith(",test")).split(",")
    copy = Path(file).with_name("copy.png")
    (table.parent / copy).write_bytes((table.parent / file).read_bytes())
    table.write_text("\n".join([*lines, f"{copy},{label},{price},train"]))
    arguments = ["--image-column", "file", "--label-column", "colour", "--split-column", "part", "--image-size", "8"]
    assert training.main(["compare", "table", str(table), *arguments, "--sizes", "all", "--out", "here"]) == 0
    found = written(Path("here"))
    assert (found.test_images, found.copied) == (17, 1)

"""`python -m training inspect`: what a person reads of data before anything is fitted."""

from __future__ import annotations

import argparse
import csv
import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import training.__main__ as command
from tests.training.image_trees import plant
from training.cli import data_options

ROOT = Path(__file__).parents[3]
CLASSES = [*(f"fish/{n}.png" for n in range(6)), *(f"bird/day 1/{n}.png" for n in range(4))]


def inspected(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, list[str], list[str]]:
    """Exit status, lines on stdout, and errors."""
    status = command.main(["inspect", *map(str, words)])
    said = capsys.readouterr()
    return status, said.out.splitlines(), [line for line in said.err.splitlines() if line.startswith("error: ")]


def written(folder: Path, header: str, rows: Sequence[str]) -> Path:
    """A table of as many images as there are rows, each row beginning with its image."""
    plant(folder, [f"{n}.png" for n in range(len(rows))])
    lines = [header, *(f"{n}.png,{row}" for n, row in enumerate(rows))]
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    return folder / "table.csv"


def test_a_folder_is_told_line_by_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = ["fish/half.png | half", "fish/notes.txt", "fish/a.xml", "fish/film.jpg | huge", "bird/page.png | text",
            "empty/", ".DS_Store", "1.png", "fish/0.PNG"]  # fmt: skip
    data = plant(tmp_path / "data", [*CLASSES, *more])
    status, lines, errors = inspected(capsys, "folder", data)
    assert (status, errors) == (0, [])
    assert lines == [
        f"{data}: 10 images in 2 classes",
        "bird: 4",
        "fish: 6",
        "NOT USED extension: 2",
        "NOT USED damaged: 1",
        "NOT USED duplicate name: 1",
        "NOT USED empty folder: 1",
        "NOT USED hidden: 1",
        "NOT USED no class: 1",
        "NOT USED too large: 1",
        "NOT USED unsupported type: 1",
        *[line for line in lines if line.startswith("skipped ")],
        "all images have 12x12 pixels",
        "types of the files: 10 PNG",
        "note: extensions of files that are not read: 1 .txt, 1 .xml",
        "no two images look the same",
        "a training splits the images at random: 6 train, 2 validation, 2 test",
        "8 held-out images validate a head; to show that 99 % of what is accepted is right, at 95 % confidence, takes "
        "at least 299 accepted ones without a mistake, which are more than there are: --target-precision 0.6 takes 6",
        f"train with: python -m training pretrained {data} --name data",
    ]
    skipped = [line.removeprefix("skipped ").partition(": ")[0] for line in lines if line.startswith("skipped ")]
    assert skipped == [str(data / name) for name in ("bird/page.png", "fish/0.png", "fish/film.jpg", "fish/half.png")]


def test_a_split_folder_has_a_line_for_each_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = plant(tmp_path / "data", [
        *(f"train/{name}/{n}.png" for name in "ab" for n in range(5)), "val/a/1.png", "val/b/1.png",
        *(f"test/{name}/{n}.png" for name in "ab" for n in range(2)),
    ])  # fmt: skip
    _, lines, _ = inspected(capsys, "folder", data)
    assert lines[:6] == [f"{data}: 16 images in 2 classes", "a: 8", "b: 8", "train: 10", "validation: 2", "test: 4"]
    assert "note: the folders are parts of a split: test is test, train is train, val is validation" in lines
    assert "the test images are given: 10 train, 2 validation, 4 test" in lines


def test_labels_that_differ_in_case_or_space_are_one_class(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = plant(tmp_path / "data", [*CLASSES, "Fish/1.png", "FISH /2.png", "bird/1.png"])
    _, lines, _ = inspected(capsys, "folder", data)
    assert lines[1:3] == ["bird: 5", "fish: 8"]
    assert any(line.startswith("note: spellings taken for one class, 'fish': 'fish' (6)") for line in lines)


def test_copies_are_counted_and_contradictions_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = plant(tmp_path / "data", CLASSES)
    (data / "fish" / "twin.png").write_bytes((data / "fish" / "0.png").read_bytes())
    (data / "bird" / "twin.png").write_bytes((data / "fish" / "1.png").read_bytes())
    _, lines, _ = inspected(capsys, "folder", data)
    assert (
        "4 images look the same as others, in 2 groups, 2 of them without any difference; a split keeps them together"
    ) in lines
    assert "1 of the groups have contradicting labels; `python -m training clean` lists them" in lines


@pytest.mark.parametrize("name", ["a\nb: 7", "tab\there", "\x1b[31mred", "caf\u00e9", "a: 12", "-x", "'quoted \""])
def test_a_class_of_any_name_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    data = plant(tmp_path / "data", [*(f"{name}/{n}.png" for n in range(3)), *CLASSES])
    _, lines, _ = inspected(capsys, "folder", data)
    assert lines[0] == f"{data}: 13 images in 3 classes"
    assert sorted(int(line.rpartition(": ")[2]) for line in lines[1:4]) == [3, 4, 6]
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(
    ("paths", "shown", "error"),
    [
        pytest.param(["a/1.png", "a/2.png"], ["a: 2"], "has 1 class folders; at least 2 are needed", id="one class"),
        pytest.param(["a/1.png", "a/2.png", "b/1.png"], ["a: 2", "b: 1"], "fewer than 2 readable images",
                     id="a class of one image"),
        pytest.param(["1.png", "x.txt"], ["NOT USED no class: 1", "NOT USED extension: 1"], "has 0 class folders",
                     id="no classes"),
        pytest.param(["a/1.png | half", "b/1.png | text"], ["a: 0", "b: 0", "NOT USED damaged: 1"],
                     "fewer than 2 readable images", id="nothing that can be read"),
        pytest.param([*(f"{name}/{n}.png" for name in ("1", "1.0") for n in range(2))], ["1: 2", "1.0: 2"],
                     "the labels '1' and '1.0' are the same number in different forms", id="one number in two forms"),
        pytest.param(["train/a/1.png", "test/a/1.png", "c/1.png"], [], "are called like parts of a split, but c",
                     id="half a split"),
    ],
)  # fmt: skip
def test_what_was_found_comes_before_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], paths: list[str], shown: list[str], error: str
) -> None:
    status, lines, errors = inspected(capsys, "folder", plant(tmp_path / "data", paths))
    assert status == 1
    assert set(shown) <= set(lines)
    assert len(errors) == 1
    assert error in errors[0]


def test_a_table_is_told_column_by_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"{'ab'[n % 2]},{n + 0.5},{'yes' if n % 3 else 'no'},2024-01-{n + 1:02d},{('x', 'y', '')[n % 3]}"
            for n in range(12)]  # fmt: skip
    table = written(tmp_path, "image,label,weight,ok,when,kind", [*rows, ",1,yes,2024-01-01,x"])
    status, lines, _ = inspected(capsys, "table", table)
    assert status == 0
    assert lines[:3] == [f"{table}: 12 images in 2 classes", "a: 6", "b: 6"]
    for beginning in ("weight: number, ", "ok: boolean, ", "when: date, ", "kind: category, "):
        assert any(line.startswith(beginning) for line in lines)
    assert "NOT USED no label: 1" in lines
    assert lines[-1] == f"train with: python -m training table {table} --columns weight,ok,when,kind --name table"


def test_a_table_with_a_split_has_a_line_for_each_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"{'ab'[n % 2]},{('train', 'test', 'train')[n // 4]}" for n in range(12)]
    table = written(tmp_path, "image,kind,part", rows)
    words = ("--label-column", "kind", "--name", "parts")
    _, lines, _ = inspected(capsys, "table", table, *words)
    assert lines[1:5] == ["a: 6", "b: 6", "train: 8", "test: 4"]
    assert lines[-1].endswith(f"table {table} --label-column kind --split-column part --name parts")


def test_numbers_as_labels_are_no_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = written(tmp_path, "image,label", [str(n + 0.5) for n in range(30)])
    status, lines, _ = inspected(capsys, "table", table)
    assert (status, lines[0]) == (0, f"{table}: 30 images with numbers as labels")
    assert any(line.startswith("label: number, 0.5 to 29.5") for line in lines)


def test_a_table_without_the_label_still_shows_its_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = written(tmp_path, "image,kind", ["a", "b", "a", "b"])
    status, lines, errors = inspected(capsys, "table", table)
    assert (status, lines[0]) == (1, f"{table}: no image can be used")
    assert any(line.startswith("kind: category, ") for line in lines)
    assert errors == [f"error: {table} has no column 'label'; it has 'image', 'kind'"]


@pytest.mark.parametrize("source", ["folder", "table"])
def test_the_json_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str) -> None:
    data = plant(tmp_path / "data", [*CLASSES, "fish/half.png | half"])
    if source == "table":
        rows = [*(f"{name},{name.partition('/')[0]},{n}" for n, name in enumerate(CLASSES)), "fish/half.png,fish,3"]
        (data / "t.csv").write_text("\n".join(["image,label,weight", *rows]))
        data = data / "t.csv"
    status, lines, _ = inspected(capsys, source, data, "--json", tmp_path / "found.json")
    found = json.loads((tmp_path / "found.json").read_text())
    assert status == 0
    assert found["classes"] == {"bird": 4, "fish": 6}
    assert found["not_used"] == {"damaged": 1}
    assert found["sizes"] == {"smallest": [12, 12], "median": [12, 12], "largest": [12, 12], "formats": {"png": 10}}
    assert lines[-1] == f"train with: {found['command']}"
    assert [found["columns"][name].split(", ")[0] for name in found["columns"] if name == "weight"] == (
        ["number"] if source == "table" else []
    )


def test_the_json_is_written_where_a_training_is_impossible_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, errors = inspected(capsys, "folder", plant(tmp_path / "d", ["a/1.png"]), "--json", tmp_path / "j")
    assert status == 1
    assert errors == [f"error: {json.loads((tmp_path / 'j').read_text())['problem']}"]


def test_links_are_followed_unless_told_not_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plant(tmp_path / "out", CLASSES)
    data = plant(tmp_path / "data", ["fish -> ../out/fish", "bird -> ../out/bird", "cat/1.png", "cat/2.png"])
    _, lines, _ = inspected(capsys, "folder", data)
    assert lines[1:4] == ["bird: 4", "cat: 2", "fish: 6"]
    status, lines, _ = inspected(capsys, "folder", data, "--no-links")
    assert (status, lines[1:3]) == (1, ["cat: 2", "NOT USED symbolic link: 2"])


def test_the_command_that_is_named_is_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = plant(tmp_path / "My Data!", CLASSES)
    _, lines, _ = inspected(capsys, "folder", data, "--no-links")
    words = shlex.split(lines[-1].removeprefix("train with: "))
    assert words == [
        "python", "-m", "training", "pretrained", str(data), "--no-links", "--name", "my-data"
    ]  # fmt: skip
    arguments = command._parser(words[3:]).parse_args(words[3:])
    assert (arguments.data, arguments.follow) == (str(data), False)


def parsed(line: str) -> argparse.Namespace:
    """What the real parser makes of the command that is named."""
    words = shlex.split(line.removeprefix("train with: "))
    assert words[:3] == ["python", "-m", "training"]
    return command._parser(words[3:]).parse_args(words[3:])


@pytest.mark.parametrize(
    "names",
    [["size, mm", "b"], ["a,b", "c"], ["-w", "v"], ["-w,v"], ['5" disk', "b"], ['"q"', "b"], ["it's", "x y"],
     ["--name"], ["$HOME", "`x`"]],
    ids=["a comma and a space", "a comma", "a hyphen", "a hyphen and a comma", "a quote in it", "quotes around it",
         "an apostrophe", "an option", "signs of a shell"],
)  # fmt: skip
def test_the_command_names_columns_of_any_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], names: list[str]
) -> None:
    written(tmp_path, "image,label", ["a,b"] * 12)
    with (tmp_path / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerow(["image", "-label", *names])
        csv.writer(file).writerows([f"{n}.png", "ab"[n % 2], *(str(n % 5 / 2) for _ in names)] for n in range(12))
    table, asked = tmp_path / "t.csv", data_options.listed(names)
    _, lines, errors = inspected(capsys, "table", table, "--label-column=-label", f"--optional-columns={asked}")
    assert not errors
    arguments = parsed(lines[-1])
    assert (arguments.columns, arguments.optional_columns) == (tuple(names), tuple(names))
    assert arguments.label_column == "-label"


@pytest.mark.parametrize("name", ["-d2", "-dash dir", "--name"])
def test_the_command_names_folders_and_files_of_any_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    plant(tmp_path / name, CLASSES)
    _, lines, _ = inspected(capsys, "folder", f"./{name}")
    assert parsed(lines[-1]).data == f"./{name}"
    written(tmp_path / name, "image,label", ["a", "b"] * 6).rename(tmp_path / f"{name}.csv")
    _, lines, _ = inspected(capsys, "table", f"./{name}.csv", f"--images-root={name}", "--missing=-,x")
    arguments = parsed(lines[-1])
    assert (arguments.table, arguments.images_root) == (Path(f"{name}.csv"), Path(name))
    assert arguments.missing == ("-", "x")


def test_columns_that_the_dry_run_picks_can_be_optional(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = written(tmp_path, "image,label,n", [f"{'ab'[n % 2]},{n % 5 / 2}" for n in range(12)])
    status, lines, _ = inspected(capsys, "table", table, "--optional-columns", "n")
    assert status == 0
    assert "--columns n --optional-columns n" in lines[-1]
    status, _, errors = inspected(capsys, "table", table, "--optional-columns", "m")
    assert (status, errors) == (1, ["error: 'm' cannot be optional: it is none of the columns n"])
    bare = written(tmp_path / "bare", "image,label", ["a", "b"] * 6)
    _, _, errors = inspected(capsys, "table", bare, "--optional-columns", "n")
    assert errors == [
        "error: 'n' cannot be optional: it is none of the columns beside the image, of which there are none"
    ]


def test_what_stops_a_training_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = written(tmp_path, "image,label", ["007", "7", "8"])
    _, lines, errors = inspected(capsys, "table", table)
    assert "label: cannot be used" in lines
    assert len(errors) == 1
    assert "the labels '007' and '7' are the same number" in errors[0]


HORRORS = [*CLASSES, "fish/a.png | half", "fish/b.jpg | text", "fish/c.tif | text", "fish/d.heic | text",
           "fish/e.png | pipe", "fish/f.png | socket", "fish/g.jpg | huge", "fish/h.png -> h.png", "fish/i -> ..",
           "bird/j.gif | half", "bird/k.avif | half", "bird/l.webp | half", "bird/m.png -> /proc/self/mem",
           "bird/n.png -> /dev/zero", "bird/o.bmp | half"]  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        ["inspect", "folder"],
        pytest.param(["clean", "folder"], marks=pytest.mark.slow),
        pytest.param(["pretrained"], marks=pytest.mark.slow),
        pytest.param(["compare", "folder"], marks=pytest.mark.slow),
    ],
    ids=" ".join,
)
def test_no_file_ends_in_a_traceback(tmp_path: Path, words: list[str]) -> None:
    data = plant(tmp_path / "data", HORRORS)
    more = {"pretrained": ["--name", "x", "--out", "store"], "compare": ["--budget", "0.02"]}.get(words[0], [])
    run = subprocess.run(
        [sys.executable, "-m", "training", *words, str(data), *more],
        cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert "Traceback" not in run.stderr
    assert run.returncode in (0, 1)
    assert "fish/a.png: " in run.stdout + run.stderr + "".join(map(Path.read_text, tmp_path.glob("build/**/*.csv")))


def test_rows_of_several_photos_are_told_as_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plant(tmp_path, [f"{n}.png" for n in range(24)])
    rows = [f"{2 * n}.png;{2 * n + 1}.png,{'ab'[n % 2]}" for n in range(11)]
    (tmp_path / "table.csv").write_text("\n".join(["image,label", *rows, "22.png;0.png,a"]) + "\n")
    status, lines, errors = inspected(capsys, "table", tmp_path / "table.csv")
    assert (status, errors) == (0, [])
    assert lines[:3] == [f"{tmp_path / 'table.csv'}: 12 images in 2 classes", "a: 7", "b: 5"]
    assert "image: image, 23 files, up to 2 in a row" in lines
    assert "note: 12 rows with 24 photos, up to 2 in a row: each row is one thing" in lines
    assert any(line.startswith("2 images look the same as others, in 1 groups") for line in lines), "photo 0 is of both"

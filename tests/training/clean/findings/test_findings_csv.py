"""`training.clean.findings.findings_csv`: findings for a spreadsheet and for a program."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np

from tests.training.clean.conftest import HOSTILE, LEAKED, TESTED, WRONG, Planted
from training.clean.findings.findings import Findings, Leak
from training.clean.findings.findings_csv import entries, to_csv, to_json
from training.clean.findings.findings_text import sentences
from training.clean.label_errors import LabelReview


def test_an_entry_says_what_is_wrong_with_which_row(planted: Planted) -> None:
    first, *_ = entries(planted.dataset, planted.findings)
    assert (first.kind, first.position, first.part) == ("label-issues", WRONG, "train")
    assert (first.label, first.suggested) == ("red", "green")
    assert first.file == f"{HOSTILE}.png"
    assert not first.dropped  # of so few rows nobody can tell
    review = replace(planted.findings.review or LabelReview((), 0), precision=0.8)
    first, *_ = entries(planted.dataset, replace(planted.findings, review=review))
    assert first.dropped


def test_copies_share_a_group_of_which_the_training_side_is_dropped(planted: Planted) -> None:
    found = [entry for entry in entries(planted.dataset, planted.findings) if entry.kind == "leakage"]
    assert [(entry.position, entry.part, entry.group, entry.dropped) for entry in found] == [
        (LEAKED, "train", 1, True),
        (TESTED, "test", 1, False),
    ]


def test_csv_and_json_have_every_entry_and_the_unreadable_files(planted: Planted) -> None:
    listed = entries(planted.dataset, planted.findings)
    rows = list(csv.DictReader(io.StringIO(to_csv(planted.dataset, planted.findings))))
    assert [row["kind"] for row in rows] == [*(entry.kind for entry in listed), "unreadable"]
    assert [row["file"] for row in rows[:-1]] == [entry.file for entry in listed]
    assert rows[-1]["reason"] == "blue/no.png: damaged"
    content = json.loads(to_json(planted.dataset, planted.findings))
    assert [found["position"] for found in content["findings"]] == [entry.position for entry in listed]
    assert content["unreadable"] == ["blue/no.png: damaged"]
    assert content["summary"] == sentences(planted.findings)


def test_a_name_that_a_spreadsheet_would_run_is_text_in_the_csv_and_itself_in_the_json(planted: Planted) -> None:
    dataset = replace(planted.dataset, files=("=1+1.png",) * 60, classes=("@blue", "-green", "+red"))
    row = next(csv.DictReader(io.StringIO(to_csv(dataset, planted.findings))))
    assert (row["file"], row["label"], row["suggested"]) == ("'=1+1.png", "'+red", "'-green")
    found = json.loads(to_json(dataset, planted.findings))["findings"][0]
    assert (found["file"], found["label"]) == ("=1+1.png", "+red")


def test_estimates_stand_beside_the_findings_and_in_the_rows_of_label_issues(planted: Planted) -> None:
    review = replace(planted.findings.review or LabelReview((), 0), precision=0.81234, recall=0.9)
    findings = replace(planted.findings, review=review)
    content = json.loads(to_json(planted.dataset, findings))
    assert (content["estimated_precision"], content["estimated_recall"]) == (0.8123, 0.9)
    first, *others = csv.DictReader(io.StringIO(to_csv(planted.dataset, findings)))
    assert (first["kind"], first["estimated_precision"], first["estimated_recall"]) == ("label-issues", "0.8123", "0.9")
    assert not any(row["estimated_precision"] for row in others)


def test_what_cannot_be_estimated_is_null(planted: Planted) -> None:
    for review in (planted.findings.review, None):
        content = json.loads(to_json(planted.dataset, replace(planted.findings, review=review)))
        assert content["estimated_precision"] is content["estimated_recall"] is None


def test_every_finding_has_its_kind_file_part_and_group(planted: Planted) -> None:
    dataset = replace(planted.dataset, files=())
    found = json.loads(to_json(dataset, planted.findings))["findings"]
    assert all({"kind", "file", "part", "group"} <= entry.keys() for entry in found)
    assert {entry["kind"]: entry["group"] for entry in found} == {
        "label-issues": None, "leakage": 1, "duplicates": 2, "odd": None
    }  # fmt: skip


def test_leaks_are_counted_in_images(planted: Planted) -> None:
    findings = replace(planted.findings, leaks=(Leak((3, 50, 51, 52), None), Leak((4, 41), None)))
    assert json.loads(to_json(planted.dataset, findings))["leakage"] == {
        "validation": {"images": 10, "copied": 1},
        "test": {"images": 10, "copied": 3},
    }


def test_clean_data_has_an_empty_list(planted: Planted) -> None:
    nothing = Findings(LabelReview((), 60), (), (), (), (), planted.dataset.labels, np.zeros(60, int))
    assert entries(planted.dataset, nothing) == []
    assert to_csv(planted.dataset, nothing).count("\n") == 1

"""`training.clean.listing`: findings for a spreadsheet, for a program, and in sentences."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np

from tests.training.clean.conftest import HOSTILE, LEAKED, TESTED, WRONG, Planted
from training.clean.findings import Findings
from training.clean.listing import entries, sentences, to_csv, to_json


def test_an_entry_says_what_is_wrong_with_which_row(planted: Planted) -> None:
    first, *_ = entries(planted.dataset, planted.findings)
    assert (first.kind, first.position, first.part) == ("label-issues", WRONG, "train")
    assert (first.label, first.suggested) == ("red", "green")
    assert first.file == f"{HOSTILE}.png"
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


def test_sentences_count_one_as_one(planted: Planted) -> None:
    assert sentences(planted.findings) == [
        "1 label of 50 in training and validation is probably wrong.",
        "1 image is in more than one part, 1 of them in the test.",
        "1 image is more than once in one part.",
        "0 images have copies with contradicting labels.",
        "2 images are unlike all others.",
        "1 file could not be used.",
    ]


def test_clean_data_has_an_empty_list(planted: Planted) -> None:
    nothing = Findings((), (), (), (), planted.dataset.labels, np.zeros(60, int))
    assert entries(planted.dataset, nothing) == []
    assert to_csv(planted.dataset, nothing).count("\n") == 1

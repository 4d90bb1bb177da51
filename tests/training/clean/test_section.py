"""`training.clean.section`: what a person sees of the findings, on a page of its own and in a training's report."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from tests.training.clean.conftest import HOSTILE, Planted
from tests.training.test_report import fashion
from training import report
from training.clean.duplicates import Group
from training.clean.findings import Findings
from training.clean.odd import Odd
from training.clean.section import CARDS_SHOWN, PICTURES_SHOWN, render, show

CREATED = datetime(2025, 6, 1, 9, 30, tzinfo=UTC)


def page(planted: Planted, findings: Findings | None = None) -> str:
    return render("squares", show(planted.dataset, findings or planted.findings), created=CREATED).decode()


def test_every_kind_has_its_pictures(planted: Planted) -> None:
    html = page(planted)
    for kind in ("label-issues", "leakage", "duplicates", "odd"):
        assert f'<h3 id="{kind}">' in html
        assert f"<code>--drop {kind}</code>" in html
    assert html.count("<img") == 1 + 2 + 2 + 2
    assert html.count('src="data:image/png;base64,') == html.count("<img") == html.count(' alt="')
    assert "is labelled red" in html
    assert "blue/no.png: damaged" in html
    assert "2025-06-01 09:30 UTC" in html


def test_names_of_files_and_classes_are_escaped(planted: Planted) -> None:
    dataset = replace(planted.dataset, classes=(HOSTILE, "<b>", "&"), skipped=(HOSTILE,))
    hostile = replace(planted, dataset=dataset, findings=replace(planted.findings, unreadable=(HOSTILE,)))
    for html in (page(hostile), report.render(replace(fashion(), findings=show(dataset, hostile.findings))).decode()):
        assert "<script" not in html
        assert "<b><b>" not in html
        assert "&lt;script&gt;" in html


def test_no_more_than_a_few_are_shown_and_the_others_counted(planted: Planted) -> None:
    odd = tuple(Odd(row, "one colour") for row in range(CARDS_SHOWN + 5))
    group = Group(tuple(range(PICTURES_SHOWN + 3)), exact=True)
    html = page(planted, Findings((), (group,), odd, (), planted.dataset.labels, planted.findings.part))
    assert html.count("<img") == CARDS_SHOWN + PICTURES_SHOWN
    assert "and 5 more" in html
    assert "3 more copies" in html


def test_each_part_and_label_of_a_group_is_among_its_pictures(planted: Planted) -> None:
    labels = np.zeros(60, int)
    labels[20] = 2
    group = Group((*range(10), 20, 55), exact=True)
    (shelf, *_) = show(planted.dataset, Findings((), (group,), (), (), labels, planted.findings.part)).shelves
    pictures = shelf.cards[0].pictures
    assert {(picture.title, picture.note) for picture in pictures} == {
        ("blue", "train"),
        ("red", "train"),
        ("blue", "test"),
    }
    assert shelf.cards[0].note == "the same pixels, contradicting labels"


def test_clean_data_has_no_pictures(planted: Planted) -> None:
    html = page(planted, Findings((), (), (), (), planted.dataset.labels, planted.findings.part))
    assert "<img" not in html
    assert "0 labels of 50 in training and validation are probably wrong." in html


def test_images_without_files_are_named_by_their_rows(planted: Planted) -> None:
    assert "image 7" in page(replace(planted, dataset=replace(planted.dataset, files=())))


@pytest.mark.parametrize("with_findings", [True, False])
def test_a_report_has_the_section_where_somebody_looked(planted: Planted, with_findings: bool) -> None:
    found = show(planted.dataset, planted.findings) if with_findings else None
    html = report.render(replace(fashion(), findings=found)).decode()
    assert ("What is wrong with the data" in html) == with_findings
    assert len(re.findall("<section", html)) == len(re.findall("</section>", html))


def test_the_same_findings_give_the_same_bytes(planted: Planted) -> None:
    assert page(planted) == page(planted)

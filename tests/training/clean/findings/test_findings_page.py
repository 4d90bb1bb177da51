"""`training.clean.findings.findings_page`: what a person sees of the findings, on a page of its own and in a training's
report."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from tests.training.clean.conftest import HOSTILE, Planted
from tests.training.reports.test_class_report import fashion
from training.clean.copies.duplicates import Group
from training.clean.findings.findings import Findings, Leak
from training.clean.findings.findings_page import CARDS_SHOWN, PICTURES_SHOWN, render, show
from training.clean.findings.findings_text import FIRST
from training.clean.label_errors import LabelIssue, LabelReview
from training.clean.outliers import Outlier
from training.reports import class_report

CHECKED = LabelReview((), checked=50)
CREATED = datetime(2025, 6, 1, 9, 30, tzinfo=UTC)


def page(planted: Planted, findings: Findings | None = None) -> str:
    return render("squares", show(planted.dataset, findings or planted.findings), created=CREATED).decode()


def test_every_kind_has_its_pictures(planted: Planted) -> None:
    html = page(planted)
    for kind in ("label-issues", "leakage", "duplicates", "odd"):
        assert f'<h3 id="{kind}">' in html
        assert f"<code>--drop {kind}{' --force' * (kind == 'label-issues')}</code>" in html
    assert html.count("<img") == 1 + 2 + 2 + 2
    assert html.count('src="data:image/png;base64,') == html.count("<img") == html.count(' alt="')
    assert "is labelled red" in html
    assert "blue/no.png: damaged" in html
    assert "2025-06-01 09:30 UTC" in html


def test_names_of_files_and_classes_are_escaped(planted: Planted) -> None:
    dataset = replace(planted.dataset, classes=(HOSTILE, "<b>", "&"), skipped=(HOSTILE,))
    hostile = replace(planted, dataset=dataset, findings=replace(planted.findings, unreadable=(HOSTILE,)))
    for html in (
        page(hostile),
        class_report.render(replace(fashion(), findings=show(dataset, hostile.findings))).decode(),
    ):
        assert "<script" not in html
        assert "<b><b>" not in html
        assert "&lt;script&gt;" in html


def test_no_more_than_a_few_are_shown_and_the_others_counted(planted: Planted) -> None:
    outlier = tuple(Outlier(row, "one colour") for row in range(CARDS_SHOWN + 5))
    group = Group(tuple(range(PICTURES_SHOWN + 3)), exact=True)
    html = page(planted, Findings(CHECKED, (group,), (), outlier, (), planted.dataset.labels, planted.findings.part))
    assert html.count("<img") == CARDS_SHOWN + PICTURES_SHOWN
    assert "and 5 more" in html
    assert "; 3 more" in html


@pytest.mark.parametrize(("precision", "shown"), [(0.9, CARDS_SHOWN), (0.2, FIRST)])
def test_fewer_label_issues_are_shown_where_they_are_not_believed(
    planted: Planted, precision: float, shown: int
) -> None:
    issues = tuple(LabelIssue(row, 0, 1, 0.9) for row in range(40))
    html = page(planted, replace(planted.findings, review=LabelReview(issues, 50, precision, 0.8)))
    assert html.count("is labelled blue") == shown * 2  # below the picture, and for who does not see it
    assert f"and {40 - shown} more" in html
    assert ("<code>--drop label-issues</code>" in html) == (precision > 0.7)


def test_leaking_images_are_counted_and_not_their_groups(planted: Planted) -> None:
    leak = Leak((3, 4, 50, 51, 52), None)
    html = page(planted, replace(planted.findings, leaks=(leak,)))
    assert '<h3 id="leakage">Images in more than one part (3)</h3>' in html
    assert "of one group; 1 more" in html


def test_each_part_and_label_of_a_group_is_among_its_pictures(planted: Planted) -> None:
    labels = np.zeros(60, int)
    labels[20] = 2
    group = Group((*range(10), 20, 55), exact=True)
    (shelf, *_) = show(
        planted.dataset,
        Findings(CHECKED, (group,), (Leak(group.positions, group),), (), (), labels, planted.findings.part),
    ).shelves
    pictures = shelf.cards[0].pictures
    assert {(picture.title, picture.note) for picture in pictures} == {
        ("blue", "train"),
        ("red", "train"),
        ("blue", "test"),
    }
    assert shelf.cards[0].note == "the same pixels, contradicting labels"


def test_clean_data_has_no_pictures(planted: Planted) -> None:
    html = page(planted, Findings(CHECKED, (), (), (), (), planted.dataset.labels, planted.findings.part))
    assert "<img" not in html
    assert "None of 50 labels in training and validation seems wrong." in html


def test_images_without_files_are_named_by_their_rows(planted: Planted) -> None:
    assert "image 7" in page(replace(planted, dataset=replace(planted.dataset, files=())))


@pytest.mark.parametrize("with_findings", [True, False])
def test_a_report_has_the_section_where_somebody_looked(planted: Planted, with_findings: bool) -> None:
    found = show(planted.dataset, planted.findings) if with_findings else None
    html = class_report.render(replace(fashion(), findings=found)).decode()
    assert ("What is wrong with the data" in html) == with_findings
    assert len(re.findall("<section", html)) == len(re.findall("</section>", html))


def test_the_same_findings_give_the_same_bytes(planted: Planted) -> None:
    assert page(planted) == page(planted)

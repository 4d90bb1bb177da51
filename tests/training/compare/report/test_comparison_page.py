"""What a person reads: the page and the Markdown."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from tests.training.compare.made_rows import TEST_IMAGES, comparison, row
from training.compare.report.comparison_page import html, markdown
from training.compare.report.comparison_rows import Family, LeftOut

HOSTILE = "<script>alert(1)</script>\"'`|[x](javascript:1)"
VOID = {"meta", "link", "br"}


class Checked(HTMLParser):
    """Every element that is opened is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(text: str) -> Checked:
    checked = Checked()
    checked.feed(text)
    assert not checked.open
    return checked


def test_the_page_is_whole_and_needs_nothing_from_elsewhere() -> None:
    text = html(comparison())
    parsed(text)
    assert not re.findall(r'(?:src|href)="(?!data:|#)', text)
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text


def test_the_page_has_verdict_curves_rows_and_what_was_left_out() -> None:
    text = html(comparison())
    for expected in (
        "Use the hybrid.", "<svg", "a model on hybrid", "90.00", "slow one", "expected to take up to 99 s",
        "a processor, 2 cores", "numpy 2.4.6", "python -m training compare folder clothes", "12 epochs on 90 images",
    ):  # fmt: skip
        assert expected in text


def test_names_from_the_data_are_shown_and_do_nothing() -> None:
    hostile = comparison(
        data=HOSTILE,
        classes=(HOSTILE, "shirt"),
        columns=(HOSTILE,),
        verdict=(HOSTILE, HOSTILE),
        command=HOSTILE,
        hardware=HOSTILE,
        skipped=(HOSTILE,),
        rows=(row(Family.HYBRID, 900, name=HOSTILE),),
        left_out=(LeftOut(size=1, name=HOSTILE, reason=HOSTILE),),
    )
    assert "script" not in parsed(html(hostile)).seen
    assert html(hostile).count("&lt;script&gt;") >= 9
    text = markdown(hostile)
    outside_code = re.sub(r"`[^`\n]*`\n", "", text)
    assert "<script>" not in outside_code.replace("\\<script\\>", "")
    assert not re.search(r"(?<!\\)\[x", outside_code)


def test_a_name_does_not_break_a_table() -> None:
    text = markdown(comparison(rows=(row(Family.HYBRID, 900, name="a|b\nc"),)))
    assert "| a\\|b c | hybrid | 0.9000 | 0.8797 to 0.9179 | 1 |" in text


def test_markdown_lists_everything_that_was_left_out_with_the_reason() -> None:
    text = markdown(comparison())
    assert "- 1,000: slow one: expected to take up to 99 s" in text
    assert "- 1,000: slower one: the budget is spent" in text


def test_rows_left_out_for_one_reason_are_one_line() -> None:
    left_out = tuple(LeftOut(size=100, name=name, reason="the budget is spent") for name in ("a", "b"))
    assert "- 100: a, b: the budget is spent" in markdown(comparison(left_out=left_out))


@pytest.mark.parametrize("rows", [(), (row(Family.NETWORK, 1000),)], ids=["nothing measured", "one perfect row"])
def test_little_makes_a_page_too(rows: tuple[object, ...]) -> None:
    parsed(html(comparison(rows=rows, left_out=(), networks=(), interrupted=True)))
    assert ">Measured</h2>" in html(comparison(rows=rows, interrupted=True))
    assert "interrupted" in markdown(comparison(rows=rows, interrupted=True))


def test_margin_limits_seeds_and_copies_are_told() -> None:
    twice = row(Family.HYBRID, 900).and_another(row(Family.HYBRID, 910), TEST_IMAGES)
    given = comparison(rows=(twice,), copied=21, margin=2.0)
    low, high = f"{100 * twice.low:.1f}", f"{100 * twice.high:.1f}"
    for text in (html(given), markdown(given)):
        for expected in ("margin", "2 points", "seeds 0 to 1", "21"):
            assert expected in text
    assert f"<td>{low} to {high}</td><td>2</td>" in html(given)
    assert f"| {twice.low:.4f} to {twice.high:.4f} | 2 |" in markdown(given)


def test_the_same_comparison_gives_the_same_page() -> None:
    assert html(comparison()) == html(comparison())

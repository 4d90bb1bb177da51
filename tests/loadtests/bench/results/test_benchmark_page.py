"""Sections of the page of benchmarks."""

from pathlib import Path

from loadtests.bench.results.benchmark_page import HEADING, publish, table


def test_a_section_is_replaced_and_the_others_stay(tmp_path: Path) -> None:
    page = tmp_path / "docs" / "benchmarks.md"
    publish(page, "a", "## A\n\nold")
    publish(page, "b", "## B\n\nkept")
    publish(page, "a", "## A\n\nnew \\1")
    text = page.read_text()
    assert text.startswith(HEADING)
    assert "old" not in text
    assert text.index("new \\1") < text.index("kept")
    assert text.count("## A") == 1


def test_a_table_has_its_figures_to_the_right() -> None:
    assert table(["server", "x"], [["a|b", "1"]]).splitlines() == ["| server | x |", "| --- | ---: |", "| a\\|b | 1 |"]

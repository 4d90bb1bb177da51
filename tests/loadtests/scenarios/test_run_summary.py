"""The table for a person and the JSON for a program."""

import dataclasses
from pathlib import Path

from loadtests.scenarios.run_summary import Summary, read_summary, table, write_summary


def test_a_summary_read_back_from_json_is_the_same(summary: Summary, tmp_path: Path) -> None:
    write_summary(summary, tmp_path / "summary.json")
    assert read_summary(tmp_path / "summary.json") == summary


def test_the_table_has_a_line_for_each_kind_of_request_and_for_all(summary: Summary) -> None:
    lines = [line.split() for line in table(summary).splitlines()]
    assert ["one", "PNG", "150", "75.0", "2.0", "5.0", "9.0", "0"] in lines
    assert ["all", "200", "100.0", "3.0", "10.0", "20.0", "2"] in lines


def test_the_table_ends_with_cpu_accuracy_and_failures(summary: Summary) -> None:
    assert table(summary).splitlines()[-3:] == [
        "server CPU: 0.500 ms per request",
        "accuracy: 0.9000 over 60 images sent one by one",
        "failed 2 times: status 500: b'oops'",
    ]


def test_the_table_says_where_cpu_was_not_measured(summary: Summary) -> None:
    assert "server CPU: not measured" in table(dataclasses.replace(summary, server_cpu_ms=None))


def test_the_share_of_failures_is_theirs_of_all_requests(summary: Summary) -> None:
    assert summary.failed_share == 0.01

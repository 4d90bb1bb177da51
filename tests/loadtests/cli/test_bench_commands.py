"""The commands that compare."""

import json
from pathlib import Path

import pytest

from loadtests.__main__ import main, parser


@pytest.mark.parametrize(
    "options",
    [["bench", "--peers", "nginx"], ["bulk", "--images", "0"], ["bulk", "--forms", "xml"], ["growth", "--rounds", "0"]],
    ids=" ".join,
)
def test_an_option_out_of_range_is_refused(options: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        parser().parse_args(options)


def test_growth_without_its_bundles_says_how_to_make_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["growth", "--heads", str(tmp_path), "--out", str(tmp_path)]) == 1
    assert "python -m tools.grown_heads" in capsys.readouterr().err


def test_an_image_that_is_not_there_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "missing.png"
    assert main(["bench", "--image", str(missing), "--out", str(tmp_path)]) == 1
    assert str(missing) in capsys.readouterr().err


@pytest.mark.slow
def test_the_service_is_compared_with_a_peer_and_the_work_alone(tmp_path: Path) -> None:
    page, raw = tmp_path / "docs" / "benchmarks.md", tmp_path / "bench.json"
    options = ["--peers", "fastapi", "--rounds", "1", "--seconds", "1", "--connections", "4"]
    assert main(["bench", *options, "--out", str(tmp_path), "--docs", str(page), "--json", str(raw)]) == 0
    text = page.read_text()
    assert "| Tandem | " in text
    assert "| FastAPI | " in text
    assert "work alone, 2 at a time" in text
    assert (page.parent / "benchmarks" / "bench-fashion-mnist-small.svg").is_file()
    content = json.loads(raw.read_text())
    assert {reading["subject"] for reading in content["readings"]} >= {"Tandem", "FastAPI"}
    latencies = {reading["quantity"] for reading in content["readings"] if reading["subject"] == "Tandem"}
    assert latencies >= {f"{quantile} ms at {share}" for quantile in ("p50", "p99") for share in ("50%", "80%")}
    assert "settings of FastAPI" in content["conditions"]

"""`tools.scoring_rate`: both ways are timed from their start to their end."""

from __future__ import annotations

import pytest

from tools.scoring_rate import IMAGES, main

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not IMAGES.is_file(), reason="Debian's package dataset-fashion-mnist is not installed"),
]


def test_the_rates_of_both_and_their_ratio_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--images", "100", "--rounds", "1", "--workers", "2"]) == 0
    loop, scoring, ratio = capsys.readouterr().out.splitlines()
    assert loop.startswith("loop: ")
    assert scoring.startswith("scoring: ")
    assert float(ratio.removeprefix("scoring / loop: ")) > 0

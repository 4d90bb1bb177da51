from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from feedback.simulation.simulate_command import add_parser
from tests.feedback.simulation.worlds_of_rows import rare_and_frequent


def simulate(*words: str) -> str:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["simulate", *words])
    said: str = arguments.run(arguments)
    return said


def test_the_command_prints_a_table_and_a_verdict_and_writes_numbers_and_a_plot(tmp_path: Path) -> None:
    embedding, labels = rare_and_frequent(600)
    np.savez(tmp_path / "rows.npz", embedding=embedding, label=labels)
    files = ["--json", str(tmp_path / "found.json"), "--plot", str(tmp_path / "found.png")]
    lines = simulate("--rows", str(tmp_path / "rows.npz"), "--seeds", "3", *files).splitlines()
    assert lines[0] == "300 rows to ask, 300 to evaluate on, 3 seeds; accuracy in %"
    assert lines[1].split() == ["answers", "100", "200", "300"]
    assert [line.split("  ")[0] for line in lines[2:6]] == ["random", "uncertainty", "diversity", "ours"]
    found = json.loads((tmp_path / "found.json").read_text())
    assert lines[-1] == found["sentence"]
    assert found["strategy"] in {"ours", "random"}
    assert np.array(found["accuracy"]["ours"]).shape == (3, 3)
    with Image.open(tmp_path / "found.png") as plot:
        assert plot.size == (840, 540)


def test_two_seeds_have_no_noise_to_speak_of_and_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        simulate("--seeds", "2")
    assert "'2' is no number from 3 to 100" in capsys.readouterr().err

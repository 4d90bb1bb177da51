"""SECURITY.md tells the truth where a test can hold it to that."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from service.gateway.api_keys import ApiKeys
from service.process.keys_command import main
from tests.test_container import RUN

ROOT = Path(__file__).resolve().parent.parent
SECURITY = (ROOT / "SECURITY.md").read_text()
OF_THE_USER = {"-p", "127.0.0.1:3000:3000", "tandem:cpu"}


def commands(program: str) -> list[list[str]]:
    """Arguments of each command of the document that runs the program."""
    return [
        shlex.split(line.partition("#")[0])
        for line in re.findall(rf"^    {re.escape(program)} (.+)$", SECURITY, re.MULTILINE)
    ]


def test_the_container_is_documented_to_run_as_it_is_tested() -> None:
    (arguments,) = commands("docker run")
    assert set(arguments) - OF_THE_USER <= set(RUN)
    assert {"--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"} <= set(arguments)


def test_the_commands_for_keys_do_what_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = []
    for arguments in commands(".venv/bin/python -m service keys"):
        assert main(arguments) == 0
        names.append([key.name for key in ApiKeys.open(tmp_path / "keys").entries])
    assert names == [["shop"], ["shop"], []]


@pytest.mark.parametrize("path", re.findall(r"`?(tests/\S+\.py)", SECURITY))
def test_a_file_that_is_named_exists(path: str) -> None:
    assert (ROOT / path).is_file()

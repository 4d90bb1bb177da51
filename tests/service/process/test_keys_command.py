"""`python -m service keys`: a new key is shown once, and its file changes in nothing else."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from service.gateway.api_keys import ApiKeys
from service.process.keys_command import line_of, main, new_key

ROOT = Path(__file__).parents[3]
KEY, OTHER = new_key(), new_key()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with the key of `shop`."""
    file = tmp_path / "keys"
    file.write_text(f"# who may ask\n\n{line_of('shop', KEY)}\n")
    return file


def test_new_keys_are_256_random_bits_of_the_documented_form() -> None:
    made = {new_key() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"tandem_[A-Za-z0-9_-]{43}", key) for key in made)


def test_a_new_key_is_shown_once_and_its_line_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "keys"
    assert main(["new", "shop", "--file", str(path)]) == 0
    key = capsys.readouterr().out.strip()
    assert path.read_text() == f"{line_of('shop', key)}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ApiKeys.open(path).check(f"Bearer {key}".encode()).name == "shop"


def test_a_new_key_has_the_scopes_that_were_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "shop", "--scope", "review,predict"]) == 0
    key, line = capsys.readouterr().out.splitlines()
    assert line == line_of("shop", key, "predict,review")


def test_an_unknown_scope_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["new", "shop", "--scope", "delete"])
    assert "no scope is called 'delete'; there are predict, review" in capsys.readouterr().err


def test_without_a_file_the_line_is_shown_beneath_the_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "shop"]) == 0
    key, line = capsys.readouterr().out.splitlines()
    assert line == line_of("shop", key)


def test_a_key_is_added_to_what_is_there_and_the_file_stays_the_same_one(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_text(path.read_text().rstrip())
    path.chmod(0o640)
    before = path.stat()
    assert main(["new", "other", "--file", str(path)]) == 0
    assert [key.name for key in ApiKeys.open(path).entries] == ["shop", "other"]
    assert path.read_text().startswith("# who may ask\n")
    assert (path.stat().st_ino, path.stat().st_mode) == (before.st_ino, before.st_mode)


def test_names_are_listed_without_their_hashes(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--file", str(path)]) == 0
    assert capsys.readouterr().out == "shop predict\n"


def test_a_removed_key_is_gone_and_the_rest_as_it_was(path: Path) -> None:
    path.write_text(f"{path.read_text()}{line_of('other', OTHER)} # since May\n")
    path.chmod(0o640)
    assert main(["remove", "shop", "--file", str(path)]) == 0
    assert path.read_text() == f"# who may ask\n\n{line_of('other', OTHER)} # since May\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["new", "shop"], "the same name or key"),
        (["new", "a b"], "the name of a key is"),
        (["new", "x" * 41], "this one has 41"),
        (["remove", "nobody"], "has no key of that name"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_done_changes_nothing_and_says_why(
    path: Path, arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = path.read_text()
    assert main([*arguments, "--file", str(path)]) == 1
    out, err = capsys.readouterr()
    assert (out, reason in err, len(err.splitlines())) == ("", True, 1)
    assert path.read_text() == before


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "shop", "--file", str(tmp_path / "nowhere" / "keys")]) == 1
    assert "nowhere" in capsys.readouterr().err


def test_it_runs_as_a_module_without_loading_the_service() -> None:
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "service", "keys", "new", "shop"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert result.stdout.startswith("tandem_")
    assert "bentoml" not in result.stderr

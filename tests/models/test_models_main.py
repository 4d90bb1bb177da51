"""`python -m models`: one line and 0, or the reason on stderr and 1."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from models.__main__ import main
from models.bundle.loading import Bundle
from models.bundle.store import Store
from tests.tiny_bundle import tiny_bundle, tiny_files


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store with `other` 1 and `tiny` 1 (champion) and 2."""
    tiny_bundle(tmp_path)
    tiny_bundle(tmp_path, version=2)
    tiny_bundle(tmp_path, name="other")
    return tmp_path


class Shell:
    """Runs commands on one store."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self.capsys = capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        code = main(["--store", str(self.root), *arguments])
        out, err = self.capsys.readouterr()
        return code, out, err


@pytest.fixture
def shell(root: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(root, capsys)


def test_list_shows_every_version_and_marks_the_champion(shell: Shell) -> None:
    assert shell("list") == (0, "other: 1*\ntiny: 1* 2\n", "")


def test_list_of_an_empty_store_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert Shell(tmp_path, capsys)("list") == (0, f"no bundles in {tmp_path}\n", "")


def test_list_shows_a_model_without_champion_too(shell: Shell, root: Path) -> None:
    (root / "tiny" / "champion").unlink()
    assert shell("list") == (0, "other: 1*\ntiny: 1 2\n", "")


def test_what_verify_refuses_is_not_promoted(shell: Shell, root: Path) -> None:
    manifest = Bundle.open(root / "tiny" / "2").manifest.model_copy(update={"version": 3})
    files = tiny_files(manifest)
    recorded = next(name for name in files if name.startswith("golden/probabilities"))
    files[recorded] = files[recorded][:-4] + b"\0\0\x80\x4f"
    Store(root).add(manifest, files)
    code, _, err = shell("promote", "tiny", "3")
    assert code == 1
    assert "golden results differ" in err
    assert Store(root).champion("tiny") == 1


@pytest.mark.parametrize(("model", "version"), [("tiny", 1), ("tiny@1", 1), ("tiny@2", 2)])
def test_show_prints_the_manifest(shell: Shell, model: str, version: int) -> None:
    code, out, _ = shell("show", model)
    assert (code, json.loads(out)["version"]) == (0, version)


@pytest.mark.parametrize(("model", "named"), [("tiny", "tiny@1"), ("tiny@2", "tiny@2"), ("other", "other@1")])
def test_verify_of_a_name_says_ok_in_one_line(shell: Shell, model: str, named: str) -> None:
    assert shell("verify", model) == (0, f"{named}: ok, 11 files, 0.0 MB, golden check passed\n", "")


@pytest.mark.parametrize("path", ["tiny/2", "tiny"])
def test_verify_of_a_path_needs_no_store(
    root: Path, path: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Shell(root / "nowhere", capsys)("verify", str(root / path))[0] == 0
    monkeypatch.chdir(root)
    assert Shell(root / "nowhere", capsys)("verify", path)[0] == 0


def test_verify_of_a_path_with_an_at_sign_takes_it_as_a_path(root: Path, shell: Shell) -> None:
    renamed = (root / "tiny" / "2").rename(root / "tiny@2")
    assert shell("verify", str(renamed))[0] == 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        pytest.param(["show", "nope"], "'nope' is neither in", id="show of an unknown name"),
        pytest.param(["verify", "nope"], "with other, tiny, nor a path", id="verify of an unknown name"),
        pytest.param(["verify", "nope@1"], "'nope@1' is neither in", id="verify of an unknown name with version"),
        pytest.param(["verify", "tiny@7"], "'tiny' has no version 7", id="verify of an unknown version"),
        pytest.param(["verify", "tiny@latest"], "'latest' is not a version number", id="verify of a word as version"),
        pytest.param(["verify", "tiny@"], "'' is not a version number", id="verify of an empty version"),
        pytest.param(["verify", "./nope"], "neither a bundle", id="verify of an unknown path"),
        pytest.param(["verify", "x" * 5000], "name too long", id="verify of a path that no system takes"),
        pytest.param(["promote", "tiny", "7"], "'tiny' has no version 7", id="promote of an unknown version"),
        pytest.param(["promote", "nope", "1"], "'nope' has no version 1", id="promote of an unknown name"),
        pytest.param(["rollback", "tiny"], "nothing to roll back to", id="rollback of a first champion"),
        pytest.param(["rollback", "nope"], "'nope' has no champion", id="rollback of an unknown name"),
    ],
)
def test_a_command_that_cannot_be_done_says_why(shell: Shell, arguments: list[str], reason: str) -> None:
    code, out, err = shell(*arguments)
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert reason.lower() in err.lower()
    assert err.count("\n") == 1


def test_verify_names_the_damaged_file(shell: Shell, root: Path) -> None:
    (root / "tiny" / "1" / "report.html").write_bytes(b"<!doctype html><title>Tiny</title>\n")
    code, out, err = shell("verify", "tiny")
    assert (code, out) == (1, "")
    assert err.startswith("error: report.html: SHA-256 is ")


def test_promote_and_rollback_change_what_serves(shell: Shell, root: Path) -> None:
    assert shell("promote", "tiny", "2") == (0, "tiny: version 2 serves\n", "")
    assert Store(root).champion("tiny") == 2
    assert shell("rollback", "tiny") == (0, "tiny: version 1 serves again\n", "")
    assert Store(root).champion("tiny") == 1


def test_promote_refuses_a_damaged_bundle(shell: Shell, root: Path) -> None:
    (root / "tiny" / "2" / "extra").touch()
    code, _, err = shell("promote", "tiny", "2")
    assert (code, err) == (1, "error: extra: not part of the bundle; remove it\n")
    assert Store(root).champion("tiny") == 1


def test_a_word_where_a_version_belongs_is_a_usage_error(shell: Shell) -> None:
    with pytest.raises(SystemExit, match="2"):
        shell("promote", "tiny", "latest")


def test_runs_as_a_module_without_training_libraries(root: Path) -> None:
    code = (
        "import sys; from models.__main__ import main; code = main(['--store', sys.argv[1], 'verify', 'tiny']); "
        "print(sorted({'torch', 'sklearn', 'skl2onnx', 'onnx', 'bentoml'} & set(sys.modules))); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(root)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1] == "[]"
    done = subprocess.run(
        [sys.executable, "-m", "models", "--store", str(root), "list"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "other: 1*\ntiny: 1* 2\n"

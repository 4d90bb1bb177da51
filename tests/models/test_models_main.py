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
from tests.models.bundle.signing_keys import key_pair
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
    assert shell("verify", model) == (0, f"{named}: ok, 12 files, 0.0 MB, golden check passed\n", "")


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
        pytest.param(["shadow", "tiny", "1"], "version 1 is the champion", id="shadow of the champion"),
        pytest.param(["shadow", "nope", "--off"], "'nope' has no champion", id="shadow of an unknown name"),
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
    same = "evidence: tiny@2 decides as tiny@1 does, by the same network and the same heads"
    assert shell("promote", "tiny", "2") == (0, f"tiny: version 2 serves; {same}\n", "")
    assert Store(root).champion("tiny") == 2
    assert shell("rollback", "tiny") == (0, "tiny: version 1 serves again\n", "")
    assert Store(root).champion("tiny") == 1


def test_another_head_serves_only_with_evidence_or_by_force(shell: Shell, root: Path) -> None:
    tiny_bundle(root, version=3, min_confidence=0.5)
    code, out, err = shell("promote", "tiny", "3")
    assert (code, out, err.count("\n")) == (3, "", 1)
    assert err.startswith("nothing shows that head 'shade' of tiny@3 is as good as that of tiny@1, which serves: ")
    assert Store(root).champion("tiny") == 1
    code, out, _ = shell("promote", "tiny", "3", "--force")
    assert (code, out.startswith("tiny: version 3 serves; forced: nothing shows ")) == (0, True)
    assert Store(root).champion("tiny") == 3


def test_at_a_url_too_another_head_serves_only_with_evidence_or_by_force(shell: Shell, root: Path) -> None:
    tiny_bundle(root, version=3, min_confidence=0.5)
    url = str(root / "shared" / "tiny")
    assert shell("push", "tiny@1", url, "--promote")[:2] == (
        0,
        f"tiny@1: is at {url}/1, and serves there; there was no champion to compare it with\n",
    )
    assert shell("push", "tiny@3", url, "--promote")[0] == 3
    assert not (root / "shared" / "tiny" / "3").exists()
    assert shell("push", "tiny@3", url, "--promote", "--force")[0] == 0
    assert (root / "shared" / "tiny" / "champion").read_text() == "3\n"


def test_a_damaged_champion_gives_way_by_force(shell: Shell, root: Path) -> None:
    (root / "tiny" / "1" / "manifest.json").write_text("{}")
    code, _, err = shell("promote", "tiny", "2")
    assert (code, "the champion cannot be read" in err) == (3, True)
    assert shell("promote", "tiny", "2", "--force")[0] == 0


def test_shadow_is_set_listed_and_ended(shell: Shell, root: Path) -> None:
    told = "tiny: version 2 decides in shadow on 25 % of the traffic, beside version 1, which serves\n"
    assert shell("shadow", "tiny", "2", "--share", "0.25") == (0, told, "")
    assert (root / "tiny" / "shadow").read_text() == "2 0.250000\n"
    assert shell("list")[1] == "other: 1*\ntiny: 1* 2~\n"
    assert shell("shadow", "tiny", "--off") == (0, "tiny: version 2 decides in shadow no more\n", "")
    assert shell("shadow", "tiny", "--off") == (0, "tiny: had no shadow\n", "")
    assert shell("list")[1] == "other: 1*\ntiny: 1* 2\n"


def test_what_verify_refuses_is_no_shadow(shell: Shell, root: Path) -> None:
    (root / "tiny" / "2" / "extra").touch()
    assert shell("shadow", "tiny", "2")[0] == 1
    assert Store(root).shadow("tiny") is None


@pytest.mark.parametrize(
    "words", [pytest.param(["tiny"], id="no version"), pytest.param(["tiny", "2", "--off"], id="both"),
              pytest.param(["tiny", "2", "--share", "0"], id="no share"),
              pytest.param(["tiny", "2", "--share", "nan"], id="no number")],
)  # fmt: skip
def test_shadow_takes_a_version_or_off(shell: Shell, words: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        shell("shadow", *words)


def test_promote_refuses_a_damaged_bundle(shell: Shell, root: Path) -> None:
    (root / "tiny" / "2" / "extra").touch()
    code, _, err = shell("promote", "tiny", "2")
    assert (code, err) == (1, "error: extra: not part of the bundle; remove it\n")
    assert Store(root).champion("tiny") == 1


def test_the_card_of_a_bundle_is_printed_also_of_one_that_was_made_without(
    shell: Shell, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = shell("card", "tiny@2")
    assert (code, out) == (0, (root / "tiny" / "2" / "README.md").read_text())
    assert main(["card", "fashion-mnist"]) == 0
    assert "# fashion-mnist@" in capsys.readouterr().out


def test_what_is_signed_is_verified_by_its_key_alone(shell: Shell, root: Path) -> None:
    ours, theirs = key_pair(root, "ours"), key_pair(root, "theirs")
    code, _, err = shell("verify", "tiny", "--key", str(ours.public))
    assert (code, err.startswith("error: model.sig: missing")) == (1, True)
    assert shell("sign", "tiny", "--key", str(ours.private))[:2] == (
        0,
        f"tiny@1: signed, {root / 'tiny' / '1' / 'model.sig'}\n",
    )
    code, out, _ = shell("verify", "tiny", "--key", str(ours.public))
    assert (code, out.rstrip().endswith(f"golden check passed, signed with the key of {ours.public}")) == (0, True)
    assert shell("verify", "tiny")[0] == 0
    code, _, err = shell("verify", "tiny", "--key", str(theirs.public))
    assert (code, err.startswith("error: model.sig: not a signature by the key ")) == (1, True)


def test_a_damaged_bundle_is_neither_signed_nor_pushed(shell: Shell, root: Path, tmp_path: Path) -> None:
    (root / "tiny" / "1" / "report.html").write_bytes(b"")
    pair = key_pair(root)
    for words in (["sign", "tiny", "--key", str(pair.private)], ["push", "tiny", str(tmp_path / "shared" / "tiny")]):
        code, _, err = shell(*words)
        assert (code, err.startswith("error: report.html: 0 bytes")) == (1, True)
    assert not (tmp_path / "shared").exists()


def test_a_bundle_travels_from_store_to_store(shell: Shell, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url, there = str(tmp_path / "shared" / "tiny"), Shell(tmp_path / "there", capsys)
    assert shell("push", "tiny@1", url)[:2] == (0, f"tiny@1: is at {url}/1\n")
    assert there("pull", url)[:2] == (0, f"tiny@1: is in {tmp_path / 'there' / 'tiny' / '1'}\n")
    same = "evidence: tiny@2 decides as tiny@1 does, by the same network and the same heads"
    assert shell("push", "tiny@2", url, "--promote")[:2] == (0, f"tiny@2: is at {url}/2, and serves there; {same}\n")
    code, out, _ = there("pull", url)
    assert (code, "`promote tiny 2` makes it serve instead of 1" in out) == (0, True)
    assert there("list")[1] == "tiny: 1* 2\n"


def test_what_its_golden_check_refuses_is_not_promoted_at_a_url(shell: Shell, root: Path, tmp_path: Path) -> None:
    manifest = Bundle.open(root / "tiny" / "2").manifest.model_copy(update={"version": 3})
    files = tiny_files(manifest)
    recorded = next(name for name in files if name.startswith("golden/probabilities"))
    files[recorded] = files[recorded][:-4] + b"\0\0\x80\x4f"
    Store(root).add(manifest, files)
    code, _, err = shell("push", "tiny@3", str(tmp_path / "shared" / "tiny"), "--promote")
    assert (code, "golden results differ" in err) == (1, True)
    assert not (tmp_path / "shared").exists()


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

"""`models.bundle.store`: versions appear whole, and champions change in one rename."""

from __future__ import annotations

import errno
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from models.bundle.loading import Bundle
from models.bundle.manifest import Manifest
from models.bundle.store import Shadow, Store, resolve
from models.errors import BundleError, StoreError
from tests.tiny_bundle import tiny_bundle, tiny_files


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def manifest(tiny_path: Path) -> Manifest:
    return Bundle.open(tiny_path).manifest


def make(store: Store, *versions: int, name: str = "tiny") -> None:
    """Directories that look like versions; the store opens none of them."""
    for version in versions:
        (store.root / name / str(version)).mkdir(parents=True)


def test_what_its_check_refuses_is_not_added(store: Store, manifest: Manifest) -> None:
    def refuse(bundle: Bundle) -> None:
        raise BundleError(f"{bundle.manifest.model} is not good enough")

    with pytest.raises(BundleError, match=r"@\d+ is not good enough"):
        store.add(manifest, tiny_files(manifest), check=refuse)
    assert not [*store.root.rglob("*.json")]


def test_an_empty_store_has_nothing(store: Store) -> None:
    assert store.names() == []
    assert store.versions("tiny") == []
    assert store.next_version("tiny") == 1


def test_what_was_added_is_listed_and_opens(store: Store, manifest: Manifest) -> None:
    path = store.add(manifest, tiny_files(manifest))
    assert path == store.root / "tiny" / "1" == store.path("tiny", 1)
    assert Bundle.open(path).manifest.model == "tiny@1"
    assert store.names() == ["tiny"]
    assert store.versions("tiny") == [1]
    assert store.next_version("tiny") == 2


def test_the_first_of_a_name_is_champion_and_the_second_is_not(store: Store) -> None:
    tiny_bundle(store.root)
    tiny_bundle(store.root, version=2)
    assert store.champion("tiny") == 1
    assert store.path("tiny") == store.root / "tiny" / "1"


def test_anyone_may_read_what_was_added(store: Store) -> None:
    path = tiny_bundle(store.root)
    assert path.stat().st_mode & 0o777 == 0o755
    assert all(file.stat().st_mode & 0o444 == 0o444 for file in (store.root / "tiny").rglob("*"))


def test_nothing_but_versions_and_champion_is_left_behind(store: Store) -> None:
    tiny_bundle(store.root)
    assert sorted(entry.name for entry in (store.root / "tiny").iterdir()) == ["1", "champion"]


def test_a_version_is_never_overwritten(store: Store, manifest: Manifest) -> None:
    path = tiny_bundle(store.root)
    before = (path / "manifest.json").read_bytes()
    with pytest.raises(StoreError, match="tiny/1 exists already; versions are never overwritten"):
        store.add(manifest, {})
    assert (path / "manifest.json").read_bytes() == before


def test_a_bundle_that_fails_its_audit_leaves_nothing(store: Store, manifest: Manifest) -> None:
    files = tiny_files(manifest)
    del files["embedder.onnx"]
    with pytest.raises(BundleError, match=r"^embedder\.onnx: "):
        store.add(manifest, files)
    assert list((store.root / "tiny").iterdir()) == []
    assert store.names() == []


def test_a_version_is_listed_only_once_it_is_whole(
    store: Store, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed_before = []
    rename = Path.rename

    def watched(staging: Path, target: Path) -> Path:
        assert (staging / "manifest.json").is_file()
        listed_before.append((store.names(), store.versions("tiny")))
        return rename(staging, target)

    monkeypatch.setattr(Path, "rename", watched)
    store.add(manifest, tiny_files(manifest))
    assert listed_before == [([], [])]
    assert store.versions("tiny") == [1]


@pytest.mark.parametrize("name", [".3-abc", "03", "0", "-1", "3.tmp", "x", "٣", "champion"])
def test_other_directories_are_no_versions(store: Store, name: str) -> None:
    make(store, 1)
    (store.root / "tiny" / name).mkdir()
    assert store.versions("tiny") == [1]


def test_a_file_is_no_version(store: Store) -> None:
    make(store, 1)
    (store.root / "tiny" / "2").touch()
    (store.root / "README").touch()
    assert store.versions("tiny") == [1]
    assert store.names() == ["tiny"]


def test_versions_are_in_the_order_of_numbers(store: Store) -> None:
    make(store, 10, 9, 1)
    assert store.versions("tiny") == [1, 9, 10]
    assert store.next_version("tiny") == 11


@pytest.mark.parametrize("same", [pytest.param(True, id="of one version"), pytest.param(False, id="of two versions")])
def test_two_adds_at_once(store: Store, manifest: Manifest, same: bool) -> None:
    files = tiny_files(manifest)

    def add(version: int) -> str:
        try:
            return store.add(manifest.model_copy(update={"version": version}), files).name
        except StoreError:
            return "refused"

    for round_ in range(5):
        first = 2 * round_ + 1
        second = first if same else first + 1
        with ThreadPoolExecutor(2) as pool:
            results = list(pool.map(add, [first, second]))
        assert sorted(results) == sorted([str(first), "refused" if same else str(second)])
        Bundle.open(store.path("tiny", first))
    assert store.champion("tiny") in (1, 2)
    assert not [entry for entry in (store.root / "tiny").iterdir() if entry.name.startswith(".")]


def test_a_version_that_another_writer_added_meanwhile_is_kept(
    store: Store, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def late(staging: Path, target: Path) -> Path:
        target.mkdir()
        (target / "theirs").touch()
        return rename(staging, target)

    monkeypatch.setattr(Path, "rename", late)
    with pytest.raises(StoreError, match="exists already"):
        store.add(manifest, tiny_files(manifest))
    assert (store.root / "tiny" / "1" / "theirs").exists()


def test_a_rename_that_fails_for_another_reason_says_so(
    store: Store, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, target: Path) -> Path:
        raise OSError(errno.EROFS, "Read-only file system", str(target))

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OSError, match="Read-only"):
        store.add(manifest, tiny_files(manifest))
    assert list((store.root / "tiny").iterdir()) == []


def test_rollback_goes_back_through_every_champion(store: Store) -> None:
    make(store, 1, 2, 3)
    for version in (1, 2, 3):
        store.promote("tiny", version)
        assert store.champion("tiny") == version
    assert store.rollback("tiny") == 2
    assert store.champion("tiny") == 2
    assert store.rollback("tiny") == 1
    assert store.champion("tiny") == 1
    with pytest.raises(StoreError, match="no champion before version 1, so there is nothing to roll back to"):
        store.rollback("tiny")
    assert store.champion("tiny") == 1


@pytest.mark.parametrize(
    ("promoted", "back"),
    [
        pytest.param([1, 2, 1], [2, 1], id="a version promoted again"),
        pytest.param([1, 2, 2, 2], [1], id="the champion promoted again changes nothing"),
        pytest.param([3, 1], [3], id="an older version"),
    ],
)
def test_rollback_after(store: Store, promoted: list[int], back: list[int]) -> None:
    make(store, 1, 2, 3)
    for version in promoted:
        store.promote("tiny", version)
    assert [store.rollback("tiny") for _ in back] == back
    with pytest.raises(StoreError, match="nothing to roll back to"):
        store.rollback("tiny")


def test_promoting_after_a_rollback_remembers_the_champion_rolled_back_to(store: Store) -> None:
    make(store, 1, 2, 3)
    for version in (1, 2):
        store.promote("tiny", version)
    store.rollback("tiny")
    store.promote("tiny", 3)
    assert store.rollback("tiny") == 1


def test_rollback_passes_over_versions_that_were_removed(store: Store) -> None:
    make(store, 1, 2, 3)
    for version in (1, 2, 3):
        store.promote("tiny", version)
    (store.root / "tiny" / "2").rmdir()
    assert store.rollback("tiny") == 1


@pytest.mark.parametrize(
    ("champion", "history"),
    [
        pytest.param("2", "1\n2\n", id="between the two files of a promotion to 3"),
        pytest.param("2", "1\n2\n", id="between the two files of a rollback from 3"),
    ],
)
def test_a_kill_between_two_renames_leaves_a_store_that_rolls_back(store: Store, champion: str, history: str) -> None:
    make(store, 1, 2, 3)
    (store.root / "tiny" / "champion").write_text(champion)
    (store.root / "tiny" / "history").write_text(history)
    assert store.rollback("tiny") == 1


def test_promote_refuses_what_is_not_there(store: Store) -> None:
    make(store, 1)
    store.promote("tiny", 1)
    with pytest.raises(StoreError, match=r"'tiny' has no version 7 in .*; it has \[1\]"):
        store.promote("tiny", 7)
    assert store.champion("tiny") == 1


def test_a_model_without_champion_says_which_models_there_are(store: Store) -> None:
    make(store, 1)
    with pytest.raises(StoreError, match=r"'other' has no champion in .*; models there: tiny"):
        store.champion("other")
    with pytest.raises(StoreError, match="models there: none"):
        Store(store.root / "nowhere").champion("other")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("latest", id="a word"),
        pytest.param("1 2", id="two versions"),
        pytest.param("٣", id="a digit of another script"),
        pytest.param("\udcff", id="not UTF-8"),
    ],
)
def test_a_damaged_champion_file_is_refused_by_name(store: Store, text: str) -> None:
    make(store, 1)
    (store.root / "tiny" / "champion").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(StoreError, match="tiny/champion: "):
        store.path("tiny")


def test_a_damaged_history_file_is_refused_by_name(store: Store) -> None:
    make(store, 1, 2)
    store.promote("tiny", 1)
    (store.root / "tiny" / "history").write_text("one\n")
    with pytest.raises(StoreError, match="tiny/history: 'one' is not a version number"):
        store.rollback("tiny")


def test_a_champion_that_was_removed_is_refused(store: Store) -> None:
    make(store, 1)
    (store.root / "tiny" / "champion").write_text("2\n")
    with pytest.raises(StoreError, match="'tiny' has no version 2"):
        store.path("tiny")


def test_resolve_takes_a_version_or_a_store_entry(tiny_path: Path) -> None:
    assert resolve(tiny_path) == tiny_path
    assert resolve(tiny_path.parent) == tiny_path


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(lambda tiny: tiny / "nothing", id="nothing"),
        pytest.param(lambda tiny: tiny.parent.parent, id="the store itself"),
        pytest.param(lambda tiny: tiny / "golden", id="another directory"),
    ],
)
def test_resolve_refuses_other_paths(tiny_path: Path, path: Callable[[Path], Path]) -> None:
    with pytest.raises(BundleError, match=r"neither a bundle .* nor a store entry"):
        resolve(path(tiny_path))


def test_a_shadow_is_written_read_and_ended(store: Store) -> None:
    make(store, 1, 2)
    store.promote("tiny", 1)
    assert store.shadow("tiny") is None
    store.set_shadow("tiny", 2, 0.1)
    assert store.shadow("tiny") == Shadow(2, 0.1)
    assert store.clear_shadow("tiny") == 2
    assert (store.shadow("tiny"), store.clear_shadow("tiny")) == (None, None)


def test_a_shadow_that_becomes_champion_is_no_shadow_any_more(store: Store) -> None:
    make(store, 1, 2, 3)
    store.promote("tiny", 1)
    store.set_shadow("tiny", 2)
    store.promote("tiny", 3)
    assert store.shadow("tiny") == Shadow(2)
    store.promote("tiny", 2)
    assert store.shadow("tiny") is None


@pytest.mark.parametrize("text", ["", "2", "2 0\n", "2 2.5\n", "2 nan\n", "two 1.0\n", "2 1.0 3\n", "2 1e-3\n"])
def test_a_damaged_shadow_file_is_refused_by_name(store: Store, text: str) -> None:
    make(store, 1, 2)
    (store.root / "tiny" / "shadow").write_text(text)
    with pytest.raises(StoreError, match="tiny/shadow: holds "):
        store.shadow("tiny")


def test_a_damaged_shadow_file_can_be_replaced(store: Store) -> None:
    make(store, 1, 2)
    store.promote("tiny", 1)
    (store.root / "tiny" / "shadow").write_text("nothing")
    store.set_shadow("tiny", 2)
    assert store.shadow("tiny") == Shadow(2)


def test_only_another_version_with_a_share_is_a_shadow(store: Store) -> None:
    make(store, 1, 2)
    store.promote("tiny", 1)
    for version, share, said in ((1, 1.0, "is the champion"), (7, 1.0, "no version 7"), (2, 0.0, "share of 0")):
        with pytest.raises(StoreError, match=said):
            store.set_shadow("tiny", version, share)

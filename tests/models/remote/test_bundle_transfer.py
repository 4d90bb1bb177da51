"""`models.remote.bundle_transfer`: a version at a URL is whole or not there, and arrives whole or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from models.bundle.loading import MANIFEST, Bundle
from models.bundle.manifest import Manifest
from models.bundle.signature import SIGNATURE
from models.bundle.store import Store
from models.errors import BundleError, StoreError, TandemError
from models.remote import bundle_transfer
from models.remote.bundle_transfer import pull, push
from models.remote.remote_folder import RemoteFolder
from tests.models.remote.bundle_servers import s3_server, web_server
from tests.tiny_bundle import tiny_bundle


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store, where bundles are pulled to."""
    return Store(tmp_path / "pulled")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store entry on a shared disk."""
    return tmp_path / "shared" / "tiny"


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch, s3_server(patch) as url:
        yield url


def contents(path: Path) -> dict[str, bytes]:
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_what_was_pushed_to_a_folder_is_a_store_entry(tiny_path: Path, folder: Path) -> None:
    assert push(Bundle.open(tiny_path), str(folder)) == f"{folder}/1"
    assert contents(folder / "1") == contents(tiny_path)
    assert Store(folder.parent).champion("tiny") == 1


@pytest.mark.parametrize(
    "url", [str, lambda path: f"file://{path}", lambda path: f"{path}/"], ids=["path", "file", "/"]
)
@pytest.mark.parametrize("named", ["", "/1"], ids=["entry", "version"])
def test_a_folder_is_pulled(
    tiny_path: Path, folder: Path, store: Store, url: Callable[[Path], str], named: str
) -> None:
    push(Bundle.open(tiny_path), url(folder))
    path = pull(url(folder).rstrip("/") + named, store)
    assert path == store.root / "tiny" / "1"
    assert contents(path) == contents(tiny_path)
    assert store.champion("tiny") == 1
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["1", "champion"]


@pytest.mark.parametrize("named", ["", "/2"], ids=["entry", "version"])
def test_object_storage_is_pushed_to_and_pulled_from(tmp_path: Path, bucket: str, store: Store, named: str) -> None:
    push(Bundle.open(tiny_bundle(tmp_path)), f"{bucket}/tiny")
    second = tiny_bundle(tmp_path, version=2)
    assert push(Bundle.open(second), f"{bucket}/tiny", promote=True) == f"{bucket}/tiny/2"
    path = pull(f"{bucket}/tiny{named}", store)
    assert (path.name, contents(path)) == ("2", contents(second))


def test_what_is_not_in_object_storage_is_a_sentence(bucket: str, store: Store) -> None:
    for url in (f"{bucket}/nothing", f"{bucket}-no-bucket/tiny"):
        with pytest.raises(StoreError, match=f"^{url}: neither manifest.json of a bundle nor champion"):
            pull(url, store)


def test_a_bucket_that_is_not_there_is_no_place_to_push_to(tiny_path: Path, bucket: str) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        push(Bundle.open(tiny_path), f"{bucket}-no-bucket/tiny")


@pytest.mark.parametrize("named", ["", "/1"], ids=["entry", "version"])
def test_a_plain_web_server_is_pulled_from(tiny_path: Path, tmp_path: Path, store: Store, named: str) -> None:
    push(Bundle.open(tiny_path), str(tmp_path / "site" / "tiny"))
    with web_server(tmp_path / "site") as url:
        assert contents(pull(f"{url}/tiny{named}", store)) == contents(tiny_path)
        with pytest.raises(StoreError, match="neither"):
            pull(f"{url}/other", store)
        with pytest.raises(StoreError, match=rf"^{url}/tiny/2: cannot be written \(405"):
            push(Bundle.open(tiny_bundle(tmp_path / "second", version=2)), f"{url}/tiny")


def test_a_web_server_that_is_not_there_is_named(store: Store) -> None:
    with pytest.raises(StoreError, match=r"^http://127\.0\.0\.1:9/tiny/champion: cannot be read \(.*127\.0\.0\.1"):
        pull("http://127.0.0.1:9/tiny", store)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        pytest.param("nope://bucket/tiny", "Protocol not known: nope", id="an unknown protocol"),
        pytest.param("http://127.0.0.1:9/tiny?token=1", "has a query", id="a query"),
        pytest.param("ftp://127.0.0.1:9/tiny", r"ftp://127\.0\.0\.1:9/tiny: cannot be read", id="no server"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused(store: Store, url: str, reason: str) -> None:
    with pytest.raises(StoreError, match=reason):
        pull(url, store)


def test_a_password_in_a_url_is_never_shown(tiny_path: Path, tmp_path: Path, store: Store) -> None:
    with web_server(tmp_path) as url:
        secret = url.replace("://", "://me:secret@") + "/tiny"
        for call in (lambda: pull(secret, store), lambda: push(Bundle.open(tiny_path), secret)):
            with pytest.raises(StoreError, match=r"^http://\*\*\*@127\.0\.0\.1") as refused:
                call()
            assert "secret" not in str(refused.value)


@pytest.mark.parametrize(("url", "extra"), [("s3://b/tiny", "s3"), ("gs://b/tiny", "gcs"), ("az://b/tiny", "azure")])
def test_a_missing_package_is_named_as_an_extra(
    store: Store, url: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fsspec  # noqa: PLC0415

    def missing(*_: object, **__: object) -> None:
        raise ImportError("Install it")

    monkeypatch.setattr(fsspec, "url_to_fs", missing)
    with pytest.raises(StoreError, match=rf"`pip install 'tandem\[{extra}\]'`"):
        pull(url, store)


def test_the_manifest_is_written_last(tiny_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    write = RemoteFolder.write

    def watched(remote: RemoteFolder, files: dict[str, bytes]) -> None:
        written.append(sorted(files))
        write(remote, files)

    monkeypatch.setattr(RemoteFolder, "write", watched)
    push(Bundle.open(tiny_path), str(folder))
    assert written == [sorted(Bundle.open(tiny_path).files), [MANIFEST], ["champion"]]


def test_half_a_push_is_not_taken_for_a_bundle_and_another_push_completes_it(
    tiny_path: Path, folder: Path, store: Store
) -> None:
    shutil.copytree(tiny_path, folder / "1")
    (folder / "1" / MANIFEST).unlink()
    (folder / "1" / "embedder.onnx").write_bytes(b"half")
    with pytest.raises(StoreError, match="neither"):
        pull(f"{folder}/1", store)
    push(Bundle.open(tiny_path), str(folder))
    assert contents(pull(str(folder), store)) == contents(tiny_path)


def test_pushing_again_changes_nothing_and_another_bundle_is_refused(tiny_path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shared" / "tiny"
    push(Bundle.open(tiny_path), str(folder))
    before = (folder / "1" / MANIFEST).stat().st_mtime_ns
    push(Bundle.open(tiny_path), str(folder))
    assert (folder / "1" / MANIFEST).stat().st_mtime_ns == before
    other = tiny_bundle(tmp_path / "other", min_confidence=0.5)
    with pytest.raises(StoreError, match=r"tiny/1: another bundle is there already; versions are never overwritten"):
        push(Bundle.open(other), str(folder))


def test_the_champion_changes_only_where_it_is_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "shared" / "tiny"
    for version in (1, 2):
        push(Bundle.open(tiny_bundle(tmp_path, version=version)), str(folder))
    assert (folder / "champion").read_text() == "1\n"
    push(Bundle.open(tmp_path / "tiny" / "2"), str(folder), promote=True)
    assert (folder / "champion").read_text() == "2\n"


def test_a_url_that_ends_with_another_name_is_refused(tiny_path: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"shared: not the store entry of tiny@1; give .*shared/tiny$"):
        push(Bundle.open(tiny_path), str(tmp_path / "shared"))
    assert not (tmp_path / "shared").exists()


def test_a_signature_goes_along_also_when_it_comes_later(tiny_copy: Path, folder: Path, store: Store) -> None:
    push(Bundle.open(tiny_copy), str(folder))
    assert not (pull(str(folder), store) / SIGNATURE).exists()
    (tiny_copy / SIGNATURE).write_bytes(b"signed")
    push(Bundle.open(tiny_copy), str(folder))
    path = pull(str(folder), store)
    assert (path / SIGNATURE).read_bytes() == b"signed"
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["1", "champion"]


def test_a_version_that_is_there_is_not_downloaded_again(
    tiny_path: Path, folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(Bundle.open(tiny_path), str(folder))
    pull(str(folder), store)
    monkeypatch.delattr(RemoteFolder, "download")
    pull(str(folder), store)


def test_another_bundle_in_the_store_is_never_overwritten(tiny_path: Path, folder: Path, store: Store) -> None:
    push(Bundle.open(tiny_path), str(folder))
    tiny_bundle(store.root, min_confidence=0.5)
    with pytest.raises(StoreError, match="another bundle of this version is there already"):
        pull(str(folder), store)


def test_what_may_not_be_read_is_never_taken_for_missing_and_overwritten(
    tiny_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbid(*_: object) -> bytes:
        raise PermissionError("Forbidden")

    push(Bundle.open(tiny_path), str(folder))
    before = contents(folder)
    monkeypatch.setattr(type(RemoteFolder.at(str(folder)).filesystem), "cat_file", forbid)
    with pytest.raises(StoreError, match=r"manifest\.json: cannot be read \(Forbidden\)"):
        push(Bundle.open(tiny_path), str(folder))
    assert contents(folder) == before


def test_object_storage_that_says_forbidden_of_missing_files_is_read(
    tiny_path: Path, folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    filesystem = type(RemoteFolder.at(str(folder)).filesystem)
    cat = filesystem.cat_file

    def forbid_missing(self: object, path: str) -> object:
        if not Path(path).exists():
            raise PermissionError("Forbidden")
        return cat(self, path)

    push(Bundle.open(tiny_path), str(folder))
    monkeypatch.setattr(filesystem, "cat_file", forbid_missing)
    assert contents(pull(f"{folder}/1", store)) == contents(tiny_path)


def test_two_processes_that_download_at_once_both_have_it(
    tiny_path: Path, folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    download = RemoteFolder.download

    def late(remote: RemoteFolder, names: object, staging: Path) -> None:
        monkeypatch.setattr(RemoteFolder, "download", download)
        pull(str(folder), store)
        download(remote, names, staging)

    push(Bundle.open(tiny_path), str(folder))
    monkeypatch.setattr(RemoteFolder, "download", late)
    assert contents(pull(str(folder), store)) == contents(tiny_path)
    assert sorted(entry.name for entry in (store.root / "tiny").iterdir()) == ["1", "champion"]


def damage(folder: Path, file: str, content: bytes | None) -> None:
    if content is None:
        (folder / "1" / file).unlink()
    else:
        (folder / "1" / file).write_bytes(content)


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        pytest.param("embedder.onnx", b"other", r"embedder\.onnx: 5 bytes instead", id="a damaged file"),
        pytest.param("report.html", None, r"report\.html", id="a missing file"),
        pytest.param(MANIFEST, b"{}", r"manifest\.json: field", id="another JSON as manifest"),
        pytest.param(MANIFEST, b"<html>", r"manifest\.json: not readable", id="a page as manifest"),
    ],
)
def test_what_is_damaged_at_the_url_is_refused_with_its_url_and_leaves_nothing(
    tiny_path: Path, folder: Path, store: Store, file: str, content: bytes | None, reason: str
) -> None:
    push(Bundle.open(tiny_path), str(folder))
    damage(folder, file, content)
    with pytest.raises(TandemError, match=f"^{folder}/1.*{reason}"):
        pull(str(folder), store)
    assert not [file for file in store.root.rglob("*") if file.is_file()]


@pytest.mark.parametrize(
    "name", ["../../outside", "/etc/outside", "a/../../b", "./a", "a//b", "..\\outside", "a\0b", ".", ""]
)
def test_a_manifest_that_names_a_file_outside_is_refused_before_anything_is_written(
    tiny_path: Path, folder: Path, store: Store, name: str
) -> None:
    push(Bundle.open(tiny_path), str(folder))
    manifest = Bundle.open(tiny_path).manifest
    entry = manifest.files["report.html"]
    manifest = manifest.model_copy(update={"files": {**manifest.files, name: entry}})
    (folder / "1" / MANIFEST).write_bytes(manifest.to_bytes())
    with pytest.raises(BundleError, match="not a file inside the bundle"):
        pull(str(folder), store)
    assert not store.root.exists()


@pytest.mark.parametrize("text", ["latest", "", "1 2", "-1", "٣", "../other", "9" * 5000])
def test_a_champion_that_is_no_version_is_refused(tiny_path: Path, folder: Path, store: Store, text: str) -> None:
    push(Bundle.open(tiny_path), str(folder))
    (folder / "champion").write_text(text)
    with pytest.raises(StoreError, match=r"champion: holds .*, not the number of a version"):
        pull(str(folder), store)


def test_a_champion_whose_version_is_not_there_is_named(tiny_path: Path, folder: Path, store: Store) -> None:
    push(Bundle.open(tiny_path), str(folder))
    (folder / "champion").write_text("7\n")
    with pytest.raises(BundleError, match=rf"{folder}/7: no manifest\.json can be read there"):
        pull(str(folder), store)


def test_names_of_real_bundles_are_taken() -> None:
    bundle_transfer._check_names(Manifest.from_bytes((Store().path("fashion-mnist") / MANIFEST).read_bytes()))
    assert json.loads((Store().path("fashion-mnist") / MANIFEST).read_bytes())["files"]

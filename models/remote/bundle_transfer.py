"""bundle ⇄ URL: a version is whole where its `manifest.json` is, which is written last and read first.

A URL names what a path names: a store entry, `s3://bucket/washers`, whose file `champion` says which version serves, or
one version, `s3://bucket/washers/2`.
"""

from __future__ import annotations

import secrets
from pathlib import Path, PurePosixPath

from models.bundle.loading import MANIFEST, Bundle
from models.bundle.manifest import Manifest
from models.bundle.signature import SIGNATURE
from models.bundle.store import CHAMPION, Store
from models.errors import BundleError, StoreError
from models.remote.remote_folder import RemoteFolder

_MOST_DIGITS = 18  # of a version; Python reads no number of thousands of them


def push(bundle: Bundle, url: str, *, promote: bool = False) -> str:
    """Uploads a bundle to a store entry and returns the version's URL; what is whole there is not uploaded again.

    The first version at a URL becomes its champion.

    Args:
        bundle: an audited one; its signature is uploaded, too.
        url: of the store entry, which ends with the bundle's name.
        promote: make it the champion, whichever is.

    Raises:
        StoreError: another bundle of this version is there, or the URL cannot be read or written.
    """
    manifest, entry = bundle.manifest, RemoteFolder.at(url)
    if entry.name != manifest.name:
        raise StoreError(f"{entry.url}: not the store entry of {manifest.model}; give {entry.url}/{manifest.name}")
    version = entry / str(manifest.version)
    written = version.read(MANIFEST)
    if written is None:
        version.write(bundle.files)
    elif written != manifest.to_bytes():
        raise StoreError(f"{version.url}: another bundle is there already; versions are never overwritten")
    if (bundle.path / SIGNATURE).is_file():
        version.write({SIGNATURE: (bundle.path / SIGNATURE).read_bytes()})
    if written is None:
        version.write({MANIFEST: manifest.to_bytes()})
    if promote or entry.read(CHAMPION) is None:
        entry.write({CHAMPION: f"{manifest.version}\n".encode()})
    return version.url


def pull(url: str, store: Store) -> Path:
    """Downloads a version into a store, audited and in one rename, and returns its directory.

    A version that is there already is not downloaded again; a signature that it lacks is.

    Args:
        url: of a store entry, whose champion is taken, or of one version.
        store: where to; the first version of a name becomes champion there.

    Raises:
        StoreError, BundleError: as `pull_version`; or neither is at the URL.
    """
    return pull_version(find_version(RemoteFolder.at(url)), store)


def pull_version(remote: RemoteFolder, store: Store) -> Path:
    """Downloads the version in a folder, as `pull` does.

    Raises:
        StoreError: it cannot be read, or another bundle of this version is in the store.
        BundleError: what is there is damaged.
    """
    content = remote.read_if_allowed(MANIFEST)
    if content is None:
        raise BundleError(f"{remote.url}: no {MANIFEST} can be read there, so no whole bundle is there")
    try:
        manifest = Manifest.from_bytes(content)
        _check_names(manifest)
        signature = remote.read_if_allowed(SIGNATURE)
        path = store.root / manifest.name / str(manifest.version)
        if not path.exists():
            with store.new_version(manifest.name, manifest.version) as staging:
                remote.download(manifest.files, staging)
                (staging / MANIFEST).write_bytes(content)
                _add_signature(staging, signature)
                Bundle.open(staging)
    except BundleError as error:
        raise BundleError(f"{remote.url}: {error}") from error
    except StoreError:
        if not path.exists():  # else another process has downloaded it meanwhile
            raise
    if Bundle.open(path).manifest != manifest:
        raise StoreError(f"{path}: another bundle of this version is there already; versions are never overwritten")
    _add_signature(path, signature)
    return path


def find_version(folder: RemoteFolder) -> RemoteFolder:
    """The folder of the version that a folder stands for: itself, or the champion's.

    Raises:
        StoreError: neither is there, or it cannot be read.
    """
    champion = read_champion(folder)
    if champion is not None:
        return folder / str(champion)
    if folder.read_if_allowed(MANIFEST) is None:
        what = f"neither {MANIFEST} of a bundle nor {CHAMPION} of a store entry can be read there"
        raise StoreError(f"{folder.url}: {what}; check the URL and the credentials")
    return folder


def read_champion(entry: RemoteFolder) -> int | None:
    """The version that a store entry's file says; None where there is no such file, or it may not be read.

    Raises:
        StoreError: it holds something else, or cannot be read.
    """
    content = entry.read_if_allowed(CHAMPION)
    if content is None:
        return None
    text = content.decode(errors="replace").strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        raise StoreError(f"{entry.url}/{CHAMPION}: holds {text[:40]!r}, not the number of a version")
    return int(text)


def champion_at(url: str) -> Manifest | None:
    """The manifest of the version that serves at the URL of a store entry; None if none does.

    Raises:
        StoreError: it cannot be read, or the file of the champion holds something else.
        BundleError: its manifest is damaged.
    """
    entry = RemoteFolder.at(url)
    version = read_champion(entry)
    content = None if version is None else (entry / str(version)).read(MANIFEST)
    return None if content is None else Manifest.from_bytes(content)


def _add_signature(path: Path, signature: bytes | None) -> None:
    """Puts a signature into a bundle in one rename; one that is signed after it was downloaded gets it later."""
    if signature is not None:
        staging = path.parent / f".{SIGNATURE}-{secrets.token_hex(8)}"
        staging.write_bytes(signature)
        staging.replace(path / SIGNATURE)


def _check_names(manifest: Manifest) -> None:
    """Whoever wrote the manifest must not choose where on this machine its files land."""
    for name in manifest.files:
        path = PurePosixPath(name)
        is_plain = bool(path.parts) and str(path) == name and not {"\\", "\0"} & set(name)
        if not is_plain or path.is_absolute() or ".." in path.parts:
            raise BundleError(f"{name!r}: not a file inside the bundle; restore the original manifest")

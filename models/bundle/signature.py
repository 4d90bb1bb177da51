"""bundle and key ⇄ its signature: OpenSSF model signing with bare elliptic-curve keys.

The signature is a file in the bundle's directory. It names every other file with its SHA-256, so that other tools of
OpenSSF model signing can make it and check it, too.
"""

from __future__ import annotations

import base64
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from models.errors import BundleError

SIGNATURE = "model.sig"

_MAKE_KEY = {
    "private_key": "`openssl ecparam -name prime256v1 -genkey -noout -out private.pem` makes one",
    "public_key": "`openssl ec -in private.pem -pubout -out public.pem` writes it",
}


def sign(path: Path, private_key: Path) -> Path:
    """Signs the bundle in directory `path` and returns the signature's file; an earlier signature is replaced.

    Args:
        path: an audited bundle.
        private_key: PEM file of an elliptic-curve key (P-256, P-384 or P-521), without a passphrase.

    Raises:
        BundleError: the key cannot be used, or the package is missing.
        OSError: a file cannot be read or written.
    """
    library = _library()
    hashing = library.hashing.Config().set_ignored_paths(paths=[SIGNATURE], ignore_git_paths=False)
    signer = _with_key(library.signing.Config().use_elliptic_key_signer, private_key=private_key)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".sign-") as folder:  # an audit must not see half of it
        written = Path(folder) / SIGNATURE
        signer.set_hashing_config(hashing).sign(path, written)
        return written.replace(path / SIGNATURE)


def check_signature(path: Path, digests: Mapping[str, str], public_key: Path) -> None:
    """Checks that the holder of the private key signed exactly these files.

    Args:
        path: the bundle's directory.
        digests: SHA-256 in hexadecimal of each file's audited bytes, the manifest included, by name.
        public_key: PEM file of the public key.

    Raises:
        BundleError: unsigned, signed with another key, or signed for other files; the message names the file.
        OSError: a file cannot be read.
    """
    library = _library()
    verifier = _with_key(library.verifying.Config().use_elliptic_key_verifier, public_key=public_key)
    if not (path / SIGNATURE).is_file():
        raise BundleError(
            f"{SIGNATURE}: missing, and only signed bundles are taken; sign it with `python -m models sign`"
        )
    signature = (path / SIGNATURE).read_bytes()
    _compare(_signed_digests(signature), digests)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / SIGNATURE  # of the very bytes whose list was compared
        copy.write_bytes(signature)
        try:
            verifier.verify(path, copy)
        except Exception as error:  # the library raises what its parsers and its cryptography raise
            reason = str(error) or "the signature is not of this key"
            raise BundleError(f"{SIGNATURE}: not a signature by the key {public_key}: {reason}") from error


def _signed_digests(signature: bytes) -> dict[str, str]:
    """The list of files in a signature; nobody has checked yet who wrote it."""
    try:
        statement = json.loads(base64.b64decode(json.loads(signature)["dsseEnvelope"]["payload"], validate=True))
        resources = statement["predicate"]["resources"]
        if others := {each["algorithm"] for each in resources} - {"sha256"}:
            raise ValueError(f"its hashes are {', '.join(sorted(others))}, not sha256")
        return {each["name"]: each["digest"] for each in resources}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"{SIGNATURE}: not readable as a signature ({error!r}); sign the bundle again") from error


def _compare(signed: Mapping[str, str], found: Mapping[str, str]) -> None:
    for name in sorted({*signed, *found}):
        if name not in signed:
            raise BundleError(f"{name}: not among the files that were signed; sign the bundle again if you trust it")
        if signed[name] != found.get(name):
            raise BundleError(f"{name}: not the file that was signed; restore it, or sign the bundle again")


def _with_key(use: Callable[..., Any], **key: Path) -> Any:
    """Has the library read a key.

    Raises:
        BundleError: it is no key that can be used; the message names the file and never shows what is in it.
    """
    (name, file), *_ = key.items()
    if not os.access(file, os.R_OK):
        raise BundleError(f"{file}: no file that can be read; name the PEM file of the {name.replace('_', ' ')}")
    try:
        return use(**key)
    except TypeError as error:
        raise BundleError(f"{file}: the key has a passphrase; give one without, for this user alone") from error
    except (ValueError, AttributeError) as error:  # another kind of key has no curve
        what = f"not the PEM file of an elliptic-curve {name.replace('_', ' ')} (P-256, P-384 or P-521)"
        raise BundleError(f"{file}: {what}; {_MAKE_KEY[name]}") from error


def _library() -> Any:
    """OpenSSF's package, which takes a second to import and is needed only where there are signatures."""
    try:
        import model_signing  # noqa: PLC0415
    except ImportError as error:
        raise BundleError(f"signatures need a package ({error}); `pip install 'tandem[signing]'`") from error
    return model_signing

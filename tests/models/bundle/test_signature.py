"""`models.bundle.signature`: only what the owner of the key signed is opened, whatever else somebody can rewrite."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from models.bundle.loading import MANIFEST, Bundle, file_entries
from models.bundle.signature import SIGNATURE, sign
from models.errors import BundleError
from tests.models.bundle.signing_keys import KeyPair, key_pair, rsa_pair


@pytest.fixture
def keys(tmp_path: Path) -> KeyPair:
    return key_pair(tmp_path)


@pytest.fixture
def signed(tiny_copy: Path, keys: KeyPair) -> Path:
    sign(tiny_copy, keys.private)
    return tiny_copy


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))


def rewrite(path: Path, name: str, data: bytes) -> None:
    """Replaces a file, and its hash in the manifest, as somebody would who wants the bundle taken for whole."""
    bundle = Bundle.open(path)
    (path / name).write_bytes(data)
    manifest = bundle.manifest.model_copy(update={"files": file_entries({**bundle.files, name: data})})
    (path / MANIFEST).write_bytes(manifest.to_bytes())


def test_a_signed_bundle_opens_with_and_without_the_key(signed: Path, keys: KeyPair) -> None:
    assert Bundle.open(signed, keys.public).files == Bundle.open(signed).files
    assert SIGNATURE not in Bundle.open(signed).files


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1()], ids=["P-384", "P-521"])
def test_other_curves_sign_too(tiny_copy: Path, tmp_path: Path, curve: ec.EllipticCurve) -> None:
    pair = key_pair(tmp_path, curve=curve)
    sign(tiny_copy, pair.private)
    Bundle.open(tiny_copy, pair.public)


def test_signing_again_replaces_the_signature(signed: Path, tmp_path: Path) -> None:
    other = key_pair(tmp_path, "other")
    sign(signed, other.private)
    Bundle.open(signed, other.public)


def test_signing_leaves_nothing_else_behind(signed: Path) -> None:
    assert [entry.name for entry in signed.parent.iterdir()] == [signed.name]


def test_an_unsigned_bundle_is_refused_only_where_there_is_a_key(tiny_path: Path, keys: KeyPair) -> None:
    Bundle.open(tiny_path)
    with pytest.raises(BundleError, match=r"^model\.sig: missing, and only signed bundles are taken"):
        Bundle.open(tiny_path, keys.public)


@pytest.mark.parametrize("file", ["embedder.onnx", "head-shade.onnx", "golden/00.png", "report.html", MANIFEST])
def test_a_flipped_byte_is_refused_by_the_files_name(signed: Path, keys: KeyPair, file: str) -> None:
    flip(signed / file)
    with pytest.raises(BundleError, match=f"^{file}: "):
        Bundle.open(signed, keys.public)


def test_a_flipped_byte_whose_hash_was_rewritten_is_refused_by_the_files_name(signed: Path, keys: KeyPair) -> None:
    rewrite(signed, "report.html", b"<!doctype html><title>tinY</title>\n")
    Bundle.open(signed)
    with pytest.raises(BundleError, match="not the file that was signed") as refused:
        Bundle.open(signed, keys.public)
    assert str(refused.value).startswith((MANIFEST, "report.html"))


def test_a_file_added_to_manifest_and_folder_is_refused_by_its_name(signed: Path, keys: KeyPair) -> None:
    rewrite(signed, "added.npy", b"")
    with pytest.raises(BundleError, match=r"^added\.npy: not among the files that were signed"):
        Bundle.open(signed, keys.public)


def test_another_keys_signature_is_refused_by_name(signed: Path, tmp_path: Path) -> None:
    other = key_pair(tmp_path, "other")
    with pytest.raises(BundleError, match=r"^model\.sig: not a signature by the key .*other-public\.pem"):
        Bundle.open(signed, other.public)


def test_the_signature_of_another_bundle_is_refused(signed: Path, keys: KeyPair) -> None:
    signature = (signed / SIGNATURE).read_bytes()
    rewrite(signed, "report.html", b"<!doctype html>")
    sign(signed, keys.private)
    (signed / SIGNATURE).write_bytes(signature)
    with pytest.raises(BundleError, match="not the file that was signed"):
        Bundle.open(signed, keys.public)


def test_a_list_of_files_that_nobody_signed_is_refused(signed: Path, keys: KeyPair) -> None:
    rewrite(signed, "report.html", b"<!doctype html>")
    theirs = key_pair(signed.parent, "theirs")
    honest = json.loads((signed / SIGNATURE).read_bytes())
    sign(signed, theirs.private)
    forged = json.loads((signed / SIGNATURE).read_bytes())
    forged["verificationMaterial"] = honest["verificationMaterial"]
    forged["dsseEnvelope"]["signatures"] = honest["dsseEnvelope"]["signatures"]
    (signed / SIGNATURE).write_text(json.dumps(forged))
    with pytest.raises(BundleError, match=r"^model\.sig: not a signature by the key .*: the signature is not"):
        Bundle.open(signed, keys.public)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"{}", id="no envelope"),
        pytest.param(b'{"dsseEnvelope": {"payload": "e30="}}', id="an empty statement"),
        pytest.param(b'{"dsseEnvelope": {"payload": "%%%"}}', id="no base64"),
    ],
)
def test_what_is_no_signature_is_refused_by_name(tiny_copy: Path, keys: KeyPair, content: bytes) -> None:
    (tiny_copy / SIGNATURE).write_bytes(content)
    with pytest.raises(BundleError, match=r"^model\.sig: not readable as a signature"):
        Bundle.open(tiny_copy, keys.public)


def test_weaker_hashes_in_a_signature_are_refused(signed: Path, keys: KeyPair) -> None:
    content = json.loads((signed / SIGNATURE).read_bytes())
    payload = base64.b64decode(content["dsseEnvelope"]["payload"]).replace(b'"sha256"', b'"md5"')
    content["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    (signed / SIGNATURE).write_text(json.dumps(content))
    with pytest.raises(BundleError, match="its hashes are md5, not sha256"):
        Bundle.open(signed, keys.public)


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        pytest.param(lambda folder: folder / "nowhere.pem", r"nowhere\.pem: no file that can be read", id="no file"),
        pytest.param(lambda folder: key_pair(folder).public, "private key", id="the public key"),
        pytest.param(lambda folder: rsa_pair(folder).private, "elliptic-curve", id="an RSA key"),
        pytest.param(lambda folder: key_pair(folder, curve=ec.SECP256K1()).private, "P-256", id="another curve"),
        pytest.param(lambda folder: key_pair(folder, phrase="secret").private, "passphrase", id="with a passphrase"),
    ],
)
def test_a_key_that_cannot_sign_is_refused(
    tiny_copy: Path, tmp_path: Path, key: Callable[[Path], Path], reason: str
) -> None:
    with pytest.raises(BundleError, match=reason):
        sign(tiny_copy, key(tmp_path))
    assert not (tiny_copy / SIGNATURE).exists()


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        pytest.param(lambda folder: folder / "nowhere.pem", r"nowhere\.pem: no file that can be read", id="no file"),
        pytest.param(lambda folder: key_pair(folder).private, "public key", id="the private key"),
        pytest.param(lambda folder: rsa_pair(folder).public, "elliptic-curve", id="an RSA key"),
    ],
)
def test_a_key_that_cannot_verify_is_refused(
    signed: Path, tmp_path: Path, key: Callable[[Path], Path], reason: str
) -> None:
    with pytest.raises(BundleError, match=reason):
        Bundle.open(signed, key(tmp_path))


def test_without_the_package_a_sentence_says_what_to_install(
    tiny_path: Path, keys: KeyPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "model_signing", None)
    Bundle.open(tiny_path)
    with pytest.raises(BundleError, match=r"`pip install 'tandem\[signing\]'`"):
        Bundle.open(tiny_path, keys.public)


def test_opening_without_a_key_never_imports_the_package(tiny_path: Path) -> None:
    program = (
        "import sys, pathlib; from models.bundle.loading import Bundle; Bundle.open(pathlib.Path(sys.argv[1]))\n"
        "print({'model_signing', 'cryptography', 'fsspec'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tiny_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(
            ["verify", "key", "--signature", SIGNATURE, "--public_key", "{public}", "{bundle}"], id="verifies"
        ),
        pytest.param(["sign", "key", "--signature", SIGNATURE, "--private_key", "{private}", "{bundle}"], id="signs"),
    ],
)
def test_the_command_of_model_signing(signed: Path, keys: KeyPair, words: list[str]) -> None:
    given = [word.format(bundle=signed, private=keys.private, public=keys.public) for word in words]
    subprocess.run([sys.executable, "-m", "model_signing", *given], cwd=signed, capture_output=True, check=True)
    Bundle.open(signed, keys.public)

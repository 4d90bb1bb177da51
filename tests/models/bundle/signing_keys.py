"""Pairs of keys as `openssl` writes them, made in a moment."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

PRIVATE = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
PUBLIC = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo


class KeyPair(NamedTuple):
    """Two PEM files."""

    private: Path
    public: Path


def key_pair(folder: Path, name: str = "ours", *, curve: ec.EllipticCurve | None = None, phrase: str = "") -> KeyPair:
    """Writes a pair on P-256, or on another curve; the private key with a passphrase if there is one."""
    return _write(folder, name, ec.generate_private_key(curve or ec.SECP256R1()), phrase)


def rsa_pair(folder: Path) -> KeyPair:
    """Writes a pair of another kind."""
    return _write(folder, "rsa", rsa.generate_private_key(public_exponent=65537, key_size=2048), "")


def _write(folder: Path, name: str, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, phrase: str) -> KeyPair:
    pair = KeyPair(folder / f"{name}.pem", folder / f"{name}-public.pem")
    encryption = serialization.BestAvailableEncryption(phrase.encode()) if phrase else serialization.NoEncryption()
    pair.private.write_bytes(key.private_bytes(*PRIVATE, encryption))
    pair.public.write_bytes(key.public_key().public_bytes(*PUBLIC))
    return pair

"""encoded images ──decode──▶ ──embed──▶ ──decide──▶ predictions: the work of every peer.

The decoder, the ONNX Runtime sessions and their options are the service's own.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.bundle.loading import Bundle
from models.bundle.store import resolve
from models.imaging.decode import decode
from models.imaging.types import Pixels
from models.runtime.head_sessions import open_head, open_outlier_detector
from models.runtime.sessions import Embedder, Probabilities, cpu_session

FASTEST = ("int8", "fp32")  # precisions on a CPU, as the service's `auto` prefers them
DECIMALS = 6  # of a probability, as in the service's answers


@dataclass(frozen=True)
class Settings:
    """Settings of a peer.

    Attributes:
        bundle: Version's directory or store entry.
        port: Port on the loopback address.
        workers: Processes that compute.
        max_batch: Most images in one run of the embedder.
    """

    bundle: Path
    port: int
    workers: int
    max_batch: int

    @classmethod
    def from_environment(cls) -> Settings:
        """Read ``PEER_BUNDLE``, ``PEER_PORT``, ``PEER_WORKERS`` and ``PEER_MAX_BATCH``; KeyError if one is missing."""
        numbers = (int(os.environ[f"PEER_{name}"]) for name in ("PORT", "WORKERS", "MAX_BATCH"))
        return cls(Path(os.environ["PEER_BUNDLE"]), *numbers)


class Work:
    """A bundle's embedder, its default head and its out-of-distribution detection, one thread each."""

    def __init__(self, bundle: Bundle) -> None:
        """Open the sessions, the embedder in ``TANDEM_PRECISION``, as the service does."""
        manifest = bundle.manifest
        wanted = os.environ.get("TANDEM_PRECISION", "auto")
        precision = next(each for each in FASTEST if each in manifest.precisions and wanted in ("auto", each))
        spec = manifest.default_head
        self._manifest = manifest
        self._embed = Embedder.checked(cpu_session(bundle.embedder(precision)), manifest)
        self._decide = open_head(bundle, spec)
        self._outlier_detector = open_outlier_detector(bundle, spec)

    @classmethod
    def open(cls, path: Path) -> Work:
        """Read a bundle; ``path`` is a version's directory or a store entry."""
        return cls(Bundle.open(resolve(path)))

    def decode(self, body: bytes) -> Pixels:
        """Decode one encoded image to uint8 ``[H, W, C]``."""
        return decode(body, self._manifest.input)

    def infer(self, pixels: Sequence[Pixels]) -> list[dict[str, Any]]:
        """Embed and decide a batch, uint8 ``[H, W, C]`` each; return one prediction for each."""
        batch = pixels[0][None] if len(pixels) == 1 else np.stack(pixels)
        embedding = self._embed(batch)
        detector = self._outlier_detector
        distances = [None] * len(pixels) if detector is None else detector(embedding).tolist()
        return [self._prediction(*found) for found in zip(self._decide(embedding), distances, strict=True)]

    def predict(self, bodies: Sequence[bytes]) -> list[dict[str, Any]]:
        """Decode, embed and decide a batch of encoded images."""
        return self.infer([self.decode(body) for body in bodies])

    def _prediction(self, probabilities: Probabilities, distance: float | None) -> dict[str, Any]:
        """Write probabilities ``[K]`` as the service does; ``distance`` is the embedding's from the training data."""
        head = self._manifest.default_head
        falling = sorted(zip(probabilities.tolist(), head.classes, strict=True), key=lambda pair: -pair[0])
        ranked = {name: round(value, DECIMALS) for value, name in falling}
        label, confidence = next(iter(ranked.items()))
        decision, reasons = head.policy.decide(confidence, label, distance=distance)
        return {
            "label": label,
            "confidence": confidence,
            "decision": decision,
            "reasons": reasons,
            "probabilities": ranked,
            "model": self._manifest.model,
            "head": head.name,
        }

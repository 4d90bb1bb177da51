"""environment ──▶ `Settings`: every knob of the server, with unit, range and default."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from models.bundle.store import DEFAULT_ROOT
from models.errors import TandemError
from models.imaging.decode import DEFAULT_MAX_PIXELS
from models.runtime.cores import available_cores

PREFIX = "TANDEM_"

URL = r"^[A-Za-z][A-Za-z0-9+.-]*://"
"""What tells a URL from a path."""


class SettingsError(TandemError):
    """A variable is misspelt or out of range; the message names it and the value."""


class Settings(BaseSettings):
    """Read once at start from variables `TANDEM_<FIELD>`; each is documented in docs/reference/settings.md."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    bundle: Annotated[str, Field(pattern=URL)] | Path = Field(
        default=DEFAULT_ROOT / "fashion-mnist", union_mode="left_to_right"
    )
    """A store entry, whose champion serves, or one version: a directory, or a URL to download from at the start."""
    verify_key: Path | None = None
    """PEM file of a public key; bundles that its owner has not signed are refused."""
    device: Literal["auto", "cpu", "cuda", "tensorrt"] = "auto"
    """Where the embedder runs; `auto` takes CUDA where it works, else the CPU."""
    precision: Literal["auto", "fp32", "fp16", "int8"] = "auto"
    """Variant of the embedder; `auto` takes the fastest in the bundle for the device."""
    workers: int = Field(default_factory=available_cores, ge=1, le=256)
    """Server processes that share the port; by default one for each core."""
    threads: int = Field(default=1, ge=1, le=256)
    """Threads of one run of the embedder on a CPU; a process of its own for each core answers more."""
    max_batch: int = Field(default=32, ge=1, le=1024)
    """Images in one run of the embedder, at most; see `Engine.max_batch`."""
    max_queue: int = Field(default=1024, ge=1, le=1_000_000)
    """Images admitted and not yet answered in one process; requests beyond are refused with 429."""
    deadline_ms: int = Field(default=10_000, ge=1, le=600_000)
    """Time from a request's arrival to its last result, in milliseconds; then 504."""
    max_body_bytes: int = Field(default=10 * 1024 * 1024, ge=1024, le=1024**3)
    """Size of a request's body."""
    max_pixels: int = Field(default=DEFAULT_MAX_PIXELS, ge=1, le=1_000_000_000)
    """Pixels of all images of a request, those that are dear to decode counted for more; see `models.imaging.work`."""
    max_images: int = Field(default=256, ge=1, le=65_536)
    """Parts or instances in one request."""
    max_buffered_bytes: int = Field(default=256 * 1024 * 1024, ge=1024, le=1024**4)
    """Request bodies that one process holds at once; requests beyond are refused with 429."""
    cache_mb: int = Field(default=0, ge=0, le=1024 * 1024)
    """Embeddings that one process keeps, in MiB, so that an image sent again is not embedded again; 0 keeps none."""
    api_keys_file: Path | None = None
    """Hashes of the keys that callers must show one of; without it everybody is served."""
    access_log: bool = True
    """One JSON line on stdout for each request."""
    allow_origins: str = ""
    """Origins, with commas between them, whose pages may ask, such as `https://shop.example`; `*` allows all, nothing
    only pages of the server itself."""
    trusted_proxies: str = "127.0.0.1"
    """Addresses, with commas between them, whose `X-Forwarded-For` the access log believes; `*` stands for all."""
    grpc_port: int = Field(default=0, ge=0, le=65_535)
    """Port of the Open Inference Protocol over gRPC, on the address of HTTP; 0: off. Needs the extra `grpc`."""
    keep_alive_s: float = Field(default=75.0, ge=1, le=3600)
    """Time that an idle connection is kept, in seconds; longer than the usual proxies keep theirs."""
    feedback_url: str | None = None
    """SQLAlchemy URL of the database of recorded decisions; without it none are. Needs the extra `feedback`."""
    feedback_images: str | None = None
    """Folder, or object store's URL, where the images of recorded decisions are kept; without it none are."""
    feedback_keep_days: float | None = Field(default=None, gt=0, le=36_500)
    """Age at which recorded decisions and their images are deleted, in days; without it they are kept."""
    feedback_sample: float = Field(default=1.0, ge=0, le=1)
    """Share of the images that is recorded."""
    feedback_audit: float = Field(default=0.01, ge=0, le=1)
    """Share of the recorded decisions that were accepted that is queued for people, to estimate precision by."""
    feedback_lease_s: float = Field(default=300.0, ge=1, le=86_400)
    """Time for which a decision to review is given to one reviewer, in seconds."""
    drain_s: float = Field(default=2.0, ge=0, le=600)
    """Time from the signal to end in which everything is still answered as always, in seconds; `/readyz` says 503."""

    @classmethod
    def from_environment(cls) -> Settings:
        """Reads the environment.

        Raises:
            SettingsError: an unknown `TANDEM_` variable, a value that its field refuses, or two that contradict.
        """
        known = {PREFIX + name.upper() for name in cls.model_fields}
        for name in sorted(os.environ):
            if name.upper().startswith(PREFIX) and name.upper() not in known:
                raise SettingsError(
                    f"unknown setting {name}={os.environ[name]!r}; known are {', '.join(sorted(known))}"
                )
        try:
            settings = cls()
        except ValidationError as error:
            first = error.errors()[0]
            name = PREFIX + str(first["loc"][0]).upper()
            raise SettingsError(f"{name}={first['input']!r}: {first['msg']}") from error
        settings._check_room("max_queue", "max_images")
        settings._check_room("max_buffered_bytes", "max_body_bytes")
        settings._check_recording()
        return settings

    @property
    def bundle_path(self) -> Path:
        """Where the bundle is on this machine.

        Raises:
            SettingsError: it is at a URL; `service.process.preflight` downloads it and names the directory to workers.
        """
        if isinstance(self.bundle, str):
            raise SettingsError(f"{PREFIX}BUNDLE={self.bundle!r}: not downloaded; start with `python -m service serve`")
        return self.bundle

    @property
    def allowed_origins(self) -> frozenset[str]:
        """Those of `allow_origins`."""
        return _names(self.allow_origins)

    @property
    def trusted_addresses(self) -> frozenset[str]:
        """Those of `trusted_proxies`."""
        return _names(self.trusted_proxies)

    def _check_room(self, room: str, request: str) -> None:
        """A request that is legal by itself must fit into an idle server."""
        if getattr(self, room) < getattr(self, request):
            raise SettingsError(
                f"{PREFIX}{room.upper()}={getattr(self, room)} is less than {PREFIX}{request.upper()}="
                f"{getattr(self, request)}, so that a request of that size would never be admitted"
            )

    def _check_recording(self) -> None:
        """What is to become of recorded decisions needs a database of them."""
        for name in ("feedback_images", "feedback_keep_days"):
            if self.feedback_url is None and getattr(self, name) is not None:
                raise SettingsError(
                    f"{PREFIX}{name.upper()} is set without {PREFIX}FEEDBACK_URL, so that nothing is recorded; set both"
                )


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",") if name.strip())

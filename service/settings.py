"""environment ──▶ `Settings`: every knob of the server, with unit, range and default."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from models.bundle.store import DEFAULT_ROOT
from models.errors import TandemError
from models.imaging.decode import DEFAULT_MAX_PIXELS

PREFIX = "TANDEM_"


_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # "<quota or max> <period>", microseconds; cgroup v2


class SettingsError(TandemError):
    """A variable is misspelt or out of range; the message names it and the value."""


def available_cores() -> int:
    """Cores that this process may use: its affinity, or a container's quota where that is less."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if _CPU_QUOTA.is_file():
        quota, _, period = _CPU_QUOTA.read_text().strip().partition(" ")
        if quota.isdecimal() and period.isdecimal():
            cores = min(cores, max(1, int(quota) // int(period)))
    return cores


class Settings(BaseSettings):
    """Read once at start from variables `TANDEM_<FIELD>`; each is documented in docs/reference/settings.md."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    bundle: Path = DEFAULT_ROOT / "fashion-mnist"
    """A store entry, whose champion serves, or one version's directory."""
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
    keep_alive_s: float = Field(default=75.0, ge=1, le=3600)
    """Time that an idle connection is kept, in seconds; longer than the usual proxies keep theirs."""
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
        return settings

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


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",") if name.strip())

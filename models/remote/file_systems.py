"""URL ──▶ the file system of fsspec that has it, and the path in it."""

from __future__ import annotations

import re
from typing import Any

from models.errors import StoreError

_EXTRAS = {
    **dict.fromkeys(("s3", "s3a"), "s3"),
    **dict.fromkeys(("gs", "gcs"), "gcs"),
    **dict.fromkeys(("az", "abfs", "abfss", "adl"), "azure"),
}


def is_url(text: str) -> bool:
    """Whether the text is a URL, such as `s3://bucket/washers`, and no path."""
    return "://" in text


def without_password(url: str) -> str:
    """A URL, or a text with URLs, as messages and logs may show it."""
    return re.sub(r"(?<=://)[^/@\s]*@", "***@", url)


def check_protocol(url: str) -> None:
    """Checks that URLs like this can be read, without connecting.

    Raises:
        StoreError: the protocol is unknown, or its package is not installed.
    """
    protocol = url.partition("://")[0]
    try:
        import fsspec  # noqa: PLC0415 (only where there are URLs)

        fsspec.get_filesystem_class(protocol)
    except ImportError as error:
        raise _not_installed(without_password(url), protocol, error) from error
    except ValueError as error:
        raise _unknown(without_password(url), error) from error


def open_file_system(url: str, **options: Any) -> tuple[Any, str]:
    """Opens what can read a URL.

    Args:
        url: a URL, or the path of a folder on disk.
        options: of fsspec.

    Returns:
        fsspec's file system, and the path in it.

    Raises:
        StoreError: the protocol is unknown, its package is not installed, or it cannot be connected to.
    """
    shown = without_password(url)
    protocol = url.partition("://")[0] if is_url(url) else "file"
    try:
        import fsspec  # noqa: PLC0415 (only where there are URLs)

        file_system, path = fsspec.url_to_fs(url, **options)
    except ImportError as error:
        raise _not_installed(shown, protocol, error) from error
    except ValueError as error:
        raise _unknown(shown, error) from error
    except Exception as error:  # some connect at once, and every storage has exceptions of its own
        raise failed(shown, "read", error) from error
    return file_system, str(path)


def _not_installed(shown: str, protocol: str, error: ImportError) -> StoreError:
    extra = _EXTRAS.get(protocol)
    fix = f"`pip install 'tandem[{extra}]'`" if extra else str(error)
    return StoreError(f"{shown}: {protocol}:// needs a package that is not installed; {fix}")


def _unknown(shown: str, error: ValueError) -> StoreError:
    return StoreError(f"{shown}: cannot be used ({error}); known are s3, gs, az, https, http and file")


def failed(url: str, what: str, error: Exception) -> StoreError:
    """The error of a URL that cannot be read or written."""
    reason = without_password(" ".join(str(error).split())) or type(error).__name__
    return StoreError(f"{without_password(url)}: cannot be {what} ({reason})")

"""All errors that Tandem raises, as one tree; `service/problems.py` gives each client error its HTTP status.

TandemError
├── BundleError          a bundle is damaged, foreign or does not compute what it promises
├── StoreError           a name or version that the store does not have
├── EvidenceError        nothing shows that a version may serve in the champion's place
├── DeviceError          a device or precision that was asked for cannot be used
├── DataError            a table or a folder of images cannot be read
│   └── ColumnError      one column of a table cannot be read
└── ClientError          the request is wrong, or cannot be answered now
    ├── Unauthorized     no API key, or an unknown one
    ├── Forbidden        a page of another origin asks, or an API key without the scope
    ├── NotFound         no such route
    ├── MethodNotAllowed the route exists and does not take the method
    ├── BadRequest       malformed body
    ├── BadImage         damaged or empty image
    ├── TooLarge         body, part count or pixels over the limit
    ├── HeadersTooLarge  a request's header block over its limits
    ├── UnsupportedType  not JPEG, PNG or WebP; animated
    ├── BadColumns       unknown, missing or mistyped column
    ├── BadFeedback      an answer that the head could not give
    ├── UnsupportedCoding a transfer coding other than chunked
    ├── UnsupportedVersion a version of HTTP that is not spoken
    ├── Overloaded       the queue is full
    ├── NotReady         starting or draining
    └── DeadlineExceeded the deadline passed
"""

from __future__ import annotations

from typing import ClassVar, Self


class TandemError(Exception):
    """Base class of all errors that Tandem raises."""

    def as_value(self) -> Self:
        """Returns the error without its traceback and cause, whose frames would keep the image in memory."""
        self.__traceback__ = self.__cause__ = self.__context__ = None
        return self


class BundleError(TandemError):
    """A bundle is refused; the message names the file, what was found and what to do."""


class StoreError(TandemError):
    """The store has no such model or version, or cannot do what was asked."""


class EvidenceError(TandemError):
    """Nothing shows that a version is as good as the champion, so it does not take its place."""


class DeviceError(TandemError):
    """A device or precision that was asked for cannot be used."""


class DataError(TandemError):
    """The data is missing, unreadable or too small to learn from."""


class ColumnError(DataError):
    """One column of a table cannot be read; the others can."""


class ClientError(TandemError):
    """A request that cannot be answered; `code` is a stable name that clients may rely on."""

    code: ClassVar[str]

    @property
    def detail(self) -> str:
        """What was wrong, the value seen and the limit, in one sentence."""
        return str(self)


class Unauthorized(ClientError):
    """An API key is needed and the request has none, or an unknown one; the message never shows it."""

    code = "unauthorized"


class BadRequest(ClientError):
    """The request is malformed, or its body is not what its content type says."""

    code = "bad_request"


class BadImage(ClientError):
    """The image is empty, or starts like an image but cannot be decoded."""

    code = "bad_image"


class TooLarge(ClientError):
    """Body, number of images or number of pixels is over its limit."""

    code = "too_large"


class HeadersTooLarge(ClientError):
    """The header block of a request has too many bytes or too many headers."""

    code = "headers_too_large"


class UnsupportedType(ClientError):
    """Not JPEG, PNG or WebP, or an animation of more than one frame."""

    code = "unsupported_type"


class Forbidden(ClientError):
    """The caller may not ask this: a page of an origin that is not allowed, or an API key without the route's scope."""

    code = "forbidden"


class NotFound(ClientError):
    """There is no such route."""

    code = "not_found"


class MethodNotAllowed(ClientError):
    """The route does not take the method; `allow` are those that it takes, as the header `Allow` has them."""

    code = "method_not_allowed"

    def __init__(self, message: str, *, allow: str) -> None:
        super().__init__(message)
        self.allow = allow


class UnsupportedCoding(ClientError):
    """The body has a transfer coding other than chunked."""

    code = "not_implemented"


class UnsupportedVersion(ClientError):
    """The request is in a version of HTTP that this connection does not speak."""

    code = "version_not_supported"


class BadColumns(ClientError):
    """The columns beside the image do not fit the head's schema."""

    code = "bad_columns"


class BadFeedback(ClientError):
    """An answer to a decision that the head could not give: an unknown class, or none."""

    code = "bad_feedback"


class Overloaded(ClientError):
    """The queue is full; the caller may try again after `retry_after_s` seconds."""

    code = "overloaded"

    def __init__(self, message: str, *, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class NotReady(ClientError):
    """The server is starting or draining."""

    code = "not_ready"


class DeadlineExceeded(ClientError):
    """The deadline passed before the work was started."""

    code = "deadline_exceeded"

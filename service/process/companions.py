"""settings ──▶ the transports beside HTTP: gRPC, where it has a port."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from models.errors import NotFound
from service.gateway.gateway import Gateway
from service.gateway.transaction import Transaction
from service.http.server import Companion
from service.messages import Response
from service.process.worker import Worker

if TYPE_CHECKING:
    import grpc


def companions(worker: Worker, config: uvicorn.Config, sockets: Sequence[socket.socket]) -> list[Companion]:
    """What else a worker serves, on the address of HTTP and with its certificate.

    Args:
        worker: whose gateway answers.
        config: of the HTTP server.
        sockets: on which it listens.
    """
    settings = worker.settings
    if not settings.grpc_port:
        return []
    from service.grpc.grpc_routes import GrpcRoutes  # noqa: PLC0415 (an extra)
    from service.grpc.grpc_server import GrpcServer  # noqa: PLC0415 (an extra)

    def gateway() -> Gateway:
        routes = GrpcRoutes(worker.pipeline, settings, lambda: worker.lifecycle.draining)
        return worker.gateway_of(routes.routes(), _unknown)

    return [GrpcServer(gateway, settings, sockets[0].getsockname()[0], _credentials(config))]


def check_port(host: str, port: int) -> None:
    """Refuses a port for gRPC that another program listens on; workers share it, so their system would not.

    Raises:
        SystemExit: with the reason.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what a server before left is no hindrance
            probe.bind((host, port))
    except OSError as error:
        reason = error.strerror or error
        raise SystemExit(f"tandem cannot start: TANDEM_GRPC_PORT={port}: {host}:{port}: {reason}") from error


def _credentials(config: uvicorn.Config) -> grpc.ServerCredentials | None:
    """The certificate and key of HTTP, and the authority of its callers' certificates if it asks for those."""
    if config.ssl is None or config.ssl_certfile is None:
        return None
    import grpc  # noqa: PLC0415 (an extra)

    key_file = config.ssl_keyfile or config.ssl_certfile
    authority = Path(config.ssl_ca_certs).read_bytes() if config.ssl_ca_certs else None
    return grpc.ssl_server_credentials(
        [(Path(key_file).read_bytes(), Path(config.ssl_certfile).read_bytes())],
        authority,
        require_client_auth=config.ssl_cert_reqs == ssl.CERT_REQUIRED,
    )


def _unknown(transaction: Transaction) -> Response:
    raise NotFound(f"no method {transaction.request.path[:200]!r}")

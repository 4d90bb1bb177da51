"""The port of gRPC is the server's alone."""

from __future__ import annotations

import socket

import pytest

from service.process.companions import check_port

HOST = "127.0.0.1"


def test_a_free_port_is_taken() -> None:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    check_port(HOST, port)


@pytest.mark.parametrize("is_shared", [False, True])
def test_a_port_that_another_server_listens_on_is_refused_in_a_line(is_shared: bool) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, is_shared)
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(SystemExit, match=f"TANDEM_GRPC_PORT={port}: {HOST}:{port}: Address already in use"):
            check_port(HOST, port)

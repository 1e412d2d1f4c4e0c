"""Listening sockets, each bound to one address, so that replies leave from the address that was asked."""

import socket

BACKLOG = 1024  # connections; a client may open hundreds at once


def stream_socket(address: str, port: int) -> socket.socket:
    """A TCP socket that listens already: connections wait in the kernel until they are served."""
    listening = _bound(address, port, socket.SOCK_STREAM)
    # A server that sends a header and then a body must not wait for the header's ACK in between.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listening.listen(BACKLOG)
    return listening


def udp_socket(address: str, port: int) -> socket.socket:
    """A bound UDP socket, with as much buffer as the kernel allows up to 4 MiB."""
    bound = _bound(address, port, socket.SOCK_DGRAM)
    for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        bound.setsockopt(socket.SOL_SOCKET, buffer, 4 << 20)
    return bound


def _bound(address: str, port: int, kind: socket.SocketKind) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    bound = socket.socket(family, kind)
    bound.setblocking(False)  # noqa: FBT003
    if kind == socket.SOCK_STREAM:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((address, port))
    except OSError as error:
        bound.close()
        raise OSError(error.errno, f"cannot bind to {address} port {port}: {error.strerror}") from None
    return bound

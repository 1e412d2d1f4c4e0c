"""A first flight that a kind of target made, and the first of what comes back, logged as a handshake."""

from typing import Any

from testbed.measurement.ooni import TlsHandshake
from testbed.probe import failure
from testbed.probe.log import TRANSACTION


def offer(flow: Any, hello: bytes, name: str, network: str) -> bytes:
    """Send `hello` over a connection (`network`: tcp) or as a datagram (udp); the first bytes of the answer.

    The handshake counts as done when the server answers: it goes no further. Raises what went wrong, EOFError
    if the server closes instead.
    """
    log, begun = flow.log, flow.log.now()
    word, problem = "tls" if network == "tcp" else "quic", None
    log.mark(f"{word}_handshake_start", address=flow.where, proto=network)
    try:
        flow.send(hello)
        answer: bytes = flow.receive()
        if not answer:
            raise EOFError
        return answer
    except (OSError, EOFError) as error:
        problem = failure.of(error)
        raise
    finally:
        log.tls_handshakes.append(
            TlsHandshake(
                network=network,
                address=flow.where,
                server_name=name,
                failure=problem,
                no_tls_verify=True,
                t0=begun,
                t=log.now(),
                transaction_id=TRANSACTION,
            )
        )
        log.mark(f"{word}_handshake_done", address=flow.where, proto=network)

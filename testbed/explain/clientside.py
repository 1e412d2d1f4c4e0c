"""What the built-in probe did on one flow and what came back, as steps of the client's lane."""

from collections.abc import Iterator
from typing import Final

from testbed.explain.evidence import MeasuredFlows
from testbed.explain.flowstory import StoryStep
from testbed.measurement.codec import UNSAID
from testbed.measurement.ooni import NetworkEvent, TestKeys

CLIENT, SERVER = "client", "server"
_SENDS: Final = ("write", "write_to")
_READS: Final = ("read", "read_from")
_SHOWN: Final = 10  # operations of a long exchange; our choice
_FAILED: Final = {
    "connection_reset": "a reset",
    "connection_refused": "a refusal",
    "generic_timeout_error": "nothing, until its time was over",
    "eof_error": "the end of the connection",
    "host_unreachable": "an ICMP error: host unreachable",
    "network_unreachable": "an ICMP error: network unreachable",
    "ssl_invalid_hostname": "a certificate of another name",
    "ssl_unknown_authority": "a certificate of an unknown authority",
}


def far_of(flow: str) -> str:
    """The far end: of "tcp a:1 > b:443" it is "b:443"."""
    return flow.partition(" > ")[2]


def name_in(measured: MeasuredFlows, flow: str) -> tuple[str, str]:
    """The name that the client asked for on this flow, and the protocol that shows it; "" for none."""
    keys, far = measured.measurement.test_keys, far_of(flow)
    for query in keys.queries:
        if query.resolver_address == far and query.hostname:
            return query.hostname, "dns"
    for shake in keys.tls_handshakes:
        if shake.address == far and shake.server_name:
            return shake.server_name, "quic" if flow.startswith("udp") else "tls"
    for exchange in keys.requests:
        if exchange.address == far and exchange.request is not None:
            host = next((value for key, value in exchange.request.headers_list if key.lower() == "host"), "")
            return str(host), "http"
    return "", ""


def client_steps(measured: MeasuredFlows, flow: str) -> list[StoryStep]:
    """Sends by their beginning, receipts by their end, so that the order is that of cause and effect."""
    keys, far, proto = measured.measurement.test_keys, far_of(flow), flow.partition(" ")[0]
    zero = measured.began
    found: list[StoryStep] = []

    def at(moment: float | None) -> float | None:
        return None if moment is None or zero is None else zero + moment

    mine = [one for one in keys.network_events if one.address == far and one.proto == proto]
    for step, sent, moment in _operations(mine, keys, far):
        arrow = SERVER if sent is not None else ""
        detail = {"size": sent}
        found.append(
            StoryStep("sent" if arrow else "received", CLIENT, step, at(moment), to=arrow, detail=detail)
        )
    found = _folded(found)
    found += [StoryStep("ended", CLIENT, words, at(moment)) for words, moment in _endings(keys, far)]
    return found if zero is None else sorted(found, key=lambda step: step.t or 0.0)


def _folded(steps: list[StoryStep]) -> list[StoryStep]:
    """The first and the last of many, and how many are between them."""
    if len(steps) <= _SHOWN + 3:
        return steps
    between = steps[_SHOWN:-2]
    sent = sum(step.kind == "sent" for step in between)
    words = f"goes on: {sent} sends and {len(between) - sent} receipts"
    return [*steps[:_SHOWN], StoryStep("received", CLIENT, words, between[0].t), *steps[-2:]]


def _operations(
    mine: list[NetworkEvent], keys: TestKeys, far: str
) -> Iterator[tuple[str, int | None, float | None]]:
    """Words, how many bytes were sent (None: it was a receipt), and when; following reads are one."""
    read, pieces, until, written = 0, 0, 0.0, 0
    for event in mine:
        what, size = event.operation or "", event.num_bytes or 0
        failed = event.failure if event.failure is not UNSAID else None
        if what in _READS and failed is None and size:
            read, pieces, until = read + size, pieces + 1, event.t or 0.0
            continue
        if pieces and what in ("connect", *_SENDS, *_READS):
            yield _received(read, pieces), None, until
            read = pieces = 0
        if what == "connect" and event.proto == "tcp":
            yield "opens the connection (SYN)", 0, event.t0
            yield ("is connected" if failed is None else f"gets {_failure(failed)}"), None, event.t
        elif what in _SENDS and failed is None:
            yield _sent(size, written, keys, far), size, event.t0
            written += size
        elif what in (*_SENDS, *_READS) and failed is not None:
            yield f"gets {_failure(failed)}", None, event.t
    if pieces:
        yield _received(read, pieces), None, until


def _sent(size: int, before: int, keys: TestKeys, far: str) -> str:
    if not before:
        for query in keys.queries:
            if query.resolver_address == far:
                return f"asks for {query.query_type} of {query.hostname} ({size} bytes)"
        for shake in keys.tls_handshakes:
            if shake.address == far:
                return f"sends its ClientHello for {shake.server_name or 'no name'} ({size} bytes)"
        for exchange in keys.requests:
            if exchange.address == far and exchange.request is not None:
                return f"sends {exchange.request.method} {exchange.request.url} ({size} bytes)"
    return f"sends {size} bytes"


def _received(size: int, pieces: int) -> str:
    return f"receives {size:,} bytes" + (f" in {pieces} reads" if pieces > 1 else "")


def _failure(failure: object) -> str:
    return _FAILED.get(str(failure), str(failure))


def _endings(keys: TestKeys, far: str) -> Iterator[tuple[str, float | None]]:
    """How each layer of the exchange with this server ended."""
    for query in keys.queries:
        if query.resolver_address == far:
            given = ", ".join(str(one.ipv4 or one.ipv6 or one.hostname or "") for one in query.answers or ())
            failed = query.failure if query.failure is not UNSAID else None
            yield (f"DNS: {_failure(failed)}" if failed else f"DNS: {given or 'an empty answer'}"), query.t
    for shake in keys.tls_handshakes:
        if shake.address == far:
            failed = shake.failure if shake.failure is not UNSAID else None
            name = "QUIC" if shake.network in ("udp", "quic") else "TLS"
            of = f" with a certificate by {shake.issuer}" if shake.issuer else ""
            yield (
                f"{name} handshake failed: {failed}" if failed else f"{name} handshake done{of}",
                shake.t,
            )
    for exchange in keys.requests:
        if exchange.address == far:
            failed = exchange.failure if exchange.failure is not UNSAID else None
            code = exchange.response.code if exchange.response is not None else None
            if failed or code:
                yield f"HTTP: {_failure(failed) if failed else f'status {code}'}", exchange.t

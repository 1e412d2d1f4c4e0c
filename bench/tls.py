"""New TLS connections per second through a censor with a long list, beside the same hops without one."""

import socket
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from bench.material import SERVER_NAME, listing_policy
from bench.result import Budget, Quantity, Result, middle_half, round_ratios
from bench.rig import FILTERED, FREE, GRACE, HOP, SERVER, Rig, in_rig, serving
from bench.trivial import PLACE, trivial_loop

_NAMES = 1_000_000  # on the list
_CLIENTS = 4  # processes; with two the CPUs are sometimes idle
_SERVERS = 4
_WARMING = 0.5  # seconds
_TRIVIAL = 4  # in one of so many rounds, the trivial loop has its turn as well
_CENSOR = f"{FILTERED}.hop{HOP}"
Rounds = dict[str, list[float]]  # path -> one number a round


class TlsRounds(NamedTuple):
    """What the rounds measured."""

    rates: Rounds  # connections per second
    busy: Rounds  # share of all CPUs
    censor: float  # seconds of CPU that the censor used in all rounds
    trivial: float  # of a loop that passes all unread, for each connection
    receipt: dict[str, Any]


def measure(*, quick: bool) -> list[Result]:
    """Full TLS 1.3 handshakes, each on a new TCP connection; and the censor's CPU time for one."""
    rounds, seconds = (5, 0.6) if quick else (40, 0.75)
    taken = in_rig(listing_policy(_NAMES), partial(_work, rounds=rounds, seconds=seconds))
    measured, baseline = taken.rates[FILTERED], taken.rates[FREE]
    ratios = round_ratios(measured, baseline)
    connections = sum(measured) * seconds
    own = taken.censor / connections * 1e6
    seen = taken.receipt["packets"] / (connections + _WARMING * median(measured))
    full, free = (f"{median(taken.busy[path]):.0%}" for path in (FILTERED, FREE))
    note = (
        f"{rounds} rounds, in each {seconds:g} s on both paths; the ratio is the median of the rounds, "
        f"half of which are within {middle_half(ratios)}; {_CLIENTS} client and {_SERVERS} server processes "
        "(Python's ssl, TLS 1.3, P-256, chain checked, no resumption), one byte each way; the CPUs are "
        f"{full} busy with the filter, {free} without; the censor's process takes {own:.0f} µs of CPU for "
        f"each connection, which decides about {seen:.1f} packets of it; {_NAMES:,} names, none matching"
    )
    details = {"ratios": ratios, **taken._asdict()}
    return [
        Result(
            "new TLS connections, filter that does not match",
            Quantity(median(measured), "/s"),
            Quantity(median(baseline), "/s"),
            "no filter",
            Quantity(median(ratios)),
            Budget(least=0.95),
            note,
            details,
        ),
        Result(
            "censor's CPU time for a new connection",
            Quantity(own, "µs"),
            Quantity(taken.trivial * 1e6, "µs"),
            "a trivial loop",
            Quantity(own / (taken.trivial * 1e6)),
            Budget(most=1.8),
            "the loop passes each packet unread, up to the first with data of each connection; it has each "
            f"{_TRIVIAL}th round on the path without a censor",
        ),
    ]


def _work(rig: Rig, rounds: int, seconds: float) -> TlsRounds:
    rates: Rounds = {FILTERED: [], FREE: []}
    shares: Rounds = {FILTERED: [], FREE: []}
    authority = rig.laboratory.authority
    connect = partial(_connections, authority.root_pem)
    with serving(rig, _answering(authority.certificate_for([SERVER_NAME])), _SERVERS):
        for vantage in (FILTERED, FREE):
            _together(rig, vantage, partial(connect, _WARMING), _WARMING)
        before, trivial = rig.seconds_at(_CENSOR), list[tuple[float, float]]()
        for number in range(rounds):
            order = (FILTERED, FREE) if number % 2 else (FREE, FILTERED)
            for vantage in order:
                with _busy(shares[vantage]):
                    rates[vantage].append(_together(rig, vantage, partial(connect, seconds), seconds))
            if number % _TRIVIAL == 0:
                trivial.append(_through_trivial_loop(rig, partial(connect, seconds), seconds))
        spent, receipt = rig.seconds_at(_CENSOR) - before, rig.receipt()
    times, made = zip(*trivial, strict=True)
    return TlsRounds(rates, shares, spent, sum(times) / sum(made), receipt)


def _through_trivial_loop(rig: Rig, connect: Callable[[], float], seconds: float) -> tuple[float, float]:
    """Its CPU seconds for some connections, and how many."""
    with trivial_loop(rig):
        before = rig.seconds_at(PLACE)
        rate = _together(rig, FREE, connect, seconds)
        return rig.seconds_at(PLACE) - before, rate * seconds


def _together(rig: Rig, vantage: str, body: Callable[[], float], seconds: float) -> float:
    clients = [rig.start(vantage, body) for _ in range(_CLIENTS)]
    return float(sum(client.result(seconds + GRACE) for client in clients))


def _answering(certificate: tuple[str, str]) -> Callable[[socket.socket], None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.num_tickets = 0
    with tempfile.TemporaryDirectory() as folder:
        chain, key = Path(folder, "chain.pem"), Path(folder, "key.pem")
        chain.write_text(certificate[0])
        key.write_text(certificate[1])
        context.load_cert_chain(chain, key)

    def answer(connection: socket.socket) -> None:
        connection.settimeout(10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.sendall(secure.recv(1))

    return answer


def _connections(root: str, seconds: float) -> float:
    """Connections per second of this process, one after the other."""
    context = ssl.create_default_context(cadata=root)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    done, begin = 0, time.perf_counter()
    while (spent := time.perf_counter() - begin) < seconds:
        with (
            socket.create_connection(SERVER, timeout=10) as plain,
            context.wrap_socket(_at_once(plain), server_hostname=SERVER_NAME) as secure,
        ):
            secure.sendall(b"x")
            # The server closes first, so that TIME_WAIT holds its side of the connection and not our port.
            while secure.recv(1):
                pass
        done += 1
    return done / spent


def _at_once(plain: socket.socket) -> socket.socket:
    """Disable Nagle's algorithm, which would wait 40 ms for the acknowledgement of our Finished."""
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return plain


@contextmanager
def _busy(shares: list[float]) -> Iterator[None]:
    """Append the busy share (0..1) of the machine's CPUs during the block, over all programs."""
    idle, total = _ticks()
    yield
    idle_after, total_after = _ticks()
    shares.append(1 - (idle_after - idle) / max(total_after - total, 1))


def _ticks() -> tuple[int, int]:
    """Idle and all ticks since the start of the machine (proc_stat(5): idle and iowait are 4th and 5th)."""
    ticks = [int(number) for number in Path("/proc/stat").read_text("ascii").split("\n", 1)[0].split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)

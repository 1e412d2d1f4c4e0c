"""Where a box is that slows a connection down or freezes it.

As Xue et al. found the hop of Twitter's throttling (IMC 2021): a ClientHello with the name is sent with a
small hop limit on an open connection, and dies on the way. Then a transfer with a harmless name goes over the
same connection, at full hop limit. It is slow if a box has seen the name. The trigger must not reach the far
end, which would answer it: so a box at the last router is not found.
"""

import ssl
import time
from dataclasses import dataclass
from typing import Final, Literal

from testbed.probe import hopsearch
from testbed.probe.hopsearch import HopFinding
from testbed.probe.provoke import FULL, Lure, flow_of, opened
from testbed.probe.speed import SLOW_SHARE
from testbed.probe.wiretap import Wiretap
from testbed.shapes.opensslclient import openssl_client

SIZE: Final = 400_000  # bytes of a transfer; our choice
_LONGEST: Final = 3.0  # s of one: enough for a policer's rate behind its first burst. Our choice
_SILENCE: Final = 3.0  # times the wait; as long without a byte is a freeze. Our choice
_TRIES: Final = 2  # slow each time: a busy machine is not. Our choice
_WHOLE: Final = 6  # transfers until one is not reset: servers under load reset some. Our choice


@dataclass(frozen=True, slots=True)
class SlowLure:
    """A lure, and what the transfer asks for: `path` at `host`, over TLS for the name `harmless`."""

    lure: Lure
    host: str
    harmless: str
    path: str = f"/bytes/{SIZE}"


@dataclass(frozen=True, slots=True)
class _Transfer:
    rate: float  # bit/s; 0 if nothing came
    frozen: bool
    died_at: str = ""  # the router that said that the trigger's hop limit ran out
    reset: bool = False  # it ended before anything could be measured


def hop_of_slowing(slow: SlowLure, *, wait: float = 1.0) -> HopFinding:
    """The hop of a box that slows or freezes connections with the lure's trigger; None: nothing does.

    OSError if the site cannot be reached, or if a harmless name's transfer stops, too: no name shows it then.
    """
    lure = slow.lure
    distance = hopsearch.distance_of(hopsearch.syn(lure.address, lure.port, wait))
    if distance is None:
        raise TimeoutError("the far end answers no SYN")
    free = _whole_transfer(slow, 0, wait)
    if free.frozen or not free.rate:
        raise TimeoutError("with a harmless name the transfer stops, too")
    if not _harmed(slow, distance - 1, free.rate, wait)[0]:
        return HopFinding(None, distance=distance)
    routers: list[str] = []
    for ttl in range(1, distance):
        how, router = _harmed(slow, ttl, free.rate, wait)
        if how:
            return HopFinding(ttl - 1, tuple(routers), how, distance)
        routers.append(router)
    return HopFinding(None, tuple(routers), distance=distance)


def _harmed(slow: SlowLure, ttl: int, free: float, wait: float) -> tuple[Literal["", "slow", "frozen"], str]:
    """What becomes of a transfer behind a trigger with this hop limit, and where that died."""
    if ttl < 1:
        return "", ""
    for _ in range(_TRIES):
        seen = _whole_transfer(slow, ttl, wait)
        if seen.reset:
            return "", seen.died_at
        if not seen.frozen and seen.rate >= SLOW_SHARE * free:
            return "", seen.died_at
    return ("frozen" if seen.frozen else "slow"), seen.died_at


def _whole_transfer(slow: SlowLure, ttl: int, wait: float) -> _Transfer:
    """The first that no reset ends; the last, if there is none."""
    for _ in range(_WHOLE):
        seen = _transfer(slow, ttl, wait)
        if not seen.reset:
            break
    return seen


def _transfer(slow: SlowLure, ttl: int, wait: float) -> _Transfer:
    """One, behind a trigger with this hop limit; 0: without a trigger."""
    with Wiretap() as tap, opened(slow.lure, wait=wait) as sock:
        died = ""
        flow = flow_of(tap, sock, wait) if ttl else None
        if flow is not None:
            flow.send(slow.lure.trigger, min(ttl, FULL))
            came = tap.watch(wait, lambda one: flow.about(one) and one.time_exceeded)
            died = next((one.source for one in came if one.time_exceeded and flow.about(one)), "")
        context = openssl_client()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # another name's certificate
        sock.settimeout(_SILENCE * wait)
        size, frozen, reset, begun = 0, False, False, time.monotonic()
        try:
            with context.wrap_socket(sock, server_hostname=slow.harmless) as tls:
                tls.sendall(
                    f"GET {slow.path} HTTP/1.1\r\nHost: {slow.host}\r\nConnection: close\r\n\r\n".encode()
                )
                while time.monotonic() - begun < _LONGEST and (data := tls.recv(1 << 16)):
                    size += len(data)
        except TimeoutError:
            frozen = True
        except OSError:
            reset = not size
        seconds = max(time.monotonic() - begun, 1e-6)
        return _Transfer(8 * size / seconds, frozen or not size, died, reset)

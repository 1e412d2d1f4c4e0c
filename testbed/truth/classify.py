"""What happened to a measurement, by comparison with the same target from outside. It never reads the policy.

Two conclusions are inferences, the same for every detector:

- On https a filter cannot read the request. A reset, or no answer at all, is therefore attributed to the
  ClientHello, also when the handshake itself was completed (SNI-II lets 5-8 packets pass, CP22 Fig. 6); once
  bytes of the answer have come, it is http.rst or http.drop.
- A time-out during which bytes still arrived a second or more after the step began is a trickle and so
  `throttle` (SNI-III: 1 KB every 4-5 s, OONI22), not silence.

A busy machine is slow as well. So `throttle` needs to be possible: whoever has the censors' receipts says
whether any rule acted on the measurement's flows, and where none did, what was slow is `slow`, and no label.
"""

from testbed.measurement.ooni import Measurement, TransferSpeed
from testbed.truth.timeline import Layer, SeenPage, Timeline, host_of

SLOW = 0.3  # of the outside's rate; below it a transfer counts as throttled. Our choice
LATE = 1.0  # s; also what a slow transfer must cost, so that a busy machine is no throttling. Our choice
_CUT = {"connection_reset", "connection_aborted", "eof_error", "connection_already_closed"}
_UNREACHABLE = {"host_unreachable", "network_unreachable", "network_down"}
_SILENT = {"generic_timeout_error", "timed_out"}
_ALIKE = 0.7  # two pages whose lengths differ by less may be the same one (OONI web_connectivity)


def classify(observed: Measurement, control: Measurement | None, *, limited: bool = True) -> str:
    """The label (`testbed.scenario.labels`) of a measurement; `control` is the same target from outside.

    Without a control every failure counts as interference, and what needs a comparison goes unnoticed.
    `limited` is false where it is known that nothing acted on the measurement's flows.
    """
    seen = Timeline(observed, limited=limited)
    outside = Timeline(control) if control is not None else None
    if outside is not None and outside.failure is not None:
        return "ok" if seen.failure is None else "broken"
    for compare in (_dns, _tcp, _tls, _quic, _http, _plain, _speed):
        label = compare(seen, outside)
        if label is not None:
            return label
    return "ok" if seen.failure is None else "broken"


def slow(observed: Measurement, control: Measurement | None) -> bool:
    """Whether a step took so much longer than outside that it would be `throttle` if something limited it."""
    seen, outside = Timeline(observed), Timeline(control) if control is not None else None
    return _speed(seen, outside) is not None


def _refused(failure: str) -> str | None:
    if failure in _UNREACHABLE:
        return "ip.icmp"
    return "ip.rst" if failure == "connection_refused" else None


def _dns(seen: Timeline, outside: Timeline | None) -> str | None:
    failure = seen.dns.failure
    if failure is not None:
        if failure in _SILENT | _CUT:
            return "dns.drop"
        # Any negative answer where outside there is a good one: the labels have no finer word.
        return _refused(failure) or "dns.nxdomain"
    if outside is None or not seen.addresses or not outside.addresses:
        return None
    return "dns.poison" if seen.addresses.isdisjoint(outside.addresses) else None


def _tcp(seen: Timeline, _: Timeline | None) -> str | None:
    failure = seen.tcp.failure
    if failure is None:
        return None
    if failure in _SILENT:
        return "ip.drop" if seen.scheme != "dns" else "dns.drop"
    return _refused(failure) or "ip.rst"


def _tls(seen: Timeline, outside: Timeline | None) -> str | None:
    failure = seen.tls.failure
    if failure is not None:
        # An invalid certificate, or something that is not TLS: another party has answered.
        return _ended("tls.sni", seen, seen.tls) or "tls.mitm"
    if outside is None or not seen.tls.tried:
        return None
    (leaf, issuer), (true_leaf, true_issuer) = seen.certificate, outside.certificate
    return "tls.mitm" if leaf and true_leaf and leaf != true_leaf and issuer != true_issuer else None


def _quic(seen: Timeline, _: Timeline | None) -> str | None:
    for step in (seen.quic, seen.http if seen.quic.tried else seen.quic):
        if step.failure is None:
            continue
        if step.failure.startswith("ssl_"):
            return "tls.mitm"
        if step.failure in _SILENT and _trickles(seen, step):
            return "throttle"
        return _refused(step.failure) or "quic.drop"
    return None


def _http(seen: Timeline, outside: Timeline | None) -> str | None:
    page, true_page = seen.page, outside.page if outside is not None else None
    if page is not None and true_page is not None and _differs(page, true_page):
        return "http.page"
    failure = seen.http.failure
    if failure is None:
        return None
    before_answer = seen.tls.tried and page is None
    ended = _ended("tls.sni" if before_answer else "http", seen, seen.http)
    return ended or ("http.page" if outside is not None else "broken")


def _plain(seen: Timeline, _: Timeline | None) -> str | None:
    """What happened on a TCP connection to a protocol that has no layer of its own here."""
    if seen.failure is None or not seen.tcp.tried or seen.tls.tried or seen.http.tried:
        return None
    return _ended("ip", seen, Layer(tried=True, failure=seen.failure, begun=seen.tcp.ended))


def _ended(layer: str, seen: Timeline, step: Layer) -> str | None:
    if step.failure in _CUT:
        return f"{layer}.rst"
    if step.failure in _SILENT:
        return "throttle" if _trickles(seen, step) else f"{layer}.drop"
    return None


def _trickles(seen: Timeline, step: Layer) -> bool:
    if not seen.limited:
        return False
    arrival = seen.last_arrival(step.begun)
    return arrival is not None and arrival >= LATE


def _differs(page: SeenPage, true: SeenPage) -> bool:
    if page.status != true.status or host_of(page.location) != host_of(true.location):
        return True
    if page.title != true.title:
        return bool(page.title and true.title) or (page.complete and true.complete)
    if not (page.complete and true.complete) or page.digest == true.digest:
        return False
    return min(page.size, true.size) < _ALIKE * max(page.size, true.size)


def _speed(seen: Timeline, outside: Timeline | None) -> str | None:
    if outside is None or not seen.limited:
        return None
    if outside.speed is not None and seen.speed is not None and _slowed(seen.speed, outside.speed):
        return "throttle"
    for name in ("tls", "quic", "http"):
        mine, its = getattr(seen, name), getattr(outside, name)
        bulk = name == "http" and seen.speed is not None
        took, takes = mine.ended - mine.begun, its.ended - its.begun
        if not bulk and mine.tried and its.tried and took - takes >= LATE and takes < SLOW * took:
            return "throttle"
    return None


def _slowed(mine: TransferSpeed, outside: TransferSpeed) -> bool:
    fast, slow = outside.bits_per_second or 0.0, mine.bits_per_second or 0.0
    if fast <= 0:
        return False
    due = 8 * (mine.bytes or 0.0) / fast
    return slow < SLOW * fast and (mine.seconds or 0.0) - due >= LATE

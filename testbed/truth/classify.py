"""What happened to a measurement, by comparison with the same target from outside. It never reads the policy.

Three conclusions are inferences, the same for every detector:

- On https a filter cannot read the request. A reset, or no answer at all, is therefore attributed to the
  ClientHello, also when the handshake itself was completed (SNI-II lets 5-8 packets pass, CP22 Fig. 6); once
  the answer has begun, it is http.rst, or `freeze` if it stops.
- Another page over TLS, with the certificate that the site shows outside as well, is the server's own doing.
- A time-out during which bytes still arrived a second or more after the step began is a trickle and so
  `throttle` (SNI-III: 1 KB every 4-5 s, OONI22), not silence.

Only what OONI's format has is used, so that records of its programs have labels too; an upload's speed, which
it has not, is the exception. A record may ask several resolvers: one that lies is not excused by another.

A busy machine is slow as well. So `throttle` needs to be possible: whoever has the censors' receipts says
whether any rule acted on the measurement's flows, and where none did, what was slow is `slow`, and no label.
"""

from ipaddress import ip_address
from itertools import pairwise

from testbed.measurement.ooni import Measurement
from testbed.measurement.target import is_address
from testbed.truth.arrivals import SeenTransfer
from testbed.truth.blockpages import BLOCK_PAGE_HOSTS, BLOCK_PAGE_TEXTS, UNAVAILABLE_FOR_LEGAL_REASONS
from testbed.truth.timeline import Layer, SeenLookup, SeenPage, Timeline, host_of

SLOW = 0.3  # of the outside's rate; below it a transfer counts as throttled. Our choice
LATE = 1.0  # s; also what a slow transfer must cost, so that a busy machine is no throttling. Our choice
_RESET = {"connection_reset", "connection_aborted", "connection_already_closed", "network_reset",
          "unknown_failure: broken pipe"}  # fmt: skip
_CLOSED = "eof_error"
# The last two are what Linux makes of ICMP "administratively prohibited", and of a filter of one's own.
_UNREACHABLE = {"host_unreachable", "network_unreachable", "network_down", "permission_denied",
                "unknown_failure: operation not permitted"}  # fmt: skip
_FAULT = 400  # HTTP status codes from here on are errors (RFC 9110 15)
_SILENT = {"generic_timeout_error", "timed_out"}
_ALIKE = 0.7  # two pages whose lengths differ by less may be the same one (OONI web_connectivity)
_STANDSTILL = 2.0  # times the longest pause: a longer one at the end is a stop, and not a trickle. Our choice


def classify(observed: Measurement, control: Measurement | None, *, limited: bool = True) -> str:
    """The label (`testbed.scenario.labels`) of a measurement; `control` is the same target from outside.

    Without a control every failure counts as interference, and so does what the record itself shows:
    resolvers that disagree while only one's addresses work, addresses that are nobody's, a known block page.
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


def speed_of(observed: Measurement) -> float | None:
    """Of what the request's answer brought, bit/s; None if nothing came."""
    transfer = Timeline(observed).transfer
    return transfer.rate if transfer else None


def turned_away(outside: Measurement, inside: Measurement) -> bool:
    """Whether the server serves somebody at an operator, and not whom no filter is in the way of."""
    theirs, mine = Timeline(outside), Timeline(inside)
    if mine.failure is not None or (mine.page is not None and mine.page.status >= _FAULT):
        return False
    return theirs.failure is not None or (theirs.page is not None and theirs.page.status >= _FAULT)


def _refused(failure: str) -> str | None:
    if failure in _UNREACHABLE:
        return "ip.icmp"
    return "ip.rst" if failure == "connection_refused" else None


def _dns(seen: Timeline, outside: Timeline | None) -> str | None:
    for lookup in seen.lookups:
        if (failure := lookup.layer.failure) is not None:
            within = _ended("tls.sni", seen, lookup.layer) if lookup.sealed and seen.tls.tried else None
            return within or _dns_failure(failure)
    return "dns.poison" if any(_lies(lookup, seen, outside) for lookup in seen.lookups) else None


def _dns_failure(failure: str) -> str:
    if failure in _SILENT:
        return "dns.drop"
    if failure in _RESET or failure == _CLOSED:
        return "dns.rst"
    special = {"dns_nxdomain_error": "dns.nxdomain", "dns_bogon_error": "dns.poison"}
    return _refused(failure) or special.get(failure, "dns.error")


def _lies(lookup: SeenLookup, seen: Timeline, outside: Timeline | None) -> bool:
    """Whether a resolver gave addresses or parameters that are not the name's."""
    if outside is not None and lookup.texts:
        true = [one.texts for one in outside.lookups if one.name == lookup.name and one.texts]
        return bool(true) and lookup.texts.isdisjoint(frozenset().union(*true))
    if not lookup.addresses:
        return False
    if outside is not None:
        disjoint = bool(outside.addresses) and lookup.addresses.isdisjoint(outside.addresses)
        return disjoint and not _of_the_same_server(lookup, seen, outside)
    if any(is_address(one) and not ip_address(one).is_global for one in lookup.addresses):
        return True
    # Another resolver has others, and those can be connected to while these cannot.
    same = [one for one in seen.lookups if one.name == lookup.name]
    others = frozenset[str]().union(*(one.addresses for one in same)) - lookup.addresses
    tried = [seen.reached[one] for one in lookup.addresses if one in seen.reached]
    apart = all(
        one.addresses == lookup.addresses or one.addresses.isdisjoint(lookup.addresses) for one in same
    )
    return apart and bool(tried) and not any(tried) and any(seen.reached.get(one) for one in others)


def _of_the_same_server(lookup: SeenLookup, seen: Timeline, outside: Timeline) -> bool:
    """Whether other addresses are the site's all the same: a content network answers by the resolver.

    They are if they show a certificate that is trusted for the name, or are of the same network.
    """
    secured = seen.tls if seen.tls.tried else seen.quic
    networks = frozenset[int]().union(*(other.networks for other in outside.lookups))
    sealed = secured.tried and secured.failure is None and not _block_page(seen, outside)
    return sealed or not lookup.networks.isdisjoint(networks)


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
        if step.failure in _SILENT:
            return _silence("quic", seen, step)
        return _refused(step.failure) or "quic.drop"
    return None


def _http(seen: Timeline, outside: Timeline | None) -> str | None:
    if _block_page(seen, outside):
        sealed = outside is not None and all(page.sealed for page in seen.pages)
        return "refused" if sealed else "http.page"
    failure = seen.http.failure
    if failure is None:
        return None
    before_answer = seen.tls.tried and seen.answer is None
    ended = _ended("tls.sni" if before_answer else "http", seen, seen.http)
    return ended or ("http.page" if outside is not None else "broken")


def _block_page(seen: Timeline, outside: Timeline | None) -> bool:
    """Whether another page came than outside; without an outside, one of those that are known."""
    if outside is not None:
        if not (seen.page and outside.page) or outside.page.status >= _FAULT > seen.page.status:
            return False  # a server that serves here alone: whoever is outside is turned away
        return _differs(seen.page, outside.page)
    site = host_of(seen.target)
    return site not in BLOCK_PAGE_HOSTS and any(
        page.status == UNAVAILABLE_FOR_LEGAL_REASONS
        or not BLOCK_PAGE_HOSTS.isdisjoint((page.host, host_of(page.location)))
        or any(text in page.text for text in BLOCK_PAGE_TEXTS)
        for page in seen.pages
    )


def _plain(seen: Timeline, _: Timeline | None) -> str | None:
    """What happened to a protocol that has no layer of its own here."""
    if seen.failure is None or seen.tls.tried or seen.quic.tried or seen.http.tried:
        return None
    step = Layer(tried=True, failure=seen.failure, begun=seen.tcp.ended, ended=seen.ended)
    return _ended("ip", seen, step) or _refused(seen.failure)


def _ended(layer: str, seen: Timeline, step: Layer) -> str | None:
    if step.failure in _RESET:
        return f"{layer}.rst"
    if step.failure == _CLOSED:
        return f"{layer}.fin"
    return _silence(layer, seen, step) if step.failure in _SILENT else None


def _silence(layer: str, seen: Timeline, step: Layer) -> str:
    """A step that got no more answer: a trickle that never ended, an answer that stopped, or no answer."""
    times = seen.arrival_times(step.begun)
    pauses = [after - before for before, after in pairwise([0.0, *times])]
    plain = layer == "ip"
    if plain or (step is seen.http and seen.answer is not None):
        stopped = not times or step.ended - step.begun - times[-1] > _STANDSTILL * max(pauses)
        trickles = seen.limited and not stopped and times[-1] >= LATE
        return "throttle" if trickles else "ip.drop" if plain else "freeze"
    return "throttle" if seen.limited and times and times[-1] >= LATE else f"{layer}.drop"


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
    mine, its = seen.transfer, outside.transfer
    if mine is not None and its is not None and _slowed(mine, its):
        return "throttle"
    for name in ("tls", "quic", "http"):
        step, same = getattr(seen, name), getattr(outside, name)
        measured = name == "http" and (mine is not None or its is not None)
        took, takes = step.ended - step.begun, same.ended - same.begun
        if not measured and step.tried and same.tried and took - takes >= LATE and takes < SLOW * took:
            return "throttle"
    return None


def _slowed(mine: SeenTransfer, outside: SeenTransfer) -> bool:
    if outside.rate <= 0:
        return False
    due = 8 * mine.bytes / outside.rate
    return mine.rate < SLOW * outside.rate and mine.seconds - due >= LATE

"""Repeated looks of the field instrument, before it blames a censor.

A server under load resets some connections, and a lossy line loses some, for everybody. From one vantage that
looks like a censor of some connections. So a target that failed is measured again, and the control
beside it: where all fail and the control never does, chance is out of the question, even at a server that
fails four times of ten (1 %). Anything else is inconclusive.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from testbed.probe.fieldsite import ITSELF, FieldFinding, FieldSite

AGAIN: Final = "again"
_LOOKS: Final = 5  # at each of both, all at once, after the first; our choice
BREAKS: Final = ("reset", "closed", "silent", "no connection", "refused")  # what a faulty server does, too
_SCHEMES: Final = ("https", "http", "h2", "h3")
_LOOKUPS: Final = {"dns": "UDP", "dns+tcp": "TCP", "dot": "DoT", "doh": "DoH"}
_UNDER_TLS: Final = ("TCP", "TLS")
_BY_SCHEME: Final = {
    "https": "HTTP/1.1 over TLS",
    "http": "HTTP/1.1",
    "h2": "HTTP/2",
    "h3": "HTTP/3",
}


def look_again_at(site: FieldSite, findings: Sequence[FieldFinding]) -> Iterator[FieldFinding]:
    """Nothing if nothing of the target failed, or if its failure is no server's."""
    target = site.target
    if target.kind.scheme not in _SCHEMES or not any(_in_doubt(site, one) for one in findings):
        return

    # Some boxes drop QUIC to everybody: what shows then that the line works is a page over TCP.
    beside = "https" if target.kind.scheme == "h3" else target.kind.scheme

    def fails(name: str) -> bool:
        measured = (site.measured(beside, "/", name=name) if name else site.measured_itself()).failure
        return measured is not None

    names = ["", site.plan.control] * _LOOKS
    with ThreadPoolExecutor(len(names)) as pool:
        failed = list(pool.map(fails, names))
    mine, its = sum(failed[::2]), sum(failed[1::2])
    words = f"fails {mine} of {_LOOKS} times, {site.plan.control} {its}"
    values = {"failed": mine, "control_failed": its, "looks": _LOOKS}
    yield FieldFinding(AGAIN, "", words, odd=mine == _LOOKS and not its, values=values)


def _in_doubt(site: FieldSite, finding: FieldFinding) -> bool:
    if finding.instrument == "hop":
        return finding.values.get("how") in BREAKS
    return finding.instrument == "web" and finding.odd and is_about(site, finding)


def is_about(site: FieldSite, finding: FieldFinding) -> bool:
    """Whether a finding is about the target itself, and not about another way to the same site."""
    scheme = site.target.kind.scheme.removeprefix("put+")
    if finding.instrument == "web":
        return finding.what in (
            ITSELF,
            _BY_SCHEME.get(scheme, ""),
            *(_UNDER_TLS if scheme == "https" else ()),
        )
    if finding.instrument == "dns":
        transport = _LOOKUPS.get(scheme)
        return finding.what.startswith(f"{transport} ") if transport else finding.what in ("UDP A", "TCP A")
    return finding.instrument != "clients"

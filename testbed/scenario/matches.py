"""Match parts to matches, and the rules that can never fire."""

from ipaddress import ip_network

from testbed.censor.names import NameList
from testbed.censor.policy import Match, Network, QuicForm
from testbed.errors import InputError
from testbed.scenario.namelists import read_names, read_networks
from testbed.scenario.problems import Loc, nearest
from testbed.scenario.schema import MatchPart, NamesPart, NetworksPart
from testbed.scenario.sources import Sources

SMALL = 2000  # patterns up to which shadowing is looked at name by name; longer lists only as a whole

_CONTENT = ("tls.sni", "http.host", "dns.qname", "quic")
_TRANSPORT = {"tls.sni": "tcp", "http.host": "tcp", "quic": "udp"}
_ONLY_PORT = {"dns.qname": 53}  # what the far side speaks nowhere else
_NEVER_PORTS = {"tls.sni": {53, 80}, "http.host": {53, 443, 853}, "quic": {53, 80, 853}}


def build_match(part: MatchPart, loc: Loc, sources: Sources) -> Match:
    """The match of a rule, its lists read and its sites looked up. Problems go into `sources`."""
    return Match(
        tls_sni=_names(part.tls_sni, (*loc, "tls.sni"), sources),
        http_host=_names(part.http_host, (*loc, "http.host"), sources),
        dns_qname=_names(part.dns_qname, (*loc, "dns.qname"), sources),
        quic=QuicForm(part.quic.version, part.quic.min_payload) if part.quic else None,
        ip=_networks(part.ip, (*loc, "ip"), sources),
        ports=tuple(part.ports or ()),
        transport=part.transport,
    )


def check_match(part: MatchPart, match: Match, loc: Loc, at: str, sources: Sources) -> None:
    """Note why a match can never hold."""
    content = [key for key in _CONTENT if getattr(match, key.replace(".", "_"))]
    if not part.model_dump(exclude_none=True):
        sources.add(
            loc, "the rule looks for nothing", f"give it one of {', '.join((*_CONTENT, 'ip', 'ports'))}"
        )
    if len(content) > 1:
        message = f"the rule can never match: no packet shows both {content[0]} and {content[1]}"
        sources.add(loc, message, "write one rule for each")
    if at == "resolver" and content != ["dns.qname"]:
        sources.add(
            loc, "the rule can never match: a resolver sees DNS queries only", "use dns.qname, or at: hop"
        )
    for key in content:
        _check_carrier(key, match, loc, sources)


def _check_carrier(key: str, match: Match, loc: Loc, sources: Sources) -> None:
    wanted = _TRANSPORT.get(key)
    if wanted and match.transport and match.transport != wanted:
        message = f"the rule can never match: {key} is not seen over {match.transport}"
        sources.add((*loc, "transport"), message, f"write transport: {wanted}, or leave it out")
    if not match.ports:
        return
    port = _ONLY_PORT.get(key)
    if (port and port not in match.ports) or set(match.ports) <= _NEVER_PORTS.get(key, set()):
        ports = ", ".join(map(str, match.ports))
        remedy = (
            f"write ports: [{port}], or leave it out" if port else "leave 'ports' out for the profile's own"
        )
        sources.add((*loc, "ports"), f"the rule can never match: no {key} on port {ports}", remedy)


def shadows(earlier: Match, later: Match) -> bool:
    """Whether everything that `later` matches is matched by `earlier` already."""
    for key in ("tls_sni", "http_host", "dns_qname"):
        first, second = getattr(earlier, key), getattr(later, key)
        if first is not None and (second is None or not _covers(first, second)):
            return False
    if earlier.quic and (not later.quic or not _quic_covers(earlier.quic, later.quic)):
        return False
    if earlier.ip and not (later.ip and all(_inside(network, earlier.ip) for network in later.ip)):
        return False
    if earlier.ports and not (later.ports and set(later.ports) <= set(earlier.ports)):
        return False
    return earlier.transport in (None, later.transport)


def _quic_covers(first: QuicForm, second: QuicForm) -> bool:
    return first.version == second.version and first.min_payload <= second.min_payload


def _covers(first: NameList, second: NameList) -> bool:
    patterns = frozenset(first.patterns)
    if not second.patterns:
        return False  # a list that could not be read
    if patterns.issuperset(second.patterns):
        return True
    if len(first.patterns) > SMALL or len(second.patterns) > SMALL:
        return False
    return all(any(_pattern_covers(a.lower(), b.lower()) for a in patterns) for b in second.patterns)


def _pattern_covers(a: str, b: str) -> bool:
    """Whether every name that `b` matches is matched by `a`."""
    text = b.strip("*")
    if a.startswith("*") and a.endswith("*"):
        return a.strip("*") in text
    if a.startswith("*"):
        return not (b.startswith("*") and b.endswith("*")) and text.endswith(a[1:])
    return a == b


def _inside(network: Network, others: tuple[Network, ...]) -> bool:
    return any(network.version == other.version and network.subnet_of(other) for other in others)  # type: ignore[arg-type]


def _names(part: NamesPart | None, loc: Loc, sources: Sources) -> NameList | None:
    if part is None:
        return None
    if part.file is None:
        return NameList(tuple(part.entries or ()))
    path = sources.document.folder / part.file
    try:
        names, digest = read_names(path, sources.document.place((*loc, "file")))
    except InputError as error:
        sources.problems.found.extend(error.problems)
        return NameList(())
    sources.used(path, digest)
    return names


def _networks(part: NetworksPart | None, loc: Loc, sources: Sources) -> tuple[Network, ...]:
    if part is None:
        return ()
    if part.file is not None:
        path = sources.document.folder / part.file
        try:
            networks, digest = read_networks(path, sources.document.place((*loc, "file")))
        except InputError as error:
            sources.problems.found.extend(error.problems)
            return ()
        sources.used(path, digest)
        return networks
    found: list[Network] = []
    for index, entry in enumerate(part.entries or ()):
        if not entry.startswith("site:"):
            found.append(ip_network(entry))
            continue
        site = sources.world.site_of(entry.removeprefix("site:"))
        if site is None:
            known = [f"site:{name}" for each in sources.world.sites for name in each.names]
            sources.add((*loc, index), f"no site of the world is called {entry[5:]!r}", nearest(entry, known))
        else:
            found += [ip_network(site.ipv4), ip_network(site.ipv6)]
    return tuple(found)

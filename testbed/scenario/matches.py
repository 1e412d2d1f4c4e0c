"""Match parts to matches: lists read, sites looked up."""

from ipaddress import ip_network

from testbed.censor.names import NameList
from testbed.censor.policy import Match, Network, QuicForm
from testbed.errors import InputError
from testbed.scenario.model import Site
from testbed.scenario.namelists import WORDS, read_names, read_networks
from testbed.scenario.problems import Loc, nearest
from testbed.scenario.schema import MatchPart, NamesPart, NetworksPart
from testbed.scenario.sources import Sources


def build_match(part: MatchPart, loc: Loc, sources: Sources) -> Match:
    """The match of a rule, its lists read and its sites looked up. Problems go into `sources`."""
    return Match(
        tls_sni=_names(part.tls_sni, (*loc, "tls.sni"), sources),
        http_host=_names(part.http_host, (*loc, "http.host"), sources),
        dns_qname=_names(part.dns_qname, (*loc, "dns.qname"), sources),
        quic=QuicForm(part.quic.version, part.quic.min_payload) if part.quic else None,
        quic_sni=_names(part.quic_sni, (*loc, "quic.sni"), sources),
        protocol=tuple(part.protocol or ()),
        ja4=tuple(part.ja4 or ()),
        ech=part.ech,
        data=part.data,
        ip=_networks(part.ip, (*loc, "ip"), sources),
        ports=tuple(part.ports or ()),
        transport=part.transport,
        flipped=part.flipped,
    )


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
        if entry.startswith(WORDS):
            sites = _sites(entry, (*loc, index), sources)
            found += [ip_network(address) for site in sites for address in (site.ipv4, site.ipv6)]
        else:
            found.append(ip_network(entry))
    return tuple(found)


def _sites(entry: str, loc: Loc, sources: Sources) -> list[Site]:
    """The world's sites behind `site:NAME` or `country:XX`."""
    kind, _, wanted = entry.partition(":")
    sites = sources.world.sites
    if kind == "site":
        site = sources.world.site_of(wanted)
        found = [] if site is None else [site]
        known = [f"site:{name}" for each in sites for name in each.names]
        message = f"no site of the world is called {wanted!r}"
    else:
        found = [site for site in sites if site.country == wanted]
        known = [f"country:{each}" for each in sorted({site.country for site in sites})]
        message = f"no site of the world is in {wanted!r}"
    if not found:
        sources.add(loc, message, nearest(entry, known))
    return found

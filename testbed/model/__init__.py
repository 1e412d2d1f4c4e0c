"""A resolved scenario and its world: flat, frozen, complete. Every other package works with them.

The loader turns YAML into these values; nothing here reads a file or touches the kernel.
Addresses are text in their shortest form; times are seconds, rates bit/s.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NoReturn, Protocol

from testbed.censor.cited import Confidence
from testbed.censor.policy import Policy
from testbed.censor.units import Between, BitsPerSecond, Form, Octets, Seconds, Share
from testbed.measurement.passage import DIRECT, Passage
from testbed.measurement.target import Target
from testbed.model.clientway import ClientWay
from testbed.model.ways.direct import UNCHANGED


@dataclass(frozen=True, slots=True)
class LinkQuality:
    """What a link does to packets, each way. The default link is limited by the kernel only."""

    rate: float | None = None  # bit/s
    delay: float = 0.0  # seconds, one way
    jitter: float = 0.0  # seconds, each packet is delayed by delay ± uniform(jitter), never reordered
    loss: float = 0.0  # share of packets, 0..1
    dead: tuple[int, ...] = ()  # IP versions of which nothing gets through; (4, 6): a dead link

    @property
    def delayed(self) -> bool:
        """Whether the link needs a delay line."""
        return bool(self.delay or self.jitter or self.loss or self.dead)


PERFECT = LinkQuality()


@dataclass(frozen=True, slots=True)
class Operator:
    """An access network: subscriber, hops, resolver, and what its block page looks like."""

    key: str  # "mts": the name of its vantage
    name: str  # "MTS"
    asn: int
    country: str  # "RU"
    kind: Literal["mobile", "fixed"]
    prefix4: IPv4Network
    prefix6: IPv6Network
    hops: int = 5  # routers between the subscriber and the backbone
    access: LinkQuality = PERFECT  # the subscriber's own link
    uplink: LinkQuality | None = None  # to the backbone; None: as the world's
    block_page: str = ""  # URL its redirects lead to; "" if none is known
    block_marks: tuple[str, ...] = ()  # pieces of HTML by which lists of fingerprints know its block page
    block_source: str = ""  # source key of the block page, its marks and the sinkholes
    sinkhole4: tuple[str, ...] = ()  # A records of its forged DNS answers
    sinkhole6: tuple[str, ...] = ()  # AAAA records of its forged DNS answers (none is documented: our choice)
    miss: tuple[
        tuple[str, float], ...
    ] = ()  # share of triggers its boxes let through, by action or by action and trigger (IMC22q p.6)

    @property
    def subscriber4(self) -> str:
        """IPv4 address of its subscriber: number 100 of the prefix (our choice)."""
        return str(self.prefix4[100])

    @property
    def subscriber6(self) -> str:
        """IPv6 address of its subscriber: ::100 (our choice)."""
        return str(self.prefix6[0x100])

    @property
    def resolver4(self) -> str:
        """IPv4 address of its own resolver: number 53 of the prefix (our choice)."""
        return str(self.prefix4[53])

    @property
    def resolver6(self) -> str:
        """IPv6 address of its own resolver: ::53 (our choice)."""
        return str(self.prefix6[0x53])

    @property
    def block_body(self) -> str:
        """Its block page as HTML; "" if none is known. Title and law are those of many operators (CP-FP)."""
        if not self.block_page:
            return ""
        title = "Доступ к запрашиваемому ресурсу ограничен"
        return (
            f'<!doctype html>\n<html lang="ru"><head><meta charset="utf-8"><title>{title}</title></head>\n'
            f"<body><h1>{title}</h1>\n<p>Основание: Федеральный закон от 27.07.2006 № 149-ФЗ. Сведения: "
            '<a href="http://eais.rkn.gov.ru/">http://eais.rkn.gov.ru/</a></p>\n'
            f"{''.join(f'{mark}{chr(10)}' for mark in self.block_marks)}</body></html>\n"
        )


_Status = Annotated[int, Between(200, 599)]
_Header = Annotated[str, Form(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n]*", "a header", "x-cache: HIT")]
_Page = Annotated[str, Form(r"/[!-~]* \S[^\r\n]*", "a path and what is served there", '/status {"up": true}')]
_Country = Annotated[str, Form(r"[A-Z]{2}", "a country", "RU")]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a web server does that an ordinary one does not."""

    redirect: str = ""  # a URL: `/` leads there
    status: _Status | None = None  # of `/`; default: 200, with a redirect 302
    size: Octets | None = None  # of the page at `/`; default: 24 to 56 kB, by the name
    title: str = ""  # of the page at `/`; default: the main name
    pages: tuple[_Page, ...] = ()  # further ones: path and text, which is JSON if it begins as such
    headers: tuple[_Header, ...] = ()  # of every answer, instead of ours of that name; without a value: none
    refuses: tuple[_Country, ...] = ()  # clients from there are refused, whatever they ask for
    serves: tuple[_Country, ...] = ()  # clients from elsewhere are refused; (): nobody is
    refusal: _Status = 403  # what those get who are refused
    early_answer: _Status | None = None  # to an upload, before its body is read
    repositories: bool = False  # /OWNER/NAME is a git repository, for all owners and names
    wait: Seconds = Seconds(0.0)  # before each answer
    pace: BitsPerSecond | None = None  # of each answer's body
    resets: Share = Share(0.0)  # of TCP connections, right after the handshake: an overloaded server
    silent: Share = Share(0.0)  # of connections, which the server takes and never answers
    window: Annotated[int, Between(1, 65535)] | None = None  # bytes, as SYN/ACKs announce it
    mss: Annotated[int, Between(88, 1460)] | None = None  # bytes: the largest segment that it takes
    quic_draft_29: bool = False  # HTTP/3 over QUIC draft-29, too, as many servers spoke it until 2022
    skips_ccs: bool = False  # a ChangeCipherSpec record before the ClientHello, as servers of IMC21 did


ORDINARY = Behaviour()
ShownCertificate = Literal[
    "trusted",
    "self-signed",  # and expired in 2014: what a box in Russia showed (OONI22)
    "expired",
    "wrong-name",
    "unknown-authority",
    "incomplete",  # the leaf without its intermediate
]


DnsAnswers = Literal[
    "all",
    "rotating",  # all, another one first each time
    "by resolver",  # one, by the resolver that asks: a content network's
]


@dataclass(frozen=True, slots=True)
class Site:
    """One server of the far side: its names (the first is the main one) and its two addresses."""

    names: tuple[str, ...]
    ipv4: str
    ipv6: str
    asn: int
    country: str = "US"
    certificate: ShownCertificate = "trusted"
    behaviour: Behaviour = ORDINARY
    https_record: tuple[str, ...] = ()  # protocols of its HTTPS record (RFC 9460), "h3" and "h2"; (): none
    ech: str = ""  # ECHConfigList in that record, base64
    stun: int | None = None  # UDP port of a STUN server, which is then all that it serves
    in_dns: bool = True  # otherwise its names do not exist, for anybody
    edges: tuple[str, ...] = ()  # further addresses of both IP versions, where the same is served
    answers: DnsAnswers = "all"  # which of its addresses resolvers give

    @property
    def addresses(self) -> tuple[str, ...]:
        """All its addresses, the two main ones first."""
        return (self.ipv4, self.ipv6, *self.edges)

    @property
    def name(self) -> str:
        """The main name."""
        return self.names[0]


@dataclass(frozen=True, slots=True)
class PublicResolver:
    """An open resolver of the far side: UDP and TCP on 53, DoT on 853, DoH on 443."""

    name: str  # "dns.google"
    ipv4: tuple[str, ...]
    ipv6: tuple[str, ...]
    asn: int
    country: str = "US"
    aliases: tuple[str, ...] = ()  # further names

    @property
    def names(self) -> tuple[str, ...]:
        """All its names, the main one first."""
        return (self.name, *self.aliases)


class HostService(Protocol):
    """What is known of a service of a host; `Service` in `internet.services` implements it."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    key: ClassVar[str]
    certificate: ClassVar[Literal["no", "names", "names and addresses"]]
    late: ClassVar[bool]

    @property
    def start_within(self) -> float:
        """Seconds until it must be ready."""
        ...

    def ports(self) -> tuple[tuple[Literal["tcp", "udp"], int], ...]:
        """Transports and ports that it listens on."""
        ...

    def names_besides(self) -> tuple[str, ...]:
        """Names of others that the host's certificate has, too."""
        ...

    def shown_by(self) -> tuple[tuple[Literal["tcp", "udp"], int], ...]:
        """Transports and ports that it opens itself, and whose opening shows that it is ready."""
        ...

    async def serve(self, place: Any, ready: Callable[[], None]) -> None:
        """Serve at `place` forever; calls `ready` once it answers."""
        ...

    def start(self, place: Any, ready: Callable[[], None]) -> NoReturn:
        """Serve at `place` until SIGTERM, in a process of its own; calls `ready` once it answers."""
        ...


@dataclass(frozen=True, slots=True)
class Host:
    """A machine with services: a server abroad with a namespace of its own, or programs at a subscriber's."""

    key: str  # "vpn": its name in files, logs and, abroad, of its namespace
    names: tuple[str, ...] = ()  # in the world's DNS, the main one first
    ipv4: tuple[str, ...] = ()  # the main address first; () if it is at a vantage
    ipv6: tuple[str, ...] = ()
    asn: int = 0  # 0 if it is at a vantage
    country: str = "US"
    certificate: ShownCertificate = "trusted"
    at: str = ""  # the vantage whose namespace it shares; "" abroad
    services: tuple[HostService, ...] = ()
    in_order: bool = False  # each service is started when the one before is ready
    behaviour: Behaviour = ORDINARY  # of its web servers
    https_record: tuple[str, ...] = ()  # as a site's
    ech: str = ""  # as a site's
    zones: tuple[str, ...] = ()  # of the world's DNS, delegated to it: resolvers ask its port 53 about them
    block_body: str = ""  # the operator's block page, if its web servers answer every request with one


@dataclass(frozen=True, slots=True)
class World:
    """The emulated Internet."""

    name: str
    operators: tuple[Operator, ...]
    sites: tuple[Site, ...]
    resolvers: tuple[PublicResolver, ...]
    backbone: LinkQuality = PERFECT  # between each operator and the far side
    hosts: tuple[Host, ...] = ()
    transit: int = (
        7  # routers between the backbone and servers abroad, at least 1; our choice: real paths' length
    )
    left_out: tuple[str, ...] = ()  # keys of the world file's operators that the scenario does without

    def operator(self, key: str) -> Operator:
        """The operator whose vantage is `key`; KeyError if there is none."""
        return next((o for o in self.operators if o.key == key), None) or _missing(key)

    def site_of(self, name: str) -> Site | None:
        """The server that answers to `name`, or None."""
        return next((s for s in self.sites if name in s.names), None)


def _missing(key: str) -> Operator:
    raise KeyError(key)


@dataclass(frozen=True, slots=True)
class Placement:
    """One censor at one place of one operator's network."""

    operator: str  # operator key
    policy: Policy
    hop: int = 2  # 1 is the subscriber's first router; ignored when at the resolver
    at: Literal["hop", "resolver"] = "hop"  # "resolver": the operator's own resolver forges answers

    @property
    def name(self) -> str:
        """Unique in a phase: "mts/tspu"."""
        return f"{self.operator}/{self.policy.name}"


@dataclass(frozen=True, slots=True)
class PhaseLinks:
    """The two links of an operator in one phase; None: as in the world."""

    access: LinkQuality | None = None
    backbone: LinkQuality | None = None


@dataclass(frozen=True, slots=True)
class Phase:
    """One state of the world: who filters in it, which sites and links are otherwise, and when it was."""

    placements: tuple[Placement, ...] = ()
    title: str = ""
    start: datetime | None = None  # UTC
    end: datetime | None = None  # the first moment after it; None: open, or unknown
    sources: Mapping[str, Confidence] = field(default_factory=dict)  # key of docs/sources.md -> how sure
    notes: str = ""
    sites: Mapping[str, Site] = field(default_factory=dict)  # by main name: those that it changes, changed
    links: Mapping[str, PhaseLinks] = field(default_factory=dict)  # by operator: those that it changes


FEWEST_HOPS, MOST_HOPS = 4, 20  # of an operator; our choice
MOST_CENSORS = 8  # at one hop; our choice: the mark word has room for 16
OUTSIDE = "outside"  # key of the unfiltered control vantage
Addresses = tuple[str, str]  # IPv4, IPv6

# Our choice: real transit (RETN, AS9002) and hosting (Hetzner, AS24940) ranges, because detectors take
# reserved ranges for a sign of censorship.
BACKBONE: Addresses = ("87.245.192.1", "2a02:2d8::1")
FAR: Addresses = ("87.245.192.2", "2a02:2d8::2")
OUTSIDE_HOST: Addresses = ("95.216.0.100", "2a01:4f9::100")
DOMESTIC: Addresses = ("87.245.192.3", "2a02:2d8::3")
MOST_TRANSIT = 30
TRANSIT: tuple[Addresses, ...] = tuple(  # Arelion (AS1299), from the backbone outwards
    (f"62.115.139.{number}", f"2001:2034::{number:x}") for number in range(1, MOST_TRANSIT + 1)
)
FIXED = {
    "backbone": BACKBONE,
    "far": FAR,
    "domestic": DOMESTIC,
    OUTSIDE: OUTSIDE_HOST,
    **{f"transit{number}": pair for number, pair in enumerate(TRANSIT, start=1)},
}
"""Nodes that every world has, and their addresses: no operator, site or host may have them."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What must be observed in one phase from one vantage at one target, and the rule that causes it."""

    phase: str
    vantage: str
    target: Target
    outcome: str  # a canonical label, see testbed.scenario.labels
    by: str = ""  # "policy/rule" or "rule"; "" when nothing interferes
    rate: tuple[float, float] | None = None  # bit/s, for a throttled target
    received: tuple[float, float] | None = None  # bytes that come before a freeze
    ipv: int | None = None  # 4 or 6: only measured over this IP version; None: over both
    tries: int = 1  # how often it is measured
    share: tuple[float, float] | None = None  # of the tries that have this outcome; the others are ok
    place: str = field(default="", compare=False)  # where it is written: "scenarios/x.yaml:12 expect[3]"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a circumvention tool is started at a subscriber, what it needs abroad, and how a client uses it."""

    name: str
    title: str = ""
    passage: Passage = DIRECT  # how a client goes through it
    client: tuple[HostService, ...] = ()  # beside the client
    server: tuple[HostService, ...] = ()  # on a server of its own, started before the client's
    programs: tuple[str, ...] = ()  # that must be installed
    devices: tuple[str, ...] = ()  # files that must be there and open to the user: /dev/net/tun
    needs: tuple[str, ...] = ()  # what the machine must be able to do: names of `testbed.model.abilities`
    way: ClientWay = UNCHANGED  # how a client's connections come to it
    changes_user: bool = False  # its programs become another user, or change their groups
    together: bool = True  # one server may have several clients at once
    path: Path | None = None  # the file that says so
    grid: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # option -> the values it may have
    settings: Mapping[str, str] = field(default_factory=dict)  # option -> its value; in a scenario the first
    strategy: str = ""  # what it does to packets, as `testbed.evade` writes it, with $OPTION
    modules: tuple[str, ...] = ()  # of $TESTBED_PYTHON, that must be installed


@dataclass(frozen=True, slots=True)
class Circumvention:
    """A tool in one phase from one vantage to one target: it must get through, or fail by a rule."""

    name: str  # as the scenario calls it
    phase: str
    vantage: str
    target: Target
    recipe: Recipe
    fails_by: str = ""  # "policy/rule" or "rule"; "": it must get through
    direct: Literal["blocked", "ok"] = "blocked"  # what the way that it is compared with must be
    instead_of: Passage = DIRECT  # that way
    other_target: Target | None = None  # its target, if it is another one
    server: Host | None = None  # where the recipe's server services run; None: it needs none
    notes: str = ""

    @property
    def compared_target(self) -> Target:
        """What is measured by the way that it is compared with."""
        return self.other_target or self.target


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole scenario, resolved."""

    name: str
    title: str
    period: str
    sources: tuple[str, ...]
    notes: str
    world: World
    seed: int
    phases: Mapping[str, Phase]
    default_phase: str
    expect: tuple[Expectation, ...]
    controls: tuple[Target, ...]  # must stay unharmed from every vantage in every phase
    circumvention: tuple[Circumvention, ...] = ()
    controls_place: str = field(default="controls", compare=False)  # where they are written
    files: Mapping[str, str] = field(default_factory=dict)  # every file it was made from -> sha256
    time_scale: float = 1.0  # the censors' clocks run this many times faster than real time
    model: str = ""  # the inspector model of every censor at a hop, if the user gave one
    path: Path | None = None  # where it was loaded from; says nothing about the world
    remarks: tuple[str, ...] = ()  # about its files, and no fault: what was made of lines in other forms

    def phase_at(self, time: datetime) -> str | None:
        """The phase that `time` (UTC) lies in; None if no phase has that time."""
        for name, phase in self.phases.items():
            begun = phase.start is None or phase.start <= time
            if (phase.start or phase.end) and begun and (phase.end is None or time < phase.end):
                return name
        return None

    def world_in(self, phase: str) -> World:
        """The world as it is in that phase, with its sites and links. KeyError if there is no such phase."""
        part = self.phases[phase]
        if not part.sites and not part.links:
            return self.world
        return replace(
            self.world,
            sites=tuple(part.sites.get(site.name, site) for site in self.world.sites),
            operators=tuple(_linked(one, part.links.get(one.key)) for one in self.world.operators),
        )

    def vantages(self) -> tuple[str, ...]:
        """Every vantage of the world, the outside one last."""
        return (*(o.key for o in self.world.operators), OUTSIDE)


def _linked(operator: Operator, links: PhaseLinks | None) -> Operator:
    if links is None:
        return operator
    return replace(operator, access=links.access or operator.access, uplink=links.backbone or operator.uplink)

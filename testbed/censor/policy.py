"""What a censor looks for and what it does: match -> action, in order, the first match wins."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Literal

from testbed.censor.names import NameList

if TYPE_CHECKING:
    from testbed.censor.actions.base import Action
    from testbed.censor.profile import Profile

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class QuicForm:
    """A QUIC datagram by its outside only, as the 2022 rule saw it (NTC1823 #10)."""

    version: int = 1
    min_payload: int = 1001  # UDP payload, bytes; NTC1823 #10-11, H


@dataclass(frozen=True, slots=True)
class Match:
    """What a rule looks for. All given parts must hold; a rule gives at least one.

    A rule with a part that the payload shows (a name, a protocol, a fingerprint) is decided by content, when
    a packet shows it. A rule with only addresses, ports or transport is decided by the packet's header.
    `ja4` and `ech` narrow a TLS, DTLS or QUIC ClientHello further, and may stand alone.
    """

    tls_sni: NameList | None = None
    http_host: NameList | None = None
    dns_qname: NameList | None = None
    quic: QuicForm | None = None
    quic_sni: NameList | None = None  # the name in a decrypted QUIC v1 Initial
    protocol: tuple[str, ...] = ()  # recognised by its wire form: see testbed.censor.parsers.PROTOCOLS
    ja4: tuple[str, ...] = ()  # fingerprints of the ClientHello
    ech: bool | None = None  # whether the ClientHello carries the encrypted_client_hello extension
    data: bool = False  # header rules only: packets that carry payload, so that a handshake passes
    ip: tuple[Network, ...] = ()  # the far host's address; () means any
    ports: tuple[int, ...] = ()  # the far host's port; () means the profile's default for the content
    transport: Literal["tcp", "udp", "icmp"] | None = None
    flipped: bool = False  # only flows whose roles a later SYN of the outside host turned round (CP22 Fig. 7)

    @property
    def by_content(self) -> bool:
        """Whether the payload, not only the header, decides."""
        names = (self.tls_sni, self.http_host, self.dns_qname, self.quic_sni)
        return any((*names, self.quic, self.protocol, self.ja4, self.ech is not None))


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a policy. `name` is unique within the policy and appears in receipts and expectations."""

    name: str
    match: Match
    action: "Action"


@dataclass(frozen=True, slots=True)
class Policy:
    """A profile and its ordered rules.

    `miss` gives, by the action's name ("rst-rewrite"), the share of triggering flows that the box lets
    through (IMC22q p.6); actions not named never miss. `bypass` is the share of pairs of hosts whose traffic
    takes a path without this box (load sharing, stable per pair); `off` are the times, in seconds of the
    censor's clock, in which it fails open; `upstream_only` boxes never see what comes from outside.
    """

    name: str
    profile: "Profile"
    rules: tuple[Rule, ...]
    miss: Mapping[str, float] = field(default_factory=dict)
    bypass: float = 0.0
    off: tuple[tuple[float, float], ...] = ()
    upstream_only: bool = False

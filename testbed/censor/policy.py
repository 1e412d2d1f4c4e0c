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

    A rule with a name part (tls_sni, http_host, dns_qname) or with `quic` is decided by content, when a
    packet shows it. A rule with only addresses, ports or transport is decided by the packet's header.
    """

    tls_sni: NameList | None = None
    http_host: NameList | None = None
    dns_qname: NameList | None = None
    quic: QuicForm | None = None
    ip: tuple[Network, ...] = ()  # the far host's address; () means any
    ports: tuple[int, ...] = ()  # the far host's port; () means the profile's default for the content
    transport: Literal["tcp", "udp"] | None = None

    @property
    def by_content(self) -> bool:
        """Whether the payload, not only the header, decides."""
        return any((self.tls_sni, self.http_host, self.dns_qname, self.quic))


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
    through (IMC22q p.6); actions not named never miss.
    """

    name: str
    profile: "Profile"
    rules: tuple[Rule, ...]
    miss: Mapping[str, float] = field(default_factory=dict)

"""How a kind of middlebox of an era behaves, whatever its rules."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from testbed.censor.cited import Cited, our_choice
from testbed.censor.fragments import FragmentForm
from testbed.censor.parsers.quic import DEFAULT, Layouts
from testbed.censor.units import Between, HeaderWord, InOrder, PacketCount

_PacketRange = Annotated[tuple[PacketCount, PacketCount], InOrder()]
_Part = Annotated[float, Between(0, 1)]
_Ports = tuple[Annotated[int, Between(1, 65535)], ...]
_Time = Annotated[float, Between(0, 36500 * 86400)]  # s

_ALONE: Cited[tuple[tuple[str, float], ...]] = our_choice((("T", 1.0),))


@dataclass(frozen=True, slots=True)
class ResetForm:
    """The header fields of an injected RST/ACK."""

    hop_limit: Annotated[int, Between(1, 255)] = 64  # at the box; the client sees it minus the hops between
    ip_id: HeaderWord = 0
    dont_fragment: bool = False
    window: HeaderWord = 0


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of box. Every number carries its source; see docs/sources.md for the keys."""

    name: str
    title: str
    period: str
    in_path: bool  # False: sees copies only, can inject but neither drop nor rewrite
    kind: Literal["tspu", "operator", "transit", "outage"]  # whose box: the state's, an operator's, or none

    inside_opens: Cited[bool]  # flows opened from outside are never filtered
    both_directions: Cited[bool]  # content sent by the outside host triggers as well
    give_up_over: Cited[HeaderWord]  # an unparseable payload longer than this (bytes) ends inspection
    extra_packets: Cited[_PacketRange]  # payload packets inspected after a recognised one, inclusive range

    tls_ports: Cited[_Ports]  # () means every port
    http_ports: Cited[_Ports]
    quic_ports: Cited[_Ports]
    dns_ports: Cited[_Ports] = field(default=our_choice((53,)))

    stateless: Cited[bool] = field(
        default=our_choice(value=False)
    )  # each packet is judged by itself, and no flow is held

    picks_up_midway: Cited[bool] = field(
        default=our_choice(value=True)
    )  # a TCP flow that begins without a SYN, or was idle for too long, is inspected

    idle_opening: Cited[_Time] = field(
        default=Cited(60.0, "IMC22 Table 2, from memory", "L")
    )  # s, one-sided flow
    idle_answered: Cited[_Time] = field(
        default=Cited(105.0, "IMC22 Table 2, from memory", "L")
    )  # s, SYN/ACK seen
    idle_established: Cited[_Time] = field(default=Cited(480.0, "IMC22 Table 2, from memory", "L"))  # s

    models: Cited[tuple[tuple[str, _Part], ...]] = field(
        default=_ALONE
    )  # how it inspects TCP, by share of pairs
    allows_by_stream: Cited[bool] = field(
        default=our_choice(value=False)
    )  # `allow` rules by name read a ClientHello over several segments, whatever the models do
    quic_layouts: Cited[Layouts] = field(default=our_choice(DEFAULT))  # of QUIC Initials that it reads
    fragments: Cited[FragmentForm | None] = field(default=our_choice(None))  # None: not buffered

    residual: Mapping[str, Cited[_Time]] = field(default_factory=dict)  # s, by action key
    quic_residual: Mapping[str, Cited[_Time]] = field(default_factory=dict)  # where rules about QUIC differ
    restarted: frozenset[str] = frozenset()  # actions whose residual each packet restarts; see `on_quic`
    reset: Cited[ResetForm] = field(default=Cited(ResetForm(), "GDPI; gist 2016", "M"))  # operators' boxes

    @property
    def default_hop(self) -> int:
        """Its default hop: among the first hops, or at the operator's border."""
        # IMC21 §6.4; NTC1823 #63 (gblnet at hop 11); our choice for operators' own
        return {"operator": 5, "transit": 11}.get(self.kind, 2)

    def on_quic(self) -> "Profile":
        """The profile as actions of rules about QUIC see it: each packet restarts `quic_residual`."""
        return replace(
            self,
            residual={**self.residual, **self.quic_residual},
            restarted=self.restarted | self.quic_residual.keys(),
        )

    def residual_of(self, action: str) -> float:
        """Seconds that an action keeps a 4-tuple; our choice (40 s, as SNI-IV) where none is known."""
        return self.residual[action].value if action in self.residual else _RESIDUAL_UNKNOWN.value


_RESIDUAL_UNKNOWN = our_choice(40.0)

"""DNS manipulation: a forged answer instead of the genuine one, or before it (NDSS20)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from testbed.censor.actions.base import Action, Context, ResolverReply, operators_own
from testbed.censor.decision import PASS, Decision, Injection, Verdict
from testbed.censor.packet import TCP
from testbed.censor.units import AddressOf, Between
from testbed.censor.wire import Endpoints, IpForm, data_to_sender, udp

_Text4 = Annotated[str, AddressOf(4)]
_Text6 = Annotated[str, AddressOf(6)]
_MOST = 64  # addresses that an answer holds; our choice


@dataclass(frozen=True, slots=True)
class DnsLie(Action[None]):
    """Answer the query with these addresses or this code; other record types get an empty answer.

    In-path, the query is dropped; on-path it passes, so the genuine answer arrives as well,
    later. At an operator's resolver the answer is the resolver's own.
    """

    key: ClassVar[str] = "dns"

    rcode: Literal["noerror", "nxdomain", "refused", "servfail"] = "noerror"
    a: tuple[_Text4, ...] = operators_own("sinkhole4", ())
    aaaa: tuple[_Text6, ...] = operators_own("sinkhole6", (), may_lack=True)  # none is documented (OONI-FP)
    ttl: Annotated[int, Between(0, 2**31 - 1)] = 60  # s; our choice (60-300)

    def __post_init__(self) -> None:
        """ValueError for addresses that no answer would have."""
        if (most := max(len(self.a), len(self.aaaa))) > _MOST:
            raise ValueError(f"dns: {most} addresses of one version; give {_MOST} at most")
        given = [key for key in ("a", "aaaa") if getattr(self, key)]
        if given and self.rcode != "noerror":
            raise ValueError(
                f"dns: an answer with rcode: {self.rcode} has no address; "
                f"leave out {' and '.join(given)}, or rcode"
            )

    def prepare(self) -> None:
        """Import dnspython, which takes 0.1 s: a forged answer MUST NOT be later than the genuine one."""
        import dns.message
        import dns.rrset  # noqa: F401

    def on_match(self, ctx: Context[None]) -> Decision:
        """Inject the forged answer towards the client."""
        if ctx.direction is not ctx.flow.asks:
            return PASS
        answer = self._packets(ctx)
        if not answer:
            return PASS
        verdict = Verdict.DROP if ctx.profile.in_path else Verdict.PASS
        return Decision(verdict, inject=answer)

    def forge(self, query: bytes) -> bytes:
        """The forged answer to a DNS query in wire format; b"" if the query cannot be read."""
        import dns.exception
        import dns.message
        import dns.rcode
        import dns.rdatatype
        import dns.rrset

        try:
            asked = dns.message.from_wire(query)
            reply = dns.message.make_response(asked, recursion_available=True)
        except (dns.exception.DNSException, ValueError):
            return b""
        reply.set_rcode(dns.rcode.from_text(self.rcode))
        for question in asked.question:
            kind = dns.rdatatype.to_text(question.rdtype)
            addresses = {"A": self.a, "AAAA": self.aaaa}.get(kind, ())
            if addresses and self.rcode == "noerror":
                reply.answer.append(dns.rrset.from_text(question.name, self.ttl, "IN", kind, *addresses))
        return reply.to_wire(max_size=65535)

    def resolver_reply(self, query: bytes) -> ResolverReply:
        """The forged answer."""
        return ResolverReply(self.forge(query))

    def also_seen_over_ipv6(self, label: str) -> tuple[str, ...]:
        """Who lies about A alone, as is documented (OONI-FP), gives whoever asks for AAAA an empty answer."""
        lies_about_a = self.rcode == "noerror" and bool(self.a) and not self.aaaa
        return ("dns.error",) if label == "dns.poison" and lies_about_a else ()

    def _packets(self, ctx: Context[None]) -> tuple[Injection, ...]:
        reset = ctx.profile.reset.value
        form = IpForm(reset.hop_limit, reset.ip_id)
        packet = ctx.packet
        if packet.protocol == TCP:
            message = self.forge(packet.payload[2:])
            framed = len(message).to_bytes(2, "big") + message
            segments = data_to_sender(packet, framed, form, fin=False) if message else []
            return tuple(Injection(segment, ctx.direction.back) for segment in segments)
        message = self.forge(packet.payload)
        if not message:
            return ()
        return (Injection(udp(Endpoints.replying_to(packet), message, form), ctx.direction.back),)

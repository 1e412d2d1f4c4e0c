"""dns://RESOLVER/NAME and dns+tcp://RESOLVER/NAME: one lookup."""

from typing import ClassVar, Final
from urllib.parse import parse_qsl

from testbed.measurement.target import Fault, Hosts, ProbeKind, Steps, Target

OWN_RESOLVER = "resolver"  # dns://resolver/NAME asks the vantage's own
RECORD_TYPES: Final = ("A", "AAAA", "HTTPS")  # dns://…/NAME?type=HTTPS asks for that one (RFC 9460)


class DnsKind(ProbeKind):
    """One question to one resolver, over UDP. Late answers are recorded too: a forged one comes first."""

    scheme: ClassVar[str] = "dns"
    form: ClassVar[str] = "dns://RESOLVER/NAME"
    transport: ClassVar[str] = "dns/udp"
    port: ClassVar[int] = 53

    def fault(self, target: Target) -> Fault | None:
        """The name is part of the URL."""
        if not question(target):
            return f"{target.url!r} asks for no name", f"write {self.scheme}://8.8.8.8/NAME"
        query = target.path.partition("?")[2]
        if query and dict(parse_qsl(query)).keys() != {"type"}:
            return f"{target.url!r} says {query!r}", "write ?type=HTTPS, or nothing"
        if record_type(target) not in ("", *RECORD_TYPES):
            return f"{target.url!r} asks for a type that is not read", f"write {', '.join(RECORD_TYPES)}"
        return super().fault(target)

    def missing(self, target: Target, hosts: Hosts) -> Fault | None:
        """Both the resolver and the name must exist."""
        if target.host != OWN_RESOLVER and (fault := hosts.resolver(target.host)):
            message, remedy = fault
            return message, f"{remedy} {self.scheme}://{OWN_RESOLVER}/… asks the operator's own"
        return hosts.host(question(target))

    def measure(self, target: Target, steps: Steps) -> None:
        """DNS alone."""
        resolver = None if target.host == OWN_RESOLVER else target
        steps.ask(question(target), resolver, tcp=self.transport == "dns/tcp", kind=record_type(target))


class DnsOverTcpKind(DnsKind):
    """The same over TCP."""

    scheme: ClassVar[str] = "dns+tcp"
    form: ClassVar[str] = "dns+tcp://RESOLVER/NAME"
    transport: ClassVar[str] = "dns/tcp"


def question(target: Target) -> str:
    """The name to ask for; "" if the URL has none."""
    return target.path.partition("?")[0].strip("/")


def record_type(target: Target) -> str:
    """The type of record to ask for; "" is that of the IP version, A or AAAA."""
    return dict(parse_qsl(target.path.partition("?")[2])).get("type", "").upper()

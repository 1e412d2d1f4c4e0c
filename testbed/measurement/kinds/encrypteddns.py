"""dot://NAME/NAME (RFC 7858) and doh://NAME/NAME (RFC 8484): one lookup that no box can read."""

from typing import ClassVar

from testbed.measurement.kinds.dns import DnsKind, question, record_type
from testbed.measurement.target import Fault, Hosts, Steps, Target, is_address

_PATH = "/dns-query"  # as RFC 8484 has it in its examples


class DotKind(DnsKind):
    """One question to one resolver, over TLS. The resolver is found by its name, as clients are given it."""

    scheme: ClassVar[str] = "dot"
    form: ClassVar[str] = "dot://RESOLVER-NAME/NAME"
    transport: ClassVar[str] = "dns/tls"
    port: ClassVar[int] = 853
    path: ClassVar[str] = ""  # of HTTP

    def fault(self, target: Target) -> Fault | None:
        """A resolver's certificate is checked for its name."""
        if is_address(target.host):
            return f"{target.url!r} names the resolver by its address", f"write {self.scheme}://dns.google/…"
        return super().fault(target)

    def missing(self, target: Target, hosts: Hosts) -> Fault | None:
        """Both names must exist."""
        return hosts.host(target.host) or hosts.host(question(target))

    def measure(self, target: Target, steps: Steps) -> None:
        """DNS, TCP, TLS, DNS within it."""
        with steps.connect(target) as connection:
            secure = steps.secure(connection, target.host)
            steps.ask_within(secure, question(target), target, path=self.path, kind=record_type(target))


class DohKind(DotKind):
    """The same over HTTPS."""

    scheme: ClassVar[str] = "doh"
    form: ClassVar[str] = "doh://RESOLVER-NAME/NAME"
    transport: ClassVar[str] = "dns/https"
    port: ClassVar[int] = 443
    path: ClassVar[str] = _PATH

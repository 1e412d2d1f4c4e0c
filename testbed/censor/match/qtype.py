"""What a DNS query asks for."""

from typing import ClassVar, Final, Literal, get_args

from testbed.censor.inspect import Content, Kind
from testbed.censor.match.key import ContentKey

RecordType = Literal["A", "AAAA", "CNAME", "HTTPS", "MX", "NS", "PTR", "SOA", "SRV", "SVCB", "TXT", "ANY"]
_NUMBERS: Final = dict(zip(get_args(RecordType), (1, 28, 5, 65, 15, 2, 12, 6, 33, 64, 16, 255), strict=True))


class DnsQtype(ContentKey[tuple[RecordType, ...]]):
    """The record type that a plain DNS query asks for; alone, for any name."""

    name = "dns.qtype"
    shape = tuple[RecordType, ...]
    written = (
        "`A`, `AAAA`, `HTTPS`, `CNAME`, `MX`, `NS`, `PTR`, `SOA`, `SRV`, `SVCB`, `TXT`, `ANY`, or a list"
    )
    kinds: ClassVar = frozenset({Kind.DNS})
    exclusive = True
    at_resolver = True

    def compile(self, value: tuple[RecordType, ...]) -> frozenset[int]:
        """The types' numbers (IANA)."""
        return frozenset(_NUMBERS[name] for name in value)

    def fits(self, compiled: frozenset[int], content: Content) -> bool:
        """Whether the query's type is listed."""
        return content.qtype in compiled

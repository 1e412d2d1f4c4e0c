"""Addresses, prefixes and AS numbers in files: parsed, and refused where they are reserved."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from testbed.scenario.problems import fault, shown

_LONGEST = {4: 25, 6: 119}  # room for hops, resolver and subscriber


def _as(kind: type, version: int, what: str) -> Any:
    """A validator for an address or prefix of one IP version, outside reserved ranges."""

    def validate(value: object) -> object:
        try:
            made = kind(value) if isinstance(value, str) else None
        except ValueError as error:
            hint = f"write '{kind(value, strict=False)}'" if "host bits" in str(error) else ""
            raise fault(f"{shown(value)} is not {what}", hint or f"write an IPv{version} one") from error
        if made is None:
            raise fault(f"{shown(value)} is not {what}", f"write an IPv{version} one as text, in quotes")
        if isinstance(made, IPv4Network | IPv6Network) and made.prefixlen > _LONGEST[version]:
            raise fault(f"the prefix {shown(value)} is too small", f"at most /{_LONGEST[version]}")
        if not made.is_global:
            remedy = "detectors take reserved addresses for signs of censorship: use a public one"
            raise fault(f"{shown(value)} is in a reserved range", remedy)
        return made

    return BeforeValidator(validate)


_TEXT = WithJsonSchema({"type": "string"})
Address4 = Annotated[IPv4Address, _as(IPv4Address, 4, "an IPv4 address"), _TEXT]
Address6 = Annotated[IPv6Address, _as(IPv6Address, 6, "an IPv6 address"), _TEXT]
Prefix4 = Annotated[IPv4Network, _as(IPv4Network, 4, "an IPv4 prefix"), _TEXT]
Prefix6 = Annotated[IPv6Network, _as(IPv6Network, 6, "an IPv6 prefix"), _TEXT]
Asn = Annotated[int, Field(ge=1, lt=2**32)]

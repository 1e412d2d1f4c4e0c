"""Addresses, prefixes and AS numbers in files, parsed. What a world cannot have is in `model.faults`."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from testbed.scenario.problems import fault, shown


def _as(kind: type, version: int, what: str) -> Any:
    """A validator for an address or prefix of one IP version."""

    def validate(value: object) -> object:
        try:
            made = kind(value) if isinstance(value, str) else None
        except ValueError as error:
            hint = f"write '{kind(value, strict=False)}'" if "host bits" in str(error) else ""
            raise fault(f"{shown(value)} is not {what}", hint or f"write an IPv{version} one") from error
        if made is None:
            raise fault(f"{shown(value)} is not {what}", f"write an IPv{version} one as text, in quotes")
        return made

    return BeforeValidator(validate)


_TEXT = WithJsonSchema({"type": "string"})
Address4 = Annotated[IPv4Address, _as(IPv4Address, 4, "an IPv4 address"), _TEXT]
Address6 = Annotated[IPv6Address, _as(IPv6Address, 6, "an IPv6 address"), _TEXT]
Prefix4 = Annotated[IPv4Network, _as(IPv4Network, 4, "an IPv4 prefix"), _TEXT]
Prefix6 = Annotated[IPv6Network, _as(IPv6Network, 6, "an IPv6 prefix"), _TEXT]
Asn = Annotated[int, Field(ge=1, lt=2**32)]

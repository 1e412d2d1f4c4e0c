"""Ports in rules: `443`, `50000-50100`, a list of both, or `any`."""

import re
from typing import Annotated, Any, Final

from pydantic import PlainValidator, WithJsonSchema

from testbed.censor.match.ports import EVERY_PORT, Ports
from testbed.scenario.problems import fault, shown

_FORMS: Final = "write 443, 50000-50100, a list of both, or any"
_RANGE = re.compile(r"([0-9]{1,9})\s*-\s*([0-9]{1,9})", re.ASCII)


def _ports(value: object) -> Ports:
    """What a rule says, as numbers and ranges."""
    if value == "any":
        return (EVERY_PORT,)
    listed = value if isinstance(value, list | tuple) else [value]
    if not listed:
        raise fault("the list is empty", _FORMS)
    if "any" in listed:
        raise fault("'any' in a list of ports", "write ports: any")
    return tuple(_one(each) for each in listed)


def _one(value: object) -> int | range:
    if isinstance(value, int) and not isinstance(value, bool):
        return _port(value, value)
    found = _RANGE.fullmatch(value.strip()) if isinstance(value, str) else None
    if not found:
        if isinstance(value, str) and value.strip().isdigit():
            raise fault(f"{shown(value)} is text, not a port", f"write {value.strip()} without quotes")
        raise fault(f"{shown(value)} is not a port or a range of ports", _FORMS)
    first, last = _port(int(found[1]), value), _port(int(found[2]), value)
    if first > last:
        raise fault(f"the range {shown(value)} is reversed", f"write {last}-{first}")
    return range(first, last + 1) if first < last else first


def _port(number: int, value: object) -> int:
    if not 0 < number < 65536:
        raise fault(f"there is no port {number} in {shown(value)}", "ports are 1 to 65535")
    return number


_SINGLE: Final[dict[str, Any]] = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": 65535},
        {"type": "string", "pattern": "^[0-9]+-[0-9]+$", "examples": ["50000-50100"]},
    ]
}
PortList = Annotated[
    Ports,
    PlainValidator(_ports),
    WithJsonSchema(
        {"anyOf": [{"const": "any"}, *_SINGLE["anyOf"], {"type": "array", "items": _SINGLE, "minItems": 1}]}
    ),
]

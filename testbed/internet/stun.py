"""STUN messages (RFC 8489): what a server answers to a Binding request."""

import struct
from ipaddress import ip_address

_COOKIE = 0x2112A442
_HEADER = struct.Struct("!HHI12s")  # type, length without this header, magic cookie, transaction
_BINDING_REQUEST, _BINDING_RESPONSE = 0x0001, 0x0101
_XOR_MAPPED_ADDRESS = 0x0020
_FAMILIES = {4: 1, 6: 2}


def binding_response(request: bytes, client: tuple[str, int]) -> bytes | None:
    """The answer to a Binding request from `client` (address, port); None to anything else."""
    if len(request) < _HEADER.size:
        return None
    kind, length, cookie, transaction = _HEADER.unpack_from(request)
    if (kind, cookie) != (_BINDING_REQUEST, _COOKIE) or length != len(request) - _HEADER.size:
        return None
    address, (_, port) = ip_address(client[0]), client
    mask = struct.pack("!I", _COOKIE) + transaction
    hidden = bytes(one ^ other for one, other in zip(address.packed, mask, strict=False))
    value = struct.pack("!BBH", 0, _FAMILIES[address.version], port ^ (_COOKIE >> 16)) + hidden
    attribute = struct.pack("!HH", _XOR_MAPPED_ADDRESS, len(value)) + value
    return _HEADER.pack(_BINDING_RESPONSE, len(attribute), _COOKIE, transaction) + attribute

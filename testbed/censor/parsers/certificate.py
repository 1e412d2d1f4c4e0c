"""The names in a TLS server's certificate, which up to TLS 1.2 everybody on the path can read.

One segment is read, as far as it goes: that a tiny window of the client's hides the names (ZAP) means that
the boxes do not put the server's segments together.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

_HANDSHAKE: Final = 22
_SERVER_HELLO, _CERTIFICATE = 2, 11
_SEQUENCE, _OID, _OCTETS = 0x30, 0x06, 0x04
_VERSION, _EXTENSIONS = 0xA0, 0xA3  # of TBSCertificate (RFC 5280 §4.1)
_BEFORE_SUBJECT: Final = 4  # serial number, algorithm, issuer, validity
_ALTERNATIVE: Final = b"\x55\x1d\x11"  # subjectAltName (§4.2.1.6)
_COMMON_NAME: Final = b"\x55\x04\x03"
_DNS_NAME: Final = 0x82


class _Value(NamedTuple):
    """One DER value; of one that is cut, what there is."""

    tag: int
    body: bytes


def server_names(payload: bytes) -> tuple[str, ...]:
    """The DNS names for which the first certificate in a server's segment is made, in lower case.

    The segment begins with a ServerHello or a Certificate. Without alternative names it is the common name.
    """
    certificate = _first_certificate(_handshake(payload))
    alternative: list[str] = []
    common: list[str] = []
    for value in _fields(certificate):
        if value.tag == _EXTENSIONS:
            alternative += _alternative(value.body)
        elif value.tag == _SEQUENCE:
            common += _common(value.body)
    return tuple(dict.fromkeys(alternative or common))


def _handshake(payload: bytes) -> bytes:
    """The handshake bytes of the records at the beginning of the segment."""
    body, at = b"", 0
    while payload[at : at + 1] == bytes([_HANDSHAKE]) and len(payload) > at + 5:
        size = int.from_bytes(payload[at + 3 : at + 5], "big")
        body += payload[at + 5 : at + 5 + size]
        at += 5 + size
    return body


def _first_certificate(messages: bytes) -> bytes:
    at = 0
    while at + 4 <= len(messages) and messages[at] in (_SERVER_HELLO, _CERTIFICATE):
        size = int.from_bytes(messages[at + 1 : at + 4], "big")
        if messages[at] == _CERTIFICATE:
            return messages[at + 10 : at + 4 + size]  # behind the lengths of the list and of the first
        at += 4 + size
    return b""


def _fields(certificate: bytes) -> Iterator[_Value]:
    """The subject, and the extensions, of a certificate."""
    outer = next(_values(certificate), None)
    inner = next(_values(outer.body), None) if outer and outer.tag == _SEQUENCE else None
    if inner is None or inner.tag != _SEQUENCE:
        return
    fields = [value for value in _values(inner.body) if value.tag != _VERSION]
    yield from fields[_BEFORE_SUBJECT : _BEFORE_SUBJECT + 1]
    yield from (value for value in fields if value.tag == _EXTENSIONS)


def _alternative(extensions: bytes) -> Iterator[str]:
    for sequence in _values(extensions):
        for extension in _values(sequence.body):
            parts = list(_values(extension.body))
            if len(parts) > 1 and parts[0] == (_OID, _ALTERNATIVE) and parts[-1].tag == _OCTETS:
                for names in _values(parts[-1].body):
                    yield from (_text(one.body) for one in _values(names.body) if one.tag == _DNS_NAME)


def _common(subject: bytes) -> Iterator[str]:
    for relative in _values(subject):
        for attribute in _values(relative.body):
            parts = list(_values(attribute.body))
            if len(parts) == 2 and parts[0] == (_OID, _COMMON_NAME):
                yield _text(parts[1].body)


def _text(name: bytes) -> str:
    return name.decode("ascii", "replace").lower()


def _values(data: bytes) -> Iterator[_Value]:
    """The DER values in a row, up to one that cannot be read."""
    at = 0
    while at + 2 <= len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            width = length & 0x7F
            if not 1 <= width <= 3 or at + width > len(data):
                return
            length = int.from_bytes(data[at : at + width], "big")
            at += width
        yield _Value(tag, data[at : at + length])
        at += length

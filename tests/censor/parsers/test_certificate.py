"""The names in a TLS 1.2 server's first segment, with certificates of the package cryptography."""

from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from testbed.censor.parsers.certificate import server_names


@cache
def certificate(common: str, *names: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Issuing Authority")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + timedelta(days=9))
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    if names:
        alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(alternative, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def record(data: bytes) -> bytes:
    return b"\x16\x03\x03" + len(data).to_bytes(2, "big") + data


def chain(*certificates: bytes) -> bytes:
    listed = b"".join(len(one).to_bytes(3, "big") + one for one in certificates)
    return message(11, len(listed).to_bytes(3, "big") + listed)


HELLO = message(2, b"\x03\x03" + bytes(32) + b"\0\xc0\x2b\0")


@pytest.mark.parametrize(
    "joined", [lambda a, b: record(a) + record(b), lambda a, b: record(a + b)], ids=["two records", "one"]
)
def test_the_alternative_names_of_the_first_certificate(joined) -> None:
    first, second = certificate("x.com", "x.com", "*.X.com"), certificate("authority.example")
    assert server_names(joined(HELLO, chain(first, second))) == ("x.com", "*.x.com")


def test_without_them_the_common_name_and_not_the_issuers() -> None:
    assert server_names(record(HELLO + chain(certificate("x.com")))) == ("x.com",)


def test_a_segment_that_begins_with_the_certificate() -> None:
    assert server_names(record(chain(certificate("x.com", "x.com")))) == ("x.com",)


def test_of_a_cut_segment_what_is_there() -> None:
    whole = record(HELLO + chain(certificate("cut.example", "x.com", "y.com")))
    found = [server_names(whole[:cut]) for cut in range(len(whole) + 1)]
    assert found[0] == ()
    assert found[-1] == ("x.com", "y.com")
    assert ("cut.example",) in found, "the subject comes before the extensions"
    assert ("x.com",) in found


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x17\x03\x03\0\x20" + bytes(32),
        record(message(1, bytes(80))),
        b"\x16\x03\x03\0\x05\x0b\0\0\0\0",
    ],
    ids=["nothing", "TLS 1.3, encrypted", "ClientHello", "an empty list"],
)
def test_no_names(payload: bytes) -> None:
    assert server_names(payload) == ()


def test_no_bytes_raise() -> None:
    whole = record(HELLO + chain(certificate("x.com", "x.com")))
    for at in range(len(whole)):
        server_names(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])

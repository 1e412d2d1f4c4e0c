"""A certificate that is made when it is first needed: once, in whichever process that is."""

import os
from pathlib import Path

from cryptography import x509

from testbed.internet.authority import Authority
from testbed.internet.hosts import LaterCertificate
from testbed.internet.services.dns import Dns
from testbed.internet.services.web import Web
from testbed.model import Host

HOST = Host("site.example", ("site.example",), ("192.0.2.1",), services=(Web(),))


def read(certificate: LaterCertificate) -> tuple[bytes, bytes]:
    assert certificate.files
    chain, key = (Path(one).read_bytes() for one in certificate.files)
    return chain, key


def test_nothing_is_made_before():
    certificate = LaterCertificate(HOST, HOST.ipv4, Authority.create())
    assert read(certificate) == (b"", b"")
    certificate.make()
    chain, key = read(certificate)
    names = x509.load_pem_x509_certificate(chain).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.DNSName) == ["site.example"]
    assert key.startswith(b"-----BEGIN PRIVATE KEY-----")


def test_it_is_made_once_by_many_processes():
    certificate = LaterCertificate(HOST, HOST.ipv4, Authority.create())
    begin, held = os.pipe()
    children = []
    for _ in range(8):
        child = os.fork()
        if child == 0:
            os.close(held)
            os.read(begin, 1)  # until the last end is closed
            certificate.make()
            os._exit(0)
        children.append(child)
    os.close(held)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 8
    chain, key = read(certificate)
    assert chain.count(b"BEGIN CERTIFICATE") == 2  # leaf and intermediate, once
    assert key.count(b"BEGIN PRIVATE KEY") == 1
    certificate.make()
    assert read(certificate) == (chain, key)


def test_a_host_that_needs_none_has_no_files():
    certificate = LaterCertificate(Host("resolver", services=(Dns(),)), (), Authority.create())
    certificate.make()
    assert certificate.files is None

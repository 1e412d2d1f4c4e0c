import shutil
import subprocess
import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from testbed.internet.authority import Authority, self_signed
from testbed.internet.bundles import system_bundle

openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")


def leaf_of(chain):
    return x509.load_pem_x509_certificates(chain.encode())[0]


def test_a_certificate_has_all_names_and_addresses():
    chain, _ = Authority.create().certificate_for(
        ["dns.google", "dns64.dns.google"], ["8.8.8.8", "2001:db8::1"]
    )
    names = leaf_of(chain).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["dns.google", "dns64.dns.google"]
    assert list(map(str, names.get_values_for_type(x509.IPAddress))) == ["8.8.8.8", "2001:db8::1"]


def test_validity_is_that_of_a_public_authority():
    leaf = leaf_of(Authority.create().certificate_for(["a.com"])[0])
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == timedelta(days=90)
    now = datetime.now(UTC)
    assert leaf.not_valid_before_utc < now - timedelta(days=1)
    assert leaf.not_valid_after_utc > now + timedelta(days=60)


@openssl
@pytest.mark.parametrize("names", [["a.com"], ["a." * 32 + "com"], []])
def test_openssl_verifies_the_chain(tmp_path, names):
    authority = Authority.create()
    chain, _ = authority.certificate_for(names, ["1.2.3.4"])
    (tmp_path / "root").write_text(authority.bundle_pem())
    (tmp_path / "chain").write_text(chain)
    check = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver"]
    check += ["-CAfile", tmp_path / "root", "-untrusted", tmp_path / "chain", tmp_path / "chain"]
    assert subprocess.run(check, capture_output=True, text=True).stdout.endswith("chain: OK\n")
    (tmp_path / "root").write_text(Authority.create().bundle_pem())
    assert subprocess.run(check, capture_output=True).returncode != 0


@openssl
def test_subject_hash_is_openssls():
    authority = Authority.create()
    shown = subprocess.run(
        ["openssl", "x509", "-noout", "-subject_hash"],
        input=authority.root_pem,
        capture_output=True,
        text=True,
    )
    assert shown.stdout.strip() == authority.subject_hash()


def test_the_bundle_has_the_systems_own_before_ours():
    authority = Authority.create()
    assert authority.bundle_pem(system=True) == system_bundle() + authority.root_pem
    assert authority.bundle_pem() == authority.root_pem


def test_thirty_certificates_are_cheap():
    authority = Authority.create()
    began = time.process_time()
    for number in range(30):
        authority.certificate_for([f"site{number}.com"])
    assert time.process_time() - began < 0.2  # 12 ms when written


def test_a_certificate_that_no_client_should_accept():
    chain, key = self_signed(["tls-box.mts.ru"])
    certificate = x509.load_pem_x509_certificate(chain.encode())
    assert certificate.subject == certificate.issuer
    assert certificate.not_valid_after_utc == datetime(2014, 11, 12, tzinfo=UTC)
    assert "Internet Widgits Pty Ltd" in certificate.subject.rfc4514_string()
    assert "PRIVATE KEY" in key

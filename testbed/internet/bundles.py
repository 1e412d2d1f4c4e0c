"""Where systems keep the certification authorities that they trust."""

from pathlib import Path

# The same list as Go's crypto/x509 (root_linux.go).
SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/pki/tls/cacert.pem",  # OpenELEC
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # RHEL 7 and later
    "/etc/ssl/cert.pem",  # Alpine
)


def system_bundle() -> str:
    """This machine's own bundle as PEM, "" if it has none."""
    for path in map(Path, SYSTEM_BUNDLES):
        if path.is_file():
            text = path.read_text()
            return text if text.endswith("\n") else text + "\n"
    return ""

"""OONI's published expectations for web_connectivity 0.5, by the phase of `ooni-vectors`."""

from typing import Any, Final

SITE, PLAIN, LARGE = "https://twitter.com/", "http://www.bbc.com/", "https://abs.twimg.com/bytes/4000000"
KEYS: Final = (
    "blocking",
    "accessible",
    "x_blocking_flags",
    "x_dns_flags",
    "dns_consistency",
    "http_experiment_failure",
)
PUBLISHED: Final[dict[str, tuple[Any, ...]]] = {  # phase -> URL, and the values of KEYS
    "v01": (SITE, "http-failure", False, 4, 0, "consistent", "connection_reset"),
    "v02": (SITE, "dns", False, 5, 4, "inconsistent", "connection_reset"),
    "v03": ("https://www.facebook.com/", "tcp_ip", False, 2, 0, "consistent", "generic_timeout_error"),
    "v04": (PLAIN, "dns", False, 35, 4, "inconsistent", "connection_refused"),
    "v05": (SITE, "dns", False, 33, 2, "inconsistent", "dns_nxdomain_error"),
    "v06": (SITE, "dns", False, 33, 5, "inconsistent", "generic_timeout_error"),
    "v07": (PLAIN, "http-failure", False, 8, 0, "consistent", "connection_reset"),
    "v08": (PLAIN, "http-diff", False, 16, 0, "consistent", None),
    "v09": (PLAIN, "dns", False, 17, 4, "inconsistent", None),
    "v10": (LARGE, "http-failure", False, 8, 0, "consistent", "generic_timeout_error"),
    "v11": (SITE, False, True, 33, 4, "inconsistent", None),
    "v12": ("http://itsat.info/", False, False, 0, 0, "consistent", "dns_nxdomain_error"),
    "v13": ("http://www.bbc.com:8080/", False, False, 0, 0, "consistent", "connection_refused"),
}

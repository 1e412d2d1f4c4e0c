"""Payloads that the boxes know, to begin from."""

from tests.censor.line import hello
from tests.censor.parsers.test_protocols import SAMPLES
from tests.fuzz.box import LISTED, UNLISTED

QUERY = bytes.fromhex("1267010000010000000000000178017803636f6d0000010001")
PAYLOADS = [
    hello(LISTED), hello(UNLISTED), hello(f"www.{LISTED}"), hello(None),
    hello(LISTED)[:60], hello(LISTED)[60:],
    b"GET / HTTP/1.1\r\nHost: x.com\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", QUERY, b"\0\x19" + QUERY,
    b"\xc0\0\0\0\1" + bytes(1200), b"\x16", b"", bytes(90), bytes(1400), bytes(range(256)) * 2,
    *(payload for _, _, payload, _ in SAMPLES.values()),
]  # fmt: skip

"""The rows of the reference table: known tools with their options, and the packets that they send.

What the packets are was measured with the tools themselves (docs/matrix.md names the source); here our own
strategies send the same. A row is a title, what it stands for, and how it is written.
"""

from functools import partial
from typing import Final

from testbed.matrix.contender import Contender, contender
from testbed.matrix.purecells import Numbered

ROWS: Final = (
    ("plain", "curl", ""),
    ("split in the name", "byedpi -s 1+s", "segments:name+1"),
    ("record split", "byedpi -r 1+s", "records:name+1"),
    ("decoy, MD5 option, last byte first", "byedpi -f -1 -S", "segments:-1 disorder md5-option"),
    ("split twice", "tpws, split at 1 and in the domain", "segments:1,name"),
    ("split twice, in disorder", "tpws, split and disorder", "segments:1,name disorder"),
    ("split at 2 and in the name", "nfqws multisplit", "segments:2,name"),
    ("split, last piece first", "nfqws multidisorder", "segments:2,name disorder"),
    ("decoy, low hop limit", "nfqws fake, TTL 3", "low-ttl:3"),
    ("decoy, MD5 option", "nfqws fake, md5sig", "md5-option"),
    ("decoy, bad checksum", "nfqws fake, badsum", "bad-checksum"),
    ("records of 20", "DPYProxy, records of 20", "records:every=20"),
    ("segments of 20", "DPYProxy, segments of 20", "segments:every=20"),
    ("records and segments of 100", "DPYProxy, both of 100", "records:every=100 segments:every=100"),
    ("Chrome's hello", "curl_cffi, Chrome", "chrome"),
    ("Firefox's hello", "curl_cffi, Firefox", "firefox"),
    ("decoy, bad sequence", "nfqws fake, badseq", "bad-sequence"),
    ("decoy, old timestamp", "nfqws fake, ts", "old-timestamp"),
    ("decoy, no ACK", "nfqws fake, datanoack", "no-ack"),
    ("decoy and split", "nfqws fake, multisplit", "segments:name low-ttl"),
    ("overlap before the window", "nfqws multisplit, seqovl", "segments:name overlap"),
    ("overlap with the second piece", "nfqws multidisorder, seqovl", "segments:name overlap:behind"),
    ("out of band", "byedpi -o", "segments:name out-of-band"),
    ("ChangeCipherSpec first", "", "before"),
    ("padded hello", "", "padded"),
    ("encrypted hello (ECH)", "", "ech"),
)


def reference_rows() -> list[Numbered]:
    """All of them."""
    return [row(text, title, stands_for) for title, stands_for, text in ROWS]


def row(text: str, title: str = "", stands_for: str = "") -> Numbered:
    """A row by how it is written."""
    contender(text)  # what cannot be is refused now
    return partial(_numbered, text, title, stands_for)


def _numbered(text: str, title: str, stands_for: str, number: int, host: str) -> Contender:
    return contender(text, title, stands_for, number, host)

"""Ten inspectors against the traces of real tools, cell by cell: does the box see the name?

The traces are rebuilt packet by packet from what the tools were seen to send (tools and modes are the rows'
names). Under SNI-I all of the client's packets pass, so a trace is not disturbed, and the server's next
packet shows whether the box has seen the name.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

from testbed.conformance.builders import action, sni, with_model
from testbed.conformance.case import Dialogue, case
from testbed.conformance.cases.common import dialogue
from testbed.conformance.packets import MD5
from testbed.conformance.payloads import (
    ALERT,
    RECORD,
    chrome,
    handshake,
    hello,
    inside_name,
    junk,
)
from testbed.conformance.steps import OPENED, L, R, SendPacket
from testbed.shapes.hellobytes import extension, record

MODELS: Final = ("A", "P", "C", "D", "T", "Dv", "R", "Rl", "Rv", "Rvm")
_NAME: Final = "www.facebook.com"
_OTHER: Final = "www.gutenberg.org"
_AT: Final = 153  # where curl's name began
_MTU: Final = 1448


def _curl(name: str) -> bytes:
    """curl 7.88 with OpenSSL: 517 bytes, one record of 512."""
    bare = record(handshake(name)).index(name.encode())
    return record(handshake(name, before=extension(51, bytes(_AT - bare - 4)), pad_to=512))


_CURL: Final = _curl(_NAME)

Trace = Callable[[], list[SendPacket]]


def _pieces(data: bytes, *cuts: int) -> list[SendPacket]:
    """The data cut at these places, each piece with its place in the stream."""
    edges = [0, *cuts, len(data)]
    return [L(data[a:b], f"{b - a} bytes", at=a).passes for a, b in pairwise(edges)]


def _every(data: bytes, size: int) -> list[SendPacket]:
    return _pieces(data, *range(size, len(data), size))


def _records(*cuts: int) -> bytes:
    """curl's ClientHello over several TLS records, cut at these places of the handshake message."""
    message = _CURL[5:]
    edges = [0, *cuts, len(message)]
    return b"".join(record(message[a:b]) for a, b in pairwise(edges))


def _tiny_records(size: int) -> bytes:
    return _records(*range(size, len(_CURL) - 5, size))


def _middle() -> int:
    """The middle of the second-level name."""
    return _CURL.index(b"book.com")


def _one(data: bytes, what: str = "ClientHello") -> list[SendPacket]:
    return [L(data, what, at=0).passes]


def _byedpi_fake() -> list[SendPacket]:
    decoy = _curl(_OTHER)[:516]
    return [
        L(decoy, "decoy of 516 bytes with MD5 option", at=0, options=MD5).passes,
        L(_CURL[516:], "last byte", at=516).passes,
        L(_CURL[:516], "first 516 bytes once more", at=0).passes,
    ]


def _nfqws_fake(what: str, **header: Any) -> Trace:
    def trace() -> list[SendPacket]:
        decoy = record(handshake("gl2kd.example.org", pad_to=675))
        return [
            L(decoy, f"decoy of 680 bytes, {what}", at=0, ip_id=31000, **header).passes,
            L(_CURL, "ClientHello", at=0, ip_id=31000).passes,
        ]

    return trace


def _byedpi_oob() -> list[SendPacket]:
    """The piece before the cut ends in one more byte, which is urgent."""
    at = _CURL.index(_NAME.encode()) + 3
    return [
        L(_CURL[:at] + b"a", f"{at} bytes and an urgent one", at=0, flags="PAU").passes,
        L(_CURL[at:], f"{len(_CURL) - at} bytes", at=at + 1).passes,
    ]


def _syn(payload: bytes) -> list[SendPacket]:
    """A connection whose SYN carries data."""
    return [
        L(payload, "SYN with data", flags="S", at=0).passes,
        R(flags="SA").passes_unreported,
        L(flags="A", at=1).passes_unreported,
    ]


def _syndata() -> list[SendPacket]:
    return [*_syn(bytes(16)), L(_CURL, "ClientHello", at=1).passes]


def _syndata_split() -> list[SendPacket]:
    pieces = ((0, 1), (1, _middle()), (_middle(), len(_CURL)))
    return [*_syn(bytes(16)), *(L(_CURL[a:b], f"{b - a} bytes", at=1 + a).passes for a, b in pieces)]


def _chrome() -> list[SendPacket]:
    return _pieces(chrome(_NAME), _MTU)


def _firefox() -> list[SendPacket]:
    message = handshake(_NAME, after=extension(51, bytes(1300)), pad_to=1850)
    return _pieces(record(message), _MTU)


def _reversed(pieces: list[SendPacket]) -> list[SendPacket]:
    return pieces[::-1]


def _disordered() -> list[SendPacket]:
    first, second, third = _pieces(_CURL, 1, _middle())
    return [second, first, third]  # what went out with TTL 1 comes again from the kernel, later


_ALL_HITS: Final = "A P C D T Dv R Rl Rv Rvm"
_STREAMS: Final = "R Rl Rv Rvm"

ROWS: Final[dict[str, tuple[str, Trace, str]]] = {
    "plain": ("curl, no tool", lambda: _one(_CURL), _ALL_HITS),
    "byedpi-split": ("byedpi -s 1+s", lambda: _pieces(_CURL, inside_name(_CURL, _NAME)), _STREAMS),
    "byedpi-records": (
        "byedpi -r 1+s",
        lambda: _one(_records(inside_name(_CURL, _NAME) - 5), "two records in a segment"),
        "Rvm",
    ),
    "byedpi-fake-md5": ("byedpi -f -1 -S", _byedpi_fake, "A Rv Rvm"),
    "tpws-split": ("tpws --split-pos=1,midsld", lambda: _pieces(_CURL, 1, _middle()), _STREAMS),
    "tpws-disorder": ("tpws --split-pos=1,midsld --disorder", _disordered, _STREAMS),
    "nfqws-multisplit": ("nfqws multisplit", lambda: _pieces(_CURL, 1, _middle()), _STREAMS),
    "nfqws-multidisorder": (
        "nfqws multidisorder",
        lambda: _reversed(_pieces(_CURL, 1, _middle())),
        _STREAMS,
    ),
    "nfqws-fake-ttl": ("nfqws fake, TTL 3", _nfqws_fake("TTL 3", ttl=3), "A P Dv Rv Rvm"),
    "nfqws-fake-md5": ("nfqws fake, md5sig", _nfqws_fake("MD5 option", options=MD5), "A P Dv Rv Rvm"),
    "nfqws-fake-badsum": (
        "nfqws fake, badsum",
        _nfqws_fake("wrong checksum", wrong_sum=True),
        "A P Dv Rv Rvm",
    ),
    "dpyproxy-records": (
        "dpyproxy, records of 20",
        lambda: _one(_tiny_records(20), "26 records in a segment"),
        "Rvm",
    ),
    "dpyproxy-segments": ("dpyproxy, segments of 20", lambda: _every(_CURL, 20), _STREAMS),
    "dpyproxy-both": (
        "dpyproxy, records and segments of 100",
        lambda: _every(_tiny_records(100), 100),
        "A Rvm",
    ),
    "byedpi-oob": ("byedpi -o 3+s", _byedpi_oob, "Rv Rvm"),
    "nfqws-syndata": ("nfqws syndata", _syndata, _ALL_HITS),
    "nfqws-syndata-split": ("nfqws syndata,multisplit", _syndata_split, _STREAMS),
    "chrome": ("curl_cffi, Chrome's shape", _chrome, f"A {_STREAMS}"),
    "firefox": ("curl_cffi, Firefox's shape", _firefox, f"A {_STREAMS}"),
}

# Probes made by hand, which part the models that the tools' traces leave together.
PROBES: Final[dict[str, tuple[str, Trace, str, str]]] = {
    "second-hello": (
        "an unlisted ClientHello, then a listed one",
        lambda: [L(hello(_OTHER), "ClientHello of another name").passes, L(_CURL).passes],
        "A P",
        "A P C D T Dv",
    ),
    "alert-first": (
        "a TLS alert in a segment of its own first",
        lambda: [L(ALERT, "alert").passes, L(_CURL).passes],
        "A P D T Dv",
        "A P C D T Dv",
    ),
    "junk-50": (
        "50 bytes of junk first",
        lambda: [L(junk(50), "junk").passes, L(_CURL).passes],
        "A P D T Dv",
        "A P C D T Dv",
    ),
    "junk-150": (
        "150 bytes of junk first",
        lambda: [L(junk(150), "junk").passes, L(_CURL).passes],
        "A P D Dv",
        "A P C D T Dv",
    ),
    "overlap-last": (
        "the name's half sent twice: another name's bytes first, the listed one's last",
        lambda: _overlapping(decoy_first=True),
        "Rl",
        "R Rl",
    ),
    "overlap-first": (
        "the same, the listed one's first",
        lambda: _overlapping(decoy_first=False),
        "R",
        "R Rl",
    ),
}


def _overlapping(*, decoy_first: bool) -> list[SendPacket]:
    """Two contents for the bytes after the cut inside the name, before the stream's beginning arrives."""
    at = inside_name(_CURL, _NAME)
    real = L(_CURL[at:], "second half", at=at).passes
    decoy = L(_CURL.replace(b"facebook", b"facebank")[at:], "another second half", at=at).passes
    start = L(_CURL[:at], "first half", at=0).passes
    return [decoy, real, start] if decoy_first else [real, decoy, start]


def _register(row: str, title: str, trace: Trace, model: str, *, hit: bool) -> None:
    expected = "the name is seen" if hit else "the name is not seen"

    @case(f"{row}/{model}", "t22", "TRACES", "M", f"{title}; model {model}", expected)
    def cell(profile: str) -> Dialogue:
        box = sni(with_model(profile, model), action("rst-rewrite"), _NAME)
        last = R(RECORD, "answer")
        steps = trace()
        opening = () if "S" in steps[0].flags else OPENED
        return dialogue(box, *opening, *steps, last.becomes_reset if hit else last.passes)


for _row, (_title, _trace, _hits) in ROWS.items():
    for _model in MODELS:
        _register(_row, _title, _trace, _model, hit=_model in _hits.split())
for _row, (_title, _trace, _hits, _asked) in PROBES.items():
    for _model in _asked.split():
        _register(_row, _title, _trace, _model, hit=_model in _hits.split())

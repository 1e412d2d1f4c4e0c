"""JA4 against fingerprints that others published."""

import pytest

from testbed.censor.actions.silent_drop import SilentDrop
from testbed.censor.ja4 import Letter, is_ja4, ja4
from testbed.censor.match import Match
from testbed.censor.parsers.dtls import recognise as dtls
from testbed.censor.parsers.message import Message
from testbed.censor.parsers.quic import InitialReader
from testbed.censor.parsers.tls import ClientHello, client_hello
from tests.censor.line import Line, policy
from tests.censor.parsers.real import DTLS_HELLO, read

_CHROME = "1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035"
_SIGNATURES = "0403,0804,0401,0503,0805,0501,0806,0601"

PUBLISHED = {
    # the worked example of technical_details/JA4.md
    "t13d1516h2_8daaf6152771_e5627efa2ab1": (
        _CHROME,
        "001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015",
        _SIGNATURES,
        "h2",
    ),
    # Chrome 131 and later, as fingerprint databases print its raw form
    "t13d1516h2_8daaf6152771_d8a2da3f94cd": (
        _CHROME,
        "002d,0033,0010,fe0d,0017,44cd,0000,000b,000a,002b,ff01,0023,0012,0005,000d,001b",
        _SIGNATURES,
        "h2",
    ),
    # chrome-cloudflare-quic-with-secrets.pcapng of FoxIO's own tests
    "q13d0310h3_55b375c5d22e_cd85d2d88918": (
        "1301,1302,1303",
        "0000,0010,000a,000d,001b,002b,002d,0033,0039,4469",
        _SIGNATURES + ",0201",
        "h3",
    ),
}


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number, 16) for number in text.split(",")) if text else ()


def _wire(numbers: tuple[int, ...]) -> bytes:
    return b"".join(number.to_bytes(2, "big") for number in numbers)


def _hello(
    ciphers: str, kinds: str, signatures: str = "", alpn: bytes = b"", versions: str = "0304,0303"
) -> ClientHello:
    bodies = {
        13: b"\0\0" + _wire(_numbers(signatures)),
        16: (len(alpn) + 1).to_bytes(2, "big") + bytes([len(alpn)]) + alpn,
        43: b"\0" + _wire(_numbers(versions)),
    }
    block = b"".join(
        _wire((kind, len(bodies.get(kind, b"")))) + bodies.get(kind, b"") for kind in _numbers(kinds)
    )
    return ClientHello("x.com", False, 0x0303, _wire(_numbers(ciphers)), block)


@pytest.mark.parametrize("fingerprint", PUBLISHED)
def test_published_fingerprints(fingerprint: str) -> None:
    ciphers, kinds, signatures, alpn = PUBLISHED[fingerprint]
    transport: Letter = "q" if fingerprint.startswith("q") else "t"
    assert ja4(_hello(ciphers, kinds, signatures, alpn.encode()), transport) == fingerprint
    greased = _hello(
        "dada," + ciphers, f"0a0a,{kinds},fafa", signatures + ",3a3a", alpn.encode(), "1a1a,0304"
    )
    assert ja4(greased, transport) == fingerprint


@pytest.mark.parametrize(
    ("sample", "fingerprint"),
    [
        ("chrome146-tls", "t13d1516h2_8daaf6152771_d8a2da3f94cd"),
        ("edge101-tls", "t13d1516h2_8daaf6152771_e5627efa2ab1"),
    ],
)
def test_hellos_of_real_clients(sample: str, fingerprint: str) -> None:
    (payload,) = read(sample)
    found = client_hello(payload)
    assert isinstance(found, ClientHello)
    assert ja4(found, "t") == fingerprint


def test_over_quic_and_dtls() -> None:
    reader = InitialReader()
    *_, hello = [reader.feed(datagram) for datagram in read("chrome146-h3")]
    assert isinstance(hello, ClientHello)
    assert ja4(hello, "q").startswith("q13d0311h3_55b375c5d22e_")  # the suites of TLS 1.3, as above
    message = dtls(DTLS_HELLO)
    assert isinstance(message, Message)
    assert message.hello is not None
    assert ja4(message.hello, "d").startswith("dd2d")


@pytest.mark.parametrize(
    ("protocol", "ends"),
    [  # the examples of technical_details/JA4.md
        (b"", "00"),
        (b"h2", "h2"),
        (b"http/1.1", "h1"),
        (b"x", "xx"),
        (b"\xab", "ab"),
        (b"\xab\xcd", "ad"),
        (b"\x30\xab", "3b"),
        (b"\x30\x31\xab\xcd", "3d"),
        (b"\x30\xab\xcd\x31", "01"),
    ],
)
def test_alpn(protocol: bytes, ends: str) -> None:
    assert ja4(_hello("1301", "0010", "", protocol), "t")[8:10] == ends


@pytest.mark.parametrize(
    ("versions", "shown"),
    [
        ("0304,0303", "13"),
        ("0302,0301", "11"),
        ("7f1c", "00"),
        ("fefc,fefd", "d3"),
        ("fefd", "d2"),
        ("", "12"),
    ],
)
def test_version(versions: str, shown: str) -> None:
    assert ja4(_hello("1301", "002b", versions=versions), "t")[1:3] == shown


def test_empty_lists_and_no_signatures() -> None:
    assert ja4(ClientHello(None), "t") == "t12i000000_000000000000_000000000000"
    assert ja4(_hello("1301", "0000,0010"), "t").endswith("_000000000000")
    kinds = "0005,000a,000b,000d,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01"
    assert ja4(_hello("1301", kinds), "t").endswith("_6d807ffa2a79")  # from technical_details/JA4.md
    assert ja4(_hello(",".join(["1301"] * 120), "000a"), "t")[4:8] == "9901"


def test_form() -> None:
    assert all(is_ja4(fingerprint) for fingerprint in PUBLISHED)
    for wrong in (
        "",
        "t13d1516h2",
        "x13d1516h2_8daaf6152771_d8a2da3f94cd",
        "T13D1516H2_8DAAF6152771_D8A2DA3F94CD",
    ):
        assert not is_ja4(wrong)


@pytest.mark.parametrize(("letter", "fires"), [("q", True), ("t", False)])
def test_a_rule_by_the_fingerprint_over_quic(letter, fires: bool) -> None:
    datagrams, reader = read("chrome146-h3"), InitialReader()
    *_, seen = [reader.feed(one) for one in datagrams]
    assert isinstance(seen, ClientHello)
    line = Line(policy(Match(ja4=(ja4(seen, letter),), transport="udp"), SilentDrop(), "t25"), udp=True)
    assert (True in [line.L(payload=one).fired for one in datagrams]) is fires

"""What a sequence diagram tells of packets that were seen, or not, on the two sides of a censor."""

import subprocess
import xml.etree.ElementTree as ET

import pytest
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.packet import Raw

from testbed.censor.packet import parse
from testbed.errors import InputError
from testbed.ladder.arrows import arrows
from testbed.ladder.recorder import CapturedPacket
from testbed.ladder.rows import DiagramRow, Sheet, rows
from testbed.ladder.svg import svg, write
from testbed.ladder.text import text
from testbed.ladder.words import words
from tests.acceptance.conftest import TESTBED
from tests.censor.line import hello

L, R = "95.24.0.2", "104.244.42.1"
HOPS = 2


def up(flags, payload=b"", ttl=64, **more):
    fields = {"sport": 4000, "dport": 443, **more}
    return IP(src=L, dst=R, ttl=ttl, id=7) / TCP(flags=flags, **fields) / Raw(payload)


def down(flags, payload=b"", ttl=60, ip_id=9, **more):
    fields = {"sport": 443, "dport": 4000, **more}
    return IP(src=R, dst=L, ttl=ttl, id=ip_id) / TCP(flags=flags, **fields) / Raw(payload)


def near(t, packet, *, is_up):
    return CapturedPacket(t, True, is_up, bytes(packet))


def far(t, packet, *, is_up):
    return CapturedPacket(t, False, is_up, bytes(packet))


def aged(packet, by=HOPS):
    copy = packet.copy()
    copy.ttl -= by
    return copy


def through(t, packet, *, is_up, takes=0.001):
    """A packet that passes."""
    first, second = (near, far) if is_up else (far, near)
    return [first(t, packet, is_up=is_up), second(t + takes, aged(packet), is_up=is_up)]


OPENING = [
    *through(0.0, up("S"), is_up=True),
    *through(0.04, down("SA", ip_id=0), is_up=False),
    *through(0.041, up("A", seq=1), is_up=True),
]


def told(sights, **more):
    return [row.signature for row in rows(arrows(sights, HOPS), **more)[0]]


OPENED = ["up passed whole: SYN", "down passed whole: SYN/ACK", "up passed whole: ACK"]


def test_what_only_ages_passed():
    assert told(OPENING) == OPENED


def test_what_is_not_seen_again_was_dropped():
    lost = near(0.05, up("PA", hello("x.com"), seq=1), is_up=True)
    assert told([*OPENING, lost]) == [*OPENED, "up dropped whole: ClientHello x.com"]


def test_what_nobody_sent_was_injected():
    forged = near(0.05, IP(src=R, dst=L, ttl=63, id=0) / TCP(sport=443, dport=4000, flags="RA"), is_up=False)
    assert told([*OPENING, forged]) == [*OPENED, "down injected whole: RST/ACK"]


SERVER_HELLO = b"\x16\x03\x03\x00\x5a\x02\x00\x00\x56" + bytes(86)


def answer(payload, flags, ttl):
    return down(flags, payload, ttl=ttl, ip_id=77, seq=1, ack=518)


def test_what_ages_and_keeps_its_place_was_rewritten():
    sent = far(0.09, answer(SERVER_HELLO, "PA", 60), is_up=False)
    got = near(0.091, answer(b"", "RA", 58), is_up=False)
    assert told([*OPENING, sent, got]) == [*OPENED, "down rewritten whole: ServerHello -> RST/ACK"]


@pytest.mark.parametrize("change", [{"ttl": 63}, {"id": 78}])
def test_a_forgery_is_no_rewriting(change):
    """It has not aged as packets from there do, or bears another number."""
    sent = far(0.09, answer(SERVER_HELLO, "PA", 60), is_up=False)
    got = answer(b"", "RA", 58)
    for name, value in change.items():
        setattr(got, name, value)
    signs = told([*OPENING, sent, near(0.091, got, is_up=False)])
    assert signs[3:] == ["down dropped whole: ServerHello", "down injected whole: RST/ACK"]


def test_a_diverted_query_is_rewritten_and_the_same_flow():
    query = bytes(DNS(id=1, rd=1, qd=DNSQR(qname="x.com")))
    asked = IP(src=L, dst="8.8.8.8", id=5) / UDP(sport=999, dport=53) / Raw(query)
    led = IP(src=L, dst="91.76.0.53", id=5, ttl=62) / UDP(sport=999, dport=53) / Raw(query)
    found = arrows([near(0, asked, is_up=True), far(0.001, led, is_up=True)], HOPS)
    assert [(arrow.fate, arrow.after_name) for arrow in found] == [("rewritten", "A x.com? to 91.76.0.53")]


def test_what_takes_long_was_held_there():
    signs = told(through(0.0, up("PA", b"x" * 100), is_up=True, takes=0.2))
    assert signs == ["up delayed to: data", "up delayed from: data"]


def test_fragments_are_held_until_the_last_has_come():
    whole = IP(src=L, dst=R, id=3) / ICMP() / Raw(bytes(48))
    raw = bytes(whole)[20:]
    first = IP(src=L, dst=R, id=3, flags="MF", proto=1) / Raw(raw[:24])
    second = IP(src=L, dst=R, id=3, frag=3, proto=1) / Raw(raw[24:])
    sights = [*through(0, first, is_up=True, takes=0.1002), *through(0.1, second, is_up=True, takes=0.0003)]
    assert told(sights) == [
        f"up delayed {part}: IP fragment, offset {at}" for part in ("to", "from") for at in (0, 24)
    ]


def test_a_retransmission_says_so_and_alike_ones_are_one_line():
    lost = [near(t, up("PA", hello("x.com"), seq=1), is_up=True) for t in (0.05, 0.3, 0.9)]
    made, _ = rows(arrows([*OPENING, *lost], HOPS))
    assert [row.label for row in made[3:]] == ["ClientHello x.com", "2 × ClientHello x.com again"]
    assert made[4].until == pytest.approx(0.9)


def test_acknowledgements_that_pass_may_be_left_out_those_dropped_never():
    lost = near(0.05, up("A", seq=1, ack=99), is_up=True)
    made, notes = rows(arrows([*OPENING, lost], HOPS), acks=False)
    assert [row.signature for row in made][2:] == ["up dropped whole: ACK"]
    assert notes == ["1 acknowledgements without data that passed are left out."]


def test_other_ports_are_not_shown_errors_are():
    error = IP(src=R, dst=L, ttl=64) / ICMP(type=3, code=13) / Raw(bytes(up("S"))[:28])
    sights = [*OPENING, near(0.05, error, is_up=False)]
    assert [arrow.name for arrow in arrows(sights, HOPS, (53,))] == ["ICMP admin-prohibited"]


@pytest.mark.parametrize(
    ("packet", "name"),
    [
        (up("PA", b"GET /a HTTP/1.1\r\nHost: x.com\r\n\r\n", dport=80), "GET http://x.com/a"),
        (down("PA", b"HTTP/1.1 302 Found\r\nLocation: http://warning.rt.ru/\r\n\r\n"), "HTTP 302 to http://warning.rt.ru/"),
        (up("PA", b"\x17\x03\x03\x00\x05hello"), "application data"),
        (up("PA", hello("x.com")[:60]), "ClientHello, its beginning"),
        (up("FA"), "FIN/ACK"),
        (IP() / UDP(sport=999, dport=443) / Raw(b"\x43" + bytes(30)), "QUIC, short header"),
        (IP() / UDP(sport=999, dport=51820) / Raw(b"\1\0\0\0" + bytes(144)), "WireGuard initiation"),
        (IP() / UDP(sport=999, dport=53) / Raw(b"\0"), "DNS"),
        (IP(proto=47) / Raw(b"x"), "IP protocol 47"),
    ],
)  # fmt: skip
def test_names(packet, name):
    assert words(parse(bytes(packet))).name == name


def sheet(made: list[DiagramRow], **more) -> Sheet:
    return Sheet(
        "A <title>", "under it", ("subscriber", "censor", "server"), tuple(made), ("a note",), **more
    )


SIGHTS = [
    *OPENING,
    near(0.05, up("PA", hello("x.com"), seq=1), is_up=True),
    far(0.09, answer(SERVER_HELLO, "PA", 60), is_up=False),
    near(0.091, answer(b"", "RA", 58), is_up=False),
    *through(0.1, up("PA", b"x" * 100, seq=600), is_up=True, takes=0.2),
]


def test_a_late_packet_was_not_held_if_no_rule_holds():
    """On a busy machine any packet may be late."""
    late = through(0.0, up("PA", b"x" * 100), is_up=True, takes=0.2)
    made, _ = rows(arrows(late, HOPS, may_delay=False))
    assert [row.signature for row in made] == ["up passed whole: data"]


def test_a_picture_that_cannot_be_written(tmp_path):
    made, _ = rows(arrows(OPENING, HOPS))
    with pytest.raises(InputError, match=r"--svg: cannot write .*; name another file"):
        write(tmp_path / "none/x.svg", sheet(made))


@pytest.mark.world("curl")
def test_the_command_draws_ones_own_flow(tmp_path):
    """With the name that is on no list the same packets pass."""
    for name, fate in (("twitter.com", "RST/ACK"), ("www.wikipedia.org", "")):
        command = ["twitter-facebook-block-2022-03", "--vantage", "beeline", "--port", "443"]
        program = [
            TESTBED,
            "ladder",
            *command,
            "--",
            "curl",
            "-4",
            "-s",
            "-o",
            "/dev/null",
            f"https://{name}/",
        ]
        done = subprocess.run(program, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        drawn = [line for line in done.stdout.splitlines() if "|" in line]
        assert any(f"ClientHello {name}" in line for line in drawn)
        assert any("◆" in line and "RST/ACK" in line for line in drawn) is bool(fate)


def test_the_picture_is_well_formed_and_loads_nothing():
    made, _ = rows(arrows(SIGHTS, HOPS))
    picture = svg(sheet(made))
    root = ET.fromstring(picture)
    drawn = [group.get("data-row") for group in root.iter("{http://www.w3.org/2000/svg}g")]
    assert [one for one in drawn if one] == [row.signature for row in made]
    legend = ["passed", "dropped at the censor", "rewritten at the censor", "held at the censor"]
    words = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert words[-len(legend) :] == legend, "what is drawn is explained, and nothing else"
    assert int(root.get("width")) == 800
    assert "prefers-color-scheme:dark" in picture
    assert not any(word in picture for word in ("url(", "<script", "href"))


def test_the_terminal_gets_one_line_each():
    made, _ = rows(arrows(SIGHTS, HOPS))
    lines = text(sheet(made)).splitlines()
    body = [line for line in lines if "|" in line]
    assert len(body) == len(made)
    assert "ClientHello x.com" in body[3]
    assert "✕" in body[3]
    assert "RST/ACK" in body[4]
    assert "ServerHello" in body[4]
    assert max(map(len, body)) <= 100

"""Comparing engines: with our own as the other, and with a program that does nothing."""

import pytest
from scapy.layers.inet import IP
from scapy.utils import rdpcap

from testbed.censor.packet import parse
from testbed.compiled import CHOICE
from testbed.errors import InvalidRunError
from tools import beside

OURS = beside.OURS, {CHOICE: "0"}


def test_the_captured_connections_are_ordinary(tmp_path):
    """Data that overlap the SYN would be another measurement."""
    beside.write_openings(tmp_path / "capture.pcap", 3)
    packets = [parse(bytes(one[IP])) for one in rdpcap(str(tmp_path / "capture.pcap"))]
    begins = [packets[at].seq for at in (0, 4, 8)]
    assert [one.seq - begins[at // 4] for at, one in enumerate(packets)] == [0, 0, 1, 1] * 3
    assert [one.has_payload for one in packets] == [False, False, False, True] * 3


def test_an_engine_is_as_quick_as_itself():
    rates = beside.measure({"one": OURS, "other": OURS}, 200, 4200)
    assert 0.3 < rates["one"] / rates["other"] < 3


def test_a_program_that_does_nothing_is_no_rival():
    with pytest.raises(InvalidRunError, match="exit status 0, and no word of blocked"):
        beside.measure({"idle": (["true", "{capture}"], {})}, 1, 2)

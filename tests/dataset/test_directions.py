"""Which way the packets of a live flow went, as its capture at the client shows them."""

from pathlib import Path

import pytest

from testbed.capture.writer import PcapngWriter
from testbed.censor.packet import parse
from testbed.censor.wire import Endpoints, IpForm, icmp_unreachable, udp
from testbed.dataset.liveflows import _by_flow

HERE, THERE = bytes([91, 76, 0, 100]), bytes([104, 244, 42, 1])
UP, DOWN = Endpoints(HERE, THERE, 40000, 443), Endpoints(THERE, HERE, 443, 40000)
FLOW = "udp 91.76.0.100:40000 > 104.244.42.1:443"
_RAW_IP = 101


@pytest.mark.parametrize(("quoted", "up"), [(DOWN, True), (UP, False)])
def test_an_icmp_error_goes_the_other_way_than_what_it_quotes(
    tmp_path: Path, quoted: Endpoints, up: bool
) -> None:
    """A client whose socket is closed says so to the server."""
    sent = [udp(UP, b"hello", IpForm()), udp(DOWN, b"answer", IpForm())]
    about = parse(udp(quoted, b"late", IpForm()))
    assert about is not None
    sent.append(icmp_unreachable(about, "port-unreachable", IpForm()))
    with (tmp_path / "capture.pcapng").open("wb") as file:
        out = PcapngWriter(file)
        for time, raw in enumerate(sent):
            out.packet("client.mts", _RAW_IP, time, raw, len(raw))
    packets = _by_flow(str(tmp_path / "capture.pcapng"), "mts")[FLOW]
    assert [one.up for one in packets] == [True, False, up]

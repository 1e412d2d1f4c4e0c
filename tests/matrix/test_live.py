"""The matrix in a world: our strategies on the wire, a server's real TCP, and boxes of one name."""

import json
from unittest.mock import ANY

import pytest
import yaml

from testbed.cli.main import main
from testbed.errors import Exit
from testbed.matrix.cell import Ending
from testbed.matrix.kepttries import FILE, kept_tries
from testbed.matrix.livecells import NAME, at_operators, live_cells, live_row
from testbed.matrix.purebox import boxes_of
from testbed.matrix.purecells import pure_table
from testbed.matrix.reference import ROWS, row

pytestmark = [pytest.mark.world("iptables-nft"), pytest.mark.timeout(900)]
FEW = {
    *("", "records:name+1", "segments:1,name disorder", "low-ttl:3"),
    *("old-timestamp", "segments:name overlap:behind", "before"),
}
SOME = [(title, text) for title, _, text in ROWS if text in FEW]


def compared(texts, keys):
    """Live and pure endings of the same cells."""
    boxes, _ = at_operators(boxes_of(keys, NAME))
    rows = [made for title, text in texts if not isinstance(made := live_row(text, title), str)]
    with kept_tries(None) as kept:
        live = live_cells(rows, boxes, 1, kept)
    titles = {one.title for one in rows}
    pure = pure_table([row(text, title) for title, text in texts if title in titles], boxes_of(keys))
    return live, {(one.tool, one.box): one.ending.value for one in pure.cells}


def test_some_strategies_as_in_the_pure_matrix():
    live, pure = compared(SOME, ["T", "Dv", "Rl"])
    assert {(one.tool, one.box): one.ending.value for one in live} == pure
    (hidden,) = [one for one in live if (one.tool, one.box) == ("decoy, low hop limit", "Dv")]
    assert (hidden.decided.rule, hidden.decided.packet) == ("name", "2: data, 517 bytes at 0")


TARGETS = """
t21 t25
openssl                       degraded blocked
tls12                         degraded blocked
tls13 segments:1,name         through through
padded                        through through
http                          degraded blocked
http segments:name            through through
quic                          blocked blocked
quic:decoy                    through through
quic:fake                     through through
quic:split                    blocked blocked
voice                         invalid blocked
voice:decoy                   invalid through
"""
"""t25 is met where it reads one segment: the node between these two hosts."""


def test_every_kind_of_target():
    """TLS 1.2 and 1.3, a hello of two segments, HTTP, HTTP/3, a call: past a policer and a box of 2025."""
    head, *lines = TARGETS.strip().splitlines()
    expected = {}
    for line in lines:
        text, *cells = line.rsplit(maxsplit=2)
        expected |= {(text.strip(), box): cell for box, cell in zip(head.split(), cells, strict=True)}
    rows = [live_row(text) for text in dict.fromkeys(text for text, _ in expected)]
    with kept_tries(None) as kept:
        cells = live_cells(rows, boxes_of(head.split(), NAME), 1, kept, jobs=16)
    assert {(one.tool, one.box): one.ending.value for one in cells} == expected
    decided = {(one.tool, one.box): (one.decided.rule, one.decided.packet) for one in cells}
    assert decided["openssl", "t21"] == ("name", "517 bytes at 0")
    assert decided["quic", "t25"] == ("quic", "a datagram of 1200 bytes")
    assert decided["voice", "t25"] == ("calls", "a datagram of 20 bytes")


def test_an_interrupted_matrix_goes_on(tmp_path, capsys):
    """What a folder has is not measured again: this cell says what no world would."""
    out = ["--out", str(tmp_path / "kept")]
    asked = ["matrix", "segments:name", "--against", "T", *out, "--json"]
    for ending in ("through", "flood"):
        with pytest.raises(SystemExit):
            main(asked)
        (cell,) = json.loads(capsys.readouterr().out)["cells"]
        assert cell["ending"] == ending
        file = tmp_path / "kept" / FILE
        file.write_text(file.read_text().replace('"through"', '"flood"'))


@pytest.mark.slow
def test_an_option_that_turns_a_cell(tmp_path, capsys):
    """A tool's author changes a line; one cell of four turns, and --expect names the packet that did it."""
    tool = tmp_path / "mine.yaml"

    def matrix(how: str, *options: str) -> tuple[int, str, str]:
        run = f'"$TESTBED_PYTHON" -m testbed.evade --listen 127.0.0.1:1080 {how}'
        ready = "ready: {tcp: 1080}"
        tool.write_text(
            f"title: mine\nproxy: socks5://127.0.0.1:1080\nclient:\n- command: {{run: '{run}', {ready}}}\n"
        )
        with pytest.raises(SystemExit) as ended:
            main(["matrix", str(tool), "split-records", "--against", "T,R", *options])
        return ended.value.code, *capsys.readouterr()

    status, kept, _ = matrix("records:name", "--json")
    assert status == Exit.OK
    (tmp_path / "kept.json").write_text(kept)
    status, _, said = matrix("segments:3", "--expect", str(tmp_path / "kept.json"))
    assert (status, said.strip()) == (
        Exit.UNEXPECTED,
        "mine × R: was through, is blocked, by packet 514 bytes at 3 (rule name)",
    )


@pytest.mark.slow
def test_nodes_that_differ_are_columns_of_their_own(capsys):
    with pytest.raises(SystemExit):
        main(["matrix", "split-segments", "segments:name", "--against", "t26", "--jobs", "2", "--json"])
    cells = json.loads(capsys.readouterr().out)["cells"]
    assert {(one["tool"], one["box"]): (one["ending"], one["rule"]) for one in cells} == {
        ("segments:name", "t26-T"): ("through", ""),
        ("segments:name", "t26-R"): ("blocked", "name"),
        ("split-segments", "t26-T"): ("through", ""),
        ("split-segments", "t26-R"): ("blocked", "name"),
    }


@pytest.mark.slow
def test_all_rows_and_ten_models_as_in_the_pure_matrix():
    live, pure = compared([(title, text) for title, _, text in ROWS], ["models"])
    assert {(one.tool, one.box): one.ending.value for one in live} == pure
    assert len(pure) >= 240, "and more where curl_cffi is there, with browsers' own hellos"


EVADE = 'exec "$TESTBED_PYTHON" -m testbed.evade --listen 127.0.0.1:'
FLOOD = """exec "$TESTBED_PYTHON" -c '
import socket
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(60_000):
    out.sendto(b"x", ("95.216.3.200", 9))
' & """
UNRULY = {
    Ending.SKIPPED: "",
    Ending.CRASH: "exit 7",
    Ending.HANG: "sleep 60",
    Ending.PORT: f"{EVADE}1081",
    Ending.FLOOD: f"{FLOOD}wait; {EVADE}1080 segments:name",
    Ending.RESOLVER: f"echo nameserver 127.0.0.1 > /etc/resolv.conf; {EVADE}1080 segments:name",
    Ending.LEFT: f"iptables -A OUTPUT -p udp -j DROP; setsid sleep 600 & {EVADE}1080 segments:name",
}


@pytest.mark.slow
def test_a_tool_that_misbehaves_has_its_own_outcome_and_the_next_one_is_clean(tmp_path, capsys):
    """Each is followed by a tool that gets through; what was left would have kept it from that."""
    tools = []
    for ending, run in UNRULY.items():
        path = tmp_path / f"{ending.name.lower()}.yaml"
        command = {"run": run, "ready": {"tcp": 1080, "within": "10 s" if "1080" in run else "2 s"}}
        way = {"proxy": "socks5://127.0.0.1:1080", "client": [{"command": command}]} if run else {}
        needs = {} if run else {"programs": ["no-such-program"], "resolver": "udp://9.9.9.9"}
        path.write_text(yaml.safe_dump({"title": f"one of {ending}", **way, **needs}))
        tools.append(str(path))
    stuck = {"title": "a client", "fetch": {"run": "sleep 60; : $TESTBED_TARGET", "within": "2 s"}}
    (tmp_path / "stuck.yaml").write_text(yaml.safe_dump(stuck))
    tools.append(str(tmp_path / "stuck.yaml"))
    found = table("T", *tools, "split-segments", "segments:name", capsys=capsys)
    assert {tool: (one["ending"], one["reason"]) for (tool, _), one in found.items()} == {
        "skipped": ("skipped", "no-such-program is not installed"),
        "crash": ("crash", ANY),
        "hang": ("hang", ANY),
        "port": ("other port", ANY),
        "flood": ("flood", ANY),
        "resolver": ("resolv.conf", "it changed resolv.conf: 'nameserver 127.0.0.1\\n'"),
        "left": (
            "left-overs",
            "it left firewall rules: ip filter OUTPUT (1 rule); it left processes: sleep",
        ),
        "stuck": ("hang", "its client had not ended after 2 s"),
        "split-segments": ("through", ANY),
        "segments:name": ("through", ANY),
    }
    said = {tool: one["reason"] for (tool, _), one in found.items()}
    assert "status 7" in said["crash"]
    assert "1081" in said["port"]
    assert said["flood"].startswith("it flooded the network: 6")


def table(against, *tools, capsys):
    """What `testbed matrix --json` prints, by tool and box."""
    with pytest.raises(SystemExit) as ended:
        main(["matrix", *tools, "--against", against, "--json"])
    assert ended.value.code == Exit.OK
    return {(one["tool"], one["box"]): one for one in json.loads(capsys.readouterr().out)["cells"]}

"""The matrix in a world: our strategies on the wire, a server's real TCP, and boxes of one name."""

import json

import pytest

from testbed.cli.main import main
from testbed.errors import Exit
from testbed.matrix.cell import Ending
from testbed.matrix.livecells import NAME, at_operators, live_cells, live_row
from testbed.matrix.purebox import boxes_of
from testbed.matrix.purecells import pure_table
from testbed.matrix.reference import ROWS, row

pytestmark = pytest.mark.world
FEW = {
    *("", "records:name+1", "segments:1,name disorder", "low-ttl:3"),
    *("old-timestamp", "segments:name overlap:behind", "before"),
}
SOME = [(title, text) for title, _, text in ROWS if text in FEW]


def compared(texts, keys):
    """Live and pure endings of the same cells."""
    boxes, _ = at_operators(boxes_of(keys, NAME))
    rows = [made for title, text in texts if not isinstance(made := live_row(text, title), str)]
    live = live_cells(rows, boxes)
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
    cells = live_cells(rows, boxes_of(head.split(), NAME), jobs=16)
    assert {(one.tool, one.box): one.ending.value for one in cells} == expected
    decided = {(one.tool, one.box): (one.decided.rule, one.decided.packet) for one in cells}
    assert decided["openssl", "t21"] == ("name", "517 bytes at 0")
    assert decided["quic", "t25"] == ("quic", "a datagram of 1200 bytes")
    assert decided["voice", "t25"] == ("calls", "a datagram of 20 bytes")


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
    assert len(pure) == 220


@pytest.mark.slow
def test_recipes_and_a_strategy_beside_them(tmp_path, capsys):
    """A recipe that works, one that crashes, one that listens elsewhere, one whose program is missing."""
    evade = '"$TESTBED_PYTHON" -m testbed.evade --listen 127.0.0.1:1081'
    through = "proxy: socks5://127.0.0.1:1080\nclient:\n- command:\n"
    files = {
        "crashes": f"{through}    run: exit 7\n    ready: {{tcp: 1080}}\n",
        "elsewhere": f"{through}    run: '{evade}'\n    ready: {{tcp: 1080, within: 3 s}}\n",
        "hangs": f"{through}    run: sleep 60\n    ready: {{tcp: 1080, within: 2 s}}\n",
        "missing": "programs: [no-such-program]\nresolver: udp://9.9.9.9\n",
    }
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(f"title: one that {name}\n{text}")
    tools = [str(tmp_path / f"{name}.yaml") for name in files]
    with pytest.raises(SystemExit) as ended:
        main(["matrix", "split-segments", *tools, "segments:name", "--against", "T", "--json"])
    assert ended.value.code == Exit.OK
    found = {cell["tool"]: cell["ending"] for cell in json.loads(capsys.readouterr().out)["cells"]}
    assert found == {
        "segments:name": Ending.THROUGH,
        "split-segments": Ending.THROUGH,
        "crashes": Ending.CRASH,
        "elsewhere": Ending.PORT,
        "hangs": Ending.HANG,
        "missing": Ending.SKIPPED,
    }

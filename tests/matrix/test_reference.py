"""The pure matrix agrees, cell by cell, with what real tools' traces came to in the models (TRACES)."""

import json

import pytest

from testbed.censor.models import MODELS
from testbed.cli.main import main
from testbed.errors import Exit
from testbed.matrix.cell import Ending, MatrixCell, MatrixTable, MatrixTry
from testbed.matrix.purebox import boxes_of, model_box
from testbed.matrix.purecells import pure_cell, pure_table
from testbed.matrix.reference import reference_rows, row
from testbed.report.heatmap import matrix_html

TRACES = """
A P C DT Dv R Rl Rv Rvm
plain                                hit hit hit hit hit hit hit hit hit
split in the name                     -   -   -   -   -  hit hit hit hit
record split                          -   -   -   -   -   -   -   -  hit
decoy, MD5 option, last byte first   hit  -   -   -   -   -   -  hit hit
split twice                           -   -   -   -   -  hit hit hit hit
split twice, in disorder              -   -   -   -   -  hit hit hit hit
split at 2 and in the name            -   -   -   -   -  hit hit hit hit
split, last piece first               -   -   -   -   -  hit hit hit hit
decoy, low hop limit                 hit hit  -   -  hit  -   -  hit hit
decoy, MD5 option                    hit hit  -   -  hit  -   -  hit hit
decoy, bad checksum                  hit hit  -   -  hit  -   -  hit hit
records of 20                         -   -   -   -   -   -   -   -  hit
segments of 20                        -   -   -   -   -  hit hit hit hit
records and segments of 100          hit  -   -   -   -   -   -   -  hit
Chrome's hello                       hit  -   -   -   -  hit hit hit hit
Firefox's hello                      hit  -   -   -   -  hit hit hit hit
"""
"""What the name was found in ("hit": blocked), by the tools of `ROWS`; D and T gave the same."""
DERIVED = """
A P C DT Dv R Rl Rv Rvm
decoy, bad sequence                  hit hit  -   -  hit hit hit hit hit
decoy, old timestamp                 hit hit  -   -  hit  -   -  hit hit
decoy, no ACK                        hit hit  -   -  hit  -   -  hit hit
decoy and split                       -   -   -   -   -   -  hit hit hit
overlap before the window             -   -   -   -   -  hit hit hit hit
overlap with the second piece         -   -   -   -   -   -  hit  -   -
out of band                           -   -   -   -   -   -   -  hit hit
padded hello                         hit  -   -   -   -  hit hit hit hit
encrypted hello (ECH)                 -   -   -   -   -   -   -   -   -
"""
"""By hand, from what each model is (docs/mechanisms/inspectors.md): no traces of these were kept."""


def read(text: str) -> dict[tuple[str, str], str]:
    """(row, model) -> blocked or through."""
    head, *lines = text.strip().splitlines()
    models = head.split()
    found = {}
    for line in lines:
        title, *cells = line.rsplit(maxsplit=len(models))
        for model, cell in zip(models, cells, strict=True):
            for key in ("D", "T") if model == "DT" else (model,):
                found[title.strip(), key] = "blocked" if cell == "hit" else "through"
    return found


BROKEN = {("ChangeCipherSpec first", key): "broken" for key in MODELS}


def test_every_cell_of_26_rows_and_ten_models():
    table = pure_table(reference_rows(), boxes_of(["models"]))
    expected = read(TRACES) | read(DERIVED) | BROKEN
    assert (len(table.tools), len(table.boxes), len(expected)) == (26, 10, 260)
    assert {(cell.tool, cell.box): cell.ending.value for cell in table.cells} == expected


def test_a_cell_names_the_packet_and_the_rule():
    (cell,) = pure_table([row("low-ttl:3")], [model_box("P")]).cells
    assert (cell.decided.packet, cell.decided.rule) == ("2: data, 517 bytes at 0", "name")


def test_a_cell_that_is_through_says_why_the_name_went_by():
    cell = pure_cell(row("segments:name"), model_box("T"))
    assert (cell.ending, cell.decided.reason) == (
        Ending.THROUGH,
        "its ClientHello came in 2 segments, and this box (model T) does not put segments together",
    )


@pytest.mark.parametrize("text", ["low-ttl:14", "low-ttl:200", "before"])
def test_what_fails_without_a_box_is_broken(text):
    """A decoy that reaches the server is taken for the request."""
    assert pure_cell(row(text), model_box("T")).ending is Ending.BROKEN


def test_a_decoy_that_dies_before_the_box_hides_nothing():
    assert pure_cell(row("low-ttl:2"), model_box("T")).ending is Ending.BLOCKED
    assert pure_cell(row("low-ttl:3"), model_box("T")).ending is Ending.THROUGH


def test_where_the_direct_connection_is_not_blocked_a_cell_is_invalid():
    (box,) = boxes_of(["leg-passive"])  # on a mirror port: it cannot drop datagrams
    assert pure_cell(row("quic:decoy"), box).ending is Ending.INVALID


def test_a_policer_degrades_and_nodes_that_differ_give_a_share():
    t21, t26 = boxes_of(["t21", "t26"])
    assert pure_cell(row(""), t21).ending is Ending.DEGRADED
    assert pure_cell(row("segments:name"), t21).ending is Ending.THROUGH
    mixed = pure_cell(row("segments:name"), t26, repeats=60)
    assert 15 <= mixed.share.hits <= 45, "half of the pairs of hosts, or about"


def test_quic():
    (box,) = boxes_of(["t24"])
    endings = {text: pure_cell(row(text), box, 1).ending for text in ("quic", "quic:decoy", "quic:split")}
    assert endings == {"quic": "blocked", "quic:decoy": "through", "quic:split": "blocked"}


def test_the_command_and_what_it_was_once(tmp_path, capsys):
    kept = tmp_path / "kept.json"
    assert _called(["low-ttl:3", "--against", "T,R"]) == Exit.OK
    kept.write_text(capsys.readouterr().out)
    found = {(cell["tool"], cell["box"]): cell["ending"] for cell in json.loads(kept.read_text())["cells"]}
    assert found == {("low-ttl:3", "T"): "through", ("low-ttl:3", "R"): "through"}
    assert _called(["low-ttl:3", "--against", "T,R", "--expect", str(kept)]) == Exit.OK
    kept.write_text(kept.read_text().replace("low-ttl:3", "low-ttl:2"))  # one option has changed
    capsys.readouterr()
    assert _called(["low-ttl:2", "--against", "T,R", "--expect", str(kept)]) == Exit.UNEXPECTED
    assert capsys.readouterr().err.splitlines() == [
        f"low-ttl:2 × {box}: was through, is blocked, by packet 2: data, 517 bytes at 0 (rule name)"
        for box in "TR"
    ]


def test_files(tmp_path):
    names = ("csv", "markdown", "html")
    assert _called(["segments", "--against", "T", *(f"--{one}={tmp_path / one}" for one in names)]) == Exit.OK
    texts = {one: (tmp_path / one).read_text() for one in names}
    assert texts["csv"].splitlines()[1].startswith("segments,T,through,1,1,0.2065,1.0,,,")
    assert texts["markdown"].splitlines() == ["|  | T |", "| --- | --- |", "| segments | through |"]
    assert '<tr><th scope="row">segments</th><td class="through">through</td></tr>' in texts["html"]
    assert ".through { background: #9fd8a4; color: #000 }" in texts["html"]
    decided = (
        "<td>T</td><td>through</td><td>1 of 1, 100% (21-100 %)</td><td></td><td></td><td>its ClientHello"
    )
    assert f'<tr><th scope="row">segments</th>{decided} came in 2 segments' in texts["html"]


def test_names_and_reasons_do_not_become_markup():
    """A tool's own words may hold anything."""
    attempt = MatrixTry(Ending.CRASH, reason="exit status 1: <script>alert(1)</script>\x1b[31m")
    page = matrix_html(MatrixTable((MatrixCell("<b>tool</b>", "T", (attempt,)),), how="live"))
    assert "<script>" not in page
    assert "<b>" not in page
    assert "\x1b" not in page
    assert '<td class="crash">crash</td>' in page


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["segment"], "strategy: there is no strategy 'segment'; did you mean 'segments'?"),
        (["disorder segments"], "strategy: 'segments' cuts bytes; write it before 'disorder'"),
        (["quic:x"], "strategy: 'quic:x' is no form; write quic, quic:decoy, quic:fake or quic:split"),
        (["--against", "t27"], "--against: there is no box 't27'; did you mean 't26'?"),
        (
            ["--expect", "/nowhere/x"],
            "--expect: cannot read /nowhere/x: No such file or directory; make it with:",
        ),
    ],
)
def test_what_cannot_be(args, said, capsys):
    assert _called(args) == Exit.INPUT
    assert capsys.readouterr().err.startswith(f"testbed: {said}")


def _called(args):
    with pytest.raises(SystemExit) as ended:
        main(["matrix", "--core", "--json", *args])
    return ended.value.code

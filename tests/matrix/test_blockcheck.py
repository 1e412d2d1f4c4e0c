"""zapret's blockcheck, run in two worlds: our strategies of the same idea do in the core what it found.

The outputs are of blockcheck 72.12 with SCANLEVEL=standard for TLS 1.2, inside `testbed run`, against a t22
box that resets twitter.com: one of its own model T, one of model R.
"""

import re
from pathlib import Path

import pytest

from testbed.matrix.purebox import model_box
from testbed.matrix.purecells import pure_cell
from testbed.matrix.reference import row

DATA = Path(__file__).resolve().parents[1] / "detectors/data"
FAKE = "nfqws --dpi-desync=fake"
OURS = {  # what blockcheck tried -> the same idea in ours
    "tpws --split-pos=2": "segments:2",
    "tpws --split-pos=1": "segments:1",
    "tpws --split-pos=midsld": "segments:name",
    "tpws --split-pos=2 --disorder": "segments:2 disorder",
    "tpws --split-pos=2 --oob": "segments:2 out-of-band",
    "tpws --tlsrec=midsld": "records:name",
    "nfqws --dpi-desync=multisplit --dpi-desync-split-pos=2": "segments:2",
    "nfqws --dpi-desync=multisplit --dpi-desync-split-pos=midsld": "segments:name",
    "nfqws --dpi-desync=multidisorder --dpi-desync-split-pos=2": "segments:2 disorder",
    "nfqws --dpi-desync=multidisorder --dpi-desync-split-pos=midsld --dpi-desync-split-seqovl=midsld-1": (
        "segments:name overlap:behind"
    ),
    f"{FAKE} --dpi-desync-ttl=2": "low-ttl:2",
    f"{FAKE} --dpi-desync-ttl=3": "low-ttl:3",
    f"{FAKE} --dpi-desync-fooling=badsum": "bad-checksum",
    f"{FAKE} --dpi-desync-fooling=badseq": "bad-sequence",
    f"{FAKE} --dpi-desync-fooling=datanoack": "no-ack",
    f"{FAKE} --dpi-desync-fooling=ts": "old-timestamp",
    f"{FAKE} --dpi-desync-fooling=md5sig": "md5-option",
}


def found(output: str) -> dict[str, bool]:
    """What blockcheck tried, before its summary -> whether the page came."""
    tried = re.findall(
        r"- curl_test_https_tls12 ipv4 twitter\.com : (.+)\n(?:curl: .*\n)?(!!!!! AVAILABLE|UNAVAILABLE)",
        output.partition("* SUMMARY")[0],
    )
    return {what: ended.startswith("!") for what, ended in tried}


@pytest.mark.parametrize(
    ("model", "name", "tried", "shared"), [("T", "tls12", 43, 13), ("R", "tls12-r", 191, 17)]
)
def test_ours_get_through_where_blockchecks_do(model: str, name: str, tried: int, shared: int) -> None:
    theirs = found((DATA / f"blockcheck-{name}.txt").read_text("utf-8"))
    same = {what: ours for what, ours in OURS.items() if what in theirs}
    assert (len(theirs), len(same)) == (tried, shared)
    box = model_box(model)
    assert {what: pure_cell(row(ours), box).ending == "through" for what, ours in same.items()} == {
        what: theirs[what] for what in same
    }

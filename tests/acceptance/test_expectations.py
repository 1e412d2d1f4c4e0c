"""examples/expectations: by IP version, by share of tries, a freeze apart from silence; each can be wrong."""

import json
from pathlib import Path

import pytest

from testbed import Job, execute
from testbed.errors import Exit
from tests.measurement.oonireader import lost, not_in_ooni

pytestmark = pytest.mark.world
EXAMPLES = Path(__file__).parents[2] / "examples/expectations"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ipv", "outcomes"), [(4, {"tls.sni.rst", "quic.sni.drop", "ok"}), (6, {"ok"})], ids=["IPv4", "IPv6"]
)
def test_a_filter_on_one_ip_version(tmp_path, ipv, outcomes):
    result = execute(Job(str(EXAMPLES / "one-ip-version.yaml"), ipv=ipv, out=tmp_path / "run"))
    assert result.verdict.startswith("as expected")
    assert {row.expected for row in result.judgement.rows if row.vantage == "rostelecom"} == outcomes


def test_a_freeze_silence_and_a_share_of_tries(tmp_path):
    result = execute(Job(str(EXAMPLES / "freeze-and-tries.yaml"), out=tmp_path / "run", timeout=2.0))
    rows = {row.target: row for row in result.judgement.rows if row.vantage == "mts"}
    frozen, silent = (rows[f"https://{name}/bytes/70000"] for name in ("twitter.com", "www.dw.com"))
    assert (frozen.observed, silent.observed) == ("freeze", "tls.sni.drop")
    assert 12 * 1024 <= frozen.received <= 20 * 1024
    assert silent.received == 0
    shared = rows["https://www.wikipedia.org/"]
    assert (shared.tries, shared.trial) == (20, None)
    assert 4 <= shared.hits <= 16
    assert result.verdict.startswith("as expected")
    documents = [json.loads(line) for line in (tmp_path / "run/results.jsonl").read_text().splitlines()]
    assert len(documents) == 20 + 2 + 3 + 5  # tries, two of bbc.com, one of each other; five outside
    assert [found for one in documents for found in lost(one) + not_in_ooni(one)] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "target"),
    [
        ("received: 12..20 KiB", "received: 40..60 KiB", "https://twitter.com/bytes/70000"),
        ("share: 20..80 %", "share: 95..100 %", "https://www.wikipedia.org/"),
    ],
)
def test_the_example_can_be_wrong(tmp_path, old, new, target):
    text = (EXAMPLES / "freeze-and-tries.yaml").read_text()
    (tmp_path / "wrong.yaml").write_text(text.replace(old, new))
    result = execute(Job(str(tmp_path / "wrong.yaml"), out=tmp_path / "run", timeout=2.0))
    assert result.exit_status == Exit.UNEXPECTED
    assert [row.target for row in result.judgement.rows if row.verdict != "ok"] == [target]

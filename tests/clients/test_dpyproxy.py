"""DPYProxy's ways to cut a ClientHello, against the models and through live boxes."""

from pathlib import Path

import pytest

from testbed.censor.models import MODELS
from testbed.conformance.builders import action, sni, with_model
from tests.clients.hellos import crossings, hellos, hits
from tests.clients.lab import Ran, Rule, as_subscriber, python

pytestmark = [pytest.mark.slow, pytest.mark.world("curl")]
pytest.importorskip("dpyproxy", reason="the Python package dpyproxy is missing (make test-all)")

LONG, SHORT = "lawfilter.ertelecom.ru", "twitter.com"  # never whole in 20 bytes; whole in its piece of 100
RECORDS, SEGMENTS = ("--tls_record_frag", "--no-tls_tcp_frag"), ("--no-tls_record_frag", "--tls_tcp_frag")
BOTH = ("--tls_record_frag", "--tls_tcp_frag")
ROWS = {  # pieces of so many bytes, how they are cut, the name, and the models that see it
    "records of 20": ("20", RECORDS, LONG, {"Rvm"}),
    "segments of 20": ("20", SEGMENTS, LONG, {"R", "Rl", "Rv", "Rvm"}),  # and A, if the kernel joins two
    "records and segments of 100": ("100", BOTH, SHORT, {"A", "Rvm"}),
}
rows = pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
Row = tuple[str, tuple[str, str], str, set[str]]


def listed(name: str) -> Rule:
    return {"name": "listed", "match": {"tls.sni": [name]}, "action": "rst-rewrite"}


def fetch(folder: Path, row: Row, **box: object) -> Ran:
    """curl through DPYProxy in the row's way."""
    size, way, name, _ = row
    return as_subscriber(folder, python("through_proxy.py", size, f"https://{name}/", *way), **box)  # type: ignore[arg-type]


def sees(model: str, row: Row, ran: Ran) -> bool:
    """Whether the model sees the name. The kernel may join small segments: then a search may find it."""
    (hello,) = hellos(crossings(ran.capture), row[2])
    assert (len(hello.segments) == 1) == (row[1] == RECORDS)
    return hello.name_in is not None if model == "A" else model in row[3]


@rows
def test_which_models_see_the_name(row: Row, tmp_path: Path) -> None:
    ran = fetch(tmp_path / "free", row, capture=True)
    assert ran.status == 0, ran.err
    crossed = crossings(ran.capture)
    policies = {key: sni(with_model("t22", key), action("allow"), row[2]) for key in MODELS}
    assert {key: bool(hits(crossed, policy)) for key, policy in policies.items()} == {
        key: sees(key, row, ran) for key in MODELS
    }
    if row[1] != SEGMENTS:
        assert sees("A", row, ran) == ("A" in row[3])


@rows
@pytest.mark.parametrize("model", list(MODELS))
def test_through_the_kernel(row: Row, model: str, tmp_path: Path) -> None:
    met = fetch(tmp_path / "met", row, rules=[listed(row[2])], model=model, capture=True)
    assert (met.status != 0) == sees(model, row, met), met.err
    assert bool(met.rules) == (met.status != 0)


@pytest.mark.parametrize("name", [LONG, SHORT])
def test_without_the_proxy_every_model_sees_it(name: str, tmp_path: Path) -> None:
    curl = ["curl", "-sS", "-o", "/dev/null", f"https://{name}/"]
    for model in MODELS:
        met = as_subscriber(tmp_path / model, curl, [listed(name)], model=model)
        assert met.status == 35, f"{model}: {met.err}"

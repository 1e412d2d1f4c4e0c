"""ClientHellos of real clients: their shape, and what the boxes of each profile and model make of them."""

from collections.abc import Sequence
from math import sqrt
from pathlib import Path

import pytest

from testbed.censor.models import MODELS
from testbed.conformance.builders import action, sni, with_model
from testbed.scenario.loader import load
from tests.clients.hellos import Crossing, crossings, hellos, hits
from tests.clients.lab import FREE, LISTED, RESET, as_subscriber, python

pytestmark = [pytest.mark.slow, pytest.mark.world("curl", "openssl")]
curl_cffi = pytest.importorskip("curl_cffi", reason="the Python package curl_cffi is missing (make test-all)")

PROFILES = ("t21", "t22w", "t22", "t23", "t24", "t25")  # each reads a packet at a time; t26 is a mixture
WHOLE_PACKET, STREAM = ("P", "C", "D", "T", "Dv"), ("R", "Rl", "Rv", "Rvm")
SEGMENT = 1428  # bytes of TCP payload over IPv6, MTU 1500, with time stamps
PAGE, RESET_BY_PEER = 0, 35  # libcurl's codes
MANY = 120  # handshakes


def plain(client: str, name: str) -> list[str]:
    """The command line of a client without a browser's shape."""
    place = f"-connect {name}:443 -servername {name}"
    return {
        "curl": ["curl", "-sS", "-o", "/dev/null", f"https://{name}/"],
        "openssl": f"openssl s_client -brief -verify_return_error {place}".split(),
        "python": python("page.py", name),
    }[client]


def wilson(hit: int, tries: int, z: float = 3.29) -> tuple[float, float]:
    """The interval that holds the true share: by default with 99.9 %, so that a test fails once in 1000."""
    share, weight = hit / tries, z * z / tries
    half = z * sqrt(share * (1 - share) / tries + weight / (4 * tries))
    return (share + weight / 2 - half) / (1 + weight), (share + weight / 2 + half) / (1 + weight)


def matched(crossed: Sequence[Crossing]) -> dict[str, int]:
    """For each model, how many of the captured handshakes a box would hit."""
    return {key: hits(crossed, sni(with_model("t22", key), action("allow"), LISTED)) for key in MODELS}


@pytest.mark.parametrize("client", ["curl", "openssl", "python"])
def test_a_hello_of_one_segment_is_read_by_all_models_a_longer_one_by_some(
    client: str, tmp_path: Path
) -> None:
    ran = as_subscriber(tmp_path / "free", plain(client, LISTED), capture=True)
    assert ran.status == 0, ran.err
    crossed = crossings(ran.capture)
    (hello,) = hellos(crossed, LISTED)
    short = hello.size <= SEGMENT  # OpenSSL before 3.5; later ones offer a post-quantum key
    assert len(hello.segments) == (1 if short else 2)
    found = matched(crossed)
    assert {found[key] for key in STREAM} == {1}
    assert {found[key] for key in WHOLE_PACKET} == {int(short)}
    assert found["A"] == int(hello.name_in is not None)


@pytest.mark.parametrize("profile", PROFILES)
def test_plain_clients_are_reset_in_each_era(profile: str, tmp_path: Path) -> None:
    for client in ("curl", "openssl", "python"):
        shape = as_subscriber(tmp_path / f"{client}-free", plain(client, LISTED), capture=True)
        assert shape.status == 0, shape.err
        (hello,) = hellos(crossings(shape.capture), LISTED)
        met = as_subscriber(tmp_path / client, plain(client, LISTED), [RESET], profile=profile)
        assert (met.status != 0) == (len(hello.segments) == 1)
        assert bool(met.rules) == (met.status != 0)
        if met.status:
            assert "reset" in met.err.lower() or "errno=104" in met.err
        free = as_subscriber(tmp_path / f"{client}-other", plain(client, FREE), [RESET], profile=profile)
        assert (free.status, free.rules) == (0, {}), free.err


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> list[Crossing]:
    return captured(tmp_path_factory.mktemp("chrome"), "chrome146", MANY)


def captured(folder: Path, shape: str, count: int) -> list[Crossing]:
    """`count` handshakes through a network without a box, as they passed."""
    ran = as_subscriber(folder / shape, python("handshakes.py", shape, LISTED, str(count)), capture=True)
    assert ran.answers() == [PAGE] * count, "the twin: without a box every one gets its page"
    return crossings(ran.capture)


def test_chrome_needs_two_segments_and_puts_the_name_anywhere(chrome: list[Crossing]) -> None:
    sent = hellos(chrome, LISTED)
    assert len(sent) == MANY
    assert {len(hello.segments) for hello in sent} == {2}
    assert all(len(hello.segments[0]) == SEGMENT and 1650 < hello.size < 1900 for hello in sent)
    least, most = wilson(sum(hello.name_in == 0 for hello in sent), MANY)
    assert least < 0.56, "a search of the first segment finds too many"
    assert most > 0.38, "a search of the first segment finds too few"


def test_what_each_model_makes_of_chrome(chrome: list[Crossing]) -> None:
    found = matched(chrome)
    assert {found[key] for key in WHOLE_PACKET} == {0}, "no packet holds a whole record"
    assert {found[key] for key in STREAM} == {MANY}
    least, most = wilson(found["A"], MANY)
    assert least < 0.94 < most, "the name lies across the boundary in about 6 of 100"
    assert found["A"] == sum(hello.name_in is not None for hello in hellos(chrome, LISTED))


@pytest.mark.parametrize("shape", ["firefox147", "safari260"])
def test_firefox_and_safari_need_two_segments_and_put_the_name_first(shape: str, tmp_path: Path) -> None:
    crossed = captured(tmp_path, shape, 60)
    sent = hellos(crossed, LISTED)
    assert {(len(hello.segments), hello.name_in) for hello in sent} == {(2, 0)}
    found = matched(crossed)
    assert {found[key] for key in WHOLE_PACKET} == {0}
    assert {found[key] for key in ("A", *STREAM)} == {60}


@pytest.mark.parametrize("shape", ["chrome120", "edge101", "safari184", "tor145"])
def test_browsers_without_a_post_quantum_key_are_read_by_all(shape: str, tmp_path: Path) -> None:
    crossed = captured(tmp_path, shape, 20)
    assert {len(hello.segments) for hello in hellos(crossed, LISTED)} == {1}
    assert set(matched(crossed).values()) == {20}


@pytest.mark.parametrize(
    ("model", "low", "high"), [("A", 0.94, 0.94), ("C", 0, 0), ("T", 0, 0), ("R", 1, 1), ("Rvm", 1, 1)]
)
def test_chrome_through_the_kernel(model: str, low: float, high: float, tmp_path: Path) -> None:
    """The same rates with a live box: a hit is a reset, whatever else is a page."""
    many = 60
    met = as_subscriber(
        tmp_path / "met", python("handshakes.py", "chrome146", LISTED, str(many)), [RESET], model=model
    )
    codes = met.answers()
    assert set(codes) <= {PAGE, RESET_BY_PEER}
    reset = codes.count(RESET_BY_PEER)
    assert len(met.matched("listed")) == reset
    if low == high and low in (0, 1):
        assert reset == low * many
    else:
        least, most = wilson(reset, many)
        assert least < low
        assert most > high


def test_nodes_of_2026_differ_by_pair_of_hosts(tmp_path: Path) -> None:
    """Chrome meets a reassembling node with some servers and not with others, and always the same one."""
    names = [site.name for site in load("free-network").world.sites if site.certificate == "trusted"]
    everything = {"name": "listed", "match": {"tls.sni": ["*"]}, "action": "rst-rewrite"}
    argv = python("handshakes.py", "chrome146", ",".join(names), "3")
    met = as_subscriber(tmp_path / "t26", argv, [everything], profile="t26").answers()
    per_name = [set(met[at : at + 3]) for at in range(0, len(met), 3)]
    assert all(len(codes) == 1 for codes in per_name), "a pair of hosts is led to one node"
    assert {PAGE, RESET_BY_PEER} == set(met)
    short = python("handshakes.py", "chrome120", ",".join(names), "1")
    assert set(as_subscriber(tmp_path / "short", short, [everything], profile="t26").answers()) == {
        RESET_BY_PEER
    }, "whatever the node, a ClientHello in one packet is read"
    assert set(as_subscriber(tmp_path / "t25", argv, [everything], profile="t25").answers()) == {PAGE}

"""OONI's own reader finds every field of our measurements, with the value that we wrote.

results.jsonl was written by a run of every-block.yaml, beside it. The probe's present output goes through the
same comparisons in tests/probe/test_ooni_fields.py.
"""

import json
from pathlib import Path

import pytest

from .oonireader import lost, model_of, not_in_ooni

SAVED = [json.loads(line) for line in (Path(__file__).parent / "data/results.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("document", SAVED, ids=lambda one: f"{one['annotations']['vantage']} {one['input']}")
def test_nothing_is_lost(document):
    assert model_of(document).__name__ == "UrlGetter"
    assert lost(document) == []
    assert not_in_ooni(document) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"failure": 5}, ["test_keys.failure: 5, read as '5'"]),
        ({"agnet": "agent"}, ["test_keys.agnet: 'agent', read as nothing"]),
    ],
)
def test_the_comparison_sees_a_difference(change, expected):
    (document,) = [one for one in SAVED if one["input"] == "http://vk.com/"]
    assert lost(document | {"test_keys": document["test_keys"] | change}) == expected


def test_the_comparison_with_the_specification_sees_a_difference():
    (document,) = [one for one in SAVED if one["input"] == "http://vk.com/"]
    keys = document["test_keys"] | {"tls_handshakes": [{"so_error": None, "failure": None, "net": "tcp"}]}
    assert not_in_ooni(document | {"test_keys": keys}) == [
        "test_keys.tls_handshakes.net: OONI has no such field",
        "test_keys.tls_handshakes.so_error: null, where OONI leaves it out",
        *(
            f"test_keys.tls_handshakes.{name}: missing"
            for name in ("address", "cipher_suite", "negotiated_protocol", "network", "no_tls_verify",
                         "peer_certificates", "server_name", "t", "t0", "tags", "tls_version",
                         "transaction_id")
        ),
    ]  # fmt: skip

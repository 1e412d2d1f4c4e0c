"""A measurement as a value: what is saved comes back, what is missing stays missing, junk is no error."""

import json
import pickle
from dataclasses import FrozenInstanceError, fields, is_dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.measurement.codec import UNSAID
from testbed.measurement.ooni import (
    BinaryData,
    DnsAnswer,
    HttpExchange,
    HttpRequest,
    HttpResponse,
    Measurement,
    NetworkEvent,
    Query,
    TcpConnect,
    TcpInfo,
    TcpStatus,
    TestKeys,
    TlsHandshake,
    TransferSpeed,
)

# Written by a run of every-block.yaml, which lies beside it.
SAVED = (Path(__file__).parent / "data/results.jsonl").read_text("utf-8").splitlines()
BY_TARGET = {document["input"]: Measurement.from_json(document) for document in map(json.loads, SAVED)}


@pytest.mark.parametrize("line", SAVED, ids=lambda line: json.loads(line)["input"])
def test_saved_results_are_read_and_written_back_unchanged(line):
    document = json.loads(line)
    assert Measurement.from_json(document).to_json() == document


@pytest.mark.parametrize("line", SAVED, ids=lambda line: json.loads(line)["input"])
def test_even_the_order_of_the_keys_is_kept(line):
    assert json.dumps(Measurement.from_json(json.loads(line)).to_json(), ensure_ascii=False) == line


def test_a_reset_handshake_as_a_value():
    seen = BY_TARGET["https://twitter.com/"]
    assert (seen.vantage, seen.ipv, seen.failure) == ("mts", 4, "connection_reset")
    assert seen.test_keys.failed_step == "tls"
    assert seen.test_keys.tls_handshakes == (
        TlsHandshake(
            network="tcp",
            address="104.244.42.1:443",
            server_name="twitter.com",
            failure="connection_reset",
            no_tls_verify=False,
            tls_version="",
            cipher_suite="",
            negotiated_protocol="",
            t0=seen.test_keys.tls_handshakes[0].t0,
            t=seen.test_keys.tls_handshakes[0].t,
            transaction_id=1,
        ),
    )
    assert seen.test_keys.requests == ()
    assert seen.test_keys.speed is None


def test_a_forged_dns_answer_as_a_value():
    keys = BY_TARGET["dns://8.8.8.8/meduza.io"].test_keys
    assert keys.queries[0].answers == (DnsAnswer("A", ipv4="10.10.10.10", ttl=60),)
    (late,) = keys.dns_late_replies
    assert late.failure is None
    assert late.answers == (DnsAnswer("A", asn=13335, ipv4="104.26.10.150", ttl=300),)


def test_an_upload_as_a_value():
    keys = BY_TARGET["put+https://vk.com/upload?bytes=300000"].test_keys
    assert (keys.speed.direction, keys.speed.complete) == ("up", True)
    assert keys.tcp_info.bytes_acked > 300_000
    assert keys.requests[0].request.method == "PUT"
    assert keys.requests[0].response.header("CONTENT-TYPE") == keys.requests[0].response.header(
        "content-type"
    )


def test_values_pickle_and_cannot_be_changed():
    seen = BY_TARGET["https://vk.com/"]
    assert pickle.loads(pickle.dumps(seen)) == seen
    with pytest.raises(FrozenInstanceError):
        seen.target = "https://other.example/"


def test_what_a_record_does_not_say_is_not_invented():
    """Every field of an empty record is empty, and an outcome that is not there is no success."""
    assert Measurement.from_json({}) == Measurement()
    for kind in (
        Query,
        TcpConnect,
        TlsHandshake,
        HttpExchange,
        NetworkEvent,
        HttpResponse,
        TransferSpeed,
        TcpInfo,
    ):
        empty = kind()
        nothing = (None, UNSAID, (), {})
        said = {f.name: value for f in fields(kind) if (value := getattr(empty, f.name)) not in nothing}
        assert not {name: value for name, value in said.items() if not is_dataclass(value)}
    assert Query().failure is TcpConnect().failure is TestKeys().failure is UNSAID
    assert Measurement.from_json({"test_keys": {"queries": [{}]}}).to_json()["test_keys"]["queries"] == [
        {"answers": [], "tags": []}
    ]


def test_null_is_success_and_a_wrong_type_is_nothing():
    def failure_of(value):
        keys = {"tcp_connect": [{"status": {"failure": value}}]}
        return Measurement.from_json({"test_keys": keys}).test_keys.tcp_connect[0].failure

    assert [failure_of(value) for value in (None, "eof_error", 5, False, [])] == [
        None, "eof_error", UNSAID, UNSAID, UNSAID,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("document", "value"),
    [
        ({"input": 5, "test_runtime": "1"}, Measurement()),
        ({"test_runtime": True}, Measurement()),
        ({"test_runtime": 1e300}, Measurement()),
        ({"test_keys": []}, Measurement()),
        ({"test_keys": {"queries": {}}}, Measurement()),
        ({"annotations": {"vantage": "mts", "count": 3}}, Measurement(annotations={"vantage": "mts"})),
        ({"unknown": 1}, Measurement()),
        ({"test_keys": {"queries": ["no object", {"rcode": 3}]}},
         Measurement(test_keys=TestKeys(queries=(Query(rcode=3),)))),
        ({"test_keys": {"queries": [{"rcode": 3.0}, {"rcode": 3.5}]}},
         Measurement(test_keys=TestKeys(queries=(Query(rcode=3), Query())))),
        ({"test_keys": {"x_greeting": ["220 hello"], "agent": "redirect", "blocking": "dns"}},
         Measurement(test_keys=TestKeys(
             agent="redirect", extra={"x_greeting": ["220 hello"], "blocking": "dns"}))),
        ({"test_keys": {"requests": [{"response": {"body": {"format": "base64", "data": "AQI="}}}]}},
         Measurement(test_keys=TestKeys(
             requests=(HttpExchange(response=HttpResponse(body=BinaryData("AQI=", "base64"))),)))),
        ({"test_keys": {"requests": [{"request": {"headers": {"a": "b", "c": 5}}}]}},
         Measurement(test_keys=TestKeys(requests=(HttpExchange(request=HttpRequest(headers={"a": "b"})),)))),
        ({"test_keys": {"tcp_connect": [{"status": None}]}},
         Measurement(test_keys=TestKeys(tcp_connect=(TcpConnect(status=TcpStatus()),)))),
        ({"test_keys": {"requests": [{"response": {"headers_list": [["a", "b"], ["c"], "d", [1, 2]]}}]}},
         Measurement(test_keys=TestKeys(
             requests=(HttpExchange(response=HttpResponse(headers_list=(("a", "b"),))),)))),
    ],
)  # fmt: skip
def test_what_does_not_fit_reads_as_absent(document, value):
    assert Measurement.from_json(document) == value


def test_test_keys_that_are_not_ours_are_kept():
    document = {"input": "https://x/", "test_keys": {"failure": None, "x_greeting": "220 hello"}}
    written = Measurement.from_json(document).to_json()["test_keys"]
    assert written["x_greeting"] == "220 hello"
    assert written["failure"] is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["failure", "status", "answers", "response", "code", "headers_list", "t", "test_keys",
                         "queries", "requests", "x_speed", "bytes", "annotations", "extensions", "input"]),
        inner, max_size=4,
    ),
    max_leaves=15,
)  # fmt: skip


@given(JSON)
def test_any_json_is_read_and_what_was_read_is_stable(document):
    once = Measurement.from_json(document)
    assert Measurement.from_json(json.loads(json.dumps(once.to_json()))) == once or "NaN" in json.dumps(
        document
    )

"""What oonidata 0.3 makes of a measurement, and what OONI's specification says of its fields."""

from typing import Any, Final

# Fields of the specification that the models of oonidata 0.3 do not have.
UNKNOWN_TO_THE_READER: Final = {
    "extensions",
    "options",
    "test_keys.queries.tags",
    "test_keys.tcp_connect.tags",
    "test_keys.requests.tags",
    "test_keys.network_events.t0",
}

# df-000 to df-008, ts-027: every field that is not deprecated. "?" may be left out, "!" may be null.
SPECIFIED: Final = {
    "": "annotations data_format_version extensions input measurement_start_time options? probe_asn probe_cc "
        "probe_ip probe_network_name report_id resolver_asn resolver_ip resolver_network_name software_name "
        "software_version test_keys test_name test_runtime test_start_time test_version test_helpers? id?",
    "test_keys": "agent failed_operation! failure! network_events queries requests socksproxy? tcp_connect "
                 "tls_handshakes bootstrap_time? tunnel?",
    "test_keys.queries": "answers engine failure! getaddrinfo_error? hostname query_type raw_response? "
                         "rcode? resolver_address t0 t tags transaction_id",
    "test_keys.queries.answers": "answer_type asn? as_org_name? hostname? ipv4? ipv6? ttl!",
    "test_keys.tcp_connect": "ip port status t0 t tags transaction_id",
    "test_keys.tcp_connect.status": "failure! success",
    "test_keys.tls_handshakes": "network address cipher_suite failure! so_error? negotiated_protocol "
                                "no_tls_verify peer_certificates server_name outer_server_name? echconfig? "
                                "t0 t tags tls_version transaction_id",
    "test_keys.tls_handshakes.peer_certificates": "data format",
    "test_keys.requests": "network address alpn? failure! request response t0 t tags transaction_id",
    "test_keys.requests.request": "body body_is_truncated headers_list headers method tor url x_transport",
    "test_keys.requests.request.tor": "exit_ip! exit_name! is_tor",
    "test_keys.requests.response": "body body_is_truncated code headers_list headers",
    "test_keys.network_events": "address? failure! num_bytes? operation proto? t0 t tags transaction_id",
}  # fmt: skip


def model_of(document: dict[str, Any]) -> type:
    """The class of OONI's reader for this test."""
    from oonidata.models.nettests import NETTEST_MODELS  # it takes half a second to load

    return NETTEST_MODELS[document["test_name"]]


def lost(document: dict[str, Any]) -> list[str]:
    """Each value that the reader does not have as it was written; keys that begin with x_ are our own."""
    read = model_of(document).from_dict(document).to_dict()
    return list(dict.fromkeys(_lost(document, read, "")))


def _lost(written: Any, read: Any, path: str) -> list[str]:
    if isinstance(written, dict) and isinstance(read, dict) and not path.endswith(("headers", "annotations")):
        found = []
        for key, value in written.items():
            where = f"{path}.{key}".lstrip(".")
            if key.startswith("x_") or where in UNKNOWN_TO_THE_READER:
                continue
            if key not in read:
                found.append(f"{where}: {value!r}, read as nothing")
            else:
                found += _lost(value, read[key], where)
        return found
    lists = isinstance(written, list) and isinstance(read, list) and len(written) == len(read)
    if lists and all(isinstance(item, dict) for item in written):
        return [one for mine, its in zip(written, read, strict=True) for one in _lost(mine, its, path)]
    same = written == read or (path.endswith("transaction_id") and str(written) == read)  # a str in one model
    return [] if same else [f"{path}: {written!r}, read as {read!r}"]


def not_in_ooni(document: dict[str, Any]) -> list[str]:
    """Each field that OONI does not have, lacks here, or would leave out instead of writing null."""
    return list(dict.fromkeys(_unspecified(document, "")))


def _unspecified(value: Any, path: str) -> list[str]:
    if isinstance(value, list):
        return [one for item in value for one in _unspecified(item, path)]
    if not isinstance(value, dict) or path not in SPECIFIED:
        return []
    fields = {word.rstrip("?!"): word for word in SPECIFIED[path].split()}
    found = []
    for key in sorted(value):
        where = f"{path}.{key}".lstrip(".")
        if key not in fields:
            found += [] if key.startswith("x_") else [f"{where}: OONI has no such field"]
        elif value[key] is None and not fields[key].endswith("!"):
            found.append(f"{where}: null, where OONI leaves it out")
        else:
            found += _unspecified(value[key], where)
    absent = [name for name, word in sorted(fields.items()) if name not in value and not word.endswith("?")]
    return found + [f"{path}.{name}: missing".lstrip(".") for name in absent]

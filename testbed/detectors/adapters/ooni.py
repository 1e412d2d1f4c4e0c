"""OONI's JSON lines, also those of the built-in probe: one verdict for each measurement.

Experiments: web_connectivity (ts-017; 0.4 has no `x_` flags, 0.5 has), urlgetter (ts-027), dnscheck (ts-028),
sni_blocking (ts-024), tlsmiddlebox (ts-037) and echcheck (ts-039) of <https://github.com/ooni/spec>.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from testbed.detectors.adapter import EVERYTHING, WEB, Adapter, ToolOutput
from testbed.detectors.failures import mechanisms
from testbed.detectors.reading import Notes, items_of, json_lines, object_of, text_of
from testbed.detectors.verdicts import Said, ToolReport, ToolVerdict
from testbed.measurement.ooni import Measurement
from testbed.truth.classify import classify
from testbed.truth.timeline import Timeline

_KINDS: Final = {  # df-007: failure -> kind, as in testbed.detectors.failures
    "connection_refused": "refused", "connection_reset": "reset", "connection_aborted": "reset",
    "connection_already_closed": "reset", "host_unreachable": "unreachable", "eof_error": "closed",
    "network_unreachable": "unreachable", "network_down": "unreachable", "network_reset": "reset",
    "generic_timeout_error": "timeout", "timed_out": "timeout", "permission_denied": "unreachable",
    "dns_nxdomain_error": "nxdomain", "ssl_invalid_hostname": "certificate",
    "ssl_unknown_authority": "certificate", "ssl_invalid_certificate": "certificate",
    "ssl_failed_handshake": "garbage",
}  # fmt: skip
_OTHERS: Final = {  # the rest of df-007
    "dns_no_answer", "dns_refused_error", "dns_servfail_error", "dns_server_misbehaving",
    "dns_temporary_failure", "dns_non_recoverable_failure", "dns_reply_with_wrong_query_id",
    "dns_bogon_error", "android_dns_cache_no_data", "quic_incompatible_version", "http_request_failed",
    "http_unexpected_status_code", "http_unexpected_redirect_url", "http_invalid_redirect_location_host",
    "json_parse_error", "interrupted", "address_family_not_supported", "address_in_use",
    "address_not_available", "bad_address", "bad_file_descriptor", "destination_address_required",
    "invalid_argument", "message_size", "no_buffer_space", "no_protocol_option", "not_a_socket",
    "not_connected", "not_supported", "operation_would_block", "protocol_not_supported",
    "wrong_protocol_type", "connection_in_progress",
}  # fmt: skip
_DNS, _TCP, _TLS, _HTTP, _DIFF = 1, 2, 4, 8, 16  # x_blocking_flags of web_connectivity 0.5
_BOGON, _UNEXPECTED_FAILURE = 1, 2  # x_dns_flags
_FIELDS: Final = {
    "annotations", "data_format_version", "extensions", "id", "input", "input_hashes",
    "measurement_start_time", "options", "probe_asn", "probe_cc", "probe_city", "probe_ip",
    "probe_network_name", "report_id", "resolver_asn", "resolver_ip", "resolver_network_name",
    "software_name", "software_version", "test_helpers", "test_keys", "test_name", "test_runtime",
    "test_start_time", "test_version", "backend_version", "bucket_date", "measurement_uid",
}  # fmt: skip


def read(output: ToolOutput) -> ToolReport:
    """A verdict for each measurement; of an experiment that is not known, a complaint."""
    notes = Notes()
    for place, record in json_lines(output.text, notes):
        notes.unknown_fields(place, record, _FIELDS)
        name, keys = text_of(record.get("test_name")), record.get("test_keys")
        if name not in _EXPERIMENTS or not isinstance(keys, dict):
            what = f"test_name {name!r}" if name not in _EXPERIMENTS else "no test_keys"
            notes.complain("not a result", place, what)
            continue
        target = text_of(record.get("input")) or output.target
        found = _EXPERIMENTS[name](target, keys, record)
        for failure in _failures(keys):
            if failure not in _KINDS and failure not in _OTHERS:
                notes.complain("unknown failure", place, failure)
        vantage = text_of(object_of(record.get("annotations")).get("vantage"))
        for verdict in found:
            notes.add(
                ToolVerdict(
                    verdict.target, verdict.said, verdict.mechanisms, verdict.words, verdict.layer,
                    verdict.parameters, vantage,
                )
            )  # fmt: skip
    return notes.report()


def _failures(keys: Mapping[str, Any]) -> list[str]:
    """Every failure string of the blocks."""
    blocks = ("queries", "tcp_connect", "tls_handshakes", "requests")
    entries = [entry for block in blocks for entry in map(object_of, items_of(keys.get(block)))]
    found = [entry.get("failure") or object_of(entry.get("status")).get("failure") for entry in entries]
    found += [keys.get(name) for name in ("failure", "dns_experiment_failure", "http_experiment_failure")]
    return [one for one in found if isinstance(one, str)]


def _web(target: str, keys: Mapping[str, Any], _: object) -> list[ToolVerdict]:
    blocking, accessible = keys.get("blocking"), keys.get("accessible")
    flags = keys.get("x_blocking_flags")
    words = f"blocking {blocking!r}, accessible {accessible!r}"
    words += f", flags {flags}/{keys.get('x_dns_flags')}" if flags is not None else ""
    if blocking is False:
        return [ToolVerdict(target, "free", words=words)]
    layers = {"dns": "dns", "tcp_ip": "ip", "http-failure": "http", "http-diff": "http"}
    if blocking not in layers:
        return [ToolVerdict(target, "inconclusive", words=words)]
    layer = layers[blocking]
    if blocking == "http-failure" and (flags & _TLS if isinstance(flags, int) else _is_https(target)):
        layer = "tls"  # `blocking` has no word for it: only the flags tell TLS from HTTP
    return [ToolVerdict(target, "blocked", _web_mechanisms(target, keys, blocking), words, layer)]


def _web_mechanisms(target: str, keys: Mapping[str, Any], blocking: str) -> tuple[str, ...]:
    bits = keys.get("x_blocking_flags")
    flags = bits if isinstance(bits, int) else 0
    found: list[str] = []
    if blocking == "dns" or flags & _DNS:
        found += _lie(keys)
    failure = text_of(keys.get("http_experiment_failure"))
    kind = _KINDS.get(failure, "")
    if blocking == "tcp_ip" or flags & _TCP:
        found += mechanisms("tcp", kind)
    if flags & _TLS or (not flags and blocking == "http-failure" and _is_https(target)):
        found += mechanisms("tls", kind)
    elif flags & _HTTP or (not flags and blocking == "http-failure"):
        begun = _answered(keys)
        step = "answer" if begun else "sealed" if _is_https(target) else "http"
        found += mechanisms(step, kind)
    if blocking == "http-diff" or flags & _DIFF:
        found.append("http.page")
    return tuple(dict.fromkeys(found))


def _lie(keys: Mapping[str, Any]) -> tuple[str, ...]:
    failure = text_of(keys.get("dns_experiment_failure"))
    if not failure:
        return ("dns.poison",)
    if failure == "dns_bogon_error":
        return ("dns.poison",)
    return mechanisms("dns", _KINDS.get(failure, "")) or ("dns.error", "dns.drop")


def _answered(keys: Mapping[str, Any]) -> bool:
    """Whether an answer had begun when its request failed: 0.5 keeps its status."""
    asked = [object_of(one) for one in items_of(keys.get("requests"))]
    return any(one.get("failure") and (object_of(one.get("response")).get("code") or 0) > 0 for one in asked)


def _is_https(target: str) -> bool:
    return target.startswith("https:")


def _urlgetter(target: str, keys: Mapping[str, Any], record: object) -> list[ToolVerdict]:
    measurement = Measurement.from_json(record)
    label = classify(measurement, None)
    seen = Timeline(measurement)
    speed = measurement.test_keys.speed
    parameters = {"rate": speed.bits_per_second} if speed and speed.bits_per_second else {}
    parameters |= {"received": float(seen.received)} if label == "freeze" and seen.received else {}
    words = f"{measurement.test_keys.failed_operation or 'done'}: {keys.get('failure')}"
    if label in ("ok", "refused"):
        return [ToolVerdict(target, "free", words=words, parameters=parameters)]
    if label == "broken":
        return [ToolVerdict(target, "inconclusive", words=words)]
    return [ToolVerdict(target, "blocked", (label,), words, parameters=parameters)]


def _dnscheck(target: str, keys: Mapping[str, Any], _: object) -> list[ToolVerdict]:
    if failure := text_of(keys.get("bootstrap_failure")):
        found = mechanisms("dns", _KINDS.get(failure, "")) or ("dns.error",)
        return [ToolVerdict(target, "blocked", found, f"bootstrap: {failure}")]
    ended = {
        url: classify(Measurement.from_json({"input": target, "test_keys": lookup}), None)
        for url, lookup in object_of(keys.get("lookups")).items()
        if text_of(object_of(lookup).get("failure")) not in ("network_unreachable", "host_unreachable")
        or "[" not in url  # no IPv6 here
    }
    bad = {url: label for url, label in ended.items() if label not in ("ok", "refused")}
    words = f"{len(bad)} of {len(ended)} endpoints failed"
    said: Said = "inconclusive" if not ended else "blocked" if bad else "free"
    return [ToolVerdict(target, said, tuple(one for one in bad.values() if one != "broken"), words)]


_SNI: Final[dict[str, tuple[Said, tuple[str, ...]]]] = {
    "success.got_server_hello": ("free", ()),
    "interference.reset": ("blocked", ("tls.sni.rst",)),
    "interference.closed": ("blocked", ("tls.sni.fin",)),
    "interference.invalid_certificate": ("blocked", ("tls.mitm",)),
    "interference.unknown_authority": ("blocked", ("tls.mitm",)),
    "anomaly.timeout": ("blocked", ("tls.sni.drop", "throttle")),  # with a control that worked (ts-024)
}


def _sni_blocking(target: str, keys: Mapping[str, Any], _: object) -> list[ToolVerdict]:
    word = text_of(keys.get("result"))  # every other one "should be treated as unexpected" (ts-024)
    said, found = _SNI.get(word, ("inconclusive", ()))
    return [ToolVerdict(target, said, found, word)]


def _tlsmiddlebox(target: str, keys: Mapping[str, Any], _: object) -> list[ToolVerdict]:
    """Blocked if the target's handshake ends otherwise than the control's at the same hop limit."""
    for trace in map(object_of, items_of(keys.get("iterative_trace"))):
        mine = _by_ttl(trace.get("target_trace"))
        control = _by_ttl(trace.get("control_trace"))
        if not mine or not control:
            continue
        if control[max(control)] not in ("", *_KNOWS_NO_NAME):
            break
        for ttl in sorted(mine):
            if mine[ttl] not in ("", "generic_timeout_error", *_KNOWS_NO_NAME):
                found = mechanisms("tls", _KINDS.get(mine[ttl], "")) or ("tls.mitm",)
                # A packet with hop limit n passes n - 1 routers.
                return [
                    ToolVerdict(
                        target, "blocked", found, f"{mine[ttl]} at ttl {ttl}", "tls", {"hop": ttl - 1.0}
                    )
                ]
        if mine[max(mine)] == "generic_timeout_error":
            return [ToolVerdict(target, "blocked", ("tls.sni.drop", "throttle"), "no answer at any ttl")]
        return [ToolVerdict(target, "free", words=f"as the control up to ttl {max(mine)}")]
    return [ToolVerdict(target, "inconclusive", words="no trace with a control that worked")]


_KNOWS_NO_NAME: Final = ("ssl_invalid_hostname", "ssl_unknown_authority", "ssl_invalid_certificate")


def _by_ttl(trace: object) -> dict[int, str]:
    """Hop limit -> failure, "" for a handshake that was completed."""
    steps = [object_of(step) for step in items_of(object_of(trace).get("iterations"))]
    return {
        step["ttl"]: text_of(object_of(step.get("handshake")).get("failure"))
        for step in steps
        if isinstance(step.get("ttl"), int)
    }


def _echcheck(target: str, keys: Mapping[str, Any], _: object) -> list[ToolVerdict]:
    """0.2.0 has a list; before, `control` and `target` were handshakes of their own (ts-039)."""
    tried = [object_of(one) for one in items_of(keys.get("tls_handshakes"))]
    tried = tried or [
        object_of(keys.get("control")),
        {"echconfig": "GREASE", **object_of(keys.get("target"))},
    ]
    plain = [text_of(one.get("failure")) for one in tried if one and not one.get("echconfig")]
    with_ech = {
        text_of(one.get("outer_server_name")): text_of(one.get("failure"))
        for one in tried
        if one.get("echconfig")
    }
    bad = {outer: failure for outer, failure in with_ech.items() if failure}
    words = ", ".join(f"ECH with {outer}: {failure or 'works'}" for outer, failure in with_ech.items())
    if not plain or any(plain) or not with_ech:
        return [
            ToolVerdict(
                target, "inconclusive", words=f"without ECH: {(plain or ['nothing'])[0] or 'works'}; {words}"
            )
        ]
    if not bad:
        return [ToolVerdict(target, "free", words=words)]
    found = mechanisms("tls", _KINDS.get(next(iter(bad.values())), ""))
    return [ToolVerdict(target, "blocked", found, words, "tls")]


_EXPERIMENTS: Final[Mapping[str, Callable[[str, Mapping[str, Any], object], list[ToolVerdict]]]] = {
    "web_connectivity": _web,
    "urlgetter": _urlgetter,
    "dnscheck": _dnscheck,
    "sni_blocking": _sni_blocking,
    "tlsmiddlebox": _tlsmiddlebox,
    "echcheck": _echcheck,
}

_BLIND: Final = {"throttle", "conncount", "vpn.drop", "quic.drop", "quic.sni.drop"}
"""Of web_connectivity; `throttle`: a page that comes late has come."""

OONI = Adapter(
    name="ooni",
    title="OONI Probe: web_connectivity, urlgetter, dnscheck, sni_blocking, tlsmiddlebox, echcheck",
    read=read,
    observes=EVERYTHING - _BLIND,
    schemes=WEB,
    client="go",
)
PROBE = Adapter(
    name="probe",
    title="the built-in probe, results.jsonl",
    client="probe",
    read=read,
    observes=EVERYTHING | {"portal"},
    any_scheme=True,
)

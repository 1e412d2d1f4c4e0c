"""Hyperquack v2 and the later raw files: <https://docs.censoredplanet.org/http.html>.

Interference is a mismatch in every trial of a server whose controls match. The raw files have no `anomaly`
any more; `no_response_in_measurement_matches_template` is what the trials of one measurement came to.
"""

from typing import Any, Final

from testbed.detectors.adapter import Adapter, ToolOutput
from testbed.detectors.failures import kind_of, mechanisms
from testbed.detectors.reading import Notes, items_of, json_lines, object_of, text_of
from testbed.detectors.verdicts import ToolReport, ToolVerdict
from testbed.truth.blockpages import BLOCK_PAGE_TEXTS

_V2: Final = {
    "vp", "location", "service", "test_url", "response", "anomaly", "controls_failed", "stateful_block",
    "tag", "start_time", "end_time",
}  # fmt: skip
_RAW: Final = {
    "domain", "domain_is_control", "date", "start_time", "end_time", "server_ip", "server_netblock",
    "server_asn", "server_as_name", "server__as_name", "server_as_full_name", "server__as_full_name",
    "server_as_class", "server__as_class", "server_country", "server_organization", "source",
    "received_error", "received_status", "received_headers", "received_body", "received_tls_version",
    "received_tls_cipher_suite", "received_tls_cert", "received_tls_cert_common_name",
    "received_tls_cert_alternative_names", "received_tls_cert_issuer", "matches_template",
    "no_response_in_measurement_matches_template", "controls_failed", "stateful_block", "service",
}  # fmt: skip
# Of the machine that measures, whatever the server did; the tool itself calls it a mismatch.
_OWN: Final = ("address already in use", "too many open files", "protocol not available")
_ANOTHER: Final = ("not match", "not empty", "header field")  # an answer came, and it is another one


def read(output: ToolOutput) -> ToolReport:
    """A verdict for each measurement of v2, for each row that is no control of the raw files."""
    notes = Notes()
    for place, record in json_lines(output.text, notes):
        if "test_url" in record and "response" in record:
            notes.unknown_fields(place, record, _V2)
            _v2(place, record, notes)
        elif "server_ip" in record and "domain" in record:
            notes.unknown_fields(place, record, _RAW)
            _raw(place, record, notes)
        else:
            notes.complain("not a result", place, "neither test_url and response nor server_ip and domain")
    return notes.report()


def _v2(place: str, record: dict[str, Any], notes: Notes) -> None:
    tried = [
        object_of(one) for one in items_of(record.get("response")) if not object_of(one).get("control_url")
    ]
    failed = [one for one in tried if one.get("matches_template") is False]
    counted = [one for one in failed if not _own(text_of(one.get("error")))]
    target = text_of(record["test_url"])
    if record.get("controls_failed"):
        notes.add(ToolVerdict(target, "inconclusive", words="controls failed"))
    elif not isinstance(record.get("anomaly"), bool):
        notes.complain("not a result", place, "no anomaly")
    elif not record["anomaly"]:
        notes.add(ToolVerdict(target, "free", words="matches the template"))
    elif failed and not counted:
        words = f"could not measure: {text_of(failed[0].get('error'))}"
        notes.add(ToolVerdict(target, "inconclusive", words=words))
    else:
        error = next((text_of(one.get("error")) for one in counted if one.get("error")), "")
        body = next((_body(one.get("response")) for one in counted), "")
        found = _mechanisms(place, text_of(record.get("service")), error, body, notes)
        notes.add(ToolVerdict(target, "blocked", found, error or "another answer"))


def _raw(place: str, record: dict[str, Any], notes: Notes) -> None:
    if record.get("domain_is_control"):
        return
    target, error = text_of(record["domain"]), text_of(record.get("received_error"))
    if record.get("controls_failed"):
        notes.add(ToolVerdict(target, "inconclusive", words="controls failed"))
    elif _own(error):
        notes.add(ToolVerdict(target, "inconclusive", words=f"could not measure: {error}"))
    elif not record.get("no_response_in_measurement_matches_template"):
        notes.add(ToolVerdict(target, "free", words="an answer matches the template"))
    else:
        service = text_of(record.get("service")) or text_of(record.get("source"))
        found = _mechanisms(place, service, error, text_of(record.get("received_body")), notes)
        notes.add(ToolVerdict(target, "blocked", found, error or "another answer"))


def _own(error: str) -> bool:
    return error.endswith(_OWN)


def _body(response: object) -> str:
    """The text of an answer: of echo and discard it is the answer itself."""
    return response if isinstance(response, str) else text_of(object_of(response).get("body"))


def _mechanisms(place: str, service: str, error: str, body: str, notes: Notes) -> tuple[str, ...]:
    if not error or any(words in error for words in _ANOTHER):
        known = any(text in body for text in BLOCK_PAGE_TEXTS)
        return ("http.page",) if known or "https" not in service.lower() else ("tls.mitm", "http.page")
    kind = kind_of(error)
    if not kind:
        notes.complain("unknown failure", place, error)
    if "dial" in error.lower():
        return mechanisms("tcp", kind)
    return mechanisms("tls" if "https" in service.lower() else "http", kind)


HYPERQUACK = Adapter(
    name="hyperquack",
    title="Censored Planet's Hyperquack (v2 and raw)",
    read=read,
    # It measures from abroad: rules that only arm on connections opened inside are out of its sight.
    observes=frozenset({"tls.sni.rst", "tls.sni.fin", "tls.sni.drop", "tls.mitm", "http.rst", "http.fin",
                        "http.drop", "http.page", "ip.drop", "ip.rst", "ip.icmp"}),
)  # fmt: skip

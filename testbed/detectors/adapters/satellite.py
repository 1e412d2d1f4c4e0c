"""Satellite v2.1, v2.2 and the later raw files: <https://docs.censoredplanet.org/dns.html>.

In v2.1, of the spring of 2021, `response` is one object: an address for each key, and beside them "rcode" and
"error", which are lists. Its `passed_control` became `passed_liveness`.
"""

from typing import Any, Final

from testbed.detectors.adapter import WEB, Adapter, ToolOutput
from testbed.detectors.failures import kind_of, mechanisms
from testbed.detectors.reading import Notes, items_of, json_lines, object_of, text_of
from testbed.detectors.verdicts import ToolReport, ToolVerdict

_V22: Final = {
    "vp", "location", "test_url", "passed_liveness", "passed_control", "connect_error", "in_control_group",
    "anomaly", "confidence", "excluded", "exclude_reason", "excluded_reason", "response", "start_time",
    "end_time",
}  # fmt: skip
_RAW: Final = {
    "domain", "domain_is_control", "test_url", "date", "start_time", "end_time", "resolver_ip",
    "resolver_name", "resolver_is_trusted", "resolver_netblock", "resolver_asn", "resolver_as_name",
    "resolver_as_full_name", "resolver_as_class", "resolver_country", "resolver_organization",
    "received_error", "received_rcode", "source", "answers", "anomaly", "success", "domain_category",
}  # fmt: skip
_NXDOMAIN, _CONNECTION = 3, -1  # rcode (RFC 2929); -1: an error of the connection


def read(output: ToolOutput) -> ToolReport:
    """A verdict for each resolver and domain."""
    notes = Notes()
    for place, record in json_lines(output.text, notes):
        if "vp" in record and "test_url" in record:
            notes.unknown_fields(place, record, _V22)
            _v22(place, record, notes)
        elif "resolver_ip" in record and "domain" in record:
            notes.unknown_fields(place, record, _RAW)
            _raw(record, notes)
        else:
            notes.complain("not a result", place, "neither vp and test_url nor resolver_ip and domain")
    return notes.report()


def _v22(place: str, record: dict[str, Any], notes: Notes) -> None:
    target = text_of(record["test_url"])
    answers = _answers(record, target)
    if (
        False in (record.get("passed_liveness"), record.get("passed_control"))
        or record.get("in_control_group") is False
    ):
        notes.add(ToolVerdict(target, "inconclusive", words="the resolver's controls failed"))
    elif record.get("excluded"):
        reason = record.get("exclude_reason") or record.get("excluded_reason")
        notes.add(ToolVerdict(target, "inconclusive", words=f"excluded: {reason}"))
    elif record.get("connect_error"):
        last = answers[-1] if answers else {}
        notes.add(ToolVerdict(target, "blocked", *_failed(last.get("rcode"), text_of(last.get("error")))))
    elif not isinstance(record.get("anomaly"), bool):
        notes.complain("not a result", place, "no anomaly")
    elif record["anomaly"]:
        addresses = [address for one in answers for address in object_of(one.get("response"))]
        if addresses:
            notes.add(ToolVerdict(target, "blocked", ("dns.poison",), f"answers {', '.join(addresses)}"))
        else:
            rcode = answers[-1].get("rcode") if answers else None
            notes.add(ToolVerdict(target, "blocked", *_failed(rcode, "")))
    else:
        notes.add(ToolVerdict(target, "free", words="as the control resolvers"))


def _answers(record: dict[str, Any], target: str) -> list[dict[str, Any]]:
    """What the resolver answered to each try, in v2.2's form."""
    given = record.get("response")
    if isinstance(given, list):
        return [one for one in map(object_of, given) if one.get("url") == target]
    old = object_of(given)
    errors = [*map(text_of, items_of(old.get("error")))]
    codes = [int(one) for one in map(text_of, items_of(old.get("rcode"))) if one.lstrip("-").isdigit()]
    addresses = {name: tags for name, tags in old.items() if name not in ("rcode", "error")}
    failed = [{"rcode": _CONNECTION, "error": one, "response": {}} for one in errors]
    return [*failed, *({"rcode": code, "response": addresses} for code in codes if code != _CONNECTION)]


def _raw(record: dict[str, Any], notes: Notes) -> None:
    """The raw files have no conclusion: addresses are only compared where a line still has `anomaly`."""
    if record.get("domain_is_control") or record.get("resolver_is_trusted"):
        return
    target, rcode = text_of(record["domain"]), record.get("received_rcode")
    error = text_of(record.get("received_error"))
    if rcode not in (0, None) or error:
        notes.add(ToolVerdict(target, "blocked", *_failed(rcode, error)))
    elif isinstance(record.get("anomaly"), bool):
        found = ("dns.poison",) if record["anomaly"] else ()
        notes.add(ToolVerdict(target, "blocked" if found else "free", found, f"anomaly {record['anomaly']}"))
    else:
        notes.add(ToolVerdict(target, "inconclusive", words="addresses that nobody has compared"))


def _failed(rcode: object, error: str) -> tuple[tuple[str, ...], str]:
    words = f"rcode {rcode}" + (f": {error}" if error else "")
    if rcode == _NXDOMAIN:
        return ("dns.nxdomain",), words
    if rcode == _CONNECTION or error:
        return mechanisms("dns", kind_of(error)) or ("dns.drop", "dns.error"), words
    return ("dns.error",), words


SATELLITE = Adapter(
    name="satellite",
    title="Censored Planet's Satellite (v2.1, v2.2 and raw)",
    read=read,
    observes=frozenset({"dns.nxdomain", "dns.error", "dns.poison", "dns.drop", "dns.rst"}),
    schemes=WEB | {"dns"},
)

"""CenFuzz's JSON lines, as measured or analyzed: <https://github.com/censoredplanet/CenFuzz>.

The line with `IsNormal` is the request as it is; whether it differs from the same request with an uncensored
name is the verdict. The other lines are ways of writing it that may pass: they are counted in its words.
"""

from typing import Any, Final

from testbed.detectors.adapter import Adapter, ToolOutput
from testbed.detectors.failures import kind_of, mechanisms
from testbed.detectors.reading import Notes, json_lines, text_of
from testbed.detectors.verdicts import ToolReport, ToolVerdict

_FIELDS: Final = {
    "IP", "Domain", "TestName", "IsNormal", "MatchesNormal", "MatchesUncensored", "NormalDifferences",
    "UncensoredDifferences", "Request", "Response", "Error", "UncensoredRequest", "UncensoredResponse",
    "UncensoredError", "StartTime", "EndTime", "TestID", "MeasurementType", "Country", "Protocol", "DstIP",
    "DstASN", "NormalResponseType", "NormalCensored", "RequestStrategy", "CensoredResponseType",
    "UncensoredRequestStrategy", "UncensoredResponsetype",
}  # fmt: skip


def read(output: ToolOutput) -> ToolReport:
    """A verdict for each server and name."""
    notes = Notes()
    normal: dict[tuple[str, str, str], tuple[str, dict[str, Any]]] = {}
    ways: dict[tuple[str, str, str], list[bool]] = {}
    for place, record in json_lines(output.text, notes):
        if "TestName" not in record or not isinstance(record.get("MatchesUncensored"), bool):
            notes.complain("not a result", place, "no TestName, or no MatchesUncensored")
            continue
        notes.unknown_fields(place, record, _FIELDS)
        scheme = _scheme(record)
        key = (
            text_of(record.get("IP")) or text_of(record.get("DstIP")),
            text_of(record.get("Domain")),
            scheme,
        )
        if record.get("IsNormal"):
            normal[key] = place, record
        else:
            ways.setdefault(key, []).append(record["MatchesUncensored"])
    for key, (place, record) in normal.items():
        _add(key, place, record, ways.get(key, []), notes)
    for key in ways.keys() - normal.keys():
        notes.complain("not a result", "", f"{key[1]} at {key[0]}: no line with IsNormal")
    return notes.report()


def _scheme(record: dict[str, Any]) -> str:
    """A request of HTTP is text, one of TLS an object; the analyzed file says it."""
    protocol = text_of(record.get("Protocol")).lower()
    return protocol or ("http" if isinstance(record.get("Request"), str) else "https")


def _add(
    key: tuple[str, str, str], place: str, record: dict[str, Any], ways: list[bool], notes: Notes
) -> None:
    _, name, scheme = key
    target, error = f"{scheme}://{name}/", _error(record.get("Error"))
    passed = f"; {sum(ways)} of {len(ways)} ways to write it pass" if ways else ""
    if record["MatchesUncensored"]:
        notes.add(ToolVerdict(target, "free", words=f"as the uncensored name{passed}"))
        return
    if _error(record.get("UncensoredError")):
        words = f"the uncensored name fails as well: {_error(record['UncensoredError'])}"
        notes.add(ToolVerdict(target, "inconclusive", words=words))
        return
    found: tuple[str, ...] = ("http.page",) if scheme == "http" else ("tls.mitm",)
    if error:
        kind = kind_of(error)
        if not kind:
            notes.complain("unknown failure", place, error)
        found = mechanisms("tcp" if "dial" in error.lower() else "tls" if scheme == "https" else "http", kind)
    words = error or text_of(record.get("UncensoredDifferences")) or "another answer"
    notes.add(ToolVerdict(target, "blocked", found, words + passed))


def _error(value: object) -> str:
    """Go's errors become text, or an object with an Err inside."""
    if isinstance(value, dict):
        parts = [str(value[name]) for name in ("Op", "Err") if value.get(name)]
        return " ".join(parts) or "an error without text"
    return text_of(value)


CENFUZZ = Adapter(
    name="cenfuzz",
    title="CenFuzz, measured or analyzed lines",
    read=read,
    observes=frozenset({"tls.sni.rst", "tls.sni.fin", "tls.sni.drop", "tls.mitm", "http.rst", "http.fin",
                        "http.drop", "http.page", "ip.drop", "ip.rst"}),
)  # fmt: skip

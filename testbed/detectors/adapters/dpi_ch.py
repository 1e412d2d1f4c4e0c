"""dpi-ch's `-all` file in JSON: <https://github.com/hyperion-cs/dpi-checkers>.

Its structure is "in development" by its own documentation; the names here are those of its data types in
ru/dpi-ch/checkers/fullcheck.go.
"""

from typing import Any, Final

from testbed.detectors.adapter import Adapter, ToolOutput
from testbed.detectors.reading import Notes, items_of, json_document, object_of, text_of
from testbed.detectors.verdicts import Said, ToolReport, ToolVerdict

_FIELDS: Final = {"Whoami", "CidrWhitelist", "Dns", "Webhost"}
_ITEM: Final = {"Group", "Org", "AS", "Location", "IP", "Prefix", "Alive", "Tls", "Tcp1620", "Siberian",
                "BurstTxKbps", "BurstRxKbps"}  # fmt: skip
_ALIVE: Final[dict[str, tuple[Said, tuple[str, ...]]]] = {  # by Msg, where Code is ERR
    "tls: blocked by sni": ("blocked", ("tls.sni.drop", "tls.sni.rst", "tls.sni.fin")),
    "tcp: connection reset": ("blocked", ("ip.rst", "tls.sni.rst")),
    "tcp: connection timeout": ("blocked", ("ip.drop",)),
    "tcp: write timeout": ("blocked", ("freeze", "throttle")),
    "tcp: read timeout": ("blocked", ("tls.sni.drop", "freeze", "throttle")),
    "tls: certificate invalid": ("blocked", ("tls.mitm",)),
    "tls: handshake timeout": ("blocked", ("tls.sni.drop", "throttle")),
    "tls: handshake failure": ("blocked", ("tls.sni.rst", "tls.sni.fin", "tls.mitm")),
    "tls: bad record MAC": ("blocked", ("tls.mitm",)),
    "tls: internal error": ("inconclusive", ()),
    "tls: invalid key share": ("inconclusive", ()),
    "tls: broken write pipe": ("inconclusive", ()),
    "net: internal error": ("inconclusive", ()),
    "check: internal error": ("inconclusive", ()),
    "check: skip": ("inconclusive", ()),
}
_DNS: Final[dict[str, tuple[Said, tuple[str, ...]]]] = {
    "OK": ("free", ()),
    "NXDOMAIN_SPOOFING": ("blocked", ("dns.nxdomain",)),
    "RESPONSE_SPOOFING": ("blocked", ("dns.poison",)),
    "BOOTSTRAP_SPOOFING": ("blocked", ("dns.poison",)),
    "INVALID_HTTPS_CERT": ("blocked", ("tls.mitm",)),
    "LOOKUP_ERR": ("blocked", ("dns.drop", "dns.error")),
    "EMPTY_BOOTSTRAP": ("inconclusive", ()),
    "NON_2XX_RESP": ("inconclusive", ()),
    "INETUTIL_ERR": ("inconclusive", ()),
    "INTERNAL_ERR": ("inconclusive", ()),
    "SKIP": ("inconclusive", ()),
}


def read(output: ToolOutput) -> ToolReport:
    """A verdict for each web host, each DNS provider, and one for the allow-list."""
    notes = Notes()
    record = json_document(output.text, notes)
    if record is None:
        return notes.report()
    notes.unknown_fields("", record, _FIELDS)
    for section, content in object_of(record.get("Webhost")).items():
        for number, item in enumerate(map(object_of, items_of(object_of(content).get("Items"))), 1):
            _host(f"Webhost[{section!r}], item {number}", item, notes)
    dns = object_of(record.get("Dns"))
    for part in ("Plain", "Doh"):
        for provider, status in object_of(object_of(dns.get(part)).get("Providers")).items():
            _provider(f"Dns.{part}", provider, object_of(status), notes)
    if status := object_of(object_of(record.get("CidrWhitelist")).get("Status")):
        _allow_list(status, notes)
    return notes.report()


def _host(place: str, item: dict[str, Any], notes: Notes) -> None:
    notes.unknown_fields(place, item, _ITEM)
    target = text_of(item.get("Group")) or text_of(item.get("IP"))
    alive, bulk, many = (object_of(item.get(name)) for name in ("Alive", "Tcp1620", "Siberian"))
    code, message = text_of(alive.get("Code")), text_of(alive.get("Msg"))
    if not target or not code:
        notes.complain("not a result", place, "no Group or IP, or no Alive")
        return
    words = f"alive: {message}, 16-20: {text_of(bulk.get('Msg'))}, siberian: {text_of(many.get('Msg'))}"
    if code == "ERR":
        if message not in _ALIVE:
            notes.complain("unknown failure", place, message)
        said, found = _ALIVE.get(message, ("inconclusive", ()))
        notes.add(ToolVerdict(target, said, found, words))
        return
    found = (("freeze",) if bulk.get("Code") == "DETECTED" else ()) + (
        ("conncount",) if many.get("Code") == "DETECTED" else ()
    )
    rate = item.get("BurstRxKbps")
    parameters = {"rate": 1000.0 * rate} if isinstance(rate, int | float) else {}
    said = "blocked" if found else "free"
    notes.add(ToolVerdict(target, said, found, words, parameters=parameters))


def _provider(place: str, provider: str, status: dict[str, Any], notes: Notes) -> None:
    code = text_of(status.get("Code"))
    if code not in _DNS:
        notes.complain("unknown failure", f"{place}, {provider}", f"code {code!r}")
    said, found = _DNS.get(code, ("inconclusive", ()))
    notes.add(ToolVerdict(provider, said, found, f"{place}: {text_of(status.get('Msg'))}", "dns"))


def _allow_list(status: dict[str, Any], notes: Notes) -> None:
    said: dict[str, Said] = {"DETECTED": "blocked", "NOT_DETECTED": "free"}
    code = text_of(status.get("Code"))
    if code not in {*said, "NO_INTERNET_ACCESS", "INTERNAL_ERR"}:
        notes.complain("unknown failure", "CidrWhitelist", f"code {code!r}")
    found = ("ip.drop",) if code == "DETECTED" else ()
    notes.add(
        ToolVerdict("cidr-whitelist", said.get(code, "inconclusive"), found, text_of(status.get("Msg")))
    )


DPI_CH = Adapter(
    name="dpi-ch",
    title="dpi-ch, results_*.json of -all",
    read=read,
    observes=frozenset({"tls.sni.rst", "tls.sni.fin", "tls.sni.drop", "tls.mitm", "ip.drop", "ip.rst",
                        "freeze", "conncount", "dns.nxdomain", "dns.poison", "dns.drop", "dns.error"}),
    schemes=frozenset({"https"}),
)  # fmt: skip

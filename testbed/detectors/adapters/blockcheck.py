"""zapret's blockcheck: <https://github.com/bol-van/zapret>, the summary at the end of its output.

A line of the summary is "TEST ipvN NAME : what came of it". Without a summary the program was ended early,
and nothing is concluded. The curl code of the first attempt, before any strategy, says how it failed.
"""

import re
from typing import Final

from testbed.detectors.adapter import EVERYTHING, Adapter, ToolOutput
from testbed.detectors.reading import Notes
from testbed.detectors.verdicts import ToolReport, ToolVerdict

_SCHEMES: Final = {
    "curl_test_http": "http",
    "curl_test_https_tls12": "https",
    "curl_test_https_tls13": "https",
    "curl_test_http3": "h3",
}
_TEST: Final = re.compile(r"\* (curl_test_\w+) (ipv[46]) (\S+)$")
_CODE: Final = re.compile(r"UNAVAILABLE(?: code=(\d+))?$")
_LINE: Final = re.compile(r"(curl_test_\w+) (ipv[46]) (\S+) : (.+)$")
_ABORTED: Final = re.compile(r"test aborted, no reason to continue\. curl code (\d+)")
_REDIRECT: Final = 254  # its own: a redirect to another domain, or HTTP 400
_BY_CODE: Final = {  # scheme, curl's exit status -> labels
    ("http", 28): ("http.drop", "ip.drop"),
    ("http", 52): ("http.fin",),
    ("http", 56): ("http.rst",),
    ("http", _REDIRECT): ("http.page",),
    ("https", 28): ("tls.sni.drop", "throttle", "ip.drop"),
    ("https", 35): ("tls.sni.rst", "tls.sni.fin"),
    ("https", 56): ("tls.sni.rst",),
    ("https", 60): ("tls.mitm",),
    ("https", _REDIRECT): ("refused",),
    ("h3", 28): ("quic.drop", "quic.sni.drop"),
}
_ANY_SCHEME: Final = {6: ("dns.nxdomain", "dns.error", "dns.drop"), 7: ("ip.rst", "ip.icmp")}


def read(output: ToolOutput) -> ToolReport:
    """A verdict for each test of each name."""
    notes = Notes()
    head, summary, tail = output.text.partition("* SUMMARY")
    if not summary:
        if output.text.strip():
            notes.complain("truncated line", f"line {len(head.splitlines())}", "there is no '* SUMMARY'")
        return notes.report()
    codes = _first_codes(head)
    first_line = len(head.splitlines()) + 1
    said: dict[tuple[str, str, str], list[str]] = {}
    for number, line in enumerate(tail.partition("* COMMON")[0].splitlines()):
        if found := _LINE.match(line.strip()):
            said.setdefault((found[1], found[2], found[3]), []).append(found[4])
        elif line.startswith("curl_test"):
            notes.complain("truncated line", f"line {first_line + number}", line)
    for (test, ip, name), words in said.items():
        if test not in _SCHEMES:
            notes.complain("unknown failure", "summary", f"test {test!r}")
            continue
        notes.add(_verdict(f"{_SCHEMES[test]}://{name}/", words, codes.get((test, ip, name))))
    return notes.report()


def _first_codes(text: str) -> dict[tuple[str, str, str], int]:
    """Of each test the curl code of the attempt without any strategy."""
    codes: dict[tuple[str, str, str], int] = {}
    test, waiting = ("", "", ""), False
    for line in map(str.strip, text.splitlines()):
        if found := _TEST.match(line):
            test = (found[1], found[2], found[3])
        elif line == "- checking without DPI bypass":
            waiting = True
        elif waiting and (code := _CODE.search(line)):
            codes[test], waiting = int(code[1] or _REDIRECT), False
    return codes


def _verdict(target: str, words: list[str], code: int | None) -> ToolVerdict:
    text = "; ".join(words)
    if "working without bypass" in words:
        return ToolVerdict(target, "free", words=text)
    if aborted := next(filter(None, map(_ABORTED.match, words)), None):
        code = int(aborted[1])
    scheme = target.partition(":")[0]
    found = _BY_CODE.get((scheme, code or 0)) or _ANY_SCHEME.get(code or 0, ())
    if aborted and not found:
        return ToolVerdict(target, "inconclusive", words=text)
    if found == ("refused",):  # over TLS only the server itself can redirect
        return ToolVerdict(target, "free", words=text)
    return ToolVerdict(target, "blocked", found, text + (f" (curl code {code})" if code else ""))


BLOCKCHECK = Adapter(
    name="blockcheck",
    title="zapret's blockcheck, its summary",
    read=read,
    observes=EVERYTHING - {"throttle", "freeze", "conncount", "vpn.drop", "dns.poison"},
    schemes=frozenset({"http", "https", "h3"}),
)

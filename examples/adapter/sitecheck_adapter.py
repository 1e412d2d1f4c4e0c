"""An adapter for `sitecheck`, a made-up tool that prints lines such as "twitter.com: RESET"."""

from testbed.detectors.adapter import Adapter, ToolOutput
from testbed.detectors.reading import Notes, numbered
from testbed.detectors.verdicts import ToolReport, ToolVerdict

MECHANISMS = {"RESET": "tls.sni.rst", "TIMEOUT": "tls.sni.drop", "STUB": "http.page"}


def read(output: ToolOutput) -> ToolReport:
    """A verdict for each line."""
    notes = Notes()
    for place, line in numbered(output.text, notes):
        name, colon, word = (part.strip() for part in line.partition(":"))
        target = f"https://{name}/"
        if not colon or not word:
            notes.complain("truncated line", place, line)
        elif word == "OK":
            notes.add(ToolVerdict(target, "free", words=word))
        elif word in MECHANISMS:
            notes.add(ToolVerdict(target, "blocked", (MECHANISMS[word],), word))
        else:
            notes.complain("unknown failure", place, word)
            notes.add(ToolVerdict(target, "inconclusive", words=word))
    return notes.report()


SITECHECK = Adapter(
    name="sitecheck",
    title="sitecheck's lines",
    read=read,
    observes=frozenset(MECHANISMS.values()),
    schemes=frozenset({"https"}),
    command=("sitecheck", "--quiet", "{host}"),
)

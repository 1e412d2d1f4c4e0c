"""The adapter is a function: its tests need no network."""

from sitecheck_adapter import read

from testbed.detectors.adapter import ToolOutput

OUTPUT = """\
twitter.com: RESET
vk.com: OK
vk.com: OK
example.com: CONFUSED
www.ins"""


def test_sitecheck() -> None:
    report = read(ToolOutput(OUTPUT))
    assert [(one.target, one.said, one.mechanisms) for one in report.verdicts] == [
        ("https://twitter.com/", "blocked", ("tls.sni.rst",)),
        ("https://vk.com/", "free", ()),
        ("https://example.com/", "inconclusive", ()),
    ]
    assert [str(one) for one in report.complaints] == [
        "line 3: duplicate: the same as line 2",
        "line 4: unknown failure: CONFUSED",
        "line 5: truncated line: www.ins",
    ]

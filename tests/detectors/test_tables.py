"""dpi-detector's tables.

The files of data/ are whole outputs of dpi-detector 3.2.2, unmodified, run as MTS's subscriber in
twitter-facebook-block-2022-03 (-t 3) and freeze-16kb-2025 (-t 34). Rows with other words are made here after
its source.
"""

from pathlib import Path

import pytest

from tests.detectors.say import complaints, read, short

DATA = Path(__file__).parent / "data"
DOMAINS = (DATA / "dpi-detector-domains.txt").read_text("utf-8")
BULK = (DATA / "dpi-detector-bulk.txt").read_text("utf-8")


def row(http="OK", tls12="OK", tls13="OK", details="0.1s", name="a.example"):
    return f"│ {name} │ {http} │ {tls12} │ {tls13} │ {details} │\n"


def test_a_saved_table_of_domains():
    report = read("dpi-detector", DOMAINS)
    assert short(report) == {
        "http://meduza.io/": ("inconclusive", ()),  # a redirect, and no colour that says where to
        "https://meduza.io/": ("blocked", ("tls.sni.rst",)),
        "http://twitter.com/": ("free", ()),
        "https://twitter.com/": ("blocked", ("tls.sni.rst",)),
        "http://vk.com/": ("free", ()),
        "https://vk.com/": ("free", ()),
        "http://www.dw.com/": ("inconclusive", ()),
        "https://www.dw.com/": ("free", ()),  # intercepted: it does not verify certificates
        "http://www.instagram.com/": ("free", ()),
        "https://www.instagram.com/": ("free", ()),
    }
    assert report.complaints == ()


def test_a_saved_table_of_bulk_transfers():
    found = short(read("dpi-detector", BULK))
    assert {target: found[target] for target in ("meduza.io", "vk.com")} == {
        "meduza.io": ("free", ()),
        "vk.com": ("free", ()),
    }


def test_the_freeze_with_its_size():
    text = "│ host-1 │ AS24940 │ Hetzner │ Да │ DETECTED │ Read Timeout at 16KB │\n"
    (verdict,) = read("dpi-detector", text).verdicts
    assert (verdict.target, verdict.mechanisms) == ("host-1", ("freeze",))
    assert verdict.parameters == {"received": 16384.0}


WORDS = {
    ("TIMEOUT", "TCP timeout (SYN Drop)"): ("blocked", ("ip.drop",)),
    ("TIMEOUT", "Read timeout"): ("blocked", ("tls.sni.drop", "throttle")),
    ("TLS DPI", "Handshake aborted"): ("blocked", ("tls.sni.fin",)),
    ("REFUSED", "TCP соединение отклонено"): ("blocked", ("ip.rst",)),
    ("HOST UNREACH", "Нет маршрута до хоста"): ("blocked", ("ip.icmp",)),
    ("DNS FAIL", "Домен не найден"): ("blocked", ("dns.nxdomain", "dns.error", "dns.drop")),
    ("ISP PAGE", "Заглушка провайдера 95.167.13.50"): ("blocked", ("dns.poison",)),
    ("TCP16-20", "Timeout 16.1KB"): ("blocked", ("freeze",)),
    ("REDIR", "→ warning.rt.ru"): ("blocked", ("http.page",)),
    ("NO TLS1.3", "Server has no TLS 1.3"): ("inconclusive", ()),
}


@pytest.mark.parametrize(("word", "details"), WORDS)
def test_words_of_its_source(word, details):
    text = row(tls12=word, tls13=word, details=details)
    assert short(read("dpi-detector", text))["https://a.example/"] == WORDS[word, details]


def test_the_colour_of_a_redirect_says_where_it_leads():
    green, red = row(http="\x1b[32mREDIR\x1b[0m"), row(http="\x1b[1;31mREDIR\x1b[0m")
    assert short(read("dpi-detector", green))["http://a.example/"] == ("free", ())
    assert short(read("dpi-detector", red))["http://a.example/"] == ("blocked", ("http.page",))


def test_a_cut_name_needs_the_target_that_was_given():
    text = row(name="a-very-long-name.…")
    assert complaints(read("dpi-detector", text)) == [("not a result", "line 1")]
    given = read("dpi-detector", text, "https://a-very-long-name.example/")
    assert list(short(given)) == ["http://a-very-long-name.example/", "https://a-very-long-name.example/"]


def test_a_word_of_tomorrow_is_named():
    report = read("dpi-detector", row(tls13="QUANTUM", tls12="QUANTUM"))
    assert [(one.kind, one.message) for one in report.complaints] == [("unknown failure", "status 'QUANTUM'")]
    assert short(report)["https://a.example/"] == ("inconclusive", ())


def test_nothing_and_half_a_table():
    assert complaints(read("dpi-detector", "")) == [("empty", "")]
    cut = DOMAINS[: DOMAINS.index("twitter.com") + 8]
    assert "https://twitter.com/" not in short(read("dpi-detector", cut))
    assert complaints(read("dpi-detector", cut)) == [("truncated line", f"line {len(cut.splitlines())}")]


def test_dpi_detector_in_two_phases_of_false_friends():
    """Real ones, in colour: only that tells a redirect to another domain from one to the same."""
    portal, overloaded = (
        read("dpi-detector", (DATA / f"dpi-detector-{phase}.txt").read_text("utf-8"))
        for phase in ("portal", "overloaded")
    )
    assert (complaints(portal), complaints(overloaded)) == ([], [])
    for one in portal.verdicts:
        plain = one.target.startswith("http:")
        assert (one.said, one.mechanisms) == (("blocked", ("http.page",)) if plain else ("free", ())), one
    assert len(portal.verdicts) == 26
    blocked = {one.target: one.mechanisms for one in overloaded.verdicts if one.said != "free"}
    assert blocked == {"http://meduza.io/": ("http.rst",), "https://meduza.io/": ("tls.sni.fin",)}

"""One table of labels: its parts fit each other, and what derives from it says what it did."""

from testbed.scenario.labels import (
    CAUSELESS,
    OTHERS_ANSWER,
    SEEN_AS,
    SILENT_LABELS,
    TABLE,
    explain_label,
    layer_of,
)


def test_every_label_is_explained_at_length_and_in_a_line() -> None:
    for entry in TABLE.values():
        assert entry.meaning
        assert len(entry.explanation) > len("Every step went as it does from outside.") - 1
    assert explain_label("something else") == "something else"


def test_what_derives_from_it() -> None:
    assert CAUSELESS == ("ok", "outage", "refused", "broken")
    assert {"http.page", "tls.mitm"} == OTHERS_ANSWER
    assert {
        "dns.drop", "ip.drop", "ip.icmp", "tls.sni.drop", "http.drop", "freeze", "quic.drop", "vpn.drop",
    } == SILENT_LABELS  # fmt: skip
    assert SEEN_AS["portal"] == ("http.page", "tls.mitm")
    assert {shown for labels in SEEN_AS.values() for shown in labels} <= set(TABLE)
    assert [layer_of(label) for label in ("freeze", "quic.sni.drop", "ok", "nothing")] == [
        "volume", "quic", "none", "none",
    ]  # fmt: skip

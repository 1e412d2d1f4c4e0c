"""What detectors could see of a truth: their own words, and none where they are blind, with the reason."""

from dataclasses import replace

import pytest

from testbed.scenario.labels import CAUSELESS, LABELS
from testbed.truth.observable import DETECTORS, measurable, observable
from tests.truth.test_record import RECORD


def seen(label: str, target: str = "https://twitter.com/") -> dict[str, str]:
    return observable(replace(RECORD, outcome=label, mechanism=label, target=target))


def test_a_reset_after_the_clienthello() -> None:
    assert seen("tls.sni.rst") == {
        "probe": "tls.sni.rst",
        "curl": "35",
        "ooni.web_connectivity": "http-failure",
        "ooni.urlgetter": "tls_handshake: connection_reset",
        "dpi-detector": "RST",
        "zgrab2": "handshake-error",
        "hyperquack": "none",
    }


def test_its_twin_a_free_network() -> None:
    assert seen("ok") == {
        "probe": "ok",
        "curl": "0",
        "ooni.web_connectivity": "false",
        "ooni.urlgetter": "ok",
        "dpi-detector": "OK",
        "zgrab2": "success",
        "hyperquack": "none",
    }


@pytest.mark.parametrize(
    ("label", "detector"),
    [
        ("tls.mitm", "dpi-detector"),
        ("throttle", "ooni.web_connectivity"),
        ("http.page", "curl"),
        ("dns.poison", "ooni.urlgetter"),
        ("conncount", "curl"),
    ],
)
def test_what_a_detector_is_blind_to_has_a_reason(label: str, detector: str) -> None:
    assert seen(label)[detector] == "none"
    assert next(one for one in DETECTORS if one.key == detector).blind[label]


def test_a_target_that_it_does_not_measure() -> None:
    over_quic = seen("quic.drop", "h3://twitter.com/")
    assert (over_quic["ooni.urlgetter"], over_quic["curl"]) == (
        "quic_handshake: generic_timeout_error",
        "none",
    )


def test_hop_and_residual_time_are_measured_by_who_provokes_the_box() -> None:
    reset = replace(RECORD, residual=75.0, hop=2)
    others = {key: () for key, word in observable(reset).items() if word != "none"}
    assert measurable(reset) == others | {"probe": ("hop", "residual")}
    slow = replace(RECORD, outcome="throttle", mechanism="throttle", rate=140_000.0, hop=2)
    assert measurable(slow)["probe"] == ("rate",)
    assert "ooni.web_connectivity" not in measurable(slow)
    assert measurable(replace(RECORD, outcome="ok", mechanism="ok")) == {}


def test_every_blindness_has_a_reason() -> None:
    """Of the effects that every tool for web sites meets."""
    web = ("tls", "throttle", "freeze", "dns.poison", "http.rst", "http.page")
    for one in DETECTORS:
        if one.key not in ("probe", "hyperquack"):
            silent = {label for label in LABELS if label not in CAUSELESS and label not in one.says}
            assert {label for label in silent if label.startswith(web)} <= set(one.blind), one.key

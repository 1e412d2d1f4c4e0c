"""The newer techniques as scenarios write them, with units and defaults."""

from pathlib import Path

import pytest

from testbed.censor.actions.block_host import BlockHost
from testbed.censor.actions.connection_limit import ConnectionLimit
from testbed.censor.actions.data_drop import DropAfterData
from testbed.censor.actions.divert import Divert
from testbed.censor.actions.fin import InjectFin
from testbed.censor.actions.freeze import Freeze
from testbed.censor.actions.loss import Loss
from testbed.errors import InputError
from testbed.scenario.loader import load

SCENARIO = """\
title: written
period: 2025-06-09/2025-06-10
sources: [our choice]
world: runet
seed: 1
censors:
  box:
    profile: t25
    rules:
      - {name: rule, match: {ip: 203.0.113.0/24}, action: ACTION}
phases:
  now: {mts: box}
default_phase: now
"""


def written(tmp_path: Path, action: str) -> object:
    path = tmp_path / "written.yaml"
    path.write_text(SCENARIO.replace("ACTION", action))
    return load(path).phases["now"].placements[0].policy.rules[0].action


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("loss", Loss()),
        ("{loss: {share: 5 %, direction: down, idle: 10 min}}", Loss(0.05, "down", 600.0)),
        ("freeze", Freeze()),
        ("{freeze: {octets: 16 KiB, count: down, udp_lock: null}}", Freeze(None, 16384, "down", None)),
        ("fin", InjectFin()),
        ("{fin: {trigger: drop, residual: 10 s}}", InjectFin("drop", residual=10.0)),
        ("{connection-limit: {flows: 4, lock: 118 s}}", ConnectionLimit(4, lock=118.0)),
        ("block-host", BlockHost()),
        ("{data-drop: {protocol: tls, packets: 0}}", DropAfterData("tls", 0)),
        ("{divert: {to4: 62.33.207.196, port: 5353}}", Divert("62.33.207.196", port=5353)),
    ],
)
def test_it_loads(tmp_path: Path, text: str, action: object) -> None:
    assert written(tmp_path, text) == action


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{divert: {to4: nowhere}}", "nowhere"),
        ("divert", "nowhere to lead to"),
        ("{divert: {to6: 1.2.3.4}}", r"'1\.2\.3\.4' is not an IPv6 address; write one like 2001:db8::53"),
        ("{divert: {to4: 1.2.3.4, port: 0}}", "port: 0 is too small; write 1 or more"),
        ("{connection-limit: {prefix4: 33}}", "prefix4: 33 is too large; write 32 or less"),
        ("{connection-limit: {prefix6: -1}}", "prefix6: -1 is too small; write 0 or more"),
        ("{connection-limit: {flows: -1}}", "flows: -1 is too small; write 0 or more"),
        ("data-drop", "protocol"),
        ("{loss: {share: 150 %}}", "share"),
        ("{freeze: {count: sideways}}", "count"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as refused:
        written(tmp_path, text)
    assert "written.yaml" in str(refused.value)

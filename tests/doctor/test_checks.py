"""Checks whose effect can be switched off: without it, each says that the feature is absent."""

import pytest

from testbed.doctor.checks import filtering, namespaces, queueing, sockets, tools
from testbed.doctor.feature import Absent, Feature, Need
from testbed.doctor.inside import attempt
from testbed.world.linux import loopback_up

pytestmark = pytest.mark.world


def tried(check):
    return attempt(Feature("x", "x", Need.OPTIONAL, "cost", "remedy", check))


def test_without_rules_every_datagram_passes():
    def check():
        loopback_up()
        return str(tools.datagrams_through(20, 500))

    assert tried(check)["detail"] == "20"


@pytest.mark.parametrize("check", [filtering.limit, filtering.quota])
def test_a_volume_rule_without_its_drop_is_absent(check, monkeypatch):
    rules = filtering._arrived
    monkeypatch.setattr(filtering, "_arrived", lambda add, _drop: rules(add))
    assert tried(check)["detail"] == "20 of 20 datagrams passed; some should, and some should not"


def test_a_set_that_nothing_adds_to_has_no_timeout(monkeypatch):
    rules = filtering._arrived
    monkeypatch.setattr(filtering, "_arrived", lambda _add: rules("accept"))
    assert tried(filtering.timeout)["present"] is False


def test_a_flow_that_nothing_deletes_stays(monkeypatch):
    rules = filtering._arrived
    monkeypatch.setattr(filtering, "_arrived", lambda add, _delete: rules(add))
    assert tried(filtering.delete)["detail"].startswith("the flow is still in the set")


@pytest.mark.parametrize("check", [queueing.queue4, queueing.queue6])
def test_a_queue_that_no_rule_feeds_is_absent(check, monkeypatch):
    monkeypatch.setattr(queueing, "queue_in", lambda chains: None)
    assert tried(check)["detail"] == "the packet was not queued"


def test_copies_that_no_rule_makes_are_absent(monkeypatch):
    monkeypatch.setattr(queueing, "run", lambda *command, stdin="": "")
    assert tried(queueing.copies)["detail"] == "read []"


@pytest.mark.parametrize("check", [sockets.raw4, sockets.raw6])
def test_an_injected_packet_that_does_not_arrive_is_absent(check, monkeypatch):
    def deaf():
        loopback_up()
        tools.run("nft", "add table inet t { chain c { type filter hook input priority 0; policy drop; }; }")

    monkeypatch.setattr(sockets, "loopback_up", deaf)
    assert tried(check)["detail"] == "the packet was sent but did not arrive"


def test_a_setting_that_forbids_user_namespaces_is_named(monkeypatch, tmp_path):
    setting = tmp_path / "max_user_namespaces"
    monkeypatch.setattr(namespaces, "_RESTRICTIONS", ((str(setting), "0", "allow them"),))
    assert namespaces.restriction() is None
    setting.write_text("96365\n")
    assert namespaces.restriction() is None
    setting.write_text("0\n")
    assert namespaces.restriction() == (str(setting).replace("/", ".") + "=0", "allow them")


def test_a_program_that_is_not_there_is_named():
    with pytest.raises(Absent, match="the program no-such-program is not installed"):
        tools.run("no-such-program")

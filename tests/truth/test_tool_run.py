"""What a tool did besides its task, in sentences."""

from testbed.truth.toolrun import BEHAVED, FLOOD, Fetched, ToolRun


def test_each_misdeed_is_a_sentence():
    run = ToolRun(
        packets=FLOOD + 1,
        rules=("ip nat OUTPUT (1 rule)",),
        processes=("sleep",),
        routes=("default dev tun0",),
        resolvers="nameserver 127.0.0.9\n",
    )
    assert run.misdeeds == (
        f"it flooded the network: {FLOOD + 1} packets",
        "it left firewall rules: ip nat OUTPUT (1 rule)",
        "it left processes: sleep",
        "it left routes otherwise: default dev tun0",
        "it changed resolv.conf: 'nameserver 127.0.0.9\\n'",
    )


def test_a_tool_that_behaves_has_none():
    assert (BEHAVED.misdeeds, ToolRun(packets=FLOOD).misdeeds) == ((), ())


def test_a_client_of_its_own_fails_by_its_status():
    assert [Fetched(status).label for status in (0, 1, None)] == ["ok", "failed", "no end"]

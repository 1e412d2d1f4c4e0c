"""`run --circumvention`: every way of a client to a tool, and tools that leave something behind."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.world("iptables-nft")

SCENARIO = """\
title: One operator filters a name
period: any
sources: [our choice]
operators: [mts]
censors:
  box: {profile: t22, rules: [{name: names, match: {tls.sni: twitter.com}, action: rst-rewrite}]}
phases: {on: {mts: box}}
default_phase: on
expect: [{vantage: mts, target: "https://twitter.com/", outcome: tls.sni.rst, by: names}]
controls: ["https://vk.com/"]
circumvention:
"""
AS_DAEMON = "exec setpriv --regid daemon --clear-groups"
RELAY = '"$TESTBED_PYTHON" -m testbed.evade'
WAYS = f"""\
  - name: redirect
    target: "https://twitter.com/"
    recipe:
      redirect: {{to: 1088, group: daemon}}
      client:
        - command:
            run: {AS_DAEMON} {RELAY} --transparent --listen 0.0.0.0:1088 records
            ready: {{tcp: 1088}}
  - name: redirect-idle
    target: "https://twitter.com/"
    fails_by: names
    recipe:
      redirect: {{to: 1088, group: daemon}}
      client:
        - command:
            run: {AS_DAEMON} {RELAY} --transparent --listen 0.0.0.0:1088
            ready: {{tcp: 1088}}
  - name: tproxy
    target: "https://twitter.com/"
    recipe:
      tproxy: {{to: 1089, mark: 2}}
      client: [{{command: {{run: exec "$TESTBED_PYTHON" TPROXIES 1089, ready: {{tcp: 1089}}}}}}]
  - name: ipset
    target: "https://twitter.com/"
    recipe:
      transparent: TPROXY
      needs: [tproxy, ipset]
      client:
        - command:
            run: |
              set -e
              ipset create names hash:ip
              ipset add names "$(getent ahostsv4 twitter.com | head -n 1 | cut -d ' ' -f 1)"
              ip route add local default dev lo table 77
              ip rule add fwmark 1 lookup 77
              iptables-nft -t mangle -A PREROUTING -i lo -p tcp -m mark --mark 1 -j TPROXY --on-port 1089
              iptables-nft -t mangle -A OUTPUT -p tcp --dport 443 -m mark ! --mark 2 \\
                -m set --match-set names dst -j MARK --set-mark 1
              exec "$TESTBED_PYTHON" TPROXIES 1089
            ready: {{tcp: 1089}}
  - name: queue
    target: "https://twitter.com/"
    recipe:
      queue: 200
      client: [{{command: {{run: exec "$TESTBED_PYTHON" TOOL, ready: {{output: serving}}}}}}]
  - name: transparent
    target: "https://twitter.com/"
    recipe:
      transparent: NFQUEUE
      client:
        - command:
            run: |
              iptables-nft -t mangle -A POSTROUTING -p tcp --dport 443 -m mark ! --mark 0x40000000 \\
                -j NFQUEUE --queue-num 200
              trap 'kill $tool; iptables-nft -t mangle -F POSTROUTING; exit' TERM
              "$TESTBED_PYTHON" TOOL & tool=$!
              wait
            ready: {{output: serving}}
  - name: fetch
    target: "https://twitter.com/"
    recipe:
      fetch: curl -4sS -m 9 -o /dev/null -x socks5h://127.0.0.1:1080 "$TESTBED_TARGET"
      client: [{{command: {{run: '{RELAY} segments', ready: {{tcp: 1080}}}}}}]
  - name: fetch-directly
    target: "https://twitter.com/"
    recipe: {{fetch: 'curl -4sS -m 9 -o /dev/null "$TESTBED_TARGET"'}}
    fails_by: names
"""


def rows(done):
    return {row["name"]: row for row in done.summary["circumvention"]}


def test_every_way_leads_to_its_tool(testbed, tmp_path):
    tool = str(Path(__file__).with_name("queue_tool.py"))
    proxy = str(Path(__file__).with_name("tproxy_tool.py"))
    (tmp_path / "ways.yaml").write_text(SCENARIO + WAYS.replace("TOOL", tool).replace("TPROXIES", proxy))
    done = testbed("ways.yaml", "--circumvention", timeout=120)
    assert done.status == 0, done.out + done.err
    found = {name: (row["observed"], row["free"]) for name, row in rows(done).items()}
    through = ("ok", "ok")
    here = {name: pair for name, pair in found.items() if rows(done)[name]["verdict"] != "skipped"}
    assert here == {
        name: pair
        for name, pair in {
            "redirect": through,
            "redirect-idle": ("tls.sni.fin", "ok"),
            "tproxy": through,
            "ipset": through,
            "queue": through,
            "transparent": through,
            "fetch": through,
            "fetch-directly": ("failed", "ok"),
        }.items()
        if name in here
    }
    unable = {name: row["why"] for name, row in rows(done).items() if name not in here}
    assert unable.keys() <= {"redirect", "redirect-idle", "ipset"}, unable  # one user alone, no program
    left = {name: row["tool"]["rules"] for name, row in rows(done).items() if row["tool"]["rules"]}
    assert left == (
        {"ipset": ["ip mangle OUTPUT (1 rule)", "ip mangle PREROUTING (1 rule)", "ipset names"]}
        if "ipset" in here
        else {}
    )
    assert "reset" in rows(done)["fetch-directly"]["why"].lower()


LEFT = f"""\
  - name: leaves-all
    target: "https://twitter.com/"
    recipe:
      proxy: socks5://127.0.0.1:1080
      client:
        - command:
            run: |
              iptables-nft -t nat -A OUTPUT -p tcp --dport 1 -j ACCEPT
              ip rule add to 203.0.113.9 lookup main pref 77
              ip route add 203.0.113.7/32 via 127.0.0.1 dev lo
              ip route del default
              ip route add unreachable default
              setsid sleep 1000 &
              echo nameserver 127.0.0.9 > /etc/resolv.conf
              {RELAY}
            ready: {{tcp: 1080}}
  - name: hangs
    target: &x "https://twitter.com/"
    recipe:
      proxy: socks5://127.0.0.1:1
      client: [{{command: {{run: sleep 99, ready: {{tcp: 1, within: 1 s}}}}}}]
  - name: elsewhere
    target: *x
    recipe:
      proxy: socks5://127.0.0.1:1
      client: [{{command: {{run: '{RELAY} --listen 127.0.0.1:2', ready: {{tcp: 1, within: 2 s}}}}}}]
  - {{name: after, target: *x, recipe: split-segments}}
"""


def test_what_a_tool_leaves_does_not_reach_the_next(testbed, tmp_path):
    (tmp_path / "left.yaml").write_text(SCENARIO + LEFT)
    done = testbed("left.yaml", "--circumvention", timeout=120)
    found = rows(done)
    left = found["leaves-all"]["tool"]
    assert left["rules"] == ["ip nat OUTPUT (1 rule)"]
    assert left["processes"] == ["sleep"]
    assert left["resolvers"] == "nameserver 127.0.0.9\n"
    assert any("203.0.113.9 lookup main" in line for line in left["routes"])
    assert any(line.startswith("without default") for line in left["routes"])
    assert {name: found[name]["tool"]["ending"] for name in ("hangs", "elsewhere")} == {
        "hangs": "hang",
        "elsewhere": "other port",
    }
    assert (found["after"]["observed"], found["after"]["tool"]["packets"] < 1000) == ("ok", True)
    assert "leaves-all from mts: it left processes: sleep" in done.out

"""Policy beside the wire: many rules, each with a site of its own, in one world.

What policy predicts is written as the expectations of a scenario, which `testbed verify` measures.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path

import pytest

from testbed.dryrun.ask import Asker
from testbed.errors import InputError
from testbed.measurement.kinds import parse
from testbed.scenario.labels import CAUSELESS
from testbed.scenario.loader import load
from tests.warm import ROOT, run_warm

KINDS = {  # what a rule looks for, and who meets it
    "https": ("tls.sni: NAME", "https://NAME/"),
    "h2": ("tls.sni: NAME", "h2://NAME/"),
    "tls": ("tls.sni: NAME", "tls://NAME/"),
    "http": ("http.host: NAME", "http://NAME/"),
    "h3": ("quic.sni: NAME", "h3://NAME/"),
    "quic": ("quic.sni: NAME", "quic://NAME/"),
    "dns": ("dns.qname: NAME", "dns://8.8.8.8/NAME"),
    "dns by the operator": ("dns.qname: NAME", "dns://resolver/NAME"),
    "dns+tcp": ("dns.qname: NAME", "dns+tcp://8.8.8.8/NAME"),
    "https after dns": ("dns.qname: NAME", "https://NAME/"),
    "https by address": ("ip: 'site:NAME'", "https://NAME/"),
    "http by address": ("ip: 'site:NAME'", "http://NAME/"),
    "h3 by address": ("ip: 'site:NAME'", "h3://NAME/"),
    "tcp by address": ("ip: 'site:NAME'", "tcp://NAME:443/"),
    "https by data": ("ip: 'site:NAME', data: true", "https://NAME/"),
}
FEW = {
    "rst: {to: server, ttl: 3}": ("https", "http", "https by address", "tcp by address"),
    "rst: {to: both, ttl: 11}": ("https",),
    "rst: {to: both, ttl: 12}": ("https",),
    "icmp: {code: net-unreachable}": ("dns", "h3 by address", "tcp by address"),
    "icmp: {code: host-unreachable}": ("dns", "h3 by address", "tcp by address"),
    "icmp: {code: port-unreachable}": ("dns", "h3 by address", "https by address"),
    "icmp: {code: admin-prohibited}": ("dns", "h3 by address", "https by address"),
    "page: {status: 100}": ("http",),
    "page: {status: 103}": ("http",),
    "page: {status: 200, body: no}": ("http", "http by address", "tcp by address"),
}
ALL = (
    *("drop", "drop: {scope: packet}", "drop: {residual: 0 s}"),
    *("rst", "rst: {to: server}", "rst: {to: both}", "rst: {ttl: 1}", "rst: {ttl: 2}"),
    *(f"rst: {{to: server, ttl: {ttl}}}" for ttl in (1, 3, 4, 5, 11, 12)),
    *("rst: {to: both, ttl: 1}", "rst: {trigger: drop}", "rst: {to: server, trigger: drop}"),
    *("rst: {ack_error: 1000}", "rst: {window: 100, ip_id: 7}", "rst: {residual: 10 s}"),
    *("fin", "fin: {trigger: drop}", "fin: {ttl: 1}", "fin: {residual: 5 s}"),
    *(f"icmp: {{code: {one}}}" for one in ("net-unreachable", "host-unreachable")),
    *(f"icmp: {{code: {one}}}" for one in ("port-unreachable", "admin-prohibited")),
    *(f"page: {{status: {status}}}" for status in (100, 101, 103, 200, 204, 304, 403, 451, 500)),
    *("page: {status: 200, body: no}", 'page: {location: "http://blocked.mts.ru/"}'),
    *(f"dns: {{rcode: {one}}}" for one in ("nxdomain", "refused", "servfail")),
    *("dns: {a: [1.2.3.4]}", "dns: {a: []}", 'dns: {aaaa: ["2001:db8::1"]}', "dns: {a: [1.2.3.4], ttl: 0}"),
    *("delay: {by: 10 ms}", "delay: {by: 1 s}", "delay: {by: 6 s}"),
    *("freeze", "freeze: {packets: 1}", "freeze: {octets: 4 KiB}"),
    *("grace-drop: {packets: [1, 1]}", "grace-drop: {packets: [20, 20]}"),
    *("data-drop: {protocol: tls}", "data-drop: {protocol: wireguard}"),
    *("loss: {share: 100 %}", "loss: {share: 100 %, direction: down}", "shape: {rate: 8 kbit/s}"),
    *("block-host", "rst-rewrite", "allow", "learn: {into: some}"),
    *('divert: {to4: 151.101.0.81, to6: "2a04:4e42::81"}', "connection-limit: {flows: 1}"),
)
_RULE = "      - {{name: r{number}, match: {{{match}}}, action: {action}}}"
_EXPECT = '  - {{target: "{url}", outcome: {outcome}{by}}}'


def _is_a_race(action: str, kind: str) -> bool:
    """What comes first, a forged packet or the client's next one: docs/truth.md, "What policy leaves out"."""
    arrives = "ttl" not in action or "ttl: 12}" in action  # twelve hops from the box to the server
    opens = kind.endswith("by address") and action.startswith("rst") and arrives
    late = kind == "tls" and action.startswith("rst: {to: server")
    return (opens and ("server" in action or "ack_error" in action)) or late


class _Beside:
    """A scenario of one rule for each case."""

    def __init__(self, folder: Path, cases: list[tuple[str, str]]) -> None:
        self._file, self._cases = folder / "beside.yaml", dict(enumerate(cases))
        world = (ROOT / "scenarios/worlds/runet.yaml").read_text("utf-8")
        sites = "".join(
            f"  - {{names: [{self._name(number)}], ipv4: 95.216.{10 + number // 200}.{1 + number % 200}, "
            f"ipv6: '2a01:4f9:0:{16 + number:x}::1', asn: 24940, country: DE}}\n"
            for number in self._cases
        )
        (folder / "wide.yaml").write_text(world.replace("\nsites:\n", f"\nsites:\n{sites}", 1))
        self._leave_out_what_no_rule_may_do()

    def differences(self, ipv: int = 4) -> list[str]:
        """Case by case, where the wire is not as policy says."""
        asker = Asker(load(str(self._file)))
        lines = []
        for number, (_, kind) in self._cases.items():
            url = KINDS[kind][1].replace("NAME", self._name(number))
            said = asker.record("on", "mts", parse(url), ipv=ipv)
            by = "" if said.outcome in CAUSELESS else f", by: r{number}"
            lines.append(_EXPECT.format(url=url, outcome=said.outcome, by=by))
        self._write(lines)
        over = ("-6",) if ipv == 6 else ()
        environment = {**os.environ, "NO_COLOR": "1"}
        done = run_warm("verify", str(self._file), "--json", *over, cwd=ROOT, env=environment, timeout=900)
        (found,) = json.loads(done.out)
        assert found["problems"] == [], found["problems"]
        assert found["exchanges"] >= len(self._cases)
        return list(map(self._told, found["differences"]))

    def _told(self, one: Mapping[str, str]) -> str:
        number = re.search(r"s(\d+)\.example", one["target"])
        case = self._cases[int(number[1])] if number else one["target"]
        return f"{case}: policy {one['policy']}, wire {one['wire']}"

    def _leave_out_what_no_rule_may_do(self) -> None:
        self._write(["  []"])
        try:
            load(str(self._file))
        except InputError as error:
            lines = self._file.read_text("utf-8").splitlines()
            for problem in error.problems:
                (number,) = re.findall(
                    r"name: r(\d+)", lines[int(problem.place.rsplit(":", 1)[1].split()[0]) - 1]
                )
                self._cases.pop(int(number), None)
            self._write(["  []"])

    def _write(self, expect: list[str]) -> None:
        rules = [
            _RULE.format(
                number=number,
                match=KINDS[kind][0].replace("NAME", self._name(number)),
                action=f"{{{action}}}" if ":" in action else action,
            )
            for number, (action, kind) in self._cases.items()
        ]
        if any(action.startswith("learn") for action, _ in self._cases.values()):
            rules.append("      - {name: reads, match: {learned: some}, action: drop}")  # minutes later
        lines = [
            *(
                "title: Beside",
                "period: any",
                "sources: [our choice]",
                "world: wide.yaml",
                "operators: [mts]",
            ),
            *("censors:", "  box:", "    profile: t22", "    rules:", *rules),
            *("phases:", "  on: {mts: box}", "default_phase: on", "expect:", *expect),
            'controls: ["https://vk.com/"]\n',
        ]
        self._file.write_text("\n".join(lines))

    @staticmethod
    def _name(number: int) -> str:
        return f"s{number}.example.net"


def _few() -> Iterator[tuple[str, str]]:
    for action, kinds in FEW.items():
        yield from product([action], kinds)


@pytest.mark.world
@pytest.mark.timeout(120)
def test_policy_and_wire_agree_about_parameters(tmp_path: Path) -> None:
    assert _Beside(tmp_path, list(_few())).differences() == []


@pytest.mark.slow
@pytest.mark.world
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("ipv", [4, 6])
@pytest.mark.parametrize("part", range(4))
def test_policy_and_wire_agree_about_every_action(tmp_path: Path, part: int, ipv: int) -> None:
    cases = [one for one in product(ALL[part::4], KINDS) if not _is_a_race(*one)]
    assert _Beside(tmp_path, cases).differences(ipv) == []
